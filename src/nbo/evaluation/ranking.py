"""How well a method finds the product that a customer holds and was not shown.

Of each customer one held product is hidden; a method sees what is left and tells, of every product
that is not shown, how probable it is that this one is hidden. Its ranking is judged by where the
hidden product stands, its probabilities by their log loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nbo.errors import DataError
from nbo.evaluation.intervals import DRAWS, Floats, Interval, bootstrap

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

RANKING_METRICS = ("hit_rate_at_1", "hit_rate_at_3", "mrr", "log_loss")
"""What :func:`evaluate_rankings` tells of each method."""
SUM_TOLERANCE = 1e-6
SMALLEST = 2.0**-52
"""What a probability of 0 for the hidden product counts as: an error costs 36 nats, not infinity."""


@dataclass(frozen=True, eq=False)
class HiddenProducts:
    """Holdings with one product hidden, t of them over k products.

    Parameters
    ----------
    customers : ndarray of shape (t,), int64
        The row of the holdings that each was made of.
    shown : ndarray of shape (t, k), bool
        What is held, without the hidden product.
    hidden : ndarray of shape (t,), int64
        The place of the hidden product.

    Raises
    ------
    DataError
        Shapes that do not fit, or a hidden product that is shown.
    """

    customers: Places
    shown: Flags
    hidden: Places

    def __post_init__(self) -> None:
        lengths = (len(self.customers), len(self.shown), len(self.hidden))
        if len(set(lengths)) > 1:
            raise DataError("hidden products", "customers, holdings and places of one length", f"{lengths}")
        if self.shown[np.arange(lengths[0]), self.hidden].any():
            raise DataError("hidden products", "places of products that are not shown", "one that is")

    def rows(self, chosen: slice | Flags | Places) -> "HiddenProducts":
        """Some of the rows, in the order chosen."""
        return HiddenProducts(self.customers[chosen], self.shown[chosen], self.hidden[chosen])

    @property
    def candidates(self) -> Flags:
        """The products that may be the hidden one: all that are not shown, shape (t, k)."""
        return ~self.shown

    @cached_property
    def weights(self) -> Floats:
        """1 / products held, shape (t,): the chance that this one is hidden of this customer."""
        return np.asarray(1 / (self.shown.sum(axis=1) + 1.0))


def hide_one(held: Flags, seed: int) -> HiddenProducts:
    """Hide one product of every customer that holds any, each of a customer's with the same chance.

    Parameters
    ----------
    held : ndarray of shape (n, k), bool
        What each customer holds.
    seed : int
        Same holdings and seed, same products.

    Examples
    --------
    >>> made = hide_one(np.array([[True, False, False], [False, False, False]]), seed=1)
    >>> made.customers.tolist(), made.hidden.tolist(), made.shown.tolist()
    ([0], [0], [[False, False, False]])
    """
    drawn = np.random.default_rng(seed).random(held.shape)
    customers = np.flatnonzero(held.any(axis=1))
    hidden = np.where(held, drawn, -1.0)[customers].argmax(axis=1)
    return hiding(held, customers, hidden)


def hide_each(held: Flags) -> HiddenProducts:
    """Hide every held product in turn: customer by customer, products in their order.

    What :func:`hide_one` draws from; with :attr:`HiddenProducts.weights` a mean over it is the
    mean that drawing would give in the long run.

    Examples
    --------
    >>> made = hide_each(np.array([[True, True, False]]))
    >>> made.hidden.tolist(), made.shown.tolist(), made.weights.tolist()
    ([0, 1], [[False, True, False], [True, False, False]], [0.5, 0.5])
    """
    customers, hidden = np.nonzero(held)
    return hiding(held, customers, hidden)


def hiding(held: Flags, customers: Places, hidden: Places) -> HiddenProducts:
    """These products of these customers, hidden."""
    shown = held[customers]
    shown[np.arange(len(customers)), hidden] = False
    return HiddenProducts(customers, shown, hidden)


def evaluate_rankings(
    methods: Mapping[str, Floats], task: HiddenProducts, *, seed: int, draws: int = DRAWS
) -> dict[str, dict[str, Interval]]:
    """Every metric of every method, on the same customers and the same draws.

    Parameters
    ----------
    methods : mapping of str to ndarray of shape (t, k)
        Probabilities of each candidate, 0 for a product that is shown; each row sums to 1.
    task : HiddenProducts
        One hidden product a customer.
    seed, draws : int
        Of the bootstrap over customers.

    Returns
    -------
    dict of str to dict of str to Interval
        By method, by the names of :data:`RANKING_METRICS`.

    Raises
    ------
    DataError
        Fewer than two customers, or values that are no probabilities over the candidates.

    Notes
    -----
    With ``r`` the hidden product's rank by falling probability: hit rate at n ``= mean(r <= n)``,
    MRR ``= mean(1 / r)``, log loss ``= mean(-ln p_hidden)``. Products of equal probability stand
    in random order: each metric is its mean over all orders of the tie.

    References
    ----------
    Craswell (2009), *Mean reciprocal rank*, Encyclopedia of Database Systems. Cremonesi, Koren and
    Turrin (2010), *Performance of recommender algorithms on top-N recommendation tasks*, RecSys:
    all products that are not shown are ranked, none sampled.
    """
    told = [customer_metrics(name, p, task) for name, p in methods.items()]
    values = np.concatenate(told, axis=1)
    intervals = bootstrap(
        lambda weights: weights @ values / weights.sum(axis=1, keepdims=True),
        np.arange(len(values)),
        seed=seed,
        draws=draws,
        where="customers with a hidden product",
    )
    width = len(RANKING_METRICS)
    return {
        name: dict(zip(RANKING_METRICS, intervals[place * width : (place + 1) * width], strict=True))
        for place, name in enumerate(methods)
    }


def customer_metrics(name: str, p: Floats, task: HiddenProducts) -> Floats:
    """What each customer adds to each metric, shape (t, 4)."""
    check_probabilities(name, p, task)
    own = p[np.arange(len(p)), task.hidden][:, np.newaxis]
    above = ((p > own) & task.candidates).sum(axis=1)
    tied = ((p == own) & task.candidates).sum(axis=1)
    harmonic = np.r_[0.0, np.cumsum(1 / np.arange(1.0, p.shape[1] + 1))]
    columns = [np.clip(cut - above, 0, tied) / tied for cut in (1, 3)]
    columns.append((harmonic[above + tied] - harmonic[above]) / tied)
    columns.append(-np.log(np.maximum(own[:, 0], SMALLEST)))
    return np.stack(columns, axis=1)


def check_probabilities(name: str, p: Floats, task: HiddenProducts) -> None:
    """Refuse what is no distribution over the candidates."""
    if p.shape != task.shown.shape:
        raise DataError(name, f"probabilities of shape {task.shown.shape}", f"{p.shape}")
    off = (
        ~(p >= 0).all(axis=1)
        | (np.abs(p.sum(axis=1) - 1) > SUM_TOLERANCE)
        | ((p > 0) & task.shown).any(axis=1)
    )
    if off.any():
        got = f"a row with sum {p[off][0].sum():.6g}"
        expected = "probabilities over the products that are not shown, with sum 1"
        raise DataError(name, expected, got, count=int(off.sum()), total=len(p))
