"""Two tables behind the numbers: told against found rates, and what the top of the list holds."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.evaluation.classification import Clusters, fitted
from nbo.evaluation.intervals import DRAWS, Interval, bootstrap
from nbo.evaluation.weighted import equal_mass_bins, ratio

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar probability.

    Parameters
    ----------
    rows, positives : int
        How many, and how many of them are 1.
    told : float
        Mean probability.
    found : Interval
        Share of positives.
    """

    rows: int
    positives: int
    told: float
    found: Interval

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class GainsRow:
    """The list cut after a share of its rows, from the top.

    Parameters
    ----------
    share : float
        Part of the rows above the cut.
    rows : int
        How many rows that is.
    positives : float
        Positives above the cut; a fraction where the cut falls within equal probabilities.
    captured_share : float
        Part of all positives above the cut.
    lift : float
        ``captured_share / share``.
    """

    share: float
    rows: int
    positives: float
    captured_share: float
    lift: float

    def to_json(self) -> dict[str, float]:
        """All fields by name."""
        return asdict(self)


def reliability_table(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    clusters: Clusters = None,
    seed: int = 0,
    *,
    bins: int = BINS,
    draws: int = DRAWS,
) -> list[ReliabilityBin]:
    """Told and found rates over equal-mass bins, lowest probability first.

    Parameters
    ----------
    y : array of shape (n,)
        Labels, 0 or 1, both present.
    p : array of shape (n,)
        Probabilities in [0, 1].
    clusters : array of shape (n,) or None
        The account of each row; None = every row its own.
    seed : int
        Of the bootstrap.
    bins : int
        Wanted number; rows of equal ``p`` share a bin, so there may be fewer.
    draws : int
        Of the bootstrap.

    Raises
    ------
    DataError
        Labels of one class only, or values that do not fit.

    References
    ----------
    Murphy and Winkler (1977), *Reliability of subjective probability forecasts*, JRSS C 26(1).
    """
    labels, scores, groups = fitted(y, p, clusters)
    codes = equal_mass_bins(scores, bins)
    member = np.zeros((codes.size, int(codes.max()) + 1))
    member[np.arange(codes.size), codes] = 1.0
    hits = member * labels[:, None]
    found = bootstrap(
        lambda weights: ratio(weights @ hits, weights @ member), groups, seed=seed, draws=draws, where="y"
    )
    rows = member.sum(axis=0)
    return [
        ReliabilityBin(int(rows[k]), int(hits[:, k].sum()), float(scores[codes == k].mean()), found[k])
        for k in range(rows.size)
    ]


def gains_table(y: npt.ArrayLike, p: npt.ArrayLike, *, cuts: int = BINS) -> list[GainsRow]:
    """What the first tenth, two tenths, ... of the list hold, highest probability first.

    Parameters
    ----------
    y : array of shape (n,)
        Labels, 0 or 1, both present.
    p : array of shape (n,)
        Probabilities in [0, 1].
    cuts : int
        Number of equal steps.

    Examples
    --------
    >>> [row.captured_share for row in gains_table([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], cuts=4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    labels, scores, _ = fitted(y, p, None)
    values, codes = np.unique(-scores, return_inverse=True)
    mass = np.bincount(codes, minlength=values.size)
    hits = np.bincount(codes, weights=labels, minlength=values.size)
    taken, captured = np.r_[0, np.cumsum(mass)], np.r_[0.0, np.cumsum(hits)]
    table = []
    # A list shorter than the number of cuts has cuts without rows.
    for rows in sorted({round(labels.size * cut / cuts) for cut in range(1, cuts + 1)} - {0}):
        positives = float(np.interp(rows, taken, captured))
        captured_share = positives / float(captured[-1])
        share = rows / labels.size
        table.append(GainsRow(share, rows, positives, captured_share, captured_share / share))
    return table
