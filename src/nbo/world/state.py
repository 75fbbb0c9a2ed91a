"""The hidden state of a chunk of accounts while its life is simulated, and what happened in it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np

from nbo.world import catalog
from nbo.world.busy import busy_share
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.expectation import TYPICAL_DAY, Habits, Levels
from nbo.world.population import Lines, Population
from nbo.world.rivals import Field
from nbo.world.scenario import Schedule
from nbo.world.tuning import Tuning

WEEK = 7


class Draw(IntEnum):
    """What a stream of random numbers is for; a week's numbers have one stream for each."""

    BIRTH, MOODS, TICKETS, CONTRACTS, CONTACTS, SURVEYS, OFFICE = range(100, 107)
    APPROACHES, RETURNS, LEAVING, INVOLUNTARY, PARTS, ENDS = range(107, 113)
    TAKES, RESIGNING = range(113, 115)


WHOLE_AT_BIRTH: Mapping[int, tuple[str, ...]] = {
    NEVER: ("onset", "leak_stop", "contract_end", "decided", "leave", "gone", "struck"),
    -NEVER: ("expired_day", "held_until"),
    -1: ("cause", "gone_reason"),
    0: ("plan",),
    1: ("rival",),
}
"""Whole numbers that fields of :class:`State` begin with."""
REAL_AT_BIRTH: Mapping[float, tuple[str, ...]] = {
    0.0: ("activity", "business", "distance", "ceiling", "irritation", "load", "held"),
    1.0: ("growth_days",),
}
NOT_YET = ("seen", "substitutes", "committed", "traced", "opted_out")


