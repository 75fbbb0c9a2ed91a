"""The parts of the price of compliance: which features it compares, and the money on a list."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.errors import DataError, UsageError
from nbo.evaluation.weighted import top_total_of
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.compile import permitted_sets
from nbo.models.compliance import found_margins, judgeable, only, row_margins, widest_purpose
from nbo.models.slices import LabelledRows
from nbo.tables.direct import store_from_tables

calls, settled = table("calls"), table("interconnect")
SOME = FeatureSet(
    "some", Words("Some", "一些"), [calls.count(over=days(7, 30)), settled.sum("minutes", over=days(60))]
)


def labelled(label: list[int], day: int = 100) -> LabelledRows:
    n = len(label)
    ids = [f"A{k}" for k in range(n)]
    rows = pa.table({"account_id": ids, **{name: list(range(n)) for name in compile_features([SOME]).names}})
    return LabelledRows(rows, np.asarray(label, np.int8), np.asarray(ids), np.full(n, day, np.int32))


def test_the_widest_purpose_permits_most_and_the_first_wins_a_tie() -> None:
    assert widest_purpose([SOME], "retention") == "retention"
    assert widest_purpose([SOME], "marketing") == "service"
    plain = FeatureSet("plain", Words("Plain", "普通"), [calls.count(over=days(7))])
    assert widest_purpose([plain], "marketing") == "marketing"
    with pytest.raises(
        UsageError, match="purpose: expected one of service, retention, marketing, got 'selling'"
    ):
        permitted_sets([SOME], "selling")


def test_the_permitted_columns_alone_stay() -> None:
    part = compile_features(permitted_sets([SOME], "marketing"), "marketing")
    rows = labelled([1, 0])
    assert only(rows, part).rows.column_names == ["account_id", "calls_count_7d", "calls_count_30d"]
    assert rows.rows.num_columns == 4


def test_too_few_leavers_are_refused() -> None:
    judgeable(labelled([1] * 5 + [0] * 5))
    with pytest.raises(
        DataError, match=r"held-out months: expected 5 leavers or more, got 4 leavers\. Hold out"
    ):
        judgeable(labelled([1] * 4 + [0] * 6))


@pytest.mark.parametrize("seed", range(5))
def test_the_total_of_the_top_is_that_of_a_sorted_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    amount, order = rng.integers(0, 50, 40).astype(float), rng.random(40)
    weights = np.ones((1, 40))
    by_hand = sum(value for _, value in sorted(zip(-order, amount, strict=True))[:10])
    assert top_total_of(0.25)(amount, order)(weights)[0] == pytest.approx(by_hand)
    doubled = weights.copy()
    doubled[0, np.argmax(order)] = 2
    top = sorted(zip(-order, amount, strict=True))
    again = 2 * top[0][1] + sum(value for _, value in top[1:9]) + 0.25 * top[9][1]
    assert top_total_of(0.25)(amount, order)(doubled)[0] == pytest.approx(again)


def test_the_money_is_of_leavers_on_the_list_a_month() -> None:
    """Ten accounts, a list of one: A9 leaves with 300.00, and only the first model puts it on top."""
    rows = labelled([0] * 9 + [1])
    margins = np.array([100_00.0] * 9 + [300_00.0])
    good, poor = np.linspace(0.1, 0.9, 10), np.linspace(0.9, 0.01, 10)
    found = found_margins(rows, good, poor, margins, 2, seed=1)
    assert [found[side]["value"] for side in ("all", "permitted", "difference")] == [300.0, 0.0, 300.0]


def test_margins_are_those_of_each_rows_own_date(tmp_path: Path) -> None:
    bills = {
        "bill_id": ["b1", "b2", "b3"],
        "family": ["voice"] * 3,
        "account_id": ["A0", "A0", "A1"],
        "event_day": pa.array([80, 110, 80], pa.int32()),
        "known_day": pa.array([81, 111, 81], pa.int32()),
        "bill_amount": [1000, 3000, 500],
        "direct_cost_amount": pa.array([400, 1000, None], pa.int64()),
    }
    lines = {"line_id": ["L"], "account_id": ["A0"], "valid_day": [0], "known_day": [1], "state": ["active"]}
    tables = {"bills": pa.table(bills), "lines": pa.table(lines)}
    store = store_from_tables(tmp_path / "store", tables, end_day=150)
    early, late = labelled([0, 1, 0], 100), labelled([0, 1, 0], 120)
    assert row_margins(store, early, None)[0] == 600
    assert np.isnan(row_margins(store, early, None)[1:]).all()
    assert row_margins(store, early, 0.5)[1] == 250
    assert row_margins(store, late, None)[0] == (600 + 2000) / 2
    assert AsOf(100) < AsOf(120)
