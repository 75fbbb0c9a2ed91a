"""The decision date and everything that is measured from it.

This is the only module that compares instants. A *day* is an integer: days since 1970-01-01 in
the operator's zone. ``as_of`` means 00:00 of its day. A fact is visible iff it happened before
that instant and had reached us by it::

    event_day < as_of   and   known_day <= as_of

``known_day`` is the first day whose 00:00 is at or after the instant of arrival (rounded up).
All intervals are half-open.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from nbo.errors import UsageError

EPOCH = date(1970, 1, 1)
AS_OF_PARAMETER = "$as_of"
"""The token that stands for the decision day in compiled SQL."""


def day_of(when: date) -> int:
    """Days since 1970-01-01.

    Examples
    --------
    >>> day_of(date(1970, 1, 2))
    1
    """
    return (when - EPOCH).days


def date_of(day: int) -> date:
    """The calendar date of a day number; the inverse of :func:`day_of`."""
    return EPOCH + timedelta(days=day)


@dataclass(frozen=True, order=True)
class AsOf:
    """A decision date: 00:00 of ``day`` in the operator's zone.

    Examples
    --------
    >>> AsOf.parse("2025-03-01").date
    datetime.date(2025, 3, 1)
    >>> AsOf.parse("2025-3-1")
    Traceback (most recent call last):
    nbo.errors.UsageError: as_of: expected a date like 2025-03-31, got '2025-3-1'.
    """

    day: int

    @classmethod
    def parse(cls, text: str) -> "AsOf":
        """Read an ISO date; raises :class:`UsageError` on anything else."""
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError(text)
            return cls(day_of(date.fromisoformat(text)))
        except ValueError:
            raise UsageError(f"as_of: expected a date like 2025-03-31, got {text!r}") from None

    @classmethod
    def of(cls, when: date) -> "AsOf":
        return cls(day_of(when))

    @property
    def date(self) -> date:
        return date_of(self.day)

    def __str__(self) -> str:
        return self.date.isoformat()

    def sees(self, event_day: int, known_day: int) -> bool:
        """Whether a fact is visible at this date.

        Examples
        --------
        >>> AsOf(10).sees(event_day=9, known_day=10), AsOf(10).sees(event_day=10, known_day=10)
        (True, False)
        """
        return event_day < self.day and known_day <= self.day

    def back(self, days: int) -> "AsOf":
        """The decision date ``days`` earlier."""
        return AsOf(self.day - days)


def visible_sql(event: str = "event_day", known: str = "known_day") -> str:
    """The visibility rule as a SQL predicate over the ``$as_of`` parameter."""
    return f"{event} < {AS_OF_PARAMETER} AND {known} <= {AS_OF_PARAMETER}"


def visible_from(event_day: int, known_day: int) -> int:
    """The first ``as_of`` day at which a fact is visible.

    Examples
    --------
    >>> visible_from(event_day=9, known_day=12)
    12
    """
    return max(event_day + 1, known_day)


@dataclass(frozen=True, order=True)
class Window:
    """The last ``days`` days before the decision: ``[as_of - days, as_of)``."""

    days: int

    def __post_init__(self) -> None:
        if isinstance(self.days, bool) or not isinstance(self.days, int) or self.days < 1:
            raise UsageError(f"window: expected a whole number of days >= 1, got {self.days!r}")

    def bounds(self, as_of: AsOf) -> tuple[int, int]:
        """First day inside and first day after, in that order."""
        return as_of.day - self.days, as_of.day


def days(*lengths: int) -> tuple[Window, ...]:
    """Windows of these lengths, as written in feature declarations: ``over=days(7, 30, 90)``."""
    if not lengths:
        raise UsageError("days(): expected at least one length, got none")
    return tuple(Window(length) for length in lengths)


@dataclass(frozen=True)
class LabelWindow:
    """Where the future is read: ``[as_of + gap, as_of + gap + horizon)``, in days."""

    gap_days: int
    horizon_days: int

    def __post_init__(self) -> None:
        if self.gap_days < 0:
            raise UsageError(f"label.gap_days: expected >= 0, got {self.gap_days}")
        if self.horizon_days < 1:
            raise UsageError(f"label.horizon_days: expected >= 1, got {self.horizon_days}")

    def bounds(self, as_of: AsOf) -> tuple[int, int]:
        """First day inside and first day after, in that order."""
        start = as_of.day + self.gap_days
        return start, start + self.horizon_days

    def closed_by(self, as_of: AsOf, other: AsOf) -> bool:
        """Whether the whole label window of ``as_of`` lies before ``other`` (the purge rule)."""
        return self.bounds(as_of)[1] <= other.day


def bucket_edges(windows: Sequence[Window]) -> tuple[int, ...]:
    """The lengths, ascending and unique, that cut history into disjoint buckets.

    Bucket ``k`` holds ages in ``(edges[k-1], edges[k]]`` days, so a window of ``edges[k]`` days
    is the union of buckets ``0..k``.
    """
    return tuple(sorted({w.days for w in windows}))


def bucket_sql(edges: Sequence[int], event: str = "event_day") -> str:
    """The bucket number of a visible fact as a SQL expression."""
    if len(edges) == 1:
        return "0"
    cases = " ".join(
        f"WHEN {event} >= {AS_OF_PARAMETER} - {edge} THEN {k}" for k, edge in enumerate(edges[:-1])
    )
    return f"CASE {cases} ELSE {len(edges) - 1} END"


def month_starts(first: AsOf, last: AsOf) -> Iterator[AsOf]:
    """First days of months within ``[first, last]``, ascending."""
    when = first.date.replace(day=1)
    while when <= last.date:
        if when >= first.date:
            yield AsOf.of(when)
        when = (when.replace(day=28) + timedelta(days=4)).replace(day=1)
