"""What is asked of the demo operator: how many accounts, how long, which seed."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from nbo.asof import day_of
from nbo.errors import UsageError
from nbo.world.columns import Ints
from nbo.world.scenario import BASE, Scenario, Schedule

CHUNK_ACCOUNTS = 500
"""Accounts simulated together. A chunk has its own streets, towers and random numbers, so an account
does not depend on how many others there are outside its chunk."""
ROWS_PER_CHUNK = 100_000
"""Numbers reserved per chunk for keys of lines, sites, tickets and the like."""

FIRST_YEAR, LAST_YEAR = 2000, 2030
MAX_ACCOUNTS = 5_000_000
MAX_MONTHS = 120


@dataclass(frozen=True)
class WorldConfig:
    """Size, length and seed of a simulated operator.

    Parameters
    ----------
    accounts : int
        Accounts that exist at some time of the run, >= 1 (a few of them join during the run).
    months : int
        Calendar months written, 1 to 120.
    seed : int
        >= 0; the same seed gives the same bytes.
    start : date
        First day written: the first day of a month from 2000 on (holidays are known to 2030).
    zone : str
        IANA name of the operator's zone; all times written are local.
    scenario : Scenario
        What happens to the whole operator; its days must lie within the run.

    Raises
    ------
    UsageError
        If a value is out of its range.

    Examples
    --------
    >>> WorldConfig(accounts=100, months=2, seed=7).month_starts
    (19723, 19754, 19783)
    >>> WorldConfig(accounts=0, months=2, seed=7)
    Traceback (most recent call last):
    nbo.errors.UsageError: accounts: expected a whole number from 1 to 5000000, got 0.
    """

    accounts: int
    months: int
    seed: int
    start: date = date(2024, 1, 1)
    zone: str = "Asia/Shanghai"
    scenario: Scenario = BASE

    def __post_init__(self) -> None:
        check_whole("accounts", self.accounts, 1, MAX_ACCOUNTS)
        check_whole("months", self.months, 1, MAX_MONTHS)
        check_whole("seed", self.seed, 0, 2**63 - 1)
        if self.start.day != 1:
            raise UsageError(f"start: expected the first day of a month, got {self.start}")
        last_year = self.start.year + (self.start.month - 1 + self.months - 1) // 12
        if self.start.year < FIRST_YEAR or last_year > LAST_YEAR:
            raise UsageError(
                f"start and months: expected a run within {FIRST_YEAR} to {LAST_YEAR}, "
                f"got {self.months} months from {self.start}"
            )
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(f"zone: expected an IANA zone like Asia/Shanghai, got {self.zone!r}") from None
        if self.scenario.last_day() >= self.end_day - self.first_day:
            raise UsageError(
                f"scenario {self.scenario.name}: expected its events within the run of "
                f"{self.end_day - self.first_day} days, got one on day {self.scenario.last_day()}",
                "Simulate more months, or let it begin sooner",
            )

    @property
    def schedule(self) -> Schedule:
        """The scenario's events on the days of this run."""
        return Schedule(self.scenario, self.first_day)

    @property
    def month_starts(self) -> tuple[int, ...]:
        """First day of every month, then the first day after the run: ``months + 1`` day numbers."""
        base = self.start.year * 12 + self.start.month - 1
        return tuple(day_of(date((base + m) // 12, (base + m) % 12 + 1, 1)) for m in range(self.months + 1))

    @property
    def first_day(self) -> int:
        return self.month_starts[0]

    @property
    def end_day(self) -> int:
        """First day not simulated."""
        return self.month_starts[-1]

    @property
    def chunks(self) -> tuple["Chunk", ...]:
        full, rest = divmod(self.accounts, CHUNK_ACCOUNTS)
        sizes = [CHUNK_ACCOUNTS] * full + ([rest] if rest else [])
        return tuple(Chunk(self.seed, number, size) for number, size in enumerate(sizes))


def check_whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name}: expected a whole number from {low} to {high}, got {value!r}")


@dataclass(frozen=True)
class Chunk:
    """A neighbourhood: up to 500 accounts with random numbers of their own."""

    seed: int
    number: int
    accounts: int

    @property
    def first_account(self) -> int:
        """Number of the chunk's first account in the whole world."""
        return self.number * CHUNK_ACCOUNTS

    def keys(self, rows: Ints) -> Ints:
        """World-wide numbers of the chunk's rows of any one kind; -1 stays -1."""
        return np.where(rows < 0, -1, self.number * ROWS_PER_CHUNK + rows)

    def random(self, purpose: int, when: int = 0, luck: int = 0) -> np.random.Generator:
        """The random stream of one purpose at one time (a month or a week); streams share no numbers.

        Luck 0 is the world that is written; others are worlds that could have been.
        """
        words = [self.seed, self.number, purpose, when, luck]
        return np.random.default_rng(np.random.SeedSequence(words))
