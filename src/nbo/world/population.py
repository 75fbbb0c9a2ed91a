"""Who the accounts are: size, place, lines, habits, and what nobody can see."""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.config import Chunk, WorldConfig
from nbo.world.tuning import Tuning

TENURE_DAYS_MEAN = 900
MAX_TENURE_DAYS = 3650
BUILDING_TENANTS = (25, 12, 1, 15, 10)
"""Accounts that share a building, by site type."""
TRADER_EMPLOYEES = 3
TRADER_SITES = (0.12, 0.58, 0.0, 0.05, 0.25)
COMPANY_SITES = (0.38, 0.27, 0.05, 0.24, 0.06)
MAX_LINES = 150
MOST_EMPLOYEES = 2000
HOME = 4
"""Position of residential among the site types."""
NEIGHBOURLY = (0, 1)
"""Towers and shop streets, where tenants talk."""
FIRST_FOREIGN = 2
"""Ownerships from here on are foreign."""
NEW_CUSTOMER_DAYS = 180
"""An account is of class X for so long."""
ORDER_DAYS = (2, 21)
"""Days from an order to its line, the last excluded."""
CLASS_WORTH = (150.0, 53.0, 17.0)
"""Worth (calls a day weighted by long distance) from which an account is class A, B, C."""


@dataclass(frozen=True)
class Sites:
    """Places of the accounts; the first ``n`` are the accounts' main sites, in account order."""

    account: Ints
    site_type: Ints
    area: Ints
    building: Ints


@dataclass(frozen=True)
class Lines:
    """Lines sorted by account; each account's first line is a PSTN line."""

    account: Ints
    site: Ints
    product: Ints
    start: Ints

    @property
    def voice(self) -> Bools:
        return np.isin(self.product, catalog.VOICE_PRODUCTS)

    def of(self, rows: Bools) -> "Lines":
        """Some of the lines."""
        return Lines(self.account[rows], self.site[rows], self.product[rows], self.start[rows])


@dataclass(frozen=True)
class Orders:
    """Requests for a line; those not ``done`` are cancelled on the day they are closed."""

    account: Ints
    product: Ints
    day: Ints
    closed: Ints
    done: Bools


@dataclass(frozen=True)
class Population:
    """One chunk of accounts, arrays of shape (accounts,); hidden traits are never written."""

    chunk: Chunk
    kind: Ints
    industry: Ints
    ownership: Ints
    employees: Ints
    account_class: Ints
    join: Ints
    site_type: Ints
    area: Ints
    building: Ints
    sites: Sites
    calls_per_day: Floats
    in_share: Floats
    destination_shares: Floats
    ip_share: Floats
    circle: Ints
    dial_up: Bools
    attitude: Ints
    touchiness: Floats
    price_sensitivity: Floats
    attachment: Floats
    satisfaction: Floats
    worth: Floats
    habit: Floats
    habit_rival: Ints

    @property
    def count(self) -> int:
        return len(self.kind)

    @property
    def card(self) -> Bools:
        """Whether own IP calls go by the business card, not by 17909."""
        by_card: Bools = self.employees % 7 == 0
        return by_card


def draw_population(chunk: Chunk, config: WorldConfig, tuning: Tuning) -> Population:
    """Accounts of a chunk with their visible and hidden traits."""
    rng = chunk.random(1)
    n = chunk.accounts
    industry = rng.choice(len(catalog.INDUSTRIES), n, p=catalog.INDUSTRY_PROBS)
    employees, kind, site_type = draw_kinds(rng, chunk, industry, tuning)
    area, building = draw_buildings(rng, site_type)
    use = draw_use(rng, employees, kind, industry, tuning)
    join = draw_joins(rng, n, config, tuning)
    tenure_years = np.clip((config.first_day - join) / 365, 0, 10)
    worth = np.log(use.calls_per_day * (1 + 4 * use.destination_shares[:, 1:].sum(axis=1)))
    classes = 3 - np.searchsorted(np.log(CLASS_WORTH[::-1]), worth, side="right")
    price_sensitivity = rng.normal(0, 1, n)
    ownership = rng.choice(len(catalog.OWNERSHIPS), n, p=catalog.OWNERSHIP_PROBS)
    busy = np.log(use.calls_per_day / (tuning.calls_per_line_day * employees**0.72))
    return Population(
        chunk=chunk,
        kind=kind,
        industry=industry,
        ownership=ownership,
        employees=employees,
        account_class=classes,
        join=join,
        site_type=site_type,
        area=area,
        building=building,
        sites=draw_sites(rng, employees, site_type, area, building),
        attitude=draw_attitudes(chunk.random(5), employees, ownership, site_type, busy, price_sensitivity),
        touchiness=chunk.random(6).lognormal(0, 0.5, n),
        price_sensitivity=price_sensitivity,
        attachment=rng.normal(0, 0.6, n) + 0.5 * (np.log1p(tenure_years) - 0.9),
        satisfaction=rng.normal(0.1, 0.5, n),
        worth=worth,
        habit=np.where(rng.random(n) < tuning.habit_share, rng.uniform(0.05, 0.4, n), 0.0),
        habit_rival=rng.integers(1, 6, n),
        **vars(use),
    )


