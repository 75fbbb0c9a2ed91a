"""Bills of a month and how they are paid."""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.calls import Calls, active_lines
from nbo.world.columns import Ints
from nbo.world.life import Life
from nbo.world.offers import PLAN_PAYS, PLAN_USES
from nbo.world.service import sigmoid
from nbo.world.tariffs import DIAL_UP, FEES, HKMT, INTERNATIONAL, LOCAL, NATIONAL, RIVAL_CODE

DUE_DAYS = 20
UNPAID_DAYS = 75
"""Bills this close before an end by non-payment or bankruptcy stay unpaid."""
FAMILY_OF_PRODUCT = np.array(
    [
        catalog.BILL_FAMILIES.index(p.family) if p.family in catalog.BILL_FAMILIES else 0
        for p in catalog.PRODUCTS
    ]
)
PHS_SPREAD = (0.5, 0.3)
"""Log mean and spread of what PHS is billed against its fee."""
USE_SPREAD = 0.4
"""Log spread of what a product's use is billed against its median."""
USE = np.array([product.use for product in catalog.PRODUCTS])


@dataclass(frozen=True)
class Bills:
    """One row per account and family with an amount; fen."""

    account: Ints
    day: Ints
    family: Ints
    amount: Ints
    cost: Ints


@dataclass(frozen=True)
class Payments:
    """Payments, one an element: account row, day, days late, amount in minor units."""

    account: Ints
    day: Ints
    late: Ints
    amount: Ints


def bill(life: Life, calls: Calls, days: Ints, month: int) -> tuple[Bills, Payments]:
    """Bills dated the day after the month, from charges and fees, and their payments."""
    rng = life.population.chunk.random(15, month)
    used = charged(life, calls) + fees(rng, life, days) + service_fees(life, days, month)
    amounts = under_plans(life, used, int(days[-1]))
    account, family = np.nonzero(amounts > 0)
    amount = amounts[account, family]
    day = np.full(len(account), days[-1] + 1)
    share = np.array(catalog.COST_SHARE)[family] * rng.lognormal(0, 0.08, used.shape)[account, family]
    cost = np.rint(used[account, family] * share).astype(np.int64)
    bills = Bills(account, day, family, amount, cost)
    return bills, pay(life.population.chunk.random(46, month), life, amounts.sum(axis=1), int(days[-1]) + 1)


def under_plans(life: Life, used: Ints, day: int) -> Ints:
    """What is billed of what was used: an account on a growth plan pays its base, and what is above its room.

    Parameters
    ----------
    used : int array of shape (accounts, families)
        At list prices, fen.
    day : int
        The last of the month: the plan in force then counts for the month.
    """
    kind, base = plans_on(life, day)
    total = used.sum(axis=1)
    factor = np.where(kind > 0, plan_pays(kind, base, total) / np.maximum(total, 1), 1.0)
    return np.rint(used * factor[:, None]).astype(np.int64)


def plan_pays(kind: Ints, base: Ints | Floats, used: Ints | Floats) -> Floats:
    """What a month costs an account on a growth plan; plan 0 = none, pays what it used.

    Examples
    --------
    Plan A with a base of 8,000 costs 8,800 and covers 12,000:

    >>> plan_pays(np.array([1, 1, 0]), np.array([8000, 8000, 0]), np.array([9000, 12500, 700])).tolist()
    [8800.0, 9300.0, 700.0]
    """
    pays, uses = np.array((0.0, *PLAN_PAYS))[kind], np.array((0.0, *PLAN_USES))[kind]
    paid: Floats = pays * base + np.maximum(used - uses * base, 0)
    return paid


def plans_on(life: Life, day: int) -> tuple[Ints, Ints]:
    """Kind (0 = none) and base of the growth plan in force for each account on a day."""
    account, signed, _, planned, plan, base = life.happenings.columns("contract", 6)
    now = np.flatnonzero((signed <= day) & (planned > day) & (day < life.end[account]))
    now = now[np.argsort(signed[now], kind="stable")]
    kinds, bases = np.zeros((2, life.population.count), dtype=np.int64)
    kinds[account[now]], bases[account[now]] = plan[now], base[now]
    return kinds, bases


def charged(life: Life, calls: Calls) -> Ints:
    """Call charges by account and family, shape (accounts, families)."""
    n = life.population.count
    voice = np.isin(calls.what, (LOCAL, RIVAL_CODE))
    distance = np.isin(calls.what, (NATIONAL, HKMT, INTERNATIONAL))
    chosen = (voice, distance, calls.what == DIAL_UP)
    sums = [np.bincount(calls.account[rows], calls.charge[rows], minlength=n) for rows in chosen]
    return np.column_stack([*sums, np.zeros(n)]).astype(np.int64)


def fees(rng: np.random.Generator, life: Life, days: Ints) -> Ints:
    """Monthly fees of lines for the days in service; mobile use is a noisy multiple of its fee."""
    share = active_lines(life, days).mean(axis=1)
    fee = FEES[life.lines.product] * share
    fee = np.where(life.lines.product == catalog.PHS, fee * rng.lognormal(*PHS_SPREAD, len(fee)), fee)
    return by_family(life.population.count, life.lines.account, life.lines.product, fee)


def service_fees(life: Life, days: Ints, month: int) -> Ints:
    """Monthly fees and use of what is held by contract alone, for the days held."""
    rng = life.population.chunk.random(45, month)
    spells = life.takes.spells
    until = np.minimum(np.minimum(spells.until, life.end[spells.account]), days[-1] + 1)
    share = np.clip(until - np.maximum(spells.since, days[0]), 0, len(days)) / len(days)
    use = USE[spells.product] * rng.lognormal(0, USE_SPREAD, len(spells.product))
    return by_family(
        life.population.count, spells.account, spells.product, (FEES[spells.product] + use) * share
    )


def by_family(count: int, account: Ints, product: Ints, fee: Floats) -> Ints:
    """Amounts summed by account and the family of their product, shape (count, families)."""
    width = len(catalog.BILL_FAMILIES)
    family = FAMILY_OF_PRODUCT[product]
    total = np.bincount(account * width + family, fee, minlength=count * width)
    return np.rint(total.reshape(count, width)).astype(np.int64)


def pay(rng: np.random.Generator, life: Life, amount: Ints, bill_day: int) -> Payments:
    """Most pay before the due day; poor health pays late, and the last bills of the broke never."""
    health = health_near(life, bill_day)
    n = len(amount)
    late = rng.random(n) < sigmoid(-2.3 - 1.3 * health)
    broke = np.isin(life.gone_reason, (catalog.NON_PAYMENT, catalog.NON_PAYMENT + 1)) & (
        bill_day >= life.struck
    )
    late |= broke & (rng.random(n) < 0.6)
    delay = np.where(late, 1 + rng.exponential(14, n), -rng.integers(0, 15, n)).astype(np.int64)
    unpaid = broke & (life.gone - bill_day < UNPAID_DAYS)
    paid = np.flatnonzero((amount > 0) & ~unpaid)
    day = bill_day + DUE_DAYS + delay[paid]
    return Payments(paid, day, np.maximum(delay[paid], 0), amount[paid])


def health_near(life: Life, day: int) -> Floats:
    week = min(int(life.weeks_of(np.array([day]))[0]), life.health.shape[1] - 1)
    health: Floats = life.health[:, week]
    return health