class Happenings:
    """Rows of things that happened, by kind; each kind keeps its columns in one order."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[Ints, ...]]] = defaultdict(list)

    def add(self, kind: str, *columns: Ints) -> None:
        if len(columns[0]):
            self._rows[kind].append(tuple(np.asarray(column, dtype=np.int64) for column in columns))

    def columns(self, kind: str, width: int) -> tuple[Ints, ...]:
        """The columns of a kind, each of shape (rows,); empty where it never happened."""
        rows = self._rows[kind]
        if not rows:
            return tuple(np.empty(0, dtype=np.int64) for _ in range(width))
        return tuple(np.concatenate(parts) for parts in zip(*rows, strict=True))

    def branch(self) -> "Happenings":
        """The same past, with a future of its own."""
        other = Happenings()
        other._rows = defaultdict(list, {kind: list(rows) for kind, rows in self._rows.items()})
        return other


@dataclass
class Forced:
    """What is done to each account in one week, in place of what the operator would have done.

    Parameters
    ----------
    day : int
        In the week in which it is done.
    offer, channel : int array of shape (accounts,)
        Positions in :mod:`nbo.world.offers`; offer -1 = left to the operator.
    answer : bool or None
        Whether all of them are reached and accept, or are reached and refuse; None = as luck has it.
    """

    day: int
    offer: Ints
    channel: Ints
    answer: bool | None = None


@dataclass
class State:
    """What is true of each account this week; arrays of shape (accounts,), changed in place.

    Every step draws numbers for all accounts, whatever becomes of them, from a stream of its own for
    the week. So one account's numbers never depend on another's fate, and a life that is lived again
    with another action meets the same luck.
    """

    population: Population
    lines: Lines
    tuning: Tuning
    schedule: Schedule
    rivals: Field
    habits: Habits
    line_end: Ints
    line_reason: Ints
    satisfaction: Floats
    health: Floats
    activity: Floats
    business: Floats
    distance: Floats
    voice: Ints
    busy: Floats
    onset: Ints
    ceiling: Floats
    growth_days: Floats
    rival: Ints
    seen: Bools
    substitutes: Bools
    committed: Bools
    leak_stop: Ints
    contract_end: Ints
    expired_day: Ints
    plan: Ints
    decided: Ints
    leave: Ints
    cause: Ints
    traced: Bools
    gone: Ints
    gone_reason: Ints
    struck: Ints
    opted_out: Bools
    accepted: Bools
    irritation: Floats
    load: Floats
    held_until: Ints
    held: Floats
    data_leaks: Bools
    exposures: list[Floats]
    lived: bool = False
    luck: int = 0
    luck_from: int = NEVER
    day: int = 0
    week: int = 0
    forced: Forced | None = None
    happenings: Happenings = field(default_factory=Happenings)

    @classmethod
    def at_birth(
        cls, population: Population, lines: Lines, tuning: Tuning, schedule: Schedule, rivals: Field
    ) -> "State":
        n, rng = population.count, population.chunk.random(Draw.BIRTH)
        begun = lines.start <= schedule.first_day
        voice = np.bincount(lines.account[lines.voice & begun], minlength=n)
        values = (*WHOLE_AT_BIRTH.items(), *REAL_AT_BIRTH.items())
        blank: dict[str, Any] = {name: np.full(n, value) for value, names in values for name in names}
        blank |= {name: np.zeros(n, dtype=bool) for name in NOT_YET}
        return cls(
            population=population,
            lines=lines,
            tuning=tuning,
            schedule=schedule,
            rivals=rivals,
            habits=Habits.of(population, lines, begun),
            line_end=np.full(len(lines.account), NEVER),
            line_reason=np.full(len(lines.account), -1),
            satisfaction=population.satisfaction.copy(),
            health=rng.normal(0, 0.8, n),
            voice=voice,
            busy=busy_share(population.calls_per_day, voice),
            data_leaks=rng.random(n) < 0.5,
            accepted=np.zeros((n, len(catalog.PRODUCTS)), dtype=bool),
            exposures=[],
            **blank,
        )

    def copy(self) -> "State":
        """The same state, free to change by itself."""
        other = replace(self, happenings=self.happenings.branch())
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                setattr(other, item.name, value.copy())
        return other

    def branch(self, forced: Forced | None, luck: int) -> "State":
        """A copy with a future of its own: another action, and other luck if ``luck`` is not 0."""
        return replace(self.copy(), forced=forced, luck=luck, luck_from=self.day + WEEK, lived=True)

    @property
    def count(self) -> int:
        return self.population.count

    @property
    def end(self) -> Ints:
        """First day after the account's life."""
        return np.minimum(self.leave, self.gone)

    def random(self, purpose: Draw) -> np.random.Generator:
        """This week's stream for a purpose; what is drawn from it has the shape of all accounts."""
        return self.random_on(purpose, self.day)

    def random_on(self, purpose: Draw, day: int) -> np.random.Generator:
        """The stream for a purpose of the week that begins on a day."""
        other = self.luck if day >= self.luck_from else 0
        return self.population.chunk.random(purpose, day, other)

    def alive(self, day: int) -> Bools:
        alive: Bools = np.logical_and(self.population.join <= day, day < self.end)
        return alive

    def free(self, day: int) -> Bools:
        """Alive, and no end of any kind decided."""
        free: Bools = self.alive(day) & (self.decided == NEVER) & (self.gone == NEVER)
        return free

    def leak(self, day: int) -> Floats:
        """Share of long distance that has moved to a rival, 0 to 1."""
        age = np.clip((day - self.onset) / self.growth_days, 0, 1)
        fading = np.clip(1 - (day - self.leak_stop) / 28, 0, 1)
        return self.ceiling * age * fading

    def levels(self) -> Levels:
        """What decides how much is called on an ordinary day of this week, whatever the season."""
        return Levels(
            level=np.exp(self.activity + self.business) * TYPICAL_DAY,
            distance=self.distance,
            leak=self.leak(self.day),
            seen=self.seen,
            substitutes=self.substitutes,
            busy=self.busy,
            long_distance=float(self.schedule.long_distance(np.array([self.day]))[0]),
        )

    def exposure(self, lost: Bools) -> Floats:
        """Share of each account's neighbours in the building that are lost to a rival, 0 to 1.

        A life that is lived again sees the neighbours as they were the first time: what is asked is
        what an action changes for one account, all others being as they are.
        """
        if self.lived:
            return self.exposures[self.week]
        building = self.population.building
        others = np.maximum(np.bincount(building)[building] - 1, 1)
        share: Floats = (np.bincount(building, lost)[building] - lost) / others
        self.exposures.append(share)
        return share

    def happens(self, rng: np.random.Generator, chance: Floats | float, among: Bools) -> Ints:
        """Accounts to which something of this weekly chance happens."""
        return np.flatnonzero(among & (rng.random(self.count) < chance))

    def some_day(self, rng: np.random.Generator) -> Ints:
        """A day of this week for each account, shape (accounts,)."""
        return self.day + rng.integers(0, WEEK, self.count)
