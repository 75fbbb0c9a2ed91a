"""The methods that ours is measured against; all see who holds what, none sees anything else.

- ``popularity``: the share of customers that hold the product;
- ``item_knn``: cosine similarity of products by their holders, summed over what is held;
- ``implicit``: alternating least squares of the package ``implicit`` (extra ``nbo[bench]``).

Each gets its parameters and its map from scores to probabilities (:mod:`nbo.models.choice`, the very
same as ours) by hiding products of training customers that it was not fitted on. The map may pull
towards common products and so reorder them, which makes a peer better, not worse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_matrix

from nbo.errors import DataError
from nbo.evaluation.ranking import Flags, HiddenProducts, Places, hide_each
from nbo.models.choice import ChoiceMap, fit_choice_map, holder_shares
from nbo.models.data import Floats

__all__ = [
    "METHODS",
    "FittedPeer",
    "fit_peer",
    "implicit_scores",
    "installed",
    "item_knn_scores",
    "popularity_scores",
]

JUDGED_SHARE = 0.3
MOST_JUDGED = 20_000
"""Training customers that parameters are judged by, at most; a third as many would rank them alike."""
NEIGHBOURS = (1, 2, 3, 5, 10, 20, 50, 100)
FACTORS = (8, 16, 32)
REGULARISATIONS = (1.0, 3.0, 10.0, 30.0)
ALPHAS = (1.0, 5.0, 20.0)
ITERATIONS = 15

Parameters = dict[str, Any]


class Scorer(Protocol):
    """Scores of every product for some customers, learnt from the holdings of others."""

    def __call__(self, held_train: Flags, held: Flags, parameters: Parameters, seed: int) -> Floats: ...


@dataclass(frozen=True, eq=False)
class FittedPeer:
    """A method with its parameters and its map to probabilities.

    Parameters
    ----------
    name : str
        A key of :data:`METHODS`.
    held_train : ndarray of shape (n, k), bool
        What the training customers hold.
    parameters : dict
        What was chosen; empty where there is nothing to choose.
    choice : ChoiceMap
        Fitted on training customers that the scores were not learnt from.
    seed : int
    """

    name: str
    held_train: Flags
    parameters: Parameters
    choice: ChoiceMap
    seed: int

    def probabilities(self, task: HiddenProducts) -> Floats:
        """Probabilities over the candidates of each customer, shape (t, k)."""
        scores = METHODS[self.name](self.held_train, task.shown, self.parameters, self.seed)
        return self.choice.probabilities(scores, holder_shares(self.held_train), task.candidates)


def fit_peer(name: str, held_train: Flags, seed: int) -> FittedPeer:
    """Choose a peer's parameters and its map; then it learns from all training customers.

    Parameters
    ----------
    name : str
        A key of :data:`METHODS`.
    held_train : ndarray of shape (n, k), bool
        What the training customers hold.
    seed : int
        Of the split, and of the method where it draws.

    Notes
    -----
    Each set of parameters learns from 70 % of the customers. Of the others every held product is
    hidden in turn; the set whose mapped probabilities have the lowest log loss is kept.
    """
    fit, judged = split(held_train, seed)
    task, shares = hide_each(held_train[judged]), holder_shares(held_train[fit])
    found: list[tuple[float, Parameters, ChoiceMap]] = []
    for parameters in grid(name, held_train.shape[1]):
        scores = METHODS[name](held_train[fit], task.shown, parameters, seed)
        choice = fit_choice_map(scores, shares, task)
        found.append(
            (log_loss(choice.probabilities(scores, shares, task.candidates), task), parameters, choice)
        )
    _, parameters, choice = min(found, key=lambda one: one[0])
    return FittedPeer(name, held_train, parameters, choice, seed)


def split(held: Flags, seed: int) -> tuple[Places, Places]:
    """Customers to learn from and customers to judge by, the latter with something to hide."""
    order = np.random.default_rng(seed).permutation(len(held))
    some = np.asarray(held.any(axis=1))
    judged = order[: min(round(JUDGED_SHARE * len(held)), MOST_JUDGED)]
    if not some[judged].any():
        raise DataError("customers", "some that hold a product", "none")
    return np.sort(order[len(judged) :]), np.sort(judged[some[judged]])


def grid(name: str, products: int) -> list[Parameters]:
    """The sets of parameters that are tried."""
    if name == "item_knn":
        counts = sorted({min(count, products - 1) for count in (*NEIGHBOURS, products - 1)})
        return [{"neighbours": count} for count in counts]
    if name == "implicit":
        names = ("factors", "regularization", "alpha")
        return [dict(zip(names, one, strict=True)) for one in product(FACTORS, REGULARISATIONS, ALPHAS)]
    return [{}]


def log_loss(p: Floats, task: HiddenProducts) -> float:
    """Mean negative log probability of the hidden products, each with its weight."""
    own = np.maximum(p[np.arange(len(p)), task.hidden], np.finfo(np.float64).tiny)
    return float(-np.average(np.log(own), weights=task.weights))


def popularity(held_train: Flags, held: Flags, parameters: Parameters, seed: int) -> Floats:  # noqa: ARG001
    """The log share of holders, the same for everybody; the map's slope of 1 gives it back as a share."""
    return np.tile(np.log(holder_shares(held_train)), (len(held), 1))


