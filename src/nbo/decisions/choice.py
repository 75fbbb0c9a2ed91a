"""From verdicts and probabilities to a ranking: which offers an account gets, in which order.

Everything here is elementwise over accounts, so one account alone is ranked exactly as inside any
batch. Money is integer minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nbo.offers.catalog import Catalog, Offer
from nbo.offers.rules import Rules
from nbo.tables.contract import Words

Floats = npt.NDArray[np.float64]
Amounts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int16]
ALLOWED = -1


@dataclass(frozen=True)
class Stop:
    """Why an offer is not made: a rule of the operator's, or one that always holds.

    Parameters
    ----------
    rule, layer, owner : str
        Its id, where it stands, whom to ask.
    reason : Words
        For the person in the conversation.
    """

    rule: str
    layer: str
    owner: str
    reason: Words


CHEAPER_TERMS = Stop(
    "cheaper_terms",
    "suitability",
    "nbo",
    Words("the same product is offered on cheaper terms", "同一产品有更优惠的方案"),
)
NO_MARGIN = Stop(
    "no_margin",
    "suitability",
    "nbo",
    Words("it would cost more than it brings", "成本高于收益"),
)
NOT_ASKED = Stop("not_asked", "eligibility", "nbo", Words("not asked for", "未询问"))


def stops(rules: Rules) -> tuple[Stop, ...]:
    """Every way an offer can be stopped: the rules in their order, then the built-in ones."""
    told = [Stop(rule.id, rule.layer, rule.owner, rule.reason) for rule in rules.rules]
    return (*told, CHEAPER_TERMS, NO_MARGIN, NOT_ASKED)


@dataclass(frozen=True, eq=False)
class Terms:
    """What the catalog says of its k offers over its q products, as arrays.

    Parameters
    ----------
    product_ids : tuple of str
        The q products, functional ones first: the first ``functional`` have a ``p_take``.
    functional : int
    product : ndarray of shape (k,)
        Position of each offer's product.
    margin : ndarray of shape (k,)
        Margin over the horizon less one-off cost, before what the offer takes from held products.
    lost : ndarray of shape (q, k)
        Margin over the horizon that the offer takes away where the product is held.
    rivals : tuple of arrays
        For each product on several terms, its offers from the cheapest on.
    """

    product_ids: tuple[str, ...]
    functional: int
    product: npt.NDArray[np.intp]
    margin: Amounts
    lost: Amounts
    rivals: tuple[npt.NDArray[np.intp], ...]

    @classmethod
    def of(cls, catalog: Catalog, months: int) -> "Terms":
        """The terms of a catalog, with ``months`` of margin counted."""
        functional = [product.product_id for product in catalog.functional]
        others = [name for name in catalog.products if name not in set(functional)]
        names = (*functional, *others)
        place = {name: number for number, name in enumerate(names)}
        offers = catalog.offers
        return cls(
            product_ids=names,
            functional=len(functional),
            product=np.array([place[offer.product.product_id] for offer in offers], dtype=np.intp),
            margin=np.array(
                [months * offer.monthly_margin_amount - offer.one_off_cost_amount for offer in offers],
                dtype=np.int64,
            ),
            lost=lost_margins(catalog, place, months),
            rivals=tuple(by_price(offers)),
        )

    def margins(self, held: Flags) -> Amounts:
        """Margin of each offer for each account, shape (n, k), by what is held, shape (n, q)."""
        touched = np.flatnonzero(self.lost.any(axis=1))
        # Integers: no BLAS, so no sum depends on how many rows stand beside each other.
        lost: Amounts = held[:, touched].astype(np.int64) @ self.lost[touched]
        return self.margin[np.newaxis, :] - lost


def lost_margins(catalog: Catalog, place: dict[str, int], months: int) -> Amounts:
    lost = np.zeros((len(place), len(catalog.offers)), dtype=np.int64)
    for column, offer in enumerate(catalog.offers):
        for name, share in offer.product.cannibalises.items():
            margin = months * catalog.products[name].monthly_margin_amount
            lost[place[name], column] = int(np.rint(share * margin))
    return lost


def by_price(offers: Sequence[Offer]) -> list[npt.NDArray[np.intp]]:
    """Positions of the offers of each product that has several: lowest fee, then shortest term."""
    places: dict[str, list[int]] = {}
    for position, offer in enumerate(offers):
        places.setdefault(offer.product.product_id, []).append(position)

    def price(position: int) -> tuple[int, int, int]:
        return offers[position].monthly_fee_amount, offers[position].term_months, position

    return [np.array(sorted(some, key=price), dtype=np.intp) for some in places.values() if len(some) > 1]


@dataclass(frozen=True, eq=False)
class Choice:
    """What n accounts get of k offers; arrays of shape (n, k).

    Parameters
    ----------
    stopped : int16
        Position in :func:`stops` of what stopped the offer, -1 where nothing did.
    p_take : float64
        NaN where no model tells it (tariffs) or the offer is stopped by a rule.
    margin, expected : int64
        Margin over the horizon, and ``p_take`` times it; ``expected`` is 0 where ``p_take`` is NaN.
    rank : int16
        1 = first; 0 where the offer is stopped.
    """

    stopped: Places
    p_take: Floats
    margin: Amounts
    expected: Amounts
    rank: Places


def scored_products(terms: Terms, verdicts: npt.NDArray[np.int8], held: Flags) -> Flags:
    """Functional products, shape (n, functional), worth a ``p_take``: lacking, with an allowed offer."""
    wanted = np.zeros((len(verdicts), len(terms.product_ids)), dtype=bool)
    for column, product in enumerate(terms.product):
        wanted[:, product] |= verdicts[:, column] == ALLOWED
    lacking: Flags = wanted[:, : terms.functional] & ~held[:, : terms.functional]
    return lacking


def choose(
    terms: Terms, rule_count: int, verdicts: npt.NDArray[np.int8], held: Flags, p_take: Floats
) -> Choice:
    """Rank what the rules allow.

    Parameters
    ----------
    terms : Terms
    rule_count : int
        Number of the operator's rules; the built-in ones follow them.
    verdicts : ndarray of shape (n, k)
        Position of the stopping rule, -1 = allowed.
    held : ndarray of shape (n, q), bool
        In the order of ``terms.product_ids``.
    p_take : ndarray of shape (n, functional)
        NaN where not wanted.

    Notes
    -----
    Of a product on several terms only the cheapest that is allowed stays, so that nobody is quoted
    a dearer price than one that was open to them. Offers are ordered by expected margin, then by
    their place in the catalog; those without a probability come last.
    """
    stopped = verdicts.astype(np.int16)
    margin = terms.margins(held)
    stopped[(stopped == ALLOWED) & (margin <= 0)] = rule_count + 1
    keep_cheapest(stopped, terms.rivals, rule_count)
    offered = np.full(stopped.shape, np.nan)
    known = terms.product < terms.functional
    offered[:, known] = p_take[:, terms.product[known]]
    offered[stopped != ALLOWED] = np.nan
    unknown = np.isnan(offered)
    expected = np.rint(np.where(unknown, 0.0, offered) * margin).astype(np.int64)
    return Choice(stopped, offered, margin, expected, ranks(stopped, expected, unknown))


def keep_cheapest(stopped: Places, rivals: Sequence[npt.NDArray[np.intp]], code: int) -> None:
    """Stop, in place, every allowed offer of a product but its cheapest allowed one."""
    for columns in rivals:
        allowed = stopped[:, columns] == ALLOWED
        later = allowed & (np.cumsum(allowed, axis=1) > 1)
        rows, places = np.nonzero(later)
        stopped[rows, columns[places]] = code


def ranks(stopped: Places, expected: Amounts, unknown: Flags) -> Places:
    """Rank of every allowed offer within its account, 0 for stopped ones."""
    last = np.iinfo(np.int64).max
    order = np.where(unknown, last - 1, -expected)
    order = np.where(stopped == ALLOWED, order, last)
    placed = np.argsort(order, axis=1, kind="stable")
    rank = np.empty(order.shape, dtype=np.int16)
    positions = np.arange(1, order.shape[1] + 1, dtype=np.int16)
    np.put_along_axis(rank, placed, np.broadcast_to(positions, order.shape), axis=1)
    return np.where(stopped == ALLOWED, rank, np.int16(0))
