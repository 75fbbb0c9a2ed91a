"""The life of a chunk of accounts, week by week: who leaks, who leaves, what happened on the way."""

from collections import defaultdict
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from nbo.world import catalog, contacts, leaving, market, service
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.config import Chunk, WorldConfig
from nbo.world.expectation import Habits
from nbo.world.population import Lines, Orders, Population, draw_lines, draw_population
from nbo.world.rivals import draw_field
from nbo.world.scenario import Schedule
from nbo.world.state import WEEK, Draw, Forced, Happenings, State
from nbo.world.takes import Takes, draw_takes
from nbo.world.tuning import Tuning

KEPT = ("distance", "rival", "seen", "substitutes", "health", "busy")
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
    seen, substitutes : bool array of shape (accounts, weeks)
        Whether leaked calls pass over our lines (the rival's access code); whether local calls leak too.
    busy : float array of shape (accounts, weeks)
        Share of the busiest hour's calls that find all lines taken.
    struck : int array of shape (accounts,)
        Day on which what ends the account by no choice of its own befell it.
    suspended : int array of shape (accounts,)
        First day of suspension before an end by non-payment.
    line_end, line_reason : int array of shape (lines,)
        First day without the line (``NEVER``) and why.
    takes : Takes
        Products beyond the lines and the main contracts.
    """

    population: Population
    habits: Habits
    schedule: Schedule
    lines: Lines
    orders: Orders
    first_day: int
    leak: Floats
    activity: Floats
    distance: Floats
    rival: Ints
    seen: Bools
    substitutes: Bools
    health: Floats
    busy: Floats
    decided: Ints
    leave: Ints
    cause: Ints
    traced: Bools
    gone: Ints
    gone_reason: Ints
    struck: Ints
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


@dataclass(frozen=True)
class Course:
    """A chunk on its way through the weeks; it can be branched into lives that could have been.

    Parameters
    ----------
    state : State
        As it is this week.
    orders : Orders
        Of further telephone lines.
    first_day : int
        Day of the first week lived.
    kept : dict of str to list of array
        What the traffic will need, by name, an array of shape (accounts,) a week.
    """

    config: WorldConfig
    state: State
    orders: Orders
    first_day: int
    kept: dict[str, list[Any]]

    @classmethod
    def begin(cls, chunk: Chunk, config: WorldConfig, tuning: Tuning) -> "Course":
        """The chunk at the start of its burn-in."""
        population = draw_population(chunk, config, tuning)
        lines, orders = draw_lines(population, config, tuning)
        rivals = draw_field(chunk.random(3), config, tuning)
        state = State.at_birth(population, lines, tuning, config.schedule, rivals)
        first = config.first_day - BURN_IN_WEEKS * WEEK
        service.sign_first(state, first)
        return cls(config, state, orders, first, defaultdict(list))

    @property
    def day(self) -> int:
        """First day of the next week."""
        return self.first_day + len(self.kept["leak"]) * WEEK

    def walk(self, until: int) -> None:
        """Live week by week as long as a week begins before ``until``."""
        state = self.state
        while self.day < until:
            state.day, state.week = self.day, len(self.kept["leak"])
            step(state, self.config.first_day)
            self.kept["leak"].append(state.leak(state.day))
            self.kept["activity"].append(state.activity + state.business)
            for name in KEPT:
                self.kept[name].append(getattr(state, name).copy())

    def branch(self, forced: Forced | None, luck: int = 0) -> "Course":
        """The same past and a future of its own; see :meth:`State.branch`."""
        kept = defaultdict(list, {name: list(weeks) for name, weeks in self.kept.items()})
        return replace(self, state=self.state.branch(forced, luck), kept=kept)

    def life(self, until: int) -> Life:
        """What became of the chunk by a day; the course must have been walked to it."""
        state = self.state.copy()
        matrices = {name: np.stack(weeks, axis=1) for name, weeks in self.kept.items()}
        end_lines(state)
        takes, more, ordered = draw_takes(
            state, self.orders, matrices["activity"], self.config, self.first_day, until
        )
        lines, line_end, line_reason = add_lines(state, more)
        return Life(
            population=state.population,
            habits=state.habits,
            schedule=state.schedule,
            lines=lines,
            orders=join_rows(self.orders, ordered),
            first_day=self.first_day,
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
            struck=state.struck,
            data_leaks=state.data_leaks,
            takes=takes,
            happenings=state.happenings,
        )


def live(chunk: Chunk, config: WorldConfig, tuning: Tuning) -> Life:
    """Simulate a chunk from the burn-in to the last day of the run."""
    course = Course.begin(chunk, config, tuning)
    course.walk(config.end_day)
    return course.life(config.end_day)


def step(state: State, first_day: int) -> None:
    """One week of everyone's life."""
    day = state.day
    service.step_moods(state)
    service.step_tickets(state, day)
    service.step_contracts(state, day)
    contacts.step_contacts(state)
    service.step_surveys(state, day)
    service.step_office(state, day)
    neighbours = market.tower_share(state, day)
    market.step_approaches(state, day, neighbours)
    market.step_returns(state, day)
    leaving.step_leaving(state, day, first_day, neighbours)
    leaving.step_involuntary(state, day, first_day)
    if day >= first_day:
        leaving.step_parts(state, day)


def suspensions(state: State) -> Ints:
    """Non-payers are suspended three weeks before their end."""
    unpaid = state.gone_reason == catalog.NON_PAYMENT
    return np.where(unpaid, np.maximum(state.gone - 21, state.population.join + 1), NEVER)


def end_lines(state: State) -> None:
    """End all lines of accounts that leave: some at once, some one by one, the last on the day."""
    lines, end = state.lines, state.end
    rng = state.population.chunk.random(Draw.ENDS, 0, state.luck)
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
