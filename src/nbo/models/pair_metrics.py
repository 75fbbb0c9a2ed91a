"""How good an order of pairs is, with intervals over accounts.

There are many more pairs than accounts, and a bootstrap draws accounts: so every metric is
brought to sums by account once, and a draw is a product of these sums and the accounts' weights.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nbo.evaluation import Interval, bootstrap
from nbo.evaluation.weighted import ECE_BINS, equal_mass_bins, ratio

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
Name = TypeVar("Name", bound=Hashable)
OfAccounts = Callable[[Floats], Floats]
"""From weights of accounts, shape (b, a), to one value a draw, shape (b,)."""

LISTED = (1, 3)
"""Lengths of the lists whose hit rate is told."""


@dataclass(frozen=True, eq=False)
class RankedPairs:
    """Pairs in groups that hold a taken one and the stretches between them, summed by account.

    Parameters
    ----------
    taken : sparse matrix of shape (g, a)
        Taken pairs of each account in each group of equal score, highest score first.
    left : sparse matrix of shape (2 g + 1, a)
        Pairs not taken: before the first group, in it, between it and the second, and so on.
    """

    taken: csr_matrix
    left: csr_matrix

    @classmethod
    def of(cls, label: Flags, score: Floats, accounts: Codes, count: int) -> "RankedPairs":
        """Rank p pairs of ``count`` accounts by score."""
        _, group = np.unique(-score, return_inverse=True)
        group = group.ravel()
        hit = np.unique(group[label])
        place = np.searchsorted(hit, group)
        tied = np.isin(group, hit)
        stretch = 2 * place + tied
        return cls(
            counted_by(place[label], accounts[label], (hit.size, count)),
            counted_by(stretch[~label], accounts[~label], (2 * hit.size + 1, count)),
        )

    def sums(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weight of the taken by group (g, b), and of the others by stretch (2 g + 1, b)."""
        drawn = np.ascontiguousarray(weights.T)
        return np.asarray(self.taken @ drawn), np.asarray(self.left @ drawn)

    def average_precision(self, weights: Floats) -> Floats:
        """Precision averaged over the taken pairs, from the top down."""
        taken, left = self.sums(weights)
        hits, misses = np.cumsum(taken, axis=0), np.cumsum(left, axis=0)[1::2]
        precision = ratio(hits, hits + misses)
        return ratio(np.nansum(taken * precision, axis=0), hits[-1])

    def auc(self, weights: Floats) -> Floats:
        """The chance that a taken pair outranks another one; ties count half."""
        taken, left = self.sums(weights)
        above, total = np.cumsum(left, axis=0)[1::2], left.sum(axis=0)
        beaten = total - above + left[1::2] / 2
        return ratio((taken * beaten).sum(axis=0), taken.sum(axis=0) * total)


def counted_by(rows: Codes, accounts: Codes, shape: tuple[int, int]) -> csr_matrix:
    """How often each (row, account) occurs."""
    return csr_matrix((np.ones(rows.size), (rows, accounts)), shape=shape)


def summed_by(values: Floats, accounts: Codes, count: int) -> Floats:
    """Sum of a value by account, shape (count,)."""
    return np.bincount(accounts, weights=values, minlength=count).astype(np.float64)


def mean_of(values: Floats, accounts: Codes, count: int) -> OfAccounts:
    """Mean of one value a row, as a function of the accounts' weights."""
    rows = np.ones(values.size)
    sums = np.stack([summed_by(values, accounts, count), summed_by(rows, accounts, count)], axis=1)

    def value(weights: Floats) -> Floats:
        drawn = weights @ sums
        return ratio(drawn[:, 0], drawn[:, 1])

    return value


def ece_of(label: Flags, p_take: Floats, accounts: Codes, count: int) -> OfAccounts:
    """Mean absolute gap between told and found rate over bins of equal mass."""
    bins = equal_mass_bins(p_take, ECE_BINS)
    gaps = binned(p_take - label, bins, accounts, count)
    rows = summed_by(np.ones(p_take.size), accounts, count)
    return lambda weights: ratio(np.abs(weights @ gaps).sum(axis=1), weights @ rows)


def binned(values: Floats, bins: Codes, accounts: Codes, count: int) -> Floats:
    """Sum of a value by account and bin, shape (count, bins)."""
    width = int(bins.max()) + 1
    cells = np.bincount(accounts * width + bins, weights=values, minlength=count * width)
    return cells.reshape(count, width).astype(np.float64)


def log_losses(label: Flags, p_take: Floats) -> Floats:
    """Negative log likelihood of each pair, probabilities clipped to [eps, 1 - eps]."""
    eps = np.finfo(np.float64).eps
    clipped = np.clip(p_take, eps, 1 - eps)
    return np.asarray(np.where(label, -np.log(clipped), -np.log1p(-clipped)))


def ranks(scores: Floats) -> Codes:
    """Place of each product in its account's order, 0 = first, shape (n, k); NaN stands last.

    Examples
    --------
    >>> ranks(np.array([[0.1, np.nan, 0.3]])).tolist()
    [[1, 2, 0]]
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    places = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(places, order, np.arange(order.shape[1])[np.newaxis, :], axis=1)
    return places


def intervals(measured: Mapping[Name, OfAccounts], count: int, seed: int, where: str) -> dict[Name, Interval]:
    """Several metrics on the same draws of ``count`` accounts.

    Raises
    ------
    DataError
        Fewer than two accounts, or a metric undefined in more than 5 % of the draws.
    """
    told = bootstrap(
        lambda weights: np.stack([metric(weights) for metric in measured.values()], axis=1),
        np.arange(count),
        seed=seed,
        where=where,
    )
    return dict(zip(measured, told, strict=True))


def reliability_rows(
    label: Flags, p_take: Floats, accounts: Codes, count: int, seed: int
) -> list[dict[str, Any]]:
    """Ten groups of equal size by probability: what was told and what was found, as JSON."""
    bins = equal_mass_bins(p_take, ECE_BINS)
    hits = binned(label.astype(np.float64), bins, accounts, count)
    rows = binned(np.ones(p_take.size), bins, accounts, count)
    found = bootstrap(
        lambda weights: ratio(weights @ hits, weights @ rows),
        np.arange(count),
        seed=seed,
        where="held-out pairs",
    )
    sizes = np.bincount(bins)
    told = np.bincount(bins, weights=p_take) / sizes
    return [
        {
            "mean_score": float(told[place]),
            "share_taken": group.value,
            "low": group.low,
            "high": group.high,
            "count": int(sizes[place]),
        }
        for place, group in enumerate(found)
    ]
