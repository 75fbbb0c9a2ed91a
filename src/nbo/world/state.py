"""The hidden state of a chunk of accounts while its life is simulated, and what happened in it."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.population import Lines, Population
from nbo.world.tuning import Tuning

WEEK = 7


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


@dataclass
class State:
    """What is true of each account this week; arrays of shape (accounts,), changed in place."""

    population: Population
    lines: Lines
    tuning: Tuning
    rng: np.random.Generator
    line_end: Ints
    line_reason: Ints
    satisfaction: Floats
    health: Floats
    activity: Floats
    business: Floats
    distance: Floats
    onset: Ints
    ceiling: Floats
    growth_days: Floats
    rival: Ints
    seen: Bools
    committed: Bools
    leak_stop: Ints
    contract_end: Ints
    expired_day: Ints
    decided: Ints
    leave: Ints
    cause: Ints
    traced: Bools
    gone: Ints
    gone_reason: Ints
    treated_until: Ints
    treated_effect: Floats
    data_leaks: Bools
    happenings: Happenings = field(default_factory=Happenings)

    @classmethod
    def at_birth(cls, population: Population, lines: Lines, tuning: Tuning) -> "State":
        n = population.count

        def never() -> Ints:
            return np.full(n, NEVER, dtype=np.int64)

        def zero() -> Floats:
            return np.zeros(n)

        rng = population.chunk.random(3)
        return cls(
            population=population,
            lines=lines,
            tuning=tuning,
            rng=rng,
            line_end=np.full(len(lines.account), NEVER, dtype=np.int64),
            line_reason=np.full(len(lines.account), -1, dtype=np.int64),
            satisfaction=population.satisfaction.copy(),
            health=rng.normal(0, 0.8, n),
            activity=zero(),
            business=zero(),
            distance=zero(),
            onset=never(),
            ceiling=zero(),
            growth_days=np.ones(n),
            rival=np.ones(n, dtype=np.int64),
            seen=np.zeros(n, dtype=bool),
            committed=np.zeros(n, dtype=bool),
            leak_stop=never(),
            contract_end=never(),
            expired_day=np.full(n, -NEVER, dtype=np.int64),
            decided=never(),
            leave=never(),
            cause=np.full(n, -1, dtype=np.int64),
            traced=np.zeros(n, dtype=bool),
            gone=never(),
            gone_reason=np.full(n, -1, dtype=np.int64),
            treated_until=np.full(n, -NEVER, dtype=np.int64),
            treated_effect=np.ones(n),
            data_leaks=rng.random(n) < 0.5,
        )

    @property
    def count(self) -> int:
        return self.population.count

    @property
    def end(self) -> Ints:
        """First day after the account's life."""
        return np.minimum(self.leave, self.gone)

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

    def happens(self, chance: Floats | float, among: Bools) -> Ints:
        """Accounts to which something of this weekly chance happens."""
        return np.flatnonzero(among & (self.rng.random(self.count) < chance))

    def some_day(self, day: int, count: int) -> Ints:
        return day + self.rng.integers(0, WEEK, count)
