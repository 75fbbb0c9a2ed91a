"""How use moves with the season, the week, holidays and the hour."""

from datetime import date
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nbo.asof import date_of, day_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MONTH_DAYS = 30.4
"""Of a month, on average."""
# fmt: off
_NEW_YEARS = (
    205, 124, 212, 201, 122, 209, 129, 218, 207, 126, 214, 203, 123, 210, 131, 219,
    208, 128, 216, 205, 125, 212, 201, 122, 210, 129, 217, 206, 126, 213, 203,
)
# fmt: on
SPRING_FESTIVALS = tuple(
    day_of(date(2000 + n, month_day // 100, month_day % 100)) for n, month_day in enumerate(_NEW_YEARS)
)
"""New year's day of the lunar calendar, 2000 to 2030."""

WEEKEND = (0.35, 0.95, 0.45, 0.40, 1.05)
"""Use on Saturday and Sunday against a working day, by site type."""
HOLIDAY = (0.20, 0.45, 0.12, 0.20, 1.15)
"""Use in the Spring Festival week, by site type; other holidays lie half-way to 1."""
MONTHS = (0.98, 0.90, 1.04, 1.02, 1.00, 1.02, 0.98, 0.97, 1.05, 1.00, 1.04, 1.00)

_OFFICE = (1, 1, 1, 1, 1, 2, 4, 12, 60, 100, 105, 90, 45, 60, 100, 105, 100, 85, 40, 20, 14, 9, 4, 2)
_SHOP = (2, 1, 1, 1, 1, 2, 4, 10, 30, 60, 85, 90, 70, 65, 75, 80, 85, 90, 90, 90, 80, 55, 25, 8)
_HOME = (4, 2, 1, 1, 1, 3, 12, 30, 40, 45, 45, 50, 50, 40, 40, 42, 45, 60, 85, 105, 100, 75, 40, 12)
HOURS = np.array([_OFFICE, _SHOP, _OFFICE, _OFFICE, _HOME], dtype=np.float64)
"""Calls per hour of the day, by site type; only the shape counts."""


class Closures(Protocol):
    """Who knows of days on which offices are closed beside the holidays of the calendar."""

    def holiday(self, day: int) -> float:
        """How far a day is one, 0 to 1."""
        ...


def day_factors(days: Ints, closures: Closures | None = None) -> Floats:
    """Use per day against an average working day, shape (5 site types, days)."""
    weekday = (days + 3) % 7
    month = np.array([MONTHS[date_of(int(day)).month - 1] for day in days])
    factors = np.tile(month, (len(WEEKEND), 1))
    factors[:, weekday >= 5] *= np.array(WEEKEND)[:, None]
    for column, day in enumerate(days):
        depth = max(holiday_depth(int(day)), closures.holiday(int(day)) if closures else 0.0)
        factors[:, column] *= 1 - depth * (1 - np.array(HOLIDAY))
    return factors


def holiday_depth(day: int) -> float:
    """How far a day is a holiday: 0 = not at all, 1 = Spring Festival.

    Examples
    --------
    >>> holiday_depth(day_of(date(2024, 2, 12))), holiday_depth(day_of(date(2024, 6, 12)))
    (1.0, 0.0)
    """
    from_new_year = min((day - new_year for new_year in SPRING_FESTIVALS), key=abs)
    if -1 <= from_new_year <= 7:
        return 1.0
    if -6 <= from_new_year <= 14:
        return 0.35
    when = date_of(day)
    if (when.month == 10 and when.day <= 7) or (when.month == 5 and when.day <= 3):
        return 0.5
    return 0.0


def seconds_of_day(rng: np.random.Generator, site_types: Ints) -> Ints:
    """A second of the day for each call, drawn from its site type's profile."""
    cumulated = np.cumsum(HOURS / HOURS.sum(axis=1, keepdims=True), axis=1)
    draws = rng.random(len(site_types))
    hours = np.zeros(len(site_types), dtype=np.int64)
    for site_type, profile in enumerate(cumulated):
        chosen = site_types == site_type
        hours[chosen] = np.searchsorted(profile[:-1], draws[chosen], side="right")
    return hours * 3600 + rng.integers(0, 3600, len(site_types))