def draw_kinds(
    rng: np.random.Generator, chunk: Chunk, industry: Ints, tuning: Tuning
) -> tuple[Ints, Ints, Ints]:
    """Employees, kind (company, sole trader, consumer) and type of the main site of each account."""
    n = len(industry)
    making = (industry == 3) | (industry == 4)
    log_size = rng.normal(tuning.employees_log_mean, tuning.employees_log_sd, n) + 1.3 * making
    employees = np.clip(np.rint(np.exp(log_size)), 1, MOST_EMPLOYEES).astype(np.int64)
    person = chunk.random(4).random(n) < tuning.consumer_share
    employees = np.where(person, 1, employees)
    kind = np.where(employees <= TRADER_EMPLOYEES, 1, 0)
    site_type = np.where(person, HOME, draw_site_types(rng, kind, making, employees))
    kind = np.where((site_type == HOME) & (kind == 1) & (person | (rng.random(n) < 0.5)), 2, kind)
    return employees, kind, site_type


def draw_attitudes(
    rng: np.random.Generator,
    employees: Ints,
    ownership: Ints,
    site_type: Ints,
    busy: Floats,
    price_sensitivity: Floats,
) -> Ints:
    """What each account expects of an operator: hidden, but its traits hint at it."""
    size = np.log(employees) - 1.1
    pull = np.column_stack(
        [
            0.9 * price_sensitivity,
            0.5 * size + 0.6 * (ownership >= FIRST_FOREIGN),
            0.9 * busy + 0.3,
            -0.4 * size - 0.6 * busy + 0.2,
            0.8 * np.isin(site_type, NEIGHBOURLY),
        ]
    )
    # The largest of utilities with Gumbel noise is a draw from their softmax.
    attitude: Ints = np.argmax(pull + rng.gumbel(size=pull.shape), axis=1)
    return attitude


@dataclass(frozen=True)
class Use:
    """How each account uses its lines: calls a day, their mix, circle size, dial-up."""

    calls_per_day: Floats
    in_share: Floats
    destination_shares: Floats
    ip_share: Floats
    circle: Ints
    dial_up: Bools


def draw_use(rng: np.random.Generator, employees: Ints, kind: Ints, industry: Ints, tuning: Tuning) -> Use:
    """How much an account calls, where to, and with how many partners."""
    n = len(employees)
    lines = np.clip(0.8 * employees**0.72, 1, MAX_LINES)
    calls = tuning.calls_per_line_day * lines * rng.lognormal(-0.42, 0.92, n)
    distance = rng.beta(1.6, 4.5, n) * np.where(kind == 2, 0.6, 1.0)
    reach = 0.10 * np.isin(industry, (1, 3, 4)) + 0.035 * np.log(employees)
    distance = np.clip(distance + reach, 0.01, 0.85)
    abroad = np.where(industry == 4, rng.beta(2, 5, n), rng.beta(0.5, 12, n))
    hkmt = rng.beta(0.8, 7, n)
    shares = np.column_stack(
        [
            1 - distance,
            distance * (1 - abroad) * (1 - hkmt),
            distance * (1 - abroad) * hkmt,
            distance * abroad,
        ]
    )
    return Use(
        calls_per_day=calls,
        in_share=rng.beta(6, 7, n),
        destination_shares=shares,
        ip_share=np.where(rng.random(n) < 0.55, rng.beta(2, 3, n), 0.0),
        circle=np.clip(8 + rng.lognormal(2.0, 0.6, n) * np.sqrt(calls), 8, 800).astype(np.int64),
        dial_up=rng.random(n) < 0.16,
    )


def draw_site_types(rng: np.random.Generator, kind: Ints, making: Bools, employees: Ints) -> Ints:
    traders = rng.choice(5, len(kind), p=TRADER_SITES)
    companies = rng.choice(5, len(kind), p=COMPANY_SITES)
    types = np.where(kind == 1, traders, companies)
    return np.where(making & (employees >= 8), 2, types)


