"""Call records of one chunk in one month: who called whom, over which network, how long."""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats, day_factors, seconds_of_day
from nbo.world.columns import DAY, NEVER, Ints
from nbo.world.expectation import BUSY_OUT, MOST_FAR, SUBSTITUTED
from nbo.world.life import Life
from nbo.world.numbers import counterparties
from nbo.world.rivals import SELLS_DATA
from nbo.world.tariffs import (
    COMPLAINT_CALL,
    DIAL_UP,
    DIAL_UP_PER_DAY,
    FAILED_SHARE,
    INTERNATIONAL,
    LOCAL,
    MAX_SECONDS,
    MEDIAN_SECONDS,
    NATIONAL,
    RIVAL_CODE,
    SALES_CALL,
    SERVICE_CALL,
    SPREAD,
    charges,
)
from nbo.world.tuning import Tuning

FADE_TO = 0.25
"""Use on the last day of a traced leaver against before the decision."""
CONTRACT_IP_SHARE = 0.5
"""Least share of far calls by own IP voice once a contract on it is signed; assumed."""


@dataclass(frozen=True)
class Calls:
    """Call records, arrays of shape (calls,); ``network``, ``code``, ``line`` are positions."""

    account: Ints
    line: Ints
    seconds: Ints
    known: Ints
    outgoing: Ints
    what: Ints
    network: Ints
    code: Ints
    counterparty: Ints
    prefix: Ints
    duration: Ints
    charge: Ints

    def __len__(self) -> int:
        return len(self.account)


def active_lines(life: Life, days: Ints) -> np.ndarray:
    """Which lines are in service on which day, shape (lines, days)."""
    stop = np.minimum(life.line_end, life.suspended[life.lines.account])
    return (life.lines.start[:, None] <= days) & (days < stop[:, None])


def use_factors(life: Life, days: Ints) -> Floats:
    """All use of each account on each day against its normal level, shape (accounts, days)."""
    weeks = life.weeks_of(days)
    season = day_factors(days, life.schedule)[life.population.site_type]
    span = np.maximum(life.leave - life.decided, 1)
    way = np.clip((days - life.decided[:, None]) / span[:, None], 0, 1)
    fade = 1 - (1 - FADE_TO) * way * life.traced[:, None]
    factors: Floats = np.exp(life.activity[:, weeks]) * season * fade
    return factors


def draw_calls(life: Life, days: Ints, month: int, tuning: Tuning) -> Calls:
    """All call records of a chunk whose calls began on these days."""
    rng = life.population.chunk.random(10, month)
    factors = use_factors(life, days)
    account, line, day, what, outgoing = ordinary_calls(rng, life, days, factors)
    parts = [(account, line, day, what, outgoing)]
    parts += [dial_up_calls(rng, life, days, factors), event_calls(rng, life, days)]
    account, line, day, what, outgoing = (np.concatenate(column) for column in zip(*parts, strict=True))
    people = life.population
    n = len(account)
    seconds = day * DAY + seconds_of_day(rng, people.site_type[account])
    duration = np.rint(MEDIAN_SECONDS[what] * np.exp(rng.normal(0, SPREAD, n))).astype(np.int64)
    duration = np.clip(duration, 1, MAX_SECONDS)
    busy = np.where(outgoing == 0, life.busy[account, life.weeks_of(day)], 0.0)
    duration[rng.random(n) < FAILED_SHARE + (1 - FAILED_SHARE) * busy] = 0
    network, code = routes(rng, life, account, day, what, outgoing)
    numbers = counterparties(rng, life, account, day, what)
    network = np.where((what <= INTERNATIONAL) & (network == catalog.OWN), numbers.network, network)
    sales = np.array([int(c) for c in catalog.CODES])[code]
    late = rng.random(n) < tuning.late_call_share
    days_late = np.where(late, rng.integers(1, 10, n), 0)
    return Calls(
        account=account,
        line=line,
        seconds=seconds,
        known=(day + 1 + days_late) * DAY + rng.integers(0, 5 * 3600, n),
        outgoing=outgoing,
        what=what,
        network=network,
        code=code,
        counterparty=np.where(what == SALES_CALL, sales, numbers.number),
        prefix=numbers.prefix,
        duration=duration,
        charge=charges(what, outgoing, code, duration, life.schedule.long_distance(day)),
    )


