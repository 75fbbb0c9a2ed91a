"""The model card: how good a fitted model is on held-out months, and what drives it.

Everything here ends up in the bundle's metadata, so that a report needs nothing but the bundle.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.errors import DataError
from nbo.evaluation import difference, evaluate_scores, gains_table, reliability_table
from nbo.features.compiled import CompiledFeatures
from nbo.models.churn import counted
from nbo.models.slices import LabelledRows

Floats = npt.NDArray[np.float64]
BAND_SHARES = {"high": 0.05, "medium": 0.20}
"""Share of accounts at or above each band's edge, on the held-out months."""
EXPLAINED_ROWS = 2_000
TOP_FEATURES = 15
FEWEST_LEAVERS = 5
"""Held-out leavers below which no metric is told: its interval would span almost everything."""


def held_out_card(
    bundle: Bundle, rows: LabelledRows, typical: Mapping[str, float], seed: int
) -> dict[str, Any]:
    """Metrics with intervals, calibration, gains, bands and drivers on held-out rows.

    Parameters
    ----------
    bundle : Bundle
        The fitted model; its metadata is not read.
    rows : LabelledRows
        Held-out months only.
    typical : mapping of str to float
        Training medians by feature.
    seed : int
        Of the bootstrap and of the sample that is explained.
    """
    matrix = bundle.encode(rows.rows)
    p_churn = bundle.score(matrix, threads=2)
    return {
        **judged(rows, p_churn, seed),
        "base_rate": {"holdout": float(rows.label.mean())},
        "band_edges": band_edges(p_churn),
        **drivers(bundle, matrix, typical, seed),
    }


def judged(rows: LabelledRows, p_churn: Floats, seed: int) -> dict[str, Any]:
    """Metrics, calibration and gains; with too few leavers none of them, and a note instead."""
    if rows.positives < FEWEST_LEAVERS:
        note = (
            f"the held-out months hold {counted(rows.positives, 'leaver')}, "
            f"{FEWEST_LEAVERS} are needed to judge: "
            "nothing is known of how good this model is"
        )
        return {"metrics": {"holdout": {}, "slices": {}}, "reliability": [], "gains": [], "notes": [note]}
    by_month, unjudged = slice_metrics(rows, p_churn, seed)
    return {
        "metrics": {
            "holdout": metrics_of(rows.label, p_churn, rows.account_ids, seed),
            "slices": by_month,
        },
        "reliability": reliability_rows(rows, p_churn, seed),
        "gains": [
            {"share": cut.share, "captured": cut.captured_share, "lift": cut.lift}
            for cut in gains_table(rows.label, p_churn)
        ],
        "notes": unjudged,
    }


def metrics_of(
    label: npt.NDArray[np.int8], p_churn: Floats, accounts: npt.NDArray[np.str_], seed: int
) -> dict[str, Any]:
    """Every metric with its interval over accounts, as JSON."""
    found = evaluate_scores(label, p_churn, clusters=accounts, seed=seed)
    return {name: interval.to_json() for name, interval in found.items()}


def slice_metrics(rows: LabelledRows, p_churn: Floats, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Metrics of each month, and a note for each month with too few leavers to have any."""
    found: dict[str, Any] = {}
    notes = []
    for day in np.unique(rows.as_of_days):
        mask = rows.of_slice(AsOf(int(day)))
        try:
            found[str(AsOf(int(day)))] = metrics_of(
                rows.label[mask], p_churn[mask], rows.account_ids[mask], seed
            )
        except DataError:
            left, total = int(rows.label[mask].sum()), int(mask.sum())
            notes.append(
                f"no metrics of the held-out month {AsOf(int(day))}: {left:,} of {total:,} accounts left"
            )
    return found, notes


def reliability_rows(rows: LabelledRows, p_churn: Floats, seed: int) -> list[dict[str, Any]]:
    """Ten groups of equal size by probability: what was told and what was found."""
    return [
        {
            "mean_score": group.told,
            "share_left": group.found.value,
            "low": group.found.low,
            "high": group.found.high,
            "count": group.rows,
        }
        for group in reliability_table(rows.label, p_churn, clusters=rows.account_ids, seed=seed)
    ]


def band_edges(p_churn: Floats) -> dict[str, float]:
    """The probability from which an account is in the band, by the bands' shares."""
    return {name: float(np.quantile(p_churn, 1 - share)) for name, share in BAND_SHARES.items()}


def drivers(bundle: Bundle, matrix: Floats, typical: Mapping[str, float], seed: int) -> dict[str, Any]:
    """What moves the score: mean absolute contribution, by family and by feature."""
    chosen = np.random.default_rng(seed).permutation(len(matrix))[:EXPLAINED_ROWS]
    strength = np.abs(bundle.contributions(matrix[np.sort(chosen)])).mean(axis=0)
    shares = strength / strength.sum() if strength.sum() > 0 else strength
    compiled = bundle.features
    return {
        "families": family_shares(compiled, shares),
        "top_features": top_features(compiled, shares, typical),
    }


def family_shares(compiled: CompiledFeatures, shares: Floats) -> list[dict[str, Any]]:
    totals: dict[str, float] = {}
    words = {feature.family: feature.family_words for feature in compiled.columns}
    for feature, share in zip(compiled.columns, shares, strict=True):
        totals[feature.family] = totals.get(feature.family, 0.0) + float(share)
    return [
        {"family": name, "words": {"en": words[name].en, "zh": words[name].zh}, "share": total}
        for name, total in sorted(totals.items(), key=lambda item: -item[1])
    ]


def top_features(
    compiled: CompiledFeatures, shares: Floats, typical: Mapping[str, float]
) -> list[dict[str, Any]]:
    order = [int(place) for place in np.argsort(-shares, kind="stable")[:TOP_FEATURES] if shares[place] > 0]
    return [
        {
            "name": compiled.columns[place].name,
            "words": {"en": compiled.columns[place].words.en, "zh": compiled.columns[place].words.zh},
            "share": float(shares[place]),
            "median": typical.get(compiled.columns[place].name),
            "unit": compiled.columns[place].unit,
        }
        for place in order
    ]


def medians(rows: pa.Table, compiled: CompiledFeatures) -> dict[str, float]:
    """The typical value of every number feature that is known for some row."""
    found = {}
    for feature in compiled.columns:
        column = rows[feature.name]
        if feature.kind == "number" and column.null_count < len(column):
            found[feature.name] = float(pc.quantile(column, 0.5)[0].as_py())
    return found


def against_champion(
    champion: Bundle, challenger: Bundle, champion_rows: LabelledRows, rows: LabelledRows, seed: int
) -> dict[str, Any]:
    """Both models on the same held-out accounts and months: challenger minus champion.

    Parameters
    ----------
    champion_rows, rows : LabelledRows
        The same accounts and months, each with its own bundle's features.
    """
    if not np.array_equal(champion_rows.label, rows.label):
        raise DataError("held-out rows", "the same accounts for both models", "different ones")
    theirs = champion.score(champion.encode(champion_rows.rows), threads=2)
    ours = challenger.score(challenger.encode(rows.rows), threads=2)
    found = {
        name: difference(rows.label, ours, theirs, name, clusters=rows.account_ids, seed=seed).to_json()
        for name in ("average_precision", "auc")
    }
    return {"bundle_id": champion.id, "difference": found}
