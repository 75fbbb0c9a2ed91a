"""From slices to a model of pairs and its card: what is learnt from, what is told, by hand or by oracle."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.bundle import Bundle, parsed_booster
from nbo.errors import DataError
from nbo.evaluation import evaluate_scores
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import build_features
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.models import FittedModel, TrainingData
from nbo.models.config import NextProductConfig, PairBoosterSettings
from nbo.models.next_product import (
    PairSlice,
    fewer_accounts,
    fit_next_product,
    pair_medians,
    pair_slice,
    pair_vocabulary,
    training_pairs,
)
from nbo.models.next_product_card import (
    HeldOut,
    against_champion,
    held_out_card,
    judged,
    order_of_training,
    popularity_scores,
    taken_by,
)
from nbo.models.pairs import EXPERIENCE, PAIR_COLUMNS, ProductStatistics, ProductTable
from nbo.report import charts_for_tracking
from nbo.tables.contract import ALL_PURPOSES
from nbo.tables.direct import store_from_tables

IDS = ("line", "adsl", "phs", "video")
PRODUCTS = ProductTable(
    product_ids=IDS,
    families=("voice", "data", "mobile", "voice"),
    monthly_fees=np.array([2500.0, 11000.0, 2500.0, 0.0]),
    comparability=np.ones(4),
    requires=((), ("line",), (), ("adsl",)),
)
QUICK = PairBoosterSettings(
    max_rounds=40, patience_rounds=8, folds=3, seeds=1, learning_rate=0.1, num_leaves=7
)
CONFIG = NextProductConfig(booster=QUICK)


def account_feature(name: str, kind: Any = "number") -> CompiledFeature:
    words = Words(name, f"{name}（中）")
    return CompiledFeature(
        name, kind, "count", "bills", Words("Bills", "账单"), words, ("bills.x",), ALL_PURPOSES, "never"
    )


COMPILED = CompiledFeatures.of(
    (account_feature("size"), account_feature("kind", "category"), account_feature("noise")),
    "SELECT 1",
    "marketing",
).with_given(PAIR_COLUMNS)


def simulated(as_of: int, n: int, seed: int) -> PairSlice:
    """Everybody has a line; the large take adsl, holders of adsl take phs, nobody takes video."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    held = np.c_[np.ones(n), rng.random(n) < 0.3, rng.random(n) < 0.2, rng.random(n) < 0.01].astype(bool)
    odds = np.full((n, 4), -np.inf)
    odds[:, 1] = -2.5 + 1.5 * size
    odds[:, 2] = -4 + 2.5 * held[:, 1]
    taken = ~held & (rng.random((n, 4)) < 1 / (1 + np.exp(-odds)))
    rows = pa.table(
        {
            "account_id": [f"A{k:05}" for k in range(n)],
            "size": size,
            "kind": np.where(rng.random(n) < 0.5, "shop", "firm"),
            "noise": rng.normal(size=n),
        }
    )
    statistics = replace(
        ProductStatistics.of_matrix(held), takes=np.array([0, n // 10, n // 25, 0]), taken_days=180
    )
    return PairSlice(AsOf(as_of), rows, held, ~held, taken, statistics)


TRAIN = [simulated(20_000, 1500, 1), simulated(20_030, 1500, 2)]
HOLDOUT = [simulated(20_120, 800, 3), simulated(20_150, 800, 4)]
VOCABULARY = pair_vocabulary(TRAIN, COMPILED, PRODUCTS)


def pairs_of(slices: Sequence[PairSlice], config: NextProductConfig = CONFIG) -> TrainingData:
    return training_pairs(slices, VOCABULARY, COMPILED, PRODUCTS, config)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return pairs_of(TRAIN)


@pytest.fixture(scope="module")
def fitted(data: TrainingData) -> FittedModel:
    return fit_next_product(data, CONFIG, None)


@pytest.fixture(scope="module")
def bundle(fitted: FittedModel) -> Bundle:
    boosters = tuple(parsed_booster(text, COMPILED.column_names) for text in fitted.boosters)
    return Bundle("b" * 16, "next-product", COMPILED, VOCABULARY, boosters, fitted.calibrator, {})


# Slices


def line(account: str, product: str, valid: int, state: str = "active") -> dict[str, object]:
    return {
        "line_id": f"{account}/{product}",
        "account_id": account,
        "product_id": product,
        "valid_day": valid,
        "known_day": valid,
        "state": state,
    }


def test_what_is_held_or_censored_or_not_for_sale_cannot_be_taken(tmp_path: Path) -> None:
    lines = [
        *(line(account, "line", 19_000) for account in "ABC"),
        line("A", "adsl", 19_500),
        line("D", "line", 19_000, "ended"),
    ]
    store = store_from_tables(tmp_path / "store", {"lines": pa.Table.from_pylist(lines)}, end_day=20_100)
    compiled = compile_features(
        [FeatureSet("lines", Words("Lines", "线路"), [table("lines").days_since("first", over=days(3650))])]
    )

    def pairs(*rows: tuple[str, str]) -> pa.Table:
        text = pa.string()
        return pa.table(
            {
                "account_id": pa.array([row[0] for row in rows], text),
                "product_id": pa.array([row[1] for row in rows], text),
            }
        )

    taken, censored = pairs(("B", "phs"), ("B", "elsewhere")), pairs(("C", "adsl"))
    snapshot = build_features(store, compiled, AsOf(20_000))
    found = pair_slice(store, snapshot, PRODUCTS, taken, censored)
    assert found.account_ids.tolist() == ["A", "B", "C"]
    assert found.held.tolist() == [[True, True, False, False]] + 2 * [[True, False, False, False]]
    # Nobody holds or takes video; phs is new, but taken within the window.
    assert found.wanted.tolist() == [
        [False, False, True, False],
        [False, True, True, False],
        [False, False, True, False],
    ]
    assert np.argwhere(found.taken).tolist() == [[1, 2]]
    assert (found.pairs, found.positives) == (4, 1)
    assert found.statistics.holders.tolist() == [3, 1, 0, 0]


def test_few_pairs_are_all_kept() -> None:
    assert [one.pairs for one in fewer_accounts(TRAIN, 1_000_000, 1)] == [one.pairs for one in TRAIN]


def test_of_too_many_pairs_the_same_accounts_are_kept_in_every_slice() -> None:
    kept = fewer_accounts(TRAIN, 3_000, 1)
    assert kept[0].account_ids.tolist() == kept[1].account_ids.tolist()
    # Accounts lack 2.5 products each, more or less: the limit is met within a tenth.
    assert sum(one.pairs for one in kept) == pytest.approx(3_000, rel=0.1)
    assert kept[0].statistics is TRAIN[0].statistics
    place = TRAIN[0].account_ids.tolist().index(kept[0].account_ids[0])
    assert kept[0].taken[0].tolist() == TRAIN[0].taken[place].tolist()
    assert kept[0].rows["size"][0] == TRAIN[0].rows["size"][place]
    again, other = fewer_accounts(TRAIN, 3_000, 1), fewer_accounts(TRAIN, 3_000, 2)
    assert again[0].account_ids.tolist() == kept[0].account_ids.tolist() != other[0].account_ids.tolist()


# Training pairs


def test_codes_of_products_are_declared_and_those_of_accounts_learnt() -> None:
    assert VOCABULARY.codes["product_id"] == IDS
    assert VOCABULARY.codes["product_family"] == ("data", "mobile", "voice")
    assert set(VOCABULARY.codes["kind"]) == {"shop", "firm"}


def test_every_wanted_pair_is_a_row_with_its_own_outcome(data: TrainingData) -> None:
    assert len(data.label) == sum(one.pairs for one in TRAIN)
    assert data.positives == sum(one.positives for one in TRAIN)
    first = TRAIN[0]
    accounts, places = np.nonzero(first.wanted)
    half = slice(0, first.pairs)
    np.testing.assert_array_equal(data.label[half], first.taken[accounts, places])
    np.testing.assert_array_equal(data.matrix[half, 0], first.rows["size"].to_numpy()[accounts])
    assert np.unique(data.as_of_days[half]).tolist() == [20_000]
    assert data.categories == (1, 3, 4)


def test_an_account_has_one_number_in_all_slices(data: TrainingData) -> None:
    accounts = np.concatenate([one.account_ids[np.nonzero(one.wanted)[0]] for one in TRAIN])
    _, codes = np.unique(accounts, return_inverse=True)
    np.testing.assert_array_equal(data.account_ids, codes)
    for fit, judge in data.folds(3, 1):
        assert not set(data.account_ids[fit]) & set(data.account_ids[judge])


def test_a_part_of_the_pairs_is_shown_as_if_the_product_were_new(data: TrainingData) -> None:
    columns = [COMPILED.column_names.index(name) for name in EXPERIENCE]
    hidden = np.isnan(data.matrix[:, columns]).all(axis=1)
    # Binomial: 15 % of 7,500 rows has a standard error of .004; video's id is known all the same.
    assert hidden.mean() == pytest.approx(0.15, abs=0.02)
    shown = np.isnan(pairs_of(TRAIN, CONFIG.model_copy(update={"new_product_share": 0.0})).matrix)
    assert not shown[:, columns].any()
    others = [n for n in range(len(COMPILED.columns)) if n not in columns]
    assert not np.isnan(data.matrix[:, others])[:, COMPILED.column_names.index("size")].any()
    again = pairs_of(TRAIN)
    assert again.matrix.tobytes() == data.matrix.tobytes()


def test_months_without_any_take_up_are_told() -> None:
    nothing = [replace(one, taken=np.zeros_like(one.taken)) for one in TRAIN]
    pairs = sum(one.pairs for one in TRAIN)
    with pytest.raises(DataError, match="take-ups: expected at least one product taken") as told:
        pairs_of(nothing)
    assert str(told.value) == (
        "take-ups: expected at least one product taken in the label windows of the training months, got none "
        f"in {pairs:,} pairs of account and product. Bring contracts and lines of more months, name their "
        "products as the catalog does, or lengthen label.horizon_days."
    )


def test_few_take_ups_are_told_by_their_name() -> None:
    few = [one.of_accounts(np.arange(1500) < 150) for one in TRAIN]
    found = fit_next_product(pairs_of(few), CONFIG, None)
    assert found.cautions[0] == (
        f"only {sum(one.positives for one in few)} take-ups to learn from: parameters were not "
        "tuned; treat the ranking as a test of the plumbing, not as evidence"
    )
    assert "leaver" not in " ".join(found.notes)


def test_typical_values_are_of_accounts_and_of_pairs(data: TrainingData) -> None:
    typical = pair_medians(TRAIN, data, COMPILED)
    size = np.concatenate([one.rows["size"].to_numpy() for one in TRAIN])
    assert typical["size"] == pytest.approx(np.median(size))
    fee = data.matrix[:, COMPILED.column_names.index("product_monthly_fee")]
    assert typical["product_monthly_fee"] == np.median(fee)
    assert "kind" not in typical and "product_id" not in typical


# What was learnt


def test_the_model_finds_who_takes_what(bundle: Bundle) -> None:
    p_take = taken_by(bundle, HOLDOUT, PRODUCTS)
    held_out = HeldOut.of(HOLDOUT)
    size = np.concatenate([one.rows["size"].to_numpy() for one in HOLDOUT])
    lacks = held_out.wanted[:, 1]
    assert p_take[lacks & (size > 1), 1].mean() > 4 * p_take[lacks & (size < 0), 1].mean()
    holds_adsl = np.concatenate([one.held[:, 1] for one in HOLDOUT])
    lacks = held_out.wanted[:, 2]
    assert p_take[lacks & holds_adsl, 2].mean() > 4 * p_take[lacks & ~holds_adsl, 2].mean()


def test_a_product_never_seen_in_training_is_scored_by_its_attributes(bundle: Bundle) -> None:
    """The like of adsl is taken as the large take adsl, the like of video by hardly anybody."""
    one = HOLDOUT[0]
    n = len(one.held)

    def with_new(like: int) -> tuple[np.ndarray, float]:
        table = ProductTable(
            (*IDS, "brand_new"),
            (*PRODUCTS.families, PRODUCTS.families[like]),
            np.r_[PRODUCTS.monthly_fees, PRODUCTS.monthly_fees[like]],
            np.ones(5),
            (*PRODUCTS.requires, PRODUCTS.requires[like]),
        )
        held = np.c_[one.held, np.zeros(n, dtype=bool)]
        wanted = np.zeros_like(held)
        wanted[:, 4] = True
        found = replace(one, held=held, wanted=wanted, statistics=ProductStatistics.of_matrix(held))
        return taken_by(bundle, [found], table)[:, 4], float(one.taken[one.wanted[:, like], like].mean())

    p_data, rate = with_new(1)
    p_voice, _ = with_new(3)
    assert np.isfinite(p_data).all()
    assert rate / 3 < p_data.mean() < 3 * rate
    assert p_data.mean() > 3 * p_voice.mean()
    size = one.rows["size"].to_numpy()
    assert p_data[size > 1].mean() > 2 * p_data[size < 0].mean()


# The card


@pytest.fixture(scope="module")
def card(bundle: Bundle) -> dict[str, Any]:
    return held_out_card(bundle, HOLDOUT, PRODUCTS, {"size": 0.0}, 5)


def test_metrics_are_those_of_the_evaluation_over_accounts(bundle: Bundle, card: dict[str, Any]) -> None:
    held_out, p_take = HeldOut.of(HOLDOUT), taken_by(bundle, HOLDOUT, PRODUCTS)
    label, told = held_out.taken[held_out.wanted], p_take[held_out.wanted]
    expected = evaluate_scores(label, told, held_out.pair_accounts, 5, draws=2)
    found = card["metrics"]["holdout"]
    for name in ("auc", "average_precision", "brier", "log_loss", "ece"):
        assert found[name]["value"] == pytest.approx(expected[name].value)
        assert found[name]["low"] < found[name]["high"]
    assert list(found) == [
        "auc",
        "average_precision",
        "hit_rate_at_1",
        "hit_rate_at_3",
        "brier",
        "log_loss",
        "ece",
    ]


def test_hit_rates_are_shares_of_the_accounts_that_took_something(
    bundle: Bundle, card: dict[str, Any]
) -> None:
    held_out, p_take = HeldOut.of(HOLDOUT), taken_by(bundle, HOLDOUT, PRODUCTS)
    hits = {1: 0, 3: 0}
    takers = 0
    for wanted, taken, scores in zip(held_out.wanted, held_out.taken, p_take, strict=True):
        if taken.any():
            takers += 1
            order = sorted(np.flatnonzero(wanted), key=lambda place: -scores[place])
            for length in hits:
                hits[length] += any(taken[place] for place in order[:length])
    for length, count in hits.items():
        assert card["metrics"]["holdout"][f"hit_rate_at_{length}"]["value"] == pytest.approx(count / takers)


def test_each_product_is_told_or_named_as_too_rare(card: dict[str, Any]) -> None:
    told = card["metrics"]["products"]
    assert list(told) == list(IDS)
    took = sum(int((one.taken & one.wanted)[:, 1].sum()) for one in HOLDOUT)
    assert told["adsl"]["take_ups"] == took
    assert told["adsl"]["pairs"] == sum(int(one.wanted[:, 1].sum()) for one in HOLDOUT)
    assert 0 < told["phs"]["hit_rate_at_1"]["value"] < 1
    assert told["video"]["take_ups"] == 0
    assert told["video"]["average_precision"] is None and told["video"]["ece"] is None
    [note] = [note for note in card["notes"] if "product" in note]
    assert note == (
        "no metrics of 1 product, which fewer than 5 accounts took, or left, in the held-out months: video"
    )


def test_popularity_is_how_often_a_product_is_taken_by_those_who_lack_it() -> None:
    one = HOLDOUT[0]
    lacking = 800 - one.held.sum(axis=0)
    expected = np.array([0, 80 / lacking[1], 32 / lacking[2], 0]) * 365 / 180
    np.testing.assert_allclose(popularity_scores([one])[3], expected)
    untold = replace(one, statistics=replace(one.statistics, taken_days=0))
    np.testing.assert_allclose(popularity_scores([untold])[3], one.held.mean(axis=0))


def test_the_model_beats_popularity_where_there_is_something_to_know(card: dict[str, Any]) -> None:
    model, rule = (card["metrics"][name]["average_precision"] for name in ("holdout", "popularity"))
    assert model["low"] > rule["high"]


def test_the_card_holds_what_a_report_needs(card: dict[str, Any]) -> None:
    assert list(card["metrics"]["slices"]) == [str(one.as_of) for one in HOLDOUT]
    held_out = HeldOut.of(HOLDOUT)
    assert card["base_rate"]["holdout"] == pytest.approx(held_out.taken[held_out.wanted].mean())
    assert sum(group["count"] for group in card["reliability"]) == held_out.wanted.sum()
    assert all(group["low"] <= group["share_taken"] <= group["high"] for group in card["reliability"])
    assert sum(family["share"] for family in card["families"]) == pytest.approx(1)
    assert {"size", "product_id"} & {feature["name"] for feature in card["top_features"]}


def test_the_charts_of_the_card_speak_of_take_ups(card: dict[str, Any]) -> None:
    charts = charts_for_tracking(card)
    assert set(charts) == {"calibration.svg", "slices.svg", "families.svg"}
    assert "Share that was taken" in charts["calibration.svg"]
    assert "left" not in charts["calibration.svg"]


def test_a_month_with_few_take_ups_is_told_without_metrics(bundle: Bundle) -> None:
    few = HOLDOUT[1].taken & (np.cumsum(HOLDOUT[1].taken.any(axis=1)) <= 4)[:, np.newaxis]
    slices = [HOLDOUT[0], replace(HOLDOUT[1], taken=few)]
    found = held_out_card(bundle, slices, PRODUCTS, {}, 5)
    assert list(found["metrics"]["slices"]) == [str(HOLDOUT[0].as_of)]
    date = HOLDOUT[1].as_of
    assert f"no metrics of the held-out month {date}: 4 accounts took a product" in found["notes"]


def test_held_out_months_without_any_pair_are_told(bundle: Bundle) -> None:
    nothing = [replace(one, wanted=np.zeros_like(one.wanted)) for one in HOLDOUT]
    with pytest.raises(
        DataError, match="held-out pairs: expected accounts that lack a product of the catalog"
    ):
        held_out_card(bundle, nothing, PRODUCTS, {}, 5)


def test_held_out_months_with_few_take_ups_judge_nothing(bundle: Bundle) -> None:
    few = [
        replace(one, taken=one.taken & (np.cumsum(one.taken.any(axis=1)) <= 1)[:, np.newaxis])
        for one in HOLDOUT
    ]
    found = judged(HeldOut.of(few), few, taken_by(bundle, few, PRODUCTS), PRODUCTS, 5)
    assert found["metrics"] == {
        "holdout": {}, "slices": {}, "products": {}, "popularity": None, "implicit": None,
    }  # fmt: skip
    assert found["notes"] == [
        "in the held-out months 2 accounts took a product, 5 are needed to judge: "
        "nothing is known of how good this model is"
    ]


def test_out_of_fold_only_the_order_is_measured(data: TrainingData, fitted: FittedModel) -> None:
    found = order_of_training(data, fitted.oof_scores, 5)
    expected = evaluate_scores(data.label, fitted.oof_scores, data.account_ids, 5, draws=2)
    assert {name: metric["value"] for name, metric in found.items()} == pytest.approx(
        {name: expected[name].value for name in ("auc", "average_precision")}
    )
    few = replace(data, label=np.where(np.cumsum(data.label) <= 3, data.label, 0).astype(np.int8))
    assert order_of_training(few, fitted.oof_scores, 5) == {}


def test_a_model_against_itself_differs_in_nothing(bundle: Bundle) -> None:
    found = against_champion(bundle, bundle, HOLDOUT, HOLDOUT, PRODUCTS, 5)
    assert found["bundle_id"] == bundle.id
    assert set(found["difference"]) == {"auc", "average_precision", "hit_rate_at_1", "hit_rate_at_3"}
    assert all(gain == {"value": 0, "low": 0, "high": 0} for gain in found["difference"].values())


def test_a_better_model_is_above_a_worse_one(bundle: Bundle, fitted: FittedModel) -> None:
    stump = replace(bundle, boosters=tuple(
        parsed_booster(text, COMPILED.column_names) for text in one_round(fitted)
    ))  # fmt: skip
    gain = against_champion(stump, bundle, HOLDOUT, HOLDOUT, PRODUCTS, 5)["difference"]["average_precision"]
    assert gain["low"] > 0
    loss = against_champion(bundle, stump, HOLDOUT, HOLDOUT, PRODUCTS, 5)["difference"]["average_precision"]
    assert loss["value"] == pytest.approx(-gain["value"])


def one_round(fitted: FittedModel) -> list[str]:
    """The same boosters cut after their first tree."""
    return [
        parsed_booster(text, COMPILED.column_names).model_to_string(num_iteration=1)
        for text in fitted.boosters
    ]


def test_models_are_only_compared_on_the_same_accounts(bundle: Bundle) -> None:
    others = [replace(one, wanted=one.wanted & (np.arange(800) != 3)[:, np.newaxis]) for one in HOLDOUT]
    with pytest.raises(DataError, match="held-out pairs: expected the same accounts for both models"):
        against_champion(bundle, bundle, others, HOLDOUT, PRODUCTS, 5)