Part = tuple[Ints, Ints, Ints, Ints, Ints]


def ordinary_calls(rng: np.random.Generator, life: Life, days: Ints, factors: Floats) -> Part:
    """Local and long-distance calls; leaked ones turn to the rival's code or vanish."""
    people = life.population
    voice = np.flatnonzero(life.lines.voice)
    owner = life.lines.account[voice]
    active = active_lines(life, days)[voice]
    first = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    per_account = np.add.reduceat(active.astype(np.float64), first, axis=0)
    rate = people.calls_per_day[:, None] * factors / np.maximum(per_account, 1)
    counts = rng.poisson(rate[owner] * active).ravel()
    cell = np.repeat(np.arange(len(counts)), counts)
    line, column = voice[cell // len(days)], cell % len(days)
    account, day = life.lines.account[line], days[column]
    outgoing = (rng.random(len(cell)) >= people.in_share[account]).astype(np.int64)
    week = life.weeks_of(days)[column]
    what = destinations(rng, life, account, week, outgoing)
    far = (what > LOCAL) & (outgoing == 1)
    leak = np.where(far, life.leak[account, week], 0.0)
    habit = np.where(far, people.habit[account], 0.0)
    seen, lost = life.seen[account, week], life.leak[account, week]
    turned = rng.random(len(cell)) < np.where(seen, leak + (1 - leak) * habit, habit)
    substituted = np.where(life.substitutes[account, week], SUBSTITUTED * lost, 0.0)
    unseen = np.select(
        [seen, far, outgoing == 1], [0.0, leak, substituted], np.maximum(0.25 * lost, substituted)
    )
    never_made = np.where(outgoing == 1, BUSY_OUT * life.busy[account, week], 0.0)
    keep = rng.random(len(cell)) >= 1 - (1 - unseen) * (1 - never_made)
    what = np.where(turned, RIVAL_CODE, what)
    return account[keep], line[keep], day[keep], what[keep], outgoing[keep]


def destinations(rng: np.random.Generator, life: Life, account: Ints, week: Ints, outgoing: Ints) -> Ints:
    """Local or which kind of far, with the account's own drifting share of long distance."""
    shares = life.population.destination_shares
    far_share = (1 - shares[:, 0])[account] * np.exp(life.distance[account, week])
    far_share = np.minimum(far_share, MOST_FAR) * np.where(outgoing == 1, 1.0, 0.6)
    far = rng.random(len(account)) < far_share
    kinds = np.cumsum(shares[:, 1:] / shares[:, 1:].sum(axis=1, keepdims=True), axis=1)
    pick = rng.random(len(account))
    kind = 1 + (pick > kinds[account, 0]) + (pick > kinds[account, 1])
    return np.where(far, kind, LOCAL)


def dial_up_calls(rng: np.random.Generator, life: Life, days: Ints, factors: Floats) -> Part:
    """Internet sessions by telephone, over the account's first line, until it takes broadband."""
    people = life.population
    users = np.flatnonzero(people.dial_up)
    first = np.searchsorted(life.lines.account, users)
    leak = data_leak(life, days)[users]
    dials = active_lines(life, days)[first] & (days < life.takes.broadband_from[users][:, None])
    rate = DIAL_UP_PER_DAY * factors[users] * dials * (1 - leak)
    counts = rng.poisson(rate).ravel()
    cell = np.repeat(np.arange(len(counts)), counts)
    account = users[cell // len(days)]
    ones = np.ones(len(cell), dtype=np.int64)
    return account, first[cell // len(days)], days[cell % len(days)], ones * DIAL_UP, ones


def data_leak(life: Life, days: Ints) -> Floats:
    """Share of data use gone to a rival that sells data, shape (accounts, days): a month after the voice."""
    weeks = np.maximum(life.weeks_of(days) - 4, 0)
    sold = SELLS_DATA[life.rival[:, weeks] - 1]
    share: Floats = life.leak[:, weeks] * (life.data_leaks[:, None] & sold)
    return share


def event_calls(rng: np.random.Generator, life: Life, days: Ints) -> Part:
    """Calls to the service lines around tickets, and rivals' sales calls around an approach."""
    account, opened, _, kind = life.happenings.columns("ticket", 4)
    repair = np.isin(kind, (catalog.COMPLAINT, catalog.FAULT))
    parts = [
        (account, opened, np.where(repair, COMPLAINT_CALL, SERVICE_CALL), rng.poisson(1.3, len(account)))
    ]
    approached, when, _ = life.happenings.columns("approach", 3)
    around = when + rng.integers(-10, 11, len(when))
    parts.append((approached, around, np.full(len(when), SALES_CALL), rng.poisson(1.6, len(when))))
    everyone = np.arange(life.population.count)
    for kind_of_call, per_day in ((SERVICE_CALL, 0.008), (SALES_CALL, 0.004)):
        strays = rng.poisson(per_day * len(days), len(everyone))
        parts.append(
            (everyone, rng.choice(days, len(everyone)), np.full(len(everyone), kind_of_call), strays)
        )
    account, day, what = (np.concatenate([np.repeat(p[k], p[3]) for p in parts]) for k in range(3))
    inside = (day >= days[0]) & (day <= days[-1])
    account, day, what = account[inside], day[inside], what[inside]
    line = np.searchsorted(life.lines.account, account)
    stop = np.minimum(life.line_end[line], life.suspended[account])
    served = (life.lines.start[line] <= day) & (day < stop)
    outgoing = (what != SALES_CALL).astype(np.int64)
    return account[served], line[served], day[served], what[served], outgoing[served]


def routes(
    rng: np.random.Generator, life: Life, account: Ints, day: Ints, what: Ints, outgoing: Ints
) -> tuple[Ints, Ints]:
    """Network at the other end and access code (-1 = none)."""
    people, n = life.population, len(account)
    week = life.weeks_of(day)
    leaking = life.seen[account, week] & (rng.random(n) < leak_share(life, account, week))
    rival = np.where(leaking, life.rival[account, week], people.habit_rival[account])
    caller = salesman(life, account, day, rng)
    network = np.select([what == RIVAL_CODE, what == SALES_CALL], [rival, caller], catalog.OWN)
    own_ip = (outgoing == 1) & (what >= NATIONAL) & (what <= INTERNATIONAL)
    under_contract = np.where(day >= life.takes.ip_from[account], CONTRACT_IP_SHARE, 0.0)
    own_ip &= rng.random(n) < np.maximum(people.ip_share[account], under_contract)
    card = people.card[account] | (day >= life.takes.card_from[account])
    code = np.full(n, -1)
    code = np.where(own_ip, np.where(card, catalog.OWN_CARD, catalog.OWN_IP), code)
    code = np.where(what == DIAL_UP, np.where(account % 4 == 0, catalog.DIAL_UP_163, catalog.DIAL_UP), code)
    code = np.where(what == SERVICE_CALL, catalog.SERVICE_LINE, code)
    code = np.where(what == COMPLAINT_CALL, catalog.COMPLAINT_LINE, code)
    code = np.where(what == RIVAL_CODE, catalog.FIRST_RIVAL_IP + network - 1, code)
    code = np.where(what == SALES_CALL, catalog.FIRST_SALES_LINE + network - 1, code)
    return network, code


def leak_share(life: Life, account: Ints, week: Ints) -> Floats:
    """Chance that a call to a rival's code belongs to the leakage, not to the old habit."""
    leak = life.leak[account, week]
    habit = (1 - leak) * life.population.habit[account]
    share: Floats = leak / np.maximum(leak + habit, 1e-9)
    return share


def salesman(life: Life, account: Ints, day: Ints, rng: np.random.Generator) -> Ints:
    """The rival that last approached the account about this day, else any."""
    approached, when, rival = life.happenings.columns("approach", 3)
    order = np.lexsort((when, approached))
    keys = approached[order] * NEVER + when[order]
    at = np.searchsorted(keys, account * NEVER + day + 11) - 1
    near = (at >= 0) & (len(keys) > 0)
    safe = np.maximum(at, 0)
    if not len(keys):
        return rng.integers(1, 6, len(account))
    near &= (approached[order][safe] == account) & (np.abs(when[order][safe] - day) <= 10)
    return np.where(near, rival[order][safe], rng.integers(1, 6, len(account)))
