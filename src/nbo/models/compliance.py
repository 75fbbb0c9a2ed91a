"""What it costs to keep to the features that a purpose permits: two models on the same held-out rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.compute as pc

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.customers.value import monthly_margins
from nbo.errors import DataError
from nbo.evaluation import bootstrap, difference, evaluate_scores, top_total_of
from nbo.features.compile import permitted_sets
from nbo.features.compiled import CompiledFeatures
from nbo.features.families import FeatureSet
from nbo.models.card import FEWEST_LEAVERS
from nbo.models.churn import counted
from nbo.models.data import Floats
from nbo.models.slices import LabelledRows
from nbo.tables.contract import PURPOSES
from nbo.tables.store import Store

__all__ = ["LISTED_SHARE", "judgeable", "only", "price_of", "row_margins", "widest_purpose"]

LISTED_SHARE = 0.1
"""The part of the held-out accounts that the list of the money figure holds."""
ORDER_METRICS = ("auc", "average_precision", "lift_at_10")


def widest_purpose(sets: Sequence[FeatureSet], first: str) -> str:
    """The purpose that permits most features; ``first`` where several permit as many."""

    def permitted(purpose: str) -> int:
        return sum(len(family.features) for family in permitted_sets(sets, purpose))

    return max((first, *PURPOSES), key=permitted)


def only(rows: LabelledRows, compiled: CompiledFeatures) -> LabelledRows:
    """The same rows with the columns of some features alone."""
    return replace(rows, rows=rows.rows.select(["account_id", *compiled.names]))


def judgeable(rows: LabelledRows) -> None:
    """Refuse held-out rows that could not tell two models apart."""
    if rows.positives < FEWEST_LEAVERS:
        raise DataError(
            "held-out months",
            f"{FEWEST_LEAVERS} leavers or more",
            counted(rows.positives, "leaver"),
            next_step="Hold out more months, or bring more accounts",
        )


def row_margins(store: Store, rows: LabelledRows, margin_share: float | None) -> Floats:
    """The monthly margin of each row's account at its date [minor units], shape (n,); NaN where unknown.

    Parameters
    ----------
    margin_share : float or None
        As for :func:`nbo.customers.value.monthly_margins`.
    """
    found = np.full(len(rows.label), np.nan)
    for day in np.unique(rows.as_of_days):
        mask = rows.of_slice(AsOf(int(day)))
        margins = monthly_margins(store, AsOf(int(day)), margin_share=margin_share)
        accounts = rows.rows["account_id"].filter(mask)
        places = pc.index_in(accounts, value_set=margins["account_id"].combine_chunks())
        told = margins["monthly_margin_amount"].take(places)
        found[mask] = told.cast("float64").to_numpy()
    return found


def price_of(
    every: Bundle, part: Bundle, rows: LabelledRows, margins: Floats, minor_digits: int, seed: int
) -> dict[str, Any]:
    """Both models on the same held-out rows, and the first minus the second.

    Parameters
    ----------
    every, part : Bundle
        The model of all features, and that of the permitted ones.
    rows : LabelledRows
        Held-out months, with all features.
    margins : ndarray of shape (n,)
        Monthly margin of each row's account in minor units, NaN = unknown.
    minor_digits : int
        Digits of the currency after the point.
    seed : int
        Of the bootstrap over accounts.

    Returns
    -------
    dict
        ``all``, ``permitted``, ``difference``: per metric value and 95 % interval; among them
        ``found_margin_amount``: monthly margin, in the currency, of those who left among the top tenth
        of the accounts by ``p_churn`` times margin, in the mean of the held-out months; absent where
        no margin is known. ``known_margins``: share of the rows with one.

    Notes
    -----
    Intervals are over held-out accounts; they do not tell how either model would change if it were
    fitted again on other accounts.
    """
    narrow = only(rows, part.features)
    p_all = every.score(every.encode(rows.rows), threads=2)
    p_part = part.score(part.encode(narrow.rows), threads=2)
    told: dict[str, Any] = {"all": {}, "permitted": {}, "difference": {}}
    for side, p in (("all", p_all), ("permitted", p_part)):
        found = evaluate_scores(rows.label, p, clusters=rows.account_ids, seed=seed)
        told[side] = {name: found[name].to_json() for name in ORDER_METRICS}
    for name in ORDER_METRICS:
        gap = difference(rows.label, p_all, p_part, name, clusters=rows.account_ids, seed=seed)
        told["difference"][name] = gap.to_json()
    known = np.isfinite(margins)
    if known.any():
        for side, figure in found_margins(rows, p_all, p_part, margins, minor_digits, seed).items():
            told[side]["found_margin_amount"] = figure
    return {**told, "known_margins": float(known.mean())}


def found_margins(
    rows: LabelledRows, p_all: Floats, p_part: Floats, margins: Floats, minor_digits: int, seed: int
) -> dict[str, dict[str, float]]:
    """Margin of the leavers on each model's list, and the difference, with intervals."""
    known = np.nan_to_num(margins, nan=0.0)
    unit = 10**minor_digits * len(np.unique(rows.as_of_days))
    lost = rows.label * known / unit
    of_all, of_part = (top_total_of(LISTED_SHARE)(lost, p * known) for p in (p_all, p_part))

    def sides(weights: Floats) -> Floats:
        first, second = of_all(weights), of_part(weights)
        return np.stack([first, second, first - second], axis=1)

    found = bootstrap(sides, rows.account_ids, seed=seed, where="held-out months")
    return {side: one.to_json() for side, one in zip(("all", "permitted", "difference"), found, strict=True)}
