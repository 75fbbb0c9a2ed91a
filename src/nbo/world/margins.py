"""What an account's life is worth to the operator: expected margin by its hidden state, week by week."""

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import MONTH_DAYS, Floats, day_factors
from nbo.world.calls import CONTRACT_IP_SHARE, FADE_TO, data_leak
from nbo.world.columns import Bools, Ints
from nbo.world.expectation import Levels
from nbo.world.life import Life
from nbo.world.money import FAMILY_OF_PRODUCT, PHS_SPREAD, USE, USE_SPREAD, plan_pays, plans_on
from nbo.world.offers import CHANNEL_COST, NOTHING
from nbo.world.state import WEEK
from nbo.world.tariffs import FEES

__all__ = ["action_costs", "expected_margin", "expected_use", "levels_of", "monthly_fees", "served"]

MARGIN_SHARE = 1 - np.array(catalog.COST_SHARE)
PHS_USE = float(np.exp(PHS_SPREAD[0] + PHS_SPREAD[1] ** 2 / 2))
OTHER_USE = float(np.exp(USE_SPREAD**2 / 2))


def expected_margin(life: Life, first_day: int, end_day: int) -> Floats:
    """Expected margin of each account from one day to another, fen, shape (accounts,).

    The mean of what bills less direct costs would be, given the weekly state of this very life: use at
    list prices, billed by the growth plan where there is one, less what carrying it costs, less
    contacts and gifts. Nothing is discounted.

    Parameters
    ----------
    first_day, end_day : int
        Half-open; the life must have been lived to ``end_day``.
    """
    total = np.zeros(life.population.count)
    for day in range(first_day, end_day, WEEK):
        days = np.arange(day, min(day + WEEK, end_day))
        use = expected_use(life, days)
        share = len(days) / MONTH_DAYS
        kind, base = plans_on(life, int(days[len(days) // 2]))
        monthly = use.sum(axis=1) / share
        surplus = np.where(kind > 0, (plan_pays(kind, base, monthly) - monthly) * share, 0.0)
        total += use @ MARGIN_SHARE + surplus * served(life, days)
    return total - action_costs(life, first_day, end_day)


def served(life: Life, days: Ints) -> Floats:
    """Share of some days on which each account is a customer in good standing, shape (accounts,)."""
    stop = np.minimum(life.end, life.suspended)[:, None]
    on: Bools = (life.population.join[:, None] <= days) & (days < stop)
    share: Floats = on.mean(axis=1)
    return share


def expected_use(life: Life, days: Ints) -> Floats:
    """Expected charges at list prices over the days of a week, fen, shape (accounts, 4 families)."""
    calls = life.habits.amounts(levels_of(life, days)) * (served(life, days) * len(days))[:, None]
    use: Floats = calls + monthly_fees(life, int(days[len(days) // 2])) * (len(days) / MONTH_DAYS)
    return use


def monthly_fees(life: Life, day: int) -> Floats:
    """Fees of a month and use that no call record shows, on a day, fen, shape (accounts, 4 families)."""
    lines, spells, n = life.lines, life.takes.spells, life.population.count
    stop = np.minimum(life.line_end, life.suspended[lines.account])
    on = (lines.start <= day) & (day < stop)
    fee = FEES[lines.product] * np.where(lines.product == catalog.PHS, PHS_USE, 1.0) * on
    held = (spells.since <= day) & (day < np.minimum(spells.until, life.end[spells.account]))
    extra = (FEES[spells.product] + USE[spells.product] * OTHER_USE) * held
    account = np.concatenate([lines.account, spells.account])
    family = FAMILY_OF_PRODUCT[np.concatenate([lines.product, spells.product])]
    width = len(catalog.BILL_FAMILIES)
    fees = np.bincount(account * width + family, np.concatenate([fee, extra]), minlength=n * width)
    return np.asarray(fees.reshape(n, width), dtype=np.float64)


def levels_of(life: Life, days: Ints) -> Levels:
    """What decided how much was called over the days of one week."""
    middle = int(days[len(days) // 2])
    week = int(life.weeks_of(np.array([days[0]]))[0])
    season = day_factors(days, life.schedule).mean(axis=1)[life.population.site_type]
    way = (middle - life.decided) / np.maximum(life.leave - life.decided, 1)
    fade = 1 - (1 - FADE_TO) * np.clip(way, 0, 1) * life.traced
    by_contract = np.where(middle >= life.takes.ip_from, CONTRACT_IP_SHARE, 0.0)
    moved = data_leak(life, days[:1])[:, 0]
    return Levels(
        level=np.exp(life.activity[:, week]) * season * fade,
        distance=life.distance[:, week],
        leak=life.leak[:, week],
        seen=life.seen[:, week],
        substitutes=life.substitutes[:, week],
        busy=life.busy[:, week],
        ip_share=np.maximum(life.population.ip_share, by_contract),
        dials=(1 - moved) * (middle < life.takes.broadband_from),
        long_distance=float(life.schedule.long_distance(np.array([middle]))[0]),
    )


def action_costs(life: Life, first_day: int, end_day: int) -> Floats:
    """What contacts and gifts cost from one day to another, fen, shape (accounts,)."""
    n = life.population.count
    account, when, offer, channel, *_ = life.happenings.columns("contact", 8)
    on = (when >= first_day) & (when < end_day) & (offer > NOTHING)
    costs = np.bincount(account[on], CHANNEL_COST[channel[on]], minlength=n).astype(np.float64)
    account, when, given = life.happenings.columns("given", 3)
    on = (when >= first_day) & (when < end_day)
    total: Floats = costs + np.bincount(account[on], given[on], minlength=n)
    return total
