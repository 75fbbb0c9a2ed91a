"""The change logs of a chunk as rows: a state, the day it holds from, when it reached us."""

import numpy as np
import pyarrow as pa

from nbo.world import catalog
from nbo.world.columns import (
    DAY,
    Ints,
    account_ids,
    coded,
    dates,
    ids,
    known_within,
    line_ids,
    money,
    stamps,
    whole,
)
from nbo.world.config import WorldConfig
from nbo.world.life import Life
from nbo.world.names import MANAGERS, account_names, person_names
from nbo.world.numbers import line_numbers, phone_numbers
from nbo.world.offers import OFFER_IDS
from nbo.world.population import NEW_CUSTOMER_DAYS
from nbo.world.rivals import MINUTE, RIVALS

SCOPES = ["all", "call_centre", "direct_mail"]
PRICES_KNOWN_DAYS = 3
"""Until we hear of a rival's new price."""
ALWAYS = 7305
"""Day from which codes and products hold: 1990-01-01."""


def keys(life: Life, rows: Ints) -> Ints:
    """World-wide numbers of a chunk's rows; -1 stays -1."""
    return life.population.chunk.keys(rows)


def accounts_of(life: Life, accounts: Ints) -> pa.Array:
    return account_ids(life.population.chunk.first_account + accounts)


def owner_log(life: Life, config: WorldConfig, changes: Ints, days: Ints) -> tuple[Ints, ...]:
    """Account rows: at joining, at the end of being new, at each change of manager."""
    people = life.population
    n = people.count
    everyone = np.arange(n)
    account = np.concatenate([everyone, everyone, changes])
    day = np.concatenate([people.join, people.join + NEW_CUSTOMER_DAYS, days])
    change = np.concatenate([np.zeros(2 * n), np.ones(len(changes))]).astype(np.int64)
    unique = np.unique(np.stack([account, day]), axis=1, return_index=True)[1]
    doubled = np.zeros(len(account), dtype=bool)
    doubled[unique] = True
    keep = doubled & (day < config.end_day) & (day < life.end[account]) & (day >= people.join[account])
    account, day, change = account[keep], day[keep], change[keep]
    order = np.lexsort((day, account))
    account, day, change = account[order], day[order], change[order]
    total = np.cumsum(change)
    first = np.searchsorted(account, account)
    manager = (account * 7 + total - total[first] + change[first]) % MANAGERS
    new = day < people.join[account] + NEW_CUSTOMER_DAYS
    return account, day, np.where(new, 4, people.account_class[account]), manager


def account_rows(life: Life, config: WorldConfig) -> pa.Table:
    rng = life.population.chunk.random(20)
    people = life.population
    industries = [catalog.INDUSTRIES[i] for i in people.industry]
    names = account_names(rng, people.kind, industries)
    contacts = person_names(rng, people.count)
    managers = person_names(rng, MANAGERS)
    account, day, classes, manager = owner_log(life, config, *life.happenings.columns("manager", 2))
    person = people.kind[account] == 2
    return pa.table(
        {
            "account_id": accounts_of(life, account),
            "valid_date": dates(day),
            "known_time": stamps(known_within(rng, day)),
            "name": coded(account, names),
            "contact": coded(account, contacts),
            "owner": coded(manager, managers),
            "account_class": coded(classes, catalog.ACCOUNT_CLASSES),
            "kind": coded(people.kind[account], catalog.KINDS),
            "industry": coded(np.where(person, -1, people.industry[account]), catalog.INDUSTRIES),
            "ownership": coded(np.where(person, -1, people.ownership[account]), catalog.OWNERSHIPS),
            "employees": whole(people.employees[account], ~person),
            "tariff_plan": coded(
                (people.ip_share[account] > 0).astype(np.int64), ["standard", "long_time_space"]
            ),
        }
    )


def site_rows(life: Life, config: WorldConfig) -> pa.Table:
    sites, people, chunk = life.population.sites, life.population, life.population.chunk
    rows = np.flatnonzero(people.join[sites.account] < config.end_day)
    day = people.join[sites.account[rows]]
    area = sites.area[rows]
    return pa.table(
        {
            "site_id": ids("S", keys(life, rows), 9),
            "account_id": accounts_of(life, sites.account[rows]),
            "valid_date": dates(day),
            "known_time": stamps(known_within(chunk.random(21), day)),
            "site_type": coded(sites.site_type[rows], catalog.SITE_TYPES),
            "district": coded((chunk.number + area) % len(catalog.DISTRICTS), catalog.DISTRICTS),
            "exchange_area": ids("E", chunk.number * 10 + area, 5),
            "building_id": ids("G", keys(life, sites.building[rows]), 9),
        }
    )


