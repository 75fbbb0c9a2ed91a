"""The life of a chunk of accounts, week by week: who leaks, who leaves, what happened on the way."""

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from nbo.world import catalog, market, service
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.config import Chunk, WorldConfig
from nbo.world.population import Lines, Orders, Population, draw_lines, draw_population
from nbo.world.state import WEEK, Happenings, State
from nbo.world.takes import Takes, draw_takes
from nbo.world.tuning import Tuning

BURN_IN_WEEKS = 104
"""Weeks lived before the first written day, so that the run starts with leakers in every stage."""


@dataclass(frozen=True)
class Life:
    """What became of a chunk; hidden truth that is never written as such.

    Parameters
    ----------
    first_day : int
        Day of the first column of the weekly matrices (before the run by the burn-in).
    leak, activity, distance : float array of shape (accounts, weeks)
        Leaked share of long distance; log factors of all use and of long distance.
    rival : int array of shape (accounts, weeks)
        Network that the account leaks to.
    seen : bool array of shape (accounts, weeks)
        Whether leaked calls pass over our lines (the rival's access code).
    suspended : int array of shape (accounts,)
        First day of suspension before an end by non-payment.
    line_end, line_reason : int array of shape (lines,)
        First day without the line (``NEVER``) and why.
    takes : Takes
        Products beyond the lines and the main contracts.
    """

    population: Population
    lines: Lines
    orders: Orders
    first_day: int
    leak: Floats
    activity: Floats
    distance: Floats
    rival: Ints
    seen: Bools
    health: Floats
    decided: Ints
    leave: Ints
    cause: Ints
    traced: Bools
    gone: Ints
    gone_reason: Ints
    suspended: Ints
    line_end: Ints
    line_reason: Ints
    data_leaks: Bools
    takes: Takes
    happenings: Happenings

    @property
    def end(self) -> Ints:
        return np.minimum(self.leave, self.gone)

    def weeks_of(self, days: Ints) -> Ints:
        """Column of the weekly matrices for each day."""
        return (days - self.first_day) // WEEK


def live(chunk: Chunk, config: WorldConfig, tuning: Tuning) -> Life:
    """Simulate a chunk from the burn-in to the last day of the run."""
    population = draw_population(chunk, config, tuning)
    lines, orders = draw_lines(population, config, tuning)
    state = State.at_birth(population, lines, tuning)
    first = config.first_day - BURN_IN_WEEKS * WEEK
    weeks = -(-(config.end_day - first) // WEEK)
    service.sign_first(state, first)
    matrices = live_weeks(state, config, first, weeks)
    end_lines(state)
    takes, more, ordered = draw_takes(state, orders, matrices["activity"], config, first)
    lines, line_end, line_reason = add_lines(state, more)
    return Life(
        population=population,
        lines=lines,
        orders=join_rows(orders, ordered),
        first_day=first,
        **matrices,
        decided=state.decided,
        leave=state.leave,
        cause=state.cause,
        traced=state.traced,
        gone=state.gone,
        gone_reason=state.gone_reason,
        suspended=suspensions(state),
        line_end=line_end,
        line_reason=line_reason,
        data_leaks=state.data_leaks,
        takes=takes,
        happenings=state.happenings,
    )


def live_weeks(state: State, config: WorldConfig, first: int, weeks: int) -> dict[str, Any]:
    """Step through the weeks and keep what the traffic will need, by account and week."""
    strength, entry = market.draw_entries(state.rng, config)
    kept: dict[str, list[Any]] = defaultdict(list)
    for day in range(first, first + weeks * WEEK, WEEK):
        step(state, day, config.first_day, strength, entry)
        kept["leak"].append(state.leak(day))
        kept["activity"].append(state.activity + state.business)
        for name in ("distance", "rival", "seen", "health"):
            kept[name].append(getattr(state, name).copy())
    return {name: np.stack(columns, axis=1) for name, columns in kept.items()}


def step(state: State, day: int, first_day: int, strength: Floats, entry: Ints) -> None:
    """One week of everyone's life."""
    service.step_moods(state)
    service.step_tickets(state, day)
    service.step_contracts(state, day)
    service.step_contacts(state, day)
    service.step_surveys(state, day)
    service.step_office(state, day)
    market.step_approaches(state, day, strength, entry)
    market.step_returns(state, day)
    market.step_leaving(state, day, first_day)
    market.step_involuntary(state, day, first_day)
    if day >= first_day:
        market.step_parts(state, day)


def suspensions(state: State) -> Ints:
    """Non-payers are suspended three weeks before their end."""
    unpaid = state.gone_reason == catalog.NON_PAYMENT
    return np.where(unpaid, np.maximum(state.gone - 21, state.population.join + 1), NEVER)


def end_lines(state: State) -> None:
    """End all lines of accounts that leave: some at once, some one by one, the last on the day."""
    rng, lines, end = state.rng, state.lines, state.end
    ramp = np.where(rng.random(state.count) < 0.45, 0, rng.integers(8, 60, state.count))
    ramp = np.where(state.traced, ramp, 0)
    early = (rng.random(len(lines.account)) * ramp[lines.account]).astype(np.int64)
    account_end = end[lines.account]
    first = np.r_[True, lines.account[1:] != lines.account[:-1]]
    planned = np.where(first, account_end, account_end - early)
    planned = np.maximum(planned, np.minimum(state.decided[lines.account] + 1, account_end))
    planned = np.maximum(planned, np.minimum(lines.start + 1, account_end))
    ends = (account_end < NEVER) & (state.line_end > planned)
    reason = reasons(state)[lines.account]
    state.line_end = np.where(ends, planned, state.line_end)
    state.line_reason = np.where(ends, reason, state.line_reason)


def reasons(state: State) -> Ints:
    """Why each account ends, shape (accounts,)."""
    return np.where(state.leave < NEVER, state.cause, state.gone_reason)


def add_lines(state: State, more: Lines) -> tuple[Lines, Ints, Ints]:
    """The lines that were taken, behind those each account has; they end with the account."""
    lines = join_rows(state.lines, more)
    order = np.argsort(lines.account, kind="stable")
    end = np.concatenate([state.line_end, state.end[more.account]])
    reason = np.concatenate([state.line_reason, reasons(state)[more.account]])
    sorted_lines = Lines(**{f.name: getattr(lines, f.name)[order] for f in fields(Lines)})
    return sorted_lines, end[order], reason[order]


Rows = TypeVar("Rows", Lines, Orders)


def join_rows(first: Rows, second: Rows) -> Rows:
    """The rows of both, one after the other."""
    columns = {
        f.name: np.concatenate([getattr(first, f.name), getattr(second, f.name)]) for f in fields(first)
    }
    return type(first)(**columns)
