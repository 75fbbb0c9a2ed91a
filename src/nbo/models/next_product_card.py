"""The next-product card: how good the order of products is on held-out months, beside plain rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.asof import AsOf
from nbo.bundle import Bundle, Matrix
from nbo.errors import DataError, listed
from nbo.models.card import drivers
from nbo.models.churn import counted
from nbo.models.data import TrainingData
from nbo.models.next_product import PairSlice
from nbo.models.pair_metrics import (
    LISTED,
    Codes,
    Flags,
    Floats,
    OfAccounts,
    RankedPairs,
    ece_of,
    intervals,
    log_losses,
    mean_of,
    ranks,
    reliability_rows,
)
from nbo.models.pairs import ProductTable, pair_matrix, score_pairs
from nbo.models.peers import implicit_scores, installed

FEWEST_TAKERS = 5
"""Accounts that took something, below which no metric is told: its interval would span almost all."""
EXPLAINED_PAIRS = 2_000
THREADS = 2
ORDER_METRICS = ("auc", "average_precision", *(f"hit_rate_at_{length}" for length in LISTED))
"""What is told of every order of products, a model's or a rule's."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out slices one below the other: n rows of an account and a date, k products.

    Parameters
    ----------
    wanted, taken : ndarray of shape (n, k), bool
        Pairs that are judged; those of them that were taken.
    accounts : ndarray of shape (n,)
        The account of each row, as a number below ``count``.
    days : ndarray of shape (n,)
        The date of each row.
    count : int
        Number of accounts.
    """

    wanted: Flags
    taken: Flags
    accounts: Codes
    days: Codes
    count: int

    @classmethod
    def of(cls, slices: Sequence[PairSlice]) -> "HeldOut":
        """Stack slices in their order."""
        wanted = np.concatenate([one.wanted for one in slices])
        taken = wanted & np.concatenate([one.taken for one in slices])
        found, codes = np.unique(np.concatenate([one.account_ids for one in slices]), return_inverse=True)
        days = np.concatenate([np.full(len(one.wanted), one.as_of.day) for one in slices])
        return cls(wanted, taken, codes.ravel(), days, found.size)

    def only(self, chosen: npt.NDArray[np.bool_]) -> "HeldOut":
        """Some of the rows; accounts keep their numbers."""
        parts = (self.wanted[chosen], self.taken[chosen], self.accounts[chosen], self.days[chosen])
        return HeldOut(*parts, self.count)

    def only_product(self, place: int) -> "HeldOut":
        """The same rows with the pairs of one product."""
        column = np.zeros(self.wanted.shape[1], dtype=np.bool_)
        column[place] = True
        return HeldOut(self.wanted & column, self.taken & column, self.accounts, self.days, self.count)

    @property
    def takers(self) -> int:
        """Accounts that took something."""
        return int(np.unique(self.accounts[self.taken.any(axis=1)]).size)

    @property
    def judgeable(self) -> bool:
        """Whether enough accounts took something, and left something, for an interval to say anything."""
        leavers = np.unique(self.accounts[(self.wanted & ~self.taken).any(axis=1)]).size
        return min(self.takers, leavers) >= FEWEST_TAKERS

    def order_metrics(self, scores: Floats, places: Codes) -> dict[str, OfAccounts]:
        """The metrics of an order of products.

        Parameters
        ----------
        scores : ndarray of shape (n, k)
            Any numbers, higher = sooner; NaN where not wanted.
        places : ndarray of shape (n, k)
            ``ranks(scores)`` over all products that the account lacks.
        """
        ranked = RankedPairs.of(self.taken[self.wanted], scores[self.wanted], self.pair_accounts, self.count)
        found: dict[str, OfAccounts] = {"auc": ranked.auc, "average_precision": ranked.average_precision}
        took = self.taken.any(axis=1)
        best = np.where(self.taken[took], places[took], places.shape[1]).min(axis=1)
        for length in LISTED:
            hits = (best < length).astype(np.float64)
            found[f"hit_rate_at_{length}"] = mean_of(hits, self.accounts[took], self.count)
        return found

    def probability_metrics(self, p_take: Floats) -> dict[str, OfAccounts]:
        """What tells whether probabilities are honest."""
        label, told, accounts = self.taken[self.wanted], p_take[self.wanted], self.pair_accounts
        return {
            "brier": mean_of((told - label) ** 2, accounts, self.count),
            "log_loss": mean_of(log_losses(label, told), accounts, self.count),
            "ece": ece_of(label, told, accounts, self.count),
        }

    def all_metrics(self, p_take: Floats) -> dict[str, OfAccounts]:
        """The metrics of the order and of the probabilities of a model."""
        return self.order_metrics(p_take, ranks(p_take)) | self.probability_metrics(p_take)

    @property
    def pair_accounts(self) -> Codes:
        """The account of each wanted pair."""
        return np.repeat(self.accounts, self.wanted.sum(axis=1))


def held_out_card(
    bundle: Bundle, slices: Sequence[PairSlice], products: ProductTable, typical: dict[str, float], seed: int
) -> dict[str, Any]:
    """Metrics with intervals, beside popularity and implicit; calibration and drivers.

    Parameters
    ----------
    bundle : Bundle
        The fitted model; its metadata is not read.
    slices : sequence of PairSlice
        Held-out months only.
    typical : dict of str to float
        Training medians by column.
    seed : int
        Of the bootstrap and of the sample that is explained.

    Raises
    ------
    DataError
        No account of the held-out months lacks a product that is for sale.
    """
    held_out = HeldOut.of(slices)
    if not held_out.wanted.any():
        raise DataError(
            "held-out pairs",
            "accounts that lack a product of the catalog",
            "none",
            next_step="Name the products of the data as the catalog does, or bring newer months",
        )
    p_take = taken_by(bundle, slices, products)
    return {
        **judged(held_out, slices, p_take, products, seed),
        "base_rate": {"holdout": float(held_out.taken[held_out.wanted].mean())},
        **drivers(bundle, explained_pairs(bundle, slices, products, seed), typical, seed),
    }


def taken_by(bundle: Bundle, slices: Sequence[PairSlice], products: ProductTable) -> Floats:
    """``p_take`` of every wanted pair of the slices, stacked, shape (n, k); NaN elsewhere."""
    scores = []
    for one in slices:
        encoded = bundle.vocabulary.matrix(one.rows, bundle.features.features)
        given = (one.held, products, one.statistics, one.wanted)
        scores.append(score_pairs(bundle, encoded, *given, threads=THREADS))
    return np.concatenate(scores)


def judged(
    held_out: HeldOut, slices: Sequence[PairSlice], p_take: Floats, products: ProductTable, seed: int
) -> dict[str, Any]:
    """Metrics and calibration; with too few take-ups none of them, and a note instead."""
    if not held_out.judgeable:
        note = (
            f"in the held-out months {counted(held_out.takers, 'account')} took a product, "
            f"{FEWEST_TAKERS} are needed to judge: nothing is known of how good this model is"
        )
        nothing: dict[str, Any] = {
            "holdout": {},
            "slices": {},
            "products": {},
            "popularity": None,
            "implicit": None,
        }
        return {"metrics": nothing, "reliability": [], "notes": [note]}
    months, no_months = month_metrics(held_out, p_take)
    each, no_products = product_metrics(held_out, p_take, products)
    rules, no_rules = rule_metrics(held_out, slices, seed)
    whole = {"holdout": held_out.all_metrics(p_take), **rules}
    groups = {("", name): metrics for name, metrics in whole.items()}
    groups |= {("slices", date): metrics for date, metrics in months.items()}
    groups |= {("products", name): metrics for name, metrics in each.items()}
    told = told_groups(groups, held_out.count, seed)
    of_months, of_products = (
        {name: told[part, name] for name in named} for part, named in (("slices", months), ("products", each))
    )
    label, scores, accounts = held_out.taken[held_out.wanted], p_take[held_out.wanted], held_out.pair_accounts
    return {
        "metrics": {
            "holdout": told["", "holdout"],
            "slices": of_months,
            "products": every_product(held_out, products, of_products),
            "popularity": told["", "popularity"],
            "implicit": told.get(("", "implicit")),
        },
        "reliability": reliability_rows(label, scores, accounts, held_out.count, seed),
        "notes": [*no_months, *no_products, *no_rules],
    }


def told_groups(
    groups: Mapping[tuple[str, str], Mapping[str, OfAccounts]], count: int, seed: int
) -> dict[tuple[str, str], dict[str, Any]]:
    """Groups of metrics with their intervals as JSON, all on the same draws of accounts."""
    flat = {(group, name): metric for group, metrics in groups.items() for name, metric in metrics.items()}
    found = intervals(flat, count, seed, "held-out pairs")
    return {
        group: {name: found[group, name].to_json() for name in metrics} for group, metrics in groups.items()
    }


def month_metrics(held_out: HeldOut, p_take: Floats) -> tuple[dict[str, dict[str, OfAccounts]], list[str]]:
    """Metrics of each month, and a note for each month with too few take-ups to have any."""
    found, notes = {}, []
    for day in np.unique(held_out.days):
        chosen = held_out.days == day
        month, date = held_out.only(chosen), str(AsOf(int(day)))
        if month.judgeable:
            found[date] = month.all_metrics(p_take[chosen])
        else:
            takers = counted(month.takers, "account")
            notes.append(f"no metrics of the held-out month {date}: {takers} took a product")
    return found, notes


def product_metrics(
    held_out: HeldOut, p_take: Floats, products: ProductTable
) -> tuple[dict[str, dict[str, OfAccounts]], list[str]]:
    """Metrics of each product that enough accounts took, and a note that names the others.

    Its hit rate is among the accounts that took it: whether it stood first, or among the first
    three, of all that they lacked.
    """
    found, untold, places = {}, [], ranks(p_take)
    for place, name in enumerate(products.product_ids):
        alone = held_out.only_product(place)
        if alone.judgeable:
            found[name] = alone.order_metrics(p_take, places)
            found[name]["ece"] = alone.probability_metrics(p_take)["ece"]
        elif alone.wanted.any():
            untold.append(name)
    if not untold:
        return found, []
    few = f"which fewer than {FEWEST_TAKERS} accounts took, or left, in the held-out months"
    return found, [f"no metrics of {counted(len(untold), 'product')}, {few}: {listed(untold)}"]


def every_product(held_out: HeldOut, products: ProductTable, told: Mapping[str, Any]) -> dict[str, Any]:
    """Of each product how many pairs there were and how many were taken; its metrics, null where untold."""
    untold = dict.fromkeys((*ORDER_METRICS, "ece"))
    return {
        name: {
            "take_ups": int(held_out.taken[:, place].sum()),
            "pairs": int(held_out.wanted[:, place].sum()),
            **told.get(name, untold),
        }
        for place, name in enumerate(products.product_ids)
    }


def rule_metrics(
    held_out: HeldOut, slices: Sequence[PairSlice], seed: int
) -> tuple[dict[str, dict[str, OfAccounts]], list[str]]:
    """The orders that plain rules give; a note where ``implicit`` is not there to give its own."""
    scores = {"popularity": popularity_scores(slices)}
    if installed():
        # Learnt from who held what on the first of the dates, so from nothing later than any of them.
        held = np.concatenate([one.held for one in slices])
        scores["implicit"] = implicit_scores(slices[0].held, held, seed)
    found = {}
    for rule, told in scores.items():
        wanted = np.where(held_out.wanted, told, np.nan)
        found[rule] = held_out.order_metrics(wanted, ranks(wanted))
    missing = "implicit is not installed: the model is not compared with it"
    return found, [] if installed() else [missing]


def popularity_scores(slices: Sequence[PairSlice]) -> Floats:
    """The same order for everybody: how often a product is taken, as known on the date."""
    scores = []
    for one in slices:
        statistics = one.statistics
        rate = statistics.taken_yearly if statistics.taken_days else statistics.held_share
        scores.append(np.broadcast_to(np.nan_to_num(rate), one.wanted.shape))
    return np.concatenate(scores)


def explained_pairs(bundle: Bundle, slices: Sequence[PairSlice], products: ProductTable, seed: int) -> Matrix:
    """The rows of a random part of the held-out pairs."""
    wanted = np.concatenate([one.wanted for one in slices])
    places = np.flatnonzero(wanted)
    chosen = np.random.default_rng(seed).permutation(places)[:EXPLAINED_PAIRS]
    asked = np.zeros(wanted.shape, dtype=np.bool_)
    asked.flat[chosen] = True
    parts = np.split(asked, np.cumsum([len(one.wanted) for one in slices])[:-1])
    return np.concatenate(
        [
            pair_matrix(
                bundle.vocabulary,
                bundle.features,
                bundle.vocabulary.matrix(one.rows, bundle.features.features),
                one.held,
                products,
                one.statistics,
                part,
            )
            for one, part in zip(slices, parts, strict=True)
        ]
    )


def against_champion(
    champion: Bundle,
    challenger: Bundle,
    theirs: Sequence[PairSlice],
    ours: Sequence[PairSlice],
    products: ProductTable,
    seed: int,
) -> dict[str, Any]:
    """Both models on the same held-out pairs: challenger minus champion.

    Parameters
    ----------
    theirs, ours : sequence of PairSlice
        The same accounts and months, each with its own bundle's features.
    products : ProductTable
        The present one, for both.
    """
    held_out, other = HeldOut.of(ours), HeldOut.of(theirs)
    if not (
        np.array_equal(held_out.wanted, other.wanted) and np.array_equal(held_out.accounts, other.accounts)
    ):
        raise DataError("held-out pairs", "the same accounts for both models", "different ones")
    found = [
        held_out.order_metrics(scores, ranks(scores))
        for scores in (taken_by(challenger, ours, products), taken_by(champion, theirs, products))
    ]
    measured = {name: minus(*(metrics[name] for metrics in found)) for name in ORDER_METRICS}
    told = told_groups({("", "difference"): measured}, held_out.count, seed)
    return {"bundle_id": champion.id, "difference": told["", "difference"]}


def minus(first: OfAccounts, second: OfAccounts) -> OfAccounts:
    """The difference of two metrics on the same draws."""
    return lambda weights: first(weights) - second(weights)


def order_of_training(data: TrainingData, scores: Floats, seed: int) -> dict[str, Any]:
    """How well boosters that never saw their accounts ordered the training pairs.

    Only metrics of the order: the calibrator was learnt from these very scores.
    """
    label, (found, codes) = data.label == 1, np.unique(data.account_ids, return_inverse=True)
    if np.unique(codes[label]).size < FEWEST_TAKERS:
        return {}
    ranked = RankedPairs.of(label, scores, codes.ravel(), found.size)
    measured: dict[str, OfAccounts] = {"auc": ranked.auc, "average_precision": ranked.average_precision}
    return told_groups({("", "train"): measured}, found.size, seed)["", "train"]
