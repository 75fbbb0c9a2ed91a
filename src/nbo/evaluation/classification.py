"""How good a probability is: ranking (AUC, average precision, lift) and honesty (Brier, log loss, ECE)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.errors import DataError, UsageError
from nbo.evaluation.intervals import DRAWS, Floats, Interval, bootstrap
from nbo.evaluation.weighted import (
    Prepare,
    auc_of,
    average_precision_of,
    brier_of,
    ece_of,
    lift_of,
    log_loss_of,
)
from nbo.tables.contract import close_matches

Clusters = Sequence[object] | npt.NDArray[Any] | None
LIFT_SHARE = 0.1

METRICS: Mapping[str, Prepare] = MappingProxyType(
    {
        "auc": auc_of,
        "average_precision": average_precision_of,
        "lift_at_10": lift_of(LIFT_SHARE),
        "brier": brier_of,
        "log_loss": log_loss_of,
        "ece": ece_of,
    }
)
"""What :func:`evaluate_scores` reports, by name."""


def auc(
    y: npt.ArrayLike, p: npt.ArrayLike, *, clusters: Clusters = None, seed: int = 0, draws: int = DRAWS
) -> Interval:
    """The chance that a positive row outranks a negative one; .5 = no skill, 1 = perfect.

    Parameters
    ----------
    y : array of shape (n,)
        Labels, 0 or 1, both present.
    p : array of shape (n,)
        Probabilities in [0, 1]; higher means more likely 1.
    clusters : array of shape (n,) or None
        The account of each row; None = every row its own.
    seed, draws : int
        Of the bootstrap.

    Raises
    ------
    DataError
        Labels of one class only, or values that do not fit.

    Notes
    -----
    ``(#{(i, j): y_i = 1, y_j = 0, p_i > p_j} + ties / 2) / (n_1 n_0)``.

    References
    ----------
    Hanley and McNeil (1982), *The meaning and use of the area under a ROC curve*, Radiology 143.

    Examples
    --------
    >>> auc([0, 1, 0, 1] * 5, [0.1, 0.4, 0.35, 0.8] * 5).value
    1.0
    >>> auc([0, 0], [0.1, 0.4])
    Traceback (most recent call last):
    nbo.errors.DataError: y: expected labels of both classes, got 0 positives in 2 rows. Evaluate other dates.
    """
    return single(auc_of, y, p, clusters, seed, draws)


def average_precision(
    y: npt.ArrayLike, p: npt.ArrayLike, *, clusters: Clusters = None, seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Precision averaged over the positives found, from the top of the list down.

    The measure for rare events: no skill gives the base rate.

    Parameters
    ----------
    y, p, clusters, seed, draws
        As for :func:`auc`.

    Notes
    -----
    ``AP = sum_k (R_k - R_{k-1}) P_k`` over the distinct ``p``, highest first; no interpolation.

    References
    ----------
    Davis and Goadrich (2006), *The relationship between precision-recall and ROC curves*, ICML.
    """
    return single(average_precision_of, y, p, clusters, seed, draws)


def lift_at(
    share: float,
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    clusters: Clusters = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """How many times more positives the top ``share`` of the list holds than a random one.

    Parameters
    ----------
    share : float
        Part of the rows that is taken, in (0, 1].
    y, p, clusters, seed, draws
        As for :func:`auc`.

    Notes
    -----
    ``lift = rate(top share) / rate(all)``; a group of equal ``p`` on the edge counts by the part
    that falls within, which is the mean over all orders of the tie. At most ``1 / share``.

    References
    ----------
    Neslin et al. (2006), *Defection detection*, Journal of Marketing Research 43(2), top-decile lift.
    """
    if not 0 < share <= 1:
        raise UsageError(f"share: expected a part of the rows within (0, 1], got {share}")
    return single(lift_of(share), y, p, clusters, seed, draws)


def brier(
    y: npt.ArrayLike, p: npt.ArrayLike, *, clusters: Clusters = None, seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Mean squared error of the probability; 0 is perfect, the base rate gives ``r (1 - r)``.

    Parameters
    ----------
    y, p, clusters, seed, draws
        As for :func:`auc`.

    Notes
    -----
    ``mean((p_i - y_i)^2)``.

    References
    ----------
    Brier (1950), *Verification of forecasts expressed in terms of probability*, MWR 78, eq. 2
    (halved: one class of two).
    """
    return single(brier_of, y, p, clusters, seed, draws)


def log_loss(
    y: npt.ArrayLike, p: npt.ArrayLike, *, clusters: Clusters = None, seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Mean negative log likelihood in nats; it punishes certainty that was wrong.

    Parameters
    ----------
    y, p, clusters, seed, draws
        As for :func:`auc`.

    Notes
    -----
    ``-mean(y_i ln p_i + (1 - y_i) ln(1 - p_i))`` with ``p`` clipped to ``[eps, 1 - eps]``, eps =
    2^-52, as scikit-learn does: a wrong certainty costs 36 nats, not infinity.

    References
    ----------
    Good (1952), *Rational decisions*, JRSS B 14(1).
    """
    return single(log_loss_of, y, p, clusters, seed, draws)


def ece(
    y: npt.ArrayLike, p: npt.ArrayLike, *, clusters: Clusters = None, seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Expected calibration error: how far told and found rates lie apart, over 10 equal-mass bins.

    Never report it alone: a constant base rate has an ECE near 0.

    Parameters
    ----------
    y, p, clusters, seed, draws
        As for :func:`auc`.

    Notes
    -----
    ``ECE = sum_b (n_b / n) |mean(p in b) - mean(y in b)|``. Rows of equal ``p`` share a bin. An
    absolute value averages noise upwards, in the value and once more in each draw, so the
    interval can lie above the value where calibration is nearly perfect.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), *Obtaining well calibrated probabilities using Bayesian
    binning*, AAAI; equal-mass bins: Nixon et al. (2019), *Measuring calibration in deep learning*.
    """
    return single(ece_of, y, p, clusters, seed, draws)


def evaluate_scores(
    y: npt.ArrayLike, p: npt.ArrayLike, clusters: Clusters, seed: int, *, draws: int = DRAWS
) -> dict[str, Interval]:
    """Every metric of :data:`METRICS` on the same draws.

    Parameters
    ----------
    y, p, clusters, seed, draws
        As for :func:`auc`.

    Returns
    -------
    dict of str to Interval
        By the names of :data:`METRICS`.

    Raises
    ------
    DataError
        Labels of one class only, or values that do not fit.
    """
    labels, scores, groups = fitted(y, p, clusters)
    # Sorted here once, every ranking metric finds its rows in order and copies no weights.
    order = np.argsort(-scores, kind="stable")
    labels, scores, groups = labels[order], scores[order], groups[order]
    parts = [prepare(labels, scores) for prepare in METRICS.values()]
    told = bootstrap(
        lambda weights: np.stack([part(weights) for part in parts], axis=1),
        groups,
        seed=seed,
        draws=draws,
        where="y",
    )
    return dict(zip(METRICS, told, strict=True))


def difference(
    y: npt.ArrayLike,
    p_a: npt.ArrayLike,
    p_b: npt.ArrayLike,
    metric: str,
    *,
    clusters: Clusters = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """How much a metric of ``p_a`` exceeds that of ``p_b`` on the same rows.

    Both are measured on the same draws, so what makes both good or bad cancels.

    Parameters
    ----------
    y : array of shape (n,)
        Labels, 0 or 1, both present.
    p_a, p_b : array of shape (n,)
        Two probabilities of each row.
    metric : str
        A name of :data:`METRICS`.
    clusters, seed, draws
        As for :func:`auc`.

    Returns
    -------
    Interval
        ``metric(p_a) - metric(p_b)``.
    """
    if metric not in METRICS:
        raise UsageError(f"metric: no such metric {metric!r}{close_matches(metric, list(METRICS))}")
    labels, first, groups = fitted(y, p_a, clusters)
    _, second, _ = fitted(y, p_b, clusters)
    of_a, of_b = METRICS[metric](labels, first), METRICS[metric](labels, second)
    [told] = bootstrap(
        lambda weights: (of_a(weights) - of_b(weights))[:, None], groups, seed=seed, draws=draws, where="y"
    )
    return told


def single(
    prepare: Prepare, y: npt.ArrayLike, p: npt.ArrayLike, clusters: Clusters, seed: int, draws: int
) -> Interval:
    """One metric with its interval."""
    labels, scores, groups = fitted(y, p, clusters)
    of = prepare(labels, scores)
    [told] = bootstrap(lambda weights: of(weights)[:, None], groups, seed=seed, draws=draws, where="y")
    return told


def fitted(y: npt.ArrayLike, p: npt.ArrayLike, clusters: Clusters) -> tuple[Floats, Floats, npt.NDArray[Any]]:
    """Labels, probabilities and clusters as arrays that fit each other."""
    labels, scores = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    groups = np.arange(labels.size) if clusters is None else np.asarray(clusters)
    if labels.ndim != 1 or labels.shape != scores.shape or labels.shape != groups.shape:
        shapes = f"{labels.shape}, {scores.shape} and {groups.shape}"
        raise DataError("y, p, clusters", "three arrays of one length", shapes)
    wrong = ~np.isin(labels, (0, 1))
    if wrong.any():
        first = str(labels[wrong][0])
        raise DataError("y", "labels 0 or 1", first, count=int(wrong.sum()), total=labels.size)
    checked_probabilities(scores)
    positives = int(labels.sum())
    if positives in (0, labels.size):
        raise DataError(
            "y",
            "labels of both classes",
            f"{positives} positives in {labels.size} rows",
            next_step="Evaluate other dates",
        )
    return labels, scores, groups


def checked_probabilities(scores: Floats) -> Floats:
    """The same probabilities; :class:`DataError` unless all lie within [0, 1]."""
    off = ~((scores >= 0) & (scores <= 1))
    if off.any():
        first = str(scores[off][0])
        raise DataError("p", "probabilities within [0, 1]", first, count=int(off.sum()), total=scores.size)
    return scores