def line_rows(life: Life, config: WorldConfig) -> pa.Table:
    """Each line's start, its suspension before an end by non-payment, its end."""
    lines = life.lines
    real = written_lines(life, config)
    suspended = life.suspended[lines.account]
    halted = real & (lines.start < suspended) & (suspended < life.line_end) & (suspended < config.end_day)
    ended = real & (life.line_end < config.end_day)
    rows = np.concatenate([np.flatnonzero(x) for x in (real, halted, ended)])
    state = np.repeat([0, 1, 2], [real.sum(), halted.sum(), ended.sum()])
    day = np.select([state == 0, state == 1], [lines.start[rows], suspended[rows]], life.line_end[rows])
    unpaid = np.where(state == 1, catalog.NON_PAYMENT, life.line_reason[rows])
    known = known_within(life.population.chunk.random(22), day)
    return pa.table(
        {
            "line_id": line_ids(keys(life, rows)),
            "account_id": accounts_of(life, lines.account[rows]),
            "site_id": ids("S", keys(life, lines.site[rows]), 9),
            "product_id": coded(lines.product[rows], catalog.PRODUCT_IDS),
            "valid_date": dates(day),
            "known_time": stamps(known),
            "state": coded(state, ["active", "suspended", "ended"]),
            "reason": coded(np.where(state == 0, -1, unpaid), catalog.REASONS),
            "number_id": phone_numbers(
                np.where(lines.voice[rows], line_numbers(life, rows), -1), np.zeros_like(rows)
            ),
        }
    )


def written_lines(life: Life, config: WorldConfig) -> np.ndarray:
    """Lines that came to be before the run and their account ended."""
    start = life.lines.start
    real: np.ndarray = (
        (start < life.line_end) & (start < life.end[life.lines.account]) & (start < config.end_day)
    )
    return real