def draw_buildings(rng: np.random.Generator, site_type: Ints) -> tuple[Ints, Ints]:
    """Area and building of every account; a building lies in one area."""
    building = np.zeros(len(site_type), dtype=np.int64)
    taken = 0
    for kind, tenants in enumerate(BUILDING_TENANTS):
        chosen = np.flatnonzero(site_type == kind)
        number = max(1, -(-len(chosen) // tenants))
        own = np.arange(len(chosen)) if tenants == 1 else rng.integers(0, number, len(chosen))
        building[chosen] = taken + own
        taken += number
    areas = rng.integers(0, catalog.AREAS, taken)
    return areas[building], building


def draw_sites(
    rng: np.random.Generator, employees: Ints, site_type: Ints, area: Ints, building: Ints
) -> Sites:
    """Main sites, then second sites of some larger accounts in a building of their own."""
    n = len(employees)
    second = np.flatnonzero((employees >= 15) & (rng.random(n) < 0.45))
    further = int(building.max()) + 1 + np.arange(len(second))
    return Sites(
        account=np.concatenate([np.arange(n), second]),
        site_type=np.concatenate([site_type, rng.choice([0, 1, 3], len(second))]),
        area=np.concatenate([area, rng.integers(0, catalog.AREAS, len(second))]),
        building=np.concatenate([building, further]),
    )


def draw_joins(rng: np.random.Generator, n: int, config: WorldConfig, tuning: Tuning) -> Ints:
    """First day of each account: mostly before the run, some within it."""
    tenure = np.clip(rng.exponential(TENURE_DAYS_MEAN, n), 1, MAX_TENURE_DAYS).astype(np.int64)
    expected = tuning.join_per_month * config.months
    joins = rng.random(n) < expected / (1 + expected)
    within = rng.integers(config.first_day, config.end_day, n)
    return np.where(joins, within, config.first_day - tenure)


def draw_lines(population: Population, config: WorldConfig, tuning: Tuning) -> tuple[Lines, Orders]:
    """The lines an account has or will order; ends are decided by its life."""
    rng = population.chunk.random(2)
    n = population.count
    voice = np.clip(np.rint(0.8 * population.employees**0.66 * rng.lognormal(0, 0.3, n)), 1, MAX_LINES)
    size = population.employees
    extra = {
        catalog.ADSL: rng.random(n) < np.where(population.dial_up, 0.0, 0.4),
        catalog.BUSINESS_ADSL: (size > 15) & (rng.random(n) < 0.35),
        catalog.LEASED: (size > 90) & (rng.random(n) < 0.3),
        catalog.PHS: rng.random(n) < 0.18,
    }
    account = np.repeat(np.arange(n), voice.astype(np.int64))
    first = np.r_[True, account[1:] != account[:-1]]
    big = size[account] > 25
    product = np.where(big & (rng.random(len(account)) < 0.5), catalog.CENTREX, catalog.PSTN)
    product = np.where(~first & (rng.random(len(account)) < 0.12), catalog.ISDN, product)
    product[first] = catalog.PSTN
    accounts, products = [account], [product]
    for code, has in extra.items():
        accounts.append(np.flatnonzero(has))
        products.append(np.full(int(has.sum()), code))
    account, product = np.concatenate(accounts), np.concatenate(products)
    spread = rng.random(len(account)) * (product != catalog.PSTN) * 0.6
    start = population.join[account]
    start = start + (spread * np.maximum(config.first_day - start, 0)).astype(np.int64)
    return with_orders(rng, population, Lines(account, account, product, start), config, tuning)


def with_orders(
    rng: np.random.Generator, population: Population, lines: Lines, config: WorldConfig, tuning: Tuning
) -> tuple[Lines, Orders]:
    """Add the telephone lines that are ordered during the run, then sort all by account and start."""
    rate = tuning.order_per_month * config.months * (1 + 0.15 * np.sqrt(population.employees))
    account = np.repeat(np.arange(population.count), rng.poisson(rate))
    day = rng.integers(config.first_day, config.end_day, len(account))
    closed = day + rng.integers(*ORDER_DAYS, len(account))
    done = (rng.random(len(account)) < tuning.order_done_share) & (day > population.join[account] + 10)
    valid = day > population.join[account]
    account, day, closed, done = account[valid], day[valid], closed[valid], done[valid]
    product = np.full(len(account), catalog.PSTN)
    all_account = np.concatenate([lines.account, account[done]])
    all_start = np.concatenate([lines.start, closed[done]])
    all_product = np.concatenate([lines.product, product[done]])
    first = np.zeros(len(all_account), dtype=np.int64)
    first[len(lines.account) :] = 1
    order = np.lexsort((all_product, all_start, first, all_account))
    sites = place_lines(rng, population, all_account[order])
    made = Lines(all_account[order], sites, all_product[order], np.minimum(all_start[order], NEVER))
    return made, Orders(account, product, day, closed, done)


def place_lines(rng: np.random.Generator, population: Population, account: Ints) -> Ints:
    """Site of every line: a third of the later lines stand at the second site, where there is one."""
    second = np.arange(population.count)
    extra = np.arange(population.count, len(population.sites.account))
    second[population.sites.account[extra]] = extra
    first = np.r_[True, account[1:] != account[:-1]]
    away = ~first & (rng.random(len(account)) < 0.33)
    return np.where(away, second[account], account)
