"""Pairs of account and product: every column by hand, and the same row whatever stands beside it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.bundle import IDENTITY, Bundle, Vocabulary
from nbo.customers.holdings import held_matrix, holdings
from nbo.errors import DataError
from nbo.features import compile_features
from nbo.features.build import feature_rows
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.features.leaks import permute_future
from nbo.models import reasons
from nbo.models.pairs import (
    BLOCK_PAIRS,
    EXPERIENCE,
    PAIR_COLUMNS,
    ProductStatistics,
    ProductTable,
    pair_matrix,
    pair_rows,
    product_statistics,
    score_pairs,
)
from nbo.tables.contract import ALL_PURPOSES, Words
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
NAN = float("nan")
PRODUCTS = ProductTable(
    product_ids=("line", "adsl", "phs", "cable", "brand_new"),
    families=("voice", "data", "mobile", "data", "data"),
    monthly_fees=np.array([2500.0, 11000.0, NAN, 20000.0, 3000.0]),
    comparability=np.array([1.0, 1.0, 1.0, 2.0, 2.0]),
    requires=((), ("line",), (), ("adsl", "phs"), ("line", "not in the table")),
)
HELD = np.array(
    [
        [True, False, False, False, False],
        [True, True, False, False, False],
        [False, True, True, False, False],
        [False, False, False, False, False],
        [True, True, False, True, False],
        [False, False, True, False, False],
    ]
)
STATISTICS = replace(ProductStatistics.of_matrix(HELD), takes=np.array([0, 2, 1, 0, 0]), taken_days=180)


def account_feature(name: str, kind: Any = "number") -> CompiledFeature:
    words = Words(name, f"{name}（中）")
    return CompiledFeature(
        name, kind, "count", "calls", Words("calls", "通话"), words, ("calls.x",), ALL_PURPOSES, "never"
    )


COMPILED = CompiledFeatures.of(
    (account_feature("calls"), account_feature("grade", "category")), "SELECT 1", "marketing"
).with_given(PAIR_COLUMNS)
VOCABULARY = Vocabulary(
    {
        "grade": ("A", "B"),
        "product_id": PRODUCTS.product_ids[:4],
        "product_family": ("data", "mobile", "voice"),
    }
)
ROWS = pa.table(
    {
        "account_id": [f"A{n}" for n in range(6)],
        "calls": pa.array([1.0, 2.0, None, 4.0, 5.0, 6.0]),
        "grade": pa.array(["A", "B", "B", None, "C", "A"]),
    }
)
ENCODED = VOCABULARY.matrix(ROWS, COMPILED.features)


def matrix_of(wanted: np.ndarray, held: np.ndarray = HELD, rows: np.ndarray = ENCODED) -> np.ndarray:
    return pair_matrix(VOCABULARY, COMPILED, rows, held, PRODUCTS, STATISTICS, wanted)


def one_pair(account: int, product: str) -> dict[str, float]:
    wanted = np.zeros(HELD.shape, dtype=bool)
    wanted[account, PRODUCTS.product_ids.index(product)] = True
    return dict(zip(COMPILED.column_names, matrix_of(wanted)[0].tolist(), strict=True))


# Products


def test_a_product_table_survives_its_json() -> None:
    again = ProductTable.from_json(PRODUCTS.to_json())
    assert again.to_json() == PRODUCTS.to_json()
    assert again.requires == PRODUCTS.requires
    np.testing.assert_array_equal(again.monthly_fees, PRODUCTS.monthly_fees)


def test_products_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="products: expected at least one product, none twice, got"):
        replace(PRODUCTS, product_ids=("line", "adsl", "phs", "cable", "line"))
    with pytest.raises(DataError, match=r"one of each attribute for 5 products, got \(4, 5, 5, 5\)"):
        replace(PRODUCTS, families=("voice",) * 4)
    with pytest.raises(DataError, match="products: expected a table of products, got KeyError"):
        ProductTable.from_json({"product_ids": ["line"]})


# Statistics


def test_holders_and_joint_holders_are_counted() -> None:
    assert STATISTICS.accounts == 6
    assert STATISTICS.holders.tolist() == [3, 3, 2, 1, 0]
    assert STATISTICS.joint[0].tolist() == [3, 2, 0, 1, 0]
    assert (STATISTICS.joint == STATISTICS.joint.T).all()


def test_rates_are_shares_of_those_who_lack_the_product() -> None:
    np.testing.assert_allclose(STATISTICS.held_share, [0.5, 0.5, 1 / 3, 1 / 6, NAN])
    # Two of the three that lack adsl in 180 days; nobody knows the last product.
    np.testing.assert_allclose(STATISTICS.taken_yearly, [0, 2 * 365 / 180 / 3, 1 * 365 / 180 / 4, 0, NAN])
    everybody = ProductStatistics.of_matrix(np.ones((4, 1), dtype=bool))
    assert np.isnan(replace(everybody, taken_days=180).taken_yearly).all()
    assert np.isnan(replace(STATISTICS, taken_days=0).taken_yearly).all()


def test_affinity_is_the_smoothed_log_lift() -> None:
    # line and adsl: 2 joint holders, 3 * 3 / 6 = 1.5 expected; cable and line: 1 joint, .5 expected.
    assert STATISTICS.affinity[0, 1] == pytest.approx(np.log(3 / 2.5))
    assert STATISTICS.affinity[3, 0] == pytest.approx(np.log(2 / 1.5))
    assert np.isnan(STATISTICS.affinity[4]).all()


def test_statistics_survive_their_json() -> None:
    again = ProductStatistics.from_json(STATISTICS.to_json())
    assert again.to_json() == STATISTICS.to_json()
    assert again.affinity.tobytes() == STATISTICS.affinity.tobytes()


def test_statistics_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected shapes \(5,\), \(5,\) and \(5, 5\), got"):
        replace(STATISTICS, takes=np.zeros(4, dtype=np.int64))
    with pytest.raises(DataError, match="product statistics: expected counts of products, got KeyError"):
        ProductStatistics.from_json({"accounts": 3})


AS_OF = AsOf(20_000)
# line, account, product, valid_day, known_day, state
LINES = [
    ("1", "old holder", "adsl", 19_000, 19_000, "active"),
    ("2", "old holder", "adsl", 19_900, 19_900, "active"),  # a second line is no take
    ("3", "taker", "line", 19_000, 19_000, "active"),
    ("4", "taker", "adsl", 19_820, 19_820, "active"),  # the first day that counts
    ("5", "early taker", "line", 19_000, 19_000, "active"),
    ("6", "early taker", "adsl", 19_819, 19_819, "active"),
    ("7", "late taker", "line", 19_000, 19_000, "active"),
    ("8", "late taker", "adsl", 19_999, 20_000, "active"),  # the last day that counts
    ("9", "told late", "line", 19_000, 19_000, "active"),
    ("10", "told late", "adsl", 19_999, 20_001, "active"),
    ("11", "on the date", "line", 19_000, 19_000, "active"),
    ("12", "on the date", "adsl", 20_000, 20_000, "active"),
    ("13", "gone", "line", 19_000, 19_000, "active"),
    ("13", "gone", "line", 19_500, 19_500, "ended"),
    ("14", "given back", "line", 19_000, 19_000, "active"),
    ("15", "given back", "phs", 19_900, 19_900, "active"),
    ("15", "given back", "phs", 19_950, 19_950, "ended"),
    ("16", "holds no product", None, 19_000, 19_000, "active"),
]


def counted_store(out: Path, first: int = 19_000) -> Store:
    names = ("line_id", "account_id", "product_id", "valid_day", "known_day", "state")
    columns = {name: [row[k] for row in LINES] for k, name in enumerate(names)}
    return store_from_tables(out, {"lines": pa.table(columns)}, end_day=20_100, covers_from=first)


def test_statistics_are_those_of_the_date(tmp_path: Path) -> None:
    found = product_statistics(counted_store(tmp_path / "store"), AS_OF, ("adsl", "line", "phs", "lan"))
    assert found.accounts == 8  # all but the one that is gone
    assert found.holders.tolist() == [4, 6, 0, 0]
    assert found.joint[0].tolist() == [4, 3, 0, 0]
    assert found.takes.tolist() == [2, 0, 1, 0]
    assert found.known.tolist() == [True, True, True, False]


def test_what_was_taken_is_unknown_where_history_is_too_short(tmp_path: Path) -> None:
    ids = ("adsl", "line")
    for first, told in ((19_820, 0), (19_819, 180)):
        found = product_statistics(counted_store(tmp_path / str(first), first), AS_OF, ids)
        assert found.taken_days == told
        assert np.isnan(found.taken_yearly).all() == (told == 0)
        assert found.holders.tolist() == [4, 6]


# Pairs


def test_the_columns_of_a_pair_are_as_counted_by_hand() -> None:
    assert one_pair(1, "cable") == pytest.approx(
        {
            "calls": 2.0,
            "grade": 1.0,
            "product_id": 3.0,
            "product_family": 0.0,
            "product_monthly_fee": 20000.0,
            "product_comparability": 2.0,
            "product_held_share": 1 / 6,
            "product_taken_yearly_share": 0.0,
            # Both of line and adsl go with cable alike: 1 joint holder, 1 * 3 / 6 expected.
            "product_affinity_mean": np.log(2 / 1.5),
            "product_affinity_max": np.log(2 / 1.5),
            "products_held_count": 2.0,
            "products_held_in_family_count": 1.0,
            "product_requirement_held": 1.0,
        }
    )
    phs = one_pair(1, "phs")
    lifts = [np.log(1 / (3 * 2 / 6 + 1)), np.log(2 / (3 * 2 / 6 + 1))]
    assert phs["product_affinity_mean"] == pytest.approx(sum(lifts) / 2)
    assert phs["product_affinity_max"] == pytest.approx(max(lifts))
    assert np.isnan(phs["product_monthly_fee"])


def test_a_requirement_is_met_unmet_or_not_known() -> None:
    def told(account: int, product: str) -> float:
        return one_pair(account, product)["product_requirement_held"]

    assert (told(0, "adsl"), told(2, "adsl")) == (1.0, 0.0)
    assert (told(0, "cable"), told(5, "cable")) == (0.0, 1.0)
    assert np.isnan(told(0, "phs"))  # needs nothing
    assert told(0, "brand_new") == 1.0
    assert np.isnan(told(5, "brand_new"))  # what else it may build on is not told


def test_an_account_that_holds_nothing_has_no_affinity() -> None:
    empty = one_pair(3, "adsl")
    assert np.isnan([empty["product_affinity_mean"], empty["product_affinity_max"], empty["grade"]]).all()
    assert (empty["products_held_count"], empty["products_held_in_family_count"]) == (0.0, 0.0)


def test_a_new_product_has_its_attributes_and_nothing_else() -> None:
    new = one_pair(1, "brand_new")
    assert {name for name in EXPERIENCE if np.isnan(new[name])} == set(EXPERIENCE)
    assert (new["product_monthly_fee"], new["product_comparability"]) == (3000.0, 2.0)
    assert (new["product_family"], new["products_held_in_family_count"]) == (0.0, 1.0)


def test_a_product_that_the_vocabulary_lacks_is_another_one_once_somebody_holds_it() -> None:
    held = HELD.copy()
    held[0, 4] = True
    known = ProductStatistics.of_matrix(held)
    wanted = np.zeros(HELD.shape, dtype=bool)
    wanted[1, 4] = True
    row = pair_matrix(VOCABULARY, COMPILED, ENCODED, held, PRODUCTS, known, wanted)[0]
    assert row[2] == 4.0  # as Vocabulary.encode codes what it does not know
    assert row[6] == pytest.approx(1 / 6)


def test_rows_stand_account_by_account_in_the_order_of_the_products() -> None:
    wanted = ~HELD
    matrix = matrix_of(wanted)
    accounts, places = np.nonzero(wanted)
    np.testing.assert_array_equal(matrix[:, :2], ENCODED[accounts])
    known = places < 4
    np.testing.assert_array_equal(matrix[known, 2], places[known])


def drawn(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    held = rng.random((n, 5)) < [0.6, 0.4, 0.3, 0.2, 0.0]
    return np.c_[rng.normal(size=n), rng.integers(0, 2, n)].astype(float), held


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_row_is_the_same_alone_and_among_others(seed: int) -> None:
    rows, held = drawn(seed, 50)
    wanted = ~held
    together = matrix_of(wanted, held, rows)
    start = 0
    for account in range(50):
        one = slice(account, account + 1)
        alone = matrix_of(wanted[one], held[one], rows[one])
        assert alone.tobytes() == together[start : start + len(alone)].tobytes()
        start += len(alone)


def test_raw_rows_encode_to_the_same_matrix() -> None:
    wanted = ~HELD
    chosen = [(int(account), int(place)) for account, place in np.argwhere(wanted)]
    raw = pair_rows(ROWS, HELD, PRODUCTS, STATISTICS, chosen)
    assert raw.column_names == ["account_id", *COMPILED.column_names]
    assert VOCABULARY.encode(raw, COMPILED).tobytes() == matrix_of(wanted).tobytes()
    backwards = pair_rows(ROWS, HELD, PRODUCTS, STATISTICS, chosen[::-1])
    assert backwards.to_pylist() == raw.to_pylist()[::-1]
    assert raw["product_id"].to_pylist().count(None) == 6


def test_the_columns_of_pairs_collide_with_no_declared_feature() -> None:
    sets = Workspace.find(ROOT).feature_sets("next_product")
    names = compile_features(sets, "marketing").with_given(PAIR_COLUMNS).column_names
    assert len(set(names)) == len(names)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="pairs: expected 6 accounts with 2 features, 5 products throughout"):
        matrix_of(~HELD, HELD[:, :4])
    bare = COMPILED.with_given(())
    with pytest.raises(DataError, match="expected features with the columns of pairs given, got none"):
        pair_matrix(VOCABULARY, bare, ENCODED, HELD, PRODUCTS, STATISTICS, ~HELD)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changing_the_whole_future_changes_no_pair(
    seed: int, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store = random_store(seed)
    as_of = store.latest.back(100)
    changed = permute_future(store, tmp_path / "changed", event_cut=as_of.day, known_cut=as_of.day, seed=seed)
    sets = Workspace.find(ROOT).feature_sets("next_product")
    compiled = compile_features(sets, "marketing").with_given(PAIR_COLUMNS)
    ids = tuple(sorted(set(holdings(store, as_of)["product_id"].to_pylist())))
    products = ProductTable(
        ids, ("voice",) * len(ids), np.ones(len(ids)), np.ones(len(ids)), ((),) * len(ids)
    )
    tables = [raw_pairs(one, compiled, products, as_of) for one in (store, changed)]
    assert tables[0].num_rows > 20
    assert tables[0].equals(tables[1])
    later = [raw_pairs(one, compiled, products, store.latest) for one in (store, changed)]
    assert not later[0].equals(later[1])


def raw_pairs(store: Store, compiled: CompiledFeatures, products: ProductTable, as_of: AsOf) -> pa.Table:
    rows = feature_rows(store, compiled, as_of)
    held = held_matrix(holdings(store, as_of), rows["account_id"].to_pylist(), products.product_ids)
    chosen = [(int(account), int(place)) for account, place in np.argwhere(~held)]
    statistics = product_statistics(store, as_of, products.product_ids)
    return pair_rows(rows, held, products, statistics, chosen)


# Scores


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """What is cheap, and goes with what is held, is taken."""
    rows, held = drawn(9, 3000)
    matrix = matrix_of(~held, held, rows)
    names = COMPILED.column_names
    fee, affinity = (matrix[:, names.index(f"product_{name}")] for name in ("monthly_fee", "affinity_max"))
    odds = -2 + np.nan_to_num(affinity) - np.nan_to_num(fee) / 10_000 + matrix[:, 0]
    label = np.random.default_rng(9).random(len(odds)) < 1 / (1 + np.exp(-odds))
    data = lgb.Dataset(matrix, label.astype(float), feature_name=list(names), categorical_feature=[1, 2, 3])
    settings = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1, "seed": 1}
    booster = lgb.train(settings, data, 40)
    metadata = {"medians": {"product_monthly_fee": 11000.0}}
    return Bundle("0" * 16, "next-product", COMPILED, VOCABULARY, (booster,), IDENTITY, metadata)


def test_only_wanted_pairs_are_scored(bundle: Bundle) -> None:
    wanted = ~HELD
    wanted[2] = False
    p_take = score_pairs(bundle, ENCODED, HELD, PRODUCTS, STATISTICS, wanted)
    assert (np.isnan(p_take) == ~wanted).all()
    assert ((p_take[wanted] > 0) & (p_take[wanted] < 1)).all()
    np.testing.assert_array_equal(p_take[wanted], bundle.score(matrix_of(wanted)))


def test_one_account_scores_alone_as_among_thousands_bit_for_bit(bundle: Bundle) -> None:
    n = BLOCK_PAIRS // 5 + 7
    rows, held = drawn(4, n)
    wanted = ~held
    together = score_pairs(bundle, rows, held, PRODUCTS, STATISTICS, wanted, threads=2)
    for account in (0, 1, n // 2, n - 8, n - 7, n - 1):
        one = slice(account, account + 1)
        alone = score_pairs(bundle, rows[one], held[one], PRODUCTS, STATISTICS, wanted[one])
        assert [p.hex() for p in alone[0]] == [p.hex() for p in together[account]]


def test_no_account_and_no_wanted_pair_score_nothing(bundle: Bundle) -> None:
    nothing = np.zeros(HELD.shape, dtype=bool)
    assert np.isnan(score_pairs(bundle, ENCODED, HELD, PRODUCTS, STATISTICS, nothing)).all()
    assert score_pairs(bundle, ENCODED[:0], HELD[:0], PRODUCTS, STATISTICS, nothing[:0]).shape == (0, 5)


def test_a_new_product_is_scored_by_its_attributes(bundle: Bundle) -> None:
    wanted = np.zeros(HELD.shape, dtype=bool)
    wanted[:, 4] = True
    dear = replace(PRODUCTS, monthly_fees=np.array([2500.0, 11000.0, NAN, 20000.0, 30000.0]))
    cheap, costly = (
        score_pairs(bundle, ENCODED, HELD, table, STATISTICS, wanted)[:, 4] for table in (PRODUCTS, dear)
    )
    assert np.isfinite(cheap).all()
    assert (cheap > costly).all()


@pytest.mark.parametrize(("language", "start"), [("en", "Product – "), ("zh", "产品：")])
def test_reasons_tell_pairs_in_words(bundle: Bundle, language: str, start: str) -> None:
    chosen = [(int(account), int(place)) for account, place in np.argwhere(~HELD)]
    raw = pair_rows(ROWS, HELD, PRODUCTS, STATISTICS, chosen)
    told = [
        reason
        for row in reasons(bundle, bundle.encode(raw), raw, language, "CNY", 2)
        for reason in row
        if reason.family == "product"
    ]
    assert told
    assert all(reason.text.startswith(start) for reason in told)
    fees = {reason.text for reason in told if reason.feature == "product_monthly_fee"}
    assert ("Product – monthly fee: 25.00 CNY (typically 110.00 CNY)" in fees) == (language == "en")