def two_step_rows(
    life: Life, config: WorldConfig, opened: Ints, closed: Ints, purpose: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """Rows of a log that opens and closes: row number, step (0, 1), day, arrival."""
    number = np.concatenate([np.arange(len(opened)), np.arange(len(opened))])
    step = np.repeat([0, 1], len(opened))
    day = np.concatenate([opened, np.maximum(closed, opened + 1)])
    inside = day < config.end_day
    number, step, day = number[inside], step[inside], day[inside]
    return number, step, day, known_within(life.population.chunk.random(purpose), day)


def ticket_rows(life: Life, config: WorldConfig) -> pa.Table:
    account, opened, closed, kind = life.happenings.columns("ticket", 4)
    inside = (opened >= config.first_day) & (opened < life.end[account])
    account, opened, closed, kind = (x[inside] for x in (account, opened, closed, kind))
    number, step, day, known = two_step_rows(life, config, opened, closed, 23)
    line = np.searchsorted(life.lines.account, account)
    line = np.where(kind == catalog.FAULT, line, -1)
    return pa.table(
        {
            "ticket_id": ids("T", keys(life, number), 9),
            "account_id": accounts_of(life, account[number]),
            "line_id": line_ids(keys(life, line[number])),
            "valid_date": dates(day),
            "known_time": stamps(known),
            "kind": coded(kind[number], catalog.TICKET_KINDS),
            "state": coded(step, ["open", "closed"]),
        }
    )


def consent_rows(life: Life, config: WorldConfig) -> pa.Table:
    """Everyone starts as allowed; some opt out of everything or of one channel."""
    out, when, scope = life.happenings.columns("opt_out", 3)
    joined = np.flatnonzero(life.population.join < config.end_day)
    account = np.concatenate([joined, out])
    day = np.concatenate([life.population.join[joined], when])
    scope = np.concatenate([np.zeros(len(joined), dtype=np.int64), scope])
    allowed = np.repeat([True, False], [len(joined), len(out)])
    rows = (day < config.end_day) & (day < life.end[account])
    rows &= allowed | (day > life.population.join[account])
    account, day, scope, allowed = account[rows], day[rows], scope[rows], allowed[rows]
    return pa.table(
        {
            "account_id": accounts_of(life, account),
            "scope": coded(scope, SCOPES),
            "valid_date": dates(day),
            "known_time": stamps(known_within(life.population.chunk.random(24), day)),
            "allowed": pa.array(allowed),
        }
    )


def promise_rows(life: Life, config: WorldConfig) -> pa.Table:
    """Promises made in accepted contacts; most are kept within 80 days."""
    rng = life.population.chunk.random(25)
    account, when, offer, _, outcome, *_ = life.happenings.columns("contact", 8)
    made = (outcome == 0) & (when >= config.first_day)
    account, when, offer = account[made], when[made], offer[made]
    closed = when + rng.integers(10, 80, len(when))
    kept = rng.random(len(when)) < 0.85
    price = rng.integers(80, 400, len(when)) * 100
    number, step, day, known = two_step_rows(life, config, when, closed, 26)
    state = np.where(step == 0, 0, np.where(kept[number], 1, 2))
    return pa.table(
        {
            "promise_id": ids("P", keys(life, number), 9),
            "account_id": accounts_of(life, account[number]),
            "valid_date": dates(day),
            "known_time": stamps(known),
            "offer": coded(offer[number], OFFER_IDS),
            "price_amount": money(price[number]),
            "until_date": dates((when + 90)[number]),
            "state": coded(state, ["open", "kept", "withdrawn"]),
        }
    )


def order_rows(life: Life, config: WorldConfig) -> pa.Table:
    """Orders for further lines; an account that ends cancels what is open."""
    orders = life.orders
    end = life.end[orders.account]
    rows = np.flatnonzero(orders.day < end - 1)
    closed = np.minimum(orders.closed, end)[rows]
    done = (orders.done & (orders.closed < end))[rows]
    number, step, day, known = two_step_rows(life, config, orders.day[rows], closed, 27)
    state = np.where(step == 0, 0, np.where(done[number], 1, 2))
    return pa.table(
        {
            "order_id": ids("O", keys(life, rows[number]), 9),
            "account_id": accounts_of(life, orders.account[rows][number]),
            "product_id": coded(orders.product[rows][number], catalog.PRODUCT_IDS),
            "valid_date": dates(day),
            "known_time": stamps(known),
            "kind": coded(np.zeros(len(number), dtype=np.int64), ["new_line"]),
            "state": coded(state, ["open", "done", "cancelled"]),
        }
    )


def tariff_rows(config: WorldConfig) -> pa.Table:
    """What a domestic minute of each rival costs: since long ago, and from each change of its price on."""
    schedule, spells = config.schedule, config.scenario.price_wars
    edges = {config.first_day + day for war in spells for day in (war.from_day, war.from_day + war.days)}
    days = [ALWAYS, *sorted(day for day in edges if day < config.end_day)]
    prices = np.rint([MINUTE * (1 - schedule.price_cuts(day)) for day in days]).astype(np.int64)
    changed = np.diff(prices, axis=0, prepend=-1) != 0
    when, rival = np.nonzero(changed)
    valid = np.array(days)[when]
    return pa.table(
        {
            "network_id": [RIVALS[place].network_id for place in rival],
            "destination": ["national"] * len(rival),
            "valid_date": dates(valid),
            "known_time": stamps((valid + np.where(when > 0, PRICES_KNOWN_DAYS, 0)) * DAY),
            "minute_amount": money(prices[when, rival]),
        }
    )


def code_tables(config: WorldConfig) -> dict[str, pa.Table]:
    """Networks, access codes and products, known long before the run; and the prices of rivals."""

    def known(count: int) -> pa.Array:
        return stamps(np.full(count, ALWAYS * DAY))

    networks, codes, products = catalog.NETWORKS, catalog.ACCESS_CODES, catalog.PRODUCTS
    return {
        "networks": pa.table(
            {
                "network_id": [n.network_id for n in networks],
                "known_time": known(len(networks)),
                "kind": [n.kind for n in networks],
                "name_en": [n.name_en for n in networks],
                "name_zh": [n.name_zh for n in networks],
            }
        ),
        "access_codes": pa.table(
            {
                "access_code": [c.access_code for c in codes],
                "valid_date": dates(np.full(len(codes), ALWAYS)),
                "known_time": known(len(codes)),
                "network_id": [catalog.NETWORK_IDS[c.network] for c in codes],
                "use": [c.use for c in codes],
                "state": ["active"] * len(codes),
            }
        ),
        "tariffs": tariff_rows(config),
        "products": pa.table(
            {
                "product_id": [p.product_id for p in products],
                "known_time": known(len(products)),
                "family": [p.family for p in products],
                "kind": [p.kind for p in products],
                "name_en": [p.name_en for p in products],
                "name_zh": [p.name_zh for p in products],
            }
        ),
    }
