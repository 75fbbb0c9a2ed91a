"""How sure we are of a number: the percentile bootstrap over accounts.

An account's rows (its slices, its lines) stay together: a draw takes accounts with replacement,
which is the same as giving every row of an account one whole-number weight. So a metric only
has to accept weights, and it is computed for many draws at once without copying rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.errors import DataError

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From row weights of shape (b, n) to values of shape (b, k); NaN where a draw defines none."""

DRAWS = 1_000
COVERAGE = 0.95
MAX_UNDEFINED = 0.05
"""Largest share of draws in which a metric may be undefined before no interval is given."""
BLOCK_WEIGHTS = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval.

    Parameters
    ----------
    value, low, high : float
        The value on all rows and the 2.5 and 97.5 % quantiles of its draws.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Interval":
        """Read what :meth:`to_json` wrote."""
        return cls(float(value["value"]), float(value["low"]), float(value["high"]))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    statistic: Statistic,
    clusters: Sequence[object] | npt.NDArray[Any],
    *,
    seed: int,
    draws: int = DRAWS,
    where: str = "evaluation",
) -> list[Interval]:
    """95 % percentile intervals of some statistics of the same rows.

    Parameters
    ----------
    statistic : callable
        Row weights (b, n) to values (b, k).
    clusters : array of shape (n,)
        The account of each row; rows of one account are drawn together.
    seed : int
        Same seed, same rows in the same order: same interval.
    draws : int
        Resamples of the accounts.
    where : str
        What errors name.

    Returns
    -------
    list of k Interval
        In the order of the statistics.

    Raises
    ------
    DataError
        Fewer than two accounts, or a statistic undefined in more than 5 % of the draws.

    Notes
    -----
    Draw ``b`` gives account ``c`` the weight ``W_bc`` with ``W_b ~ Multinomial(C, 1/C)``; the
    interval is ``[q_.025, q_.975]`` of ``statistic(W_b)``.

    References
    ----------
    Efron and Tibshirani (1993), *An Introduction to the Bootstrap*, section 13.3. Field and
    Welsh (2007), *Bootstrapping clustered data*, JRSS B 69(3), the randomised cluster bootstrap.

    Examples
    --------
    >>> values = np.arange(100.0)
    >>> mean = lambda w: (w @ values / w.sum(axis=1))[:, None]
    >>> [interval] = bootstrap(mean, np.arange(100), seed=1)
    >>> interval.value, interval.low < 49.5 < interval.high
    (49.5, True)
    """
    codes, count = cluster_codes(clusters)
    if count < 2:
        raise DataError(where, "rows of at least 2 accounts", f"{count}", next_step="Evaluate more accounts")
    values = statistic(np.ones((1, codes.size)))[0]
    sampled = resampled(statistic, codes, count, seed=seed, draws=draws, width=values.size)
    return [interval(value, sampled[:, k], where) for k, value in enumerate(values)]


def resampled(
    statistic: Statistic, codes: npt.NDArray[np.int64], count: int, *, seed: int, draws: int, width: int
) -> Floats:
    """The statistics of every draw, shape (draws, width)."""
    rng = np.random.default_rng(seed)
    result = np.empty((draws, width), dtype=np.float64)
    block = max(1, BLOCK_WEIGHTS // max(codes.size, count))
    rows_are_clusters = count == codes.size and bool((codes == np.arange(count)).all())
    for start in range(0, draws, block):
        size = min(block, draws - start)
        weights = cluster_weights(rng, size, count)
        result[start : start + size] = statistic(weights if rows_are_clusters else weights[:, codes])
    return result


def cluster_weights(rng: np.random.Generator, draws: int, count: int) -> Floats:
    """How often each cluster is drawn, shape (draws, count); every row sums to ``count``."""
    picks = rng.integers(0, count, size=(draws, count))
    picks += np.arange(draws)[:, None] * count
    times = np.bincount(picks.ravel(), minlength=draws * count)
    return times.reshape(draws, count).astype(np.float64)


def cluster_codes(clusters: Sequence[object] | npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    """Each row's cluster as a number, and how many clusters there are."""
    found, codes = np.unique(np.asarray(clusters), return_inverse=True)
    return codes.astype(np.int64).ravel(), int(found.size)


def interval(value: float, sampled: Floats, where: str) -> Interval:
    """The interval of one statistic from its draws; undefined draws are left out, if few."""
    defined = sampled[np.isfinite(sampled)]
    if not np.isfinite(value) or defined.size < (1 - MAX_UNDEFINED) * sampled.size:
        raise DataError(
            where,
            "both classes in at least 95 % of the bootstrap draws",
            "too few rows of one class",
            count=int(sampled.size - defined.size),
            total=int(sampled.size),
            next_step="Evaluate more accounts, or a longer label window",
        )
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))