def item_knn(held_train: Flags, held: Flags, parameters: Parameters, seed: int) -> Floats:  # noqa: ARG001
    """Similarity to what is held, of each product to its nearest ``neighbours`` only.

    Notes
    -----
    ``s_pq = joint_pq / sqrt(holders_p holders_q)``; the score of p is the sum of ``s_pq`` over held
    q among its neighbours.

    References
    ----------
    Sarwar et al. (2001), *Item-based collaborative filtering recommendation algorithms*, WWW,
    section 3.1.1. Deshpande and Karypis (2004), *Item-based top-N recommendation algorithms*, TOIS.
    """
    counts = held_train.astype(np.float64)
    joint = counts.T @ counts
    holders = np.maximum(np.diagonal(joint), 1)
    similarity = joint / np.sqrt(holders[:, np.newaxis] * holders)
    np.fill_diagonal(similarity, 0)
    order = np.argsort(-similarity, axis=1, kind="stable")
    far = order[:, parameters["neighbours"] :]
    np.put_along_axis(similarity, far, 0.0, axis=1)
    return np.asarray(held @ similarity.T)


def least_squares(held_train: Flags, held: Flags, parameters: Parameters, seed: int) -> Floats:
    """Products of factors; a customer's factors are solved from what is held.

    One thread throughout, so that the same seed gives the same factors.

    References
    ----------
    Hu, Koren and Volinsky (2008), *Collaborative filtering for implicit feedback datasets*, ICDM.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(
            **parameters, iterations=ITERATIONS, num_threads=1, random_state=seed, dtype=np.float64
        )
        model.fit(csr_matrix(held_train.astype(np.float64)), show_progress=False)
        customers = model.recalculate_user(np.arange(len(held)), csr_matrix(held.astype(np.float64)))
        return np.asarray(customers @ model.item_factors.T, dtype=np.float64)


METHODS: Mapping[str, Scorer] = MappingProxyType(
    {"popularity": popularity, "item_knn": item_knn, "implicit": least_squares}
)
"""The peers by name."""


def installed() -> bool:
    """Whether the package ``implicit`` is there."""
    try:
        import implicit.cpu.als  # noqa: F401
    except ImportError:
        return False
    return True


def popularity_scores(held_train: Flags, held: Flags) -> Floats:
    """Share of the training customers that hold each product, shape (m, k): the same for everybody.

    Examples
    --------
    >>> popularity_scores(np.array([[True, False], [True, True]]), np.zeros((1, 2), dtype=bool)).tolist()
    [[1.0, 0.5]]
    """
    return np.tile(held_train.mean(axis=0), (len(held), 1))


def item_knn_scores(held_train: Flags, held: Flags, seed: int = 0) -> Floats:
    """Similarity of each product to what is held, shape (m, k); the neighbours are chosen on training.

    Parameters
    ----------
    held_train : ndarray of shape (n, k), bool
        What the training customers hold.
    held : ndarray of shape (m, k), bool
        What the customers hold that are scored.
    seed : int
        Of the split that the number of neighbours is chosen by.
    """
    return item_knn(held_train, held, fit_peer("item_knn", held_train, seed).parameters, seed)


def implicit_scores(held_train: Flags, held: Flags, seed: int) -> Floats:
    """Scores of ``implicit``'s alternating least squares, shape (m, k); parameters chosen on training.

    Parameters
    ----------
    held_train : ndarray of shape (n, k), bool
        What the training customers hold.
    held : ndarray of shape (m, k), bool
        What the customers hold that are scored; they may be the same.
    seed : int
        Same holdings and seed, same scores.

    Raises
    ------
    ImportError
        The package is not there; ask :func:`installed` first.
    """
    return least_squares(held_train, held, fit_peer("implicit", held_train, seed).parameters, seed)
