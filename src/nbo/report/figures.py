"""Numbers as a model's metadata give them: a finite number, or None, never a guess."""

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nbo.report.words import Language


@dataclass(frozen=True)
class Estimate:
    """A measured value with its interval; ``low`` and ``high`` are None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None

    def text(self, language: Language, digits: int = 3, sign: str = "") -> str:
        """``0.800 (0.770 to 0.830)``.

        Examples
        --------
        >>> Estimate(0.8, 0.77, 0.83).text("en", 2), Estimate(0.8).text("en", 2)
        ('0.80 (0.77 to 0.83)', '0.80')
        """
        shown = format(self.value, f"{sign}.{digits}f")
        if self.low is None or self.high is None:
            return shown
        low, high = (format(edge, f"{sign}.{digits}f") for edge in (self.low, self.high))
        return f"{shown} ({low} {'至' if language == 'zh' else 'to'} {high})"


@dataclass(frozen=True)
class Bin:
    """One group of equal size: mean forecast and what happened, as shares."""

    mean_score: float
    left: Estimate
    count: float | None


@dataclass(frozen=True)
class Gain:
    """The top ``share`` of the list holds ``captured`` of all leavers; shares."""

    share: float
    captured: float
    lift: float | None


@dataclass(frozen=True)
class Family:
    """One kind of signal and its share of the model's reliance."""

    name: str
    share: float


def number(value: object) -> float | None:
    """A finite number, or None for anything else.

    Examples
    --------
    >>> number(3), number(float("nan")), number("3"), number(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        return None
    return float(value) if math.isfinite(value) else None


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping, empty where the metadata hold none."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A list, empty where the metadata hold none."""
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()


def estimate(value: object) -> Estimate | None:
    """``{"value", "low", "high"}`` or a bare number; None where nothing was measured."""
    if not isinstance(value, Mapping):
        bare = number(value)
        return None if bare is None else Estimate(bare)
    middle = number(value.get("value"))
    if middle is None:
        return None
    return Estimate(middle, number(value.get("low")), number(value.get("high")))


def estimates(metrics: object) -> dict[str, Estimate]:
    """Those of a mapping of metrics that were measured."""
    found = {str(name): estimate(value) for name, value in mapping(metrics).items()}
    return {name: value for name, value in found.items() if value is not None}


def bins(reliability: object) -> list[Bin]:
    """The reliability groups that have both numbers, by forecast."""
    found = []
    for row in map(mapping, sequence(reliability)):
        score, left = number(row.get("mean_score")), number(row.get("share_left", row.get("share_taken")))
        if score is not None and left is not None:
            edges = Estimate(left, number(row.get("low")), number(row.get("high")))
            found.append(Bin(score, edges, number(row.get("count"))))
    return sorted(found, key=lambda one: one.mean_score)


def gain_points(gains: object) -> list[Gain]:
    """The gains that have both shares, by share of the list."""
    found = []
    for row in map(mapping, sequence(gains)):
        share, captured = number(row.get("share")), number(row.get("captured"))
        if share is not None and captured is not None:
            found.append(Gain(share, captured, number(row.get("lift"))))
    return sorted(found, key=lambda one: one.share)


def slice_estimates(slices: object) -> dict[str, dict[str, Estimate]]:
    """Measurements by decision date, oldest first; dates without any are left out."""
    found = {str(date): estimates(metrics) for date, metrics in mapping(slices).items()}
    return {date: found[date] for date in sorted(found) if found[date]}


def family_shares(families: object, language: Language) -> list[Family]:
    """Families by falling share, named in this language."""
    found = []
    for row in map(mapping, sequence(families)):
        share = number(row.get("share"))
        if share is not None:
            found.append(Family(words_of(row, "family", language), share))
    return sorted(found, key=lambda one: (-one.share, one.name))


def words_of(row: Mapping[str, Any], key: str, language: Language) -> str:
    """The row's words in this language, else the name under ``key``."""
    return str(mapping(row.get("words")).get(language) or row.get(key) or "")


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage.

    Examples
    --------
    >>> percent(0.031), percent(0.4, 0)
    ('3.1 %', '40 %')
    """
    return f"{100 * share:.{digits}f} %"


def of_100(share: float) -> str:
    """How many of a hundred; two digits below ten, so that a small share does not become 0.

    Examples
    --------
    >>> of_100(0.031), of_100(0.124)
    ('3.1', '12')
    """
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.2g}"


def plain(value: float) -> str:
    """A number with at most two decimals and no trailing zeros.

    Examples
    --------
    >>> plain(1200.0), plain(0.5)
    ('1,200', '0.5')
    """
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
