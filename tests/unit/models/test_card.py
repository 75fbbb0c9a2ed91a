"""The model card: what a report needs, from a bundle and held-out rows of a known truth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.bundle import IDENTITY, Bundle, Vocabulary, parsed_booster
from nbo.errors import DataError
from nbo.evaluation import evaluate_scores
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.models.card import against_champion, band_edges, held_out_card, judged, medians, slice_metrics
from nbo.models.slices import LabelledRows
from nbo.tables.contract import Words

ACCOUNTS = 400


def feature(name: str, family: str, kind: Any = "number") -> CompiledFeature:
    words = Words(name, f"{name}（中）")
    return CompiledFeature(
        name=name,
        kind=kind,
        unit="count",
        family=family,
        family_words=Words(family, f"{family}（中）"),
        words=words,
        columns=(f"calls.{name}",),
        purposes=frozenset({"retention"}),
        null_means="never",
    )


@pytest.fixture(scope="module")
def compiled() -> CompiledFeatures:
    features = (
        feature("strong", "calls"),
        feature("weak", "calls"),
        feature("noise", "bills"),
        feature("idle", "bills"),
    )
    return CompiledFeatures.of(features, "SELECT 1", "retention")


def drawn(seed: int) -> LabelledRows:
    """Two months of the same accounts; ``strong`` and ``weak`` raise the risk, the rest does not."""
    draw = np.random.default_rng(seed)
    n = 2 * ACCOUNTS
    columns = {name: draw.normal(size=n) for name in ("strong", "weak", "noise")}
    log_odds = 1.5 * columns["strong"] + 0.5 * columns["weak"] - 2
    label = (draw.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    accounts = np.array([f"A{k % ACCOUNTS:04d}" for k in range(n)])
    days = np.repeat(np.array([20_000, 20_030], np.int32), ACCOUNTS)
    table = pa.table({"account_id": accounts, **columns, "idle": pa.nulls(n, pa.float64())})
    return LabelledRows(table, label, accounts, days)


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    return drawn(2)


def fitted(compiled: CompiledFeatures, seed: int = 1, rounds: int = 40) -> Bundle:
    rows = drawn(seed)
    vocabulary = Vocabulary.learn(rows.rows, compiled)
    data = lgb.Dataset(
        vocabulary.encode(rows.rows, compiled), rows.label.astype(float), feature_name=list(compiled.names)
    )
    settings = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1, "seed": 1}
    text = lgb.train(settings, data, rounds).model_to_string()
    return Bundle(
        "b" * 16, "churn", compiled, vocabulary, (parsed_booster(text, compiled.names),), IDENTITY, {}
    )


@pytest.fixture(scope="module")
def bundle(compiled: CompiledFeatures) -> Bundle:
    return fitted(compiled)


@pytest.fixture(scope="module")
def card(bundle: Bundle, rows: LabelledRows, compiled: CompiledFeatures) -> dict[str, Any]:
    return held_out_card(bundle, rows, medians(rows.rows, compiled), seed=3)


def test_metrics_are_those_of_the_bundles_scores_with_intervals_over_accounts(
    card: dict[str, Any], bundle: Bundle, rows: LabelledRows
) -> None:
    p_churn = bundle.score(bundle.encode(rows.rows))
    expected = evaluate_scores(rows.label, p_churn, clusters=rows.account_ids, seed=3)
    assert card["metrics"]["holdout"] == {name: found.to_json() for name, found in expected.items()}
    assert 0.75 < card["metrics"]["holdout"]["auc"]["value"] < 0.95
    assert card["base_rate"] == {"holdout": rows.label.mean()}


def test_each_month_is_measured_by_itself(card: dict[str, Any], bundle: Bundle, rows: LabelledRows) -> None:
    late = rows.of_slice(AsOf(20_030))
    p_churn = bundle.score(bundle.encode(rows.rows))
    expected = evaluate_scores(rows.label[late], p_churn[late], clusters=rows.account_ids[late], seed=3)
    assert list(card["metrics"]["slices"]) == ["2024-10-04", "2024-11-03"]
    assert card["metrics"]["slices"]["2024-11-03"]["auc"] == expected["auc"].to_json()
    assert card["notes"] == []


@pytest.mark.parametrize("leavers", [0, 1, 2])
def test_a_month_with_hardly_a_leaver_has_a_note_and_no_metrics(rows: LabelledRows, leavers: int) -> None:
    label = rows.label.copy()
    label[:ACCOUNTS] = 0
    label[:leavers] = 1
    found, notes = slice_metrics(replace(rows, label=label), np.linspace(0.01, 0.9, len(label)), seed=3)
    assert list(found) == ["2024-11-03"]
    assert notes == [f"no metrics of the held-out month 2024-10-04: {leavers} of 400 accounts left"]


def test_held_out_months_with_hardly_a_leaver_are_not_judged(rows: LabelledRows) -> None:
    label = np.zeros_like(rows.label)
    label[:4] = 1
    found = judged(replace(rows, label=label), np.linspace(0.01, 0.9, len(label)), seed=3)
    assert found == {
        "metrics": {"holdout": {}, "slices": {}},
        "reliability": [],
        "gains": [],
        "notes": [
            "the held-out months hold 4 leavers, 5 are needed to judge: "
            "nothing is known of how good this model is"
        ],
    }


def test_bands_hold_the_shares_they_promise(bundle: Bundle, rows: LabelledRows) -> None:
    p_churn = bundle.score(bundle.encode(rows.rows))
    edges = band_edges(p_churn)
    assert (p_churn >= edges["high"]).mean() == pytest.approx(0.05, abs=0.01)
    assert (p_churn >= edges["medium"]).mean() == pytest.approx(0.20, abs=0.01)


def test_families_and_features_are_ranked_by_what_they_move(card: dict[str, Any]) -> None:
    assert [family["family"] for family in card["families"]] == ["calls", "bills"]
    assert sum(family["share"] for family in card["families"]) == pytest.approx(1)
    assert [item["name"] for item in card["top_features"]] == [
        "strong",
        "weak",
        "noise",
    ]  # not idle: no share
    shares = [item["share"] for item in card["top_features"]]
    assert shares == sorted(shares, reverse=True)
    assert card["top_features"][0]["words"] == {"en": "strong", "zh": "strong（中）"}


def test_calibration_and_gains_have_the_rows_that_a_chart_needs(card: dict[str, Any]) -> None:
    assert len(card["reliability"]) == 10
    assert sum(group["count"] for group in card["reliability"]) == 2 * ACCOUNTS
    assert all(group["low"] <= group["share_left"] <= group["high"] for group in card["reliability"])
    assert card["gains"][-1]["captured"] == pytest.approx(1)
    captured = [cut["captured"] for cut in card["gains"]]
    assert captured == sorted(captured)


def test_medians_are_of_numbers_that_are_known(compiled: CompiledFeatures) -> None:
    rows = pa.table(
        {
            "strong": [1.0, 2.0, 9.0],
            "weak": [None, 4.0, 6.0],
            "noise": [0.0, 0.0, 0.0],
            "idle": pa.nulls(3, pa.float64()),
        }
    )
    assert medians(rows, compiled) == {"strong": 2.0, "weak": 5.0, "noise": 0.0}


def test_a_category_has_no_median() -> None:
    features = (feature("grade", "account", kind="category"),)
    rows = pa.table({"grade": ["a", "b", "b"]})
    assert medians(rows, CompiledFeatures.of(features, "SELECT 1", "retention")) == {}


def test_a_champion_is_compared_on_the_same_accounts(
    bundle: Bundle, compiled: CompiledFeatures, rows: LabelledRows
) -> None:
    weaker = fitted(compiled, seed=5, rounds=1)
    found = against_champion(weaker, bundle, rows, rows, seed=3)
    assert found["bundle_id"] == weaker.id
    gain = found["difference"]["average_precision"]
    assert gain["low"] <= gain["value"] <= gain["high"]
    back = against_champion(bundle, weaker, rows, rows, seed=3)["difference"]["average_precision"]
    assert back["value"] == pytest.approx(-gain["value"])
    same = against_champion(bundle, bundle, rows, rows, seed=3)["difference"]
    assert same["auc"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_comparison_over_different_accounts_is_refused(bundle: Bundle, rows: LabelledRows) -> None:
    other = replace(rows, label=1 - rows.label)
    with pytest.raises(DataError, match="held-out rows: expected the same accounts for both models"):
        against_champion(bundle, bundle, other, rows, seed=3)


def test_the_card_is_the_same_for_the_same_seed(
    card: dict[str, Any], bundle: Bundle, rows: LabelledRows, compiled: CompiledFeatures, tmp_path: Path
) -> None:
    assert held_out_card(bundle, rows, medians(rows.rows, compiled), seed=3) == card
