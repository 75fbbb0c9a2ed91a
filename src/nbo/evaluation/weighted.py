"""Metrics as functions of row weights: sorted once, then computed for many draws at once.

Each ``*_of(y, p)`` does the work that does not depend on weights and returns a function from
weights (b, n) to values (b,). Rows of equal ``p`` form one group, so that ties never depend on
the order of rows. A draw that defines no value gives NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Weighted = Callable[[Floats], Floats]
Prepare = Callable[[Floats, Floats], Weighted]

ECE_BINS = 10


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows in descending order of ``p``, grouped by equal ``p``.

    Parameters
    ----------
    order : ndarray of shape (n,) or None
        Row numbers, highest ``p`` first; None if the rows stand so already.
    starts : ndarray of shape (g,)
        Where each group begins.
    y : ndarray of shape (n,)
        Labels in this order.
    """

    order: npt.NDArray[np.int64] | None
    starts: npt.NDArray[np.int64]
    y: Floats

    @classmethod
    def of(cls, y: Floats, p: Floats) -> "Ranking":
        order = np.argsort(-p, kind="stable")
        falling = p[order]
        starts = np.flatnonzero(np.r_[True, falling[1:] != falling[:-1]])
        sorted_already = bool((order == np.arange(order.size)).all())
        return cls(None if sorted_already else order, starts, y[order])

    def sums(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weight of positives and of negatives in each group, two arrays (b, g)."""
        ordered = weights if self.order is None else weights[:, self.order]
        positive = ordered * self.y
        if self.starts.size == self.y.size:
            return positive, ordered - positive
        grouped = np.add.reduceat(positive, self.starts, axis=1)
        return grouped, np.add.reduceat(ordered, self.starts, axis=1) - grouped


def ratio(above: Floats, below: Floats) -> Floats:
    """Elementwise quotient; NaN where the divisor is 0."""
    undefined = np.full(np.broadcast(above, below).shape, np.nan)
    return np.asarray(np.divide(above, below, out=undefined, where=below != 0))


def auc_of(y: Floats, p: Floats) -> Weighted:
    """Area under the ROC curve by the Mann-Whitney count."""
    ranking = Ranking.of(y, p)

    def value(weights: Floats) -> Floats:
        positive, negative = ranking.sums(weights)
        above = np.cumsum(negative, axis=1)
        total = above[:, -1]
        # A positive beats the negatives ranked after its group and ties with its own half.
        beaten = total[:, None] - above + negative / 2
        return ratio((positive * beaten).sum(axis=1), positive.sum(axis=1) * total)

    return value


def average_precision_of(y: Floats, p: Floats) -> Weighted:
    """Step-wise area under the precision-recall curve."""
    ranking = Ranking.of(y, p)

    def value(weights: Floats) -> Floats:
        positive, negative = ranking.sums(weights)
        hits = np.cumsum(positive, axis=1)
        taken = hits + np.cumsum(negative, axis=1)
        precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken != 0)
        return ratio((positive * precision).sum(axis=1), hits[:, -1])

    return value


def lift_of(share: float) -> Prepare:
    """Rate of positives among the top ``share`` of rows over the rate among all."""

    def prepare(y: Floats, p: Floats) -> Weighted:
        ranking = Ranking.of(y, p)

        def value(weights: Floats) -> Floats:
            positive, negative = ranking.sums(weights)
            return ratio(top_total(positive, negative, share), share * positive.sum(axis=1))

        return value

    return prepare


def top_total_of(share: float) -> Prepare:
    """Total of ``y``, an amount of each row, over the top ``share`` of rows by ``p``."""

    def prepare(y: Floats, p: Floats) -> Weighted:
        ranking = Ranking.of(y, p)
        return lambda weights: top_total(*ranking.sums(weights), share)

    return prepare


def top_total(inside: Floats, outside: Floats, share: float) -> Floats:
    """Sum of ``inside`` over the first groups that hold ``share`` of all the weight, shape (b,)."""
    mass = inside + outside
    taken = np.cumsum(mass, axis=1)
    wanted = share * taken[:, -1]
    edge = np.minimum((taken < wanted[:, None]).sum(axis=1), taken.shape[1] - 1)[:, None]
    hits = np.take_along_axis(np.cumsum(inside, axis=1), edge, axis=1)[:, 0]
    over = np.take_along_axis(taken, edge, axis=1)[:, 0] - wanted
    # Within the group on the edge positives are spread evenly: the mean over tie orders.
    rate = ratio(np.take_along_axis(inside, edge, axis=1)[:, 0], np.take_along_axis(mass, edge, axis=1)[:, 0])
    return hits - over * rate


def mean_of(loss: Floats) -> Weighted:
    """Weighted mean of one loss per row."""
    return lambda weights: ratio(weights @ loss, weights.sum(axis=1))


def brier_of(y: Floats, p: Floats) -> Weighted:
    """Mean squared error of the probability."""
    return mean_of((p - y) ** 2)


def log_loss_of(y: Floats, p: Floats) -> Weighted:
    """Mean negative log likelihood, probabilities clipped to [eps, 1 - eps]."""
    eps = np.finfo(np.float64).eps
    clipped = np.clip(p, eps, 1 - eps)
    return mean_of(-(y * np.log(clipped) + (1 - y) * np.log1p(-clipped)))


def ece_of(y: Floats, p: Floats) -> Weighted:
    """Mean absolute gap between told and found rate over equal-mass bins."""
    bins = equal_mass_bins(p, ECE_BINS)
    gaps = np.zeros((p.size, int(bins.max()) + 1))
    gaps[np.arange(p.size), bins] = p - y

    def value(weights: Floats) -> Floats:
        return ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))

    return value


def equal_mass_bins(p: Floats, bins: int) -> npt.NDArray[np.int64]:
    """The bin of each row, 0 = lowest ``p``; equal ``p`` share a bin, empty bins are left out.

    Examples
    --------
    >>> equal_mass_bins(np.array([0.1, 0.2, 0.3, 0.4]), 2).tolist()
    [0, 0, 1, 1]
    >>> equal_mass_bins(np.array([0.1, 0.1, 0.1, 0.4]), 2).tolist()
    [0, 0, 0, 1]
    """
    edges = np.quantile(p, np.arange(1, bins) / bins)
    raw = np.searchsorted(edges, p, side="left")
    _, codes = np.unique(raw, return_inverse=True)
    return codes.astype(np.int64)
