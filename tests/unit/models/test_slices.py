"""Slices of features and labels become one matrix, every row with its own outcome."""

import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.compiled import CompiledFeatures
from nbo.models.slices import LabelledRows, labelled_rows
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

EARLY, LATE = AsOf(20_000), AsOf(20_030)


@pytest.fixture(scope="module")
def compiled() -> CompiledFeatures:
    calls = table("calls").count(over=days(30))
    return compile_features([FeatureSet("calls", Words("Calls", "通话"), [calls])])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Accounts A to E; account number n makes n calls in each of the two months."""
    accounts = list("ABCDE")
    made = [
        (account, day) for n, account in enumerate(accounts) for day in (19_990, 20_010) for _ in range(n)
    ]
    lines = pa.table(
        {
            "line_id": accounts,
            "account_id": accounts,
            "product_id": ["P"] * 5,
            "valid_day": [19_000] * 5,
            "known_day": [19_000] * 5,
            "state": ["active"] * 5,
        }
    )
    calls = pa.table(
        {
            "call_id": [f"C{n}" for n in range(len(made))],
            "account_id": [account for account, _ in made],
            "event_day": [day for _, day in made],
            "known_day": [day + 1 for _, day in made],
            "event_second": [0] * len(made),
            "duration_seconds": [60] * len(made),
        }
    )
    return store_from_tables(
        tmp_path_factory.mktemp("slices") / "store",
        {"lines": lines, "calls": calls},
        end_day=20_100,
        covers_from=19_000,
    )


def outcomes(**label: int) -> pa.Table:
    return pa.table({"account_id": list(label), "label": pa.array(label.values(), pa.int8())})


@pytest.fixture(scope="module")
def rows(store: Store, compiled: CompiledFeatures) -> LabelledRows:
    # Labels in another order than features, and C and D censored in the one or the other month.
    return labelled_rows(
        store, compiled, [(EARLY, outcomes(E=1, A=0, B=0, D=1)), (LATE, outcomes(B=1, C=0, A=0, E=0))]
    )


def test_every_row_has_its_own_outcome_and_slice(rows: LabelledRows) -> None:
    found = zip(rows.account_ids.tolist(), rows.as_of_days.tolist(), rows.label.tolist(), strict=True)
    assert list(found) == [
        ("A", 20_000, 0),
        ("B", 20_000, 0),
        ("D", 20_000, 1),
        ("E", 20_000, 1),
        ("A", 20_030, 0),
        ("B", 20_030, 1),
        ("C", 20_030, 0),
        ("E", 20_030, 0),
    ]


def test_the_features_of_a_row_are_its_accounts_at_its_date(rows: LabelledRows) -> None:
    assert rows.rows.column_names == ["account_id", "calls_count_30d"]
    assert rows.rows["account_id"].to_pylist() == rows.account_ids.tolist()
    assert rows.rows["calls_count_30d"].to_pylist() == [0, 1, 3, 4, 0, 1, 2, 4]


def test_leavers_and_slices_are_counted(rows: LabelledRows) -> None:
    assert rows.positives == 3
    assert rows.of_slice(EARLY).tolist() == [True] * 4 + [False] * 4
    assert rows.of_slice(LATE).sum() == 4


def test_an_account_with_a_label_and_no_features_has_no_row(store: Store, compiled: CompiledFeatures) -> None:
    found = labelled_rows(store, compiled, [(EARLY, outcomes(Z=1, A=0))])
    assert (found.account_ids.tolist(), found.label.tolist()) == (["A"], [0])
