"""From scores of candidates to probabilities over them: one map for every method, fitted alike."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from nbo.evaluation.ranking import Flags, HiddenProducts
from nbo.models.data import Floats

__all__ = ["ChoiceMap", "fit_choice_map", "holder_shares", "softmax"]

RIDGE = 1e-4
"""Holds the parameters where the data do not: a method that separates all, two scores that are one."""
STEEPEST = 100.0


@dataclass(frozen=True)
class ChoiceMap:
    """A conditional logit of a method's score and of how common the product is.

    Parameters
    ----------
    slope : float
        Weight of the score, >= 0: the inverse of a temperature.
    pull : float
        Weight of the log share of holders: smoothing towards what is common.
    """

    slope: float
    pull: float

    def probabilities(self, scores: Floats, shares: Floats, candidates: Flags) -> Floats:
        """Probabilities over the candidates, shape (t, k); each row with a candidate sums to 1.

        Parameters
        ----------
        scores : ndarray of shape (t, k)
            Higher = more likely; values of products that are no candidates are not read.
        shares : ndarray of shape (k,)
            :func:`holder_shares` of the training customers.
        candidates : ndarray of shape (t, k), bool

        Notes
        -----
        ``p_tj = exp(slope s_tj + pull ln share_j) / sum over candidates of the same``.

        References
        ----------
        McFadden (1974), *Conditional logit analysis of qualitative choice behavior*, eq. 12.
        """
        known = np.where(candidates, scores, 0.0)
        return softmax(self.slope * known + self.pull * np.log(shares), candidates)


def softmax(logits: Floats, candidates: Flags) -> Floats:
    """Shares of ``exp(logits)`` among the candidates of each row; 0 for all others.

    Examples
    --------
    >>> softmax(np.log([[1.0, 3.0, 9.0]]), np.array([[True, True, False]])).round(9).tolist()
    [[0.25, 0.75, 0.0]]
    """
    lowered = np.where(candidates, logits, -np.inf)
    exponentials = np.exp(lowered - lowered.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def holder_shares(held: Flags) -> Floats:
    """The share of customers that hold each product, shape (k,), never 0: ``(holders + 1) / (n + 2)``."""
    return np.asarray((held.sum(axis=0) + 1.0) / (len(held) + 2.0))


def fit_choice_map(
    scores: Floats, shares: Floats, task: HiddenProducts, candidates: Flags | None = None
) -> ChoiceMap:
    """The map that makes the hidden products most likely.

    Parameters
    ----------
    scores : ndarray of shape (t, k)
        Of customers that the scoring method was not fitted on.
    shares : ndarray of shape (k,)
        :func:`holder_shares` of the customers that it was fitted on.
    task : HiddenProducts
        Usually :func:`nbo.evaluation.ranking.hide_each` of those customers; each counts with its weight.
    candidates : ndarray of shape (t, k), bool, or None
        The hidden product and a random part of the others, where not all have scores; None = all.

    Notes
    -----
    Maximum likelihood with a small ridge, after the scores are divided by their standard
    deviation; the likelihood is concave, so the search ends at its one top. A random part of the
    candidates leads to the same parameters.

    References
    ----------
    McFadden (1978), *Modelling the choice of residential location*, section 5, on sampled candidates.
    """
    candidates = task.candidates if candidates is None else candidates
    spread = float(scores[candidates].std()) or 1.0
    features = np.stack(
        [np.where(candidates, scores, 0.0) / spread, np.tile(np.log(shares), (len(scores), 1))]
    )
    rows = np.arange(len(scores))
    chosen = features[:, rows, task.hidden]
    weights = task.weights / task.weights.sum()

    def loss(parameters: Floats) -> tuple[float, Floats]:
        p = softmax(np.tensordot(parameters, features, axes=1), candidates)
        missed = np.log(np.maximum(p[rows, task.hidden], np.finfo(np.float64).tiny))
        mean = (features * p).sum(axis=2)
        gradient = ((mean - chosen) * weights).sum(axis=1) + RIDGE * parameters
        return float(-(weights * missed).sum() + RIDGE / 2 * (parameters**2).sum()), gradient

    found = minimize(
        loss, np.array([1.0, 0.5]), jac=True, method="L-BFGS-B", bounds=[(0, STEEPEST), (-STEEPEST, STEEPEST)]
    ).x
    return ChoiceMap(float(found[0] / spread), float(found[1]))
