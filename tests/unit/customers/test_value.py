"""What an account is worth a month: every boundary by hand, amounts in minor units."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.customers import monthly_margins
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

AS_OF = AsOf(20_000)
Bill = tuple[str, str, str, int, int, int, int | None]
"""account, bill, family, event_day, known_day, amount, direct cost."""

# fmt: off
BILLS: Sequence[Bill] = [
    ("two months", "1", "voice", 19_950, 19_950, 10_000, 4_000),
    ("two months", "2", "voice", 19_980, 19_980, 20_000, 5_000),
    ("two families of one bill", "3", "voice", 19_980, 19_980, 10_000, 4_000),
    ("two families of one bill", "3", "data", 19_980, 19_980, 5_000, 1_000),
    ("a loss", "4", "voice", 19_980, 19_980, 1_000, 4_000),
    ("no cost told", "5", "voice", 19_980, 19_980, 10_000, None),
    ("cost told for one bill only", "6", "voice", 19_950, 19_950, 10_000, 4_000),
    ("cost told for one bill only", "7", "voice", 19_980, 19_980, 10_000, None),
    ("billed on the date", "8", "voice", 20_000, 20_000, 10_000, 0),
    ("billed the day before", "9", "voice", 19_999, 20_000, 10_000, 0),
    ("known a day late", "10", "voice", 19_990, 20_001, 10_000, 0),
    ("first day of the three months", "11", "voice", 19_908, 19_908, 10_000, 0),
    ("a day too old", "12", "voice", 19_907, 19_907, 10_000, 0),
    ("half a unit", "13", "voice", 19_950, 19_950, 1, 0),
    ("half a unit", "14", "voice", 19_980, 19_980, 2, 0),
]
# fmt: on
KNOWN = {
    "two months": 10_500,
    "two families of one bill": 10_000,
    "a loss": -3_000,
    "billed the day before": 10_000,
    "first day of the three months": 10_000,
    "half a unit": 2,
}
UNKNOWN_COST = {"no cost told": 4_500, "cost told for one bill only": 5_250}
"""With margins of 45 % of revenue where no cost is told."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    names = ("account_id", "bill_id", "family", "event_day", "known_day", "bill_amount", "direct_cost_amount")
    columns = dict(zip(names, map(pa.array, zip(*BILLS, strict=True)), strict=True))
    return store_from_tables(
        tmp_path_factory.mktemp("bills") / "store", {"bills": pa.table(columns)}, end_day=20_100
    )


def margins(
    store: Store, share: float | None, accounts: Sequence[str] | None = None
) -> dict[str, int | None]:
    found = monthly_margins(store, AS_OF, accounts, margin_share=share)
    assert found.schema.types == [pa.string(), pa.int64()]
    names = found["account_id"].to_pylist()
    assert names == sorted(names)
    return dict(zip(names, found["monthly_margin_amount"].to_pylist(), strict=True))


def test_the_margin_is_unknown_where_a_bill_has_no_cost_and_no_share_is_set(store: Store) -> None:
    assert margins(store, None) == KNOWN | dict.fromkeys(UNKNOWN_COST)


def test_a_share_of_revenue_stands_in_for_costs_not_told_and_for_no_others(store: Store) -> None:
    assert margins(store, 0.45) == KNOWN | UNKNOWN_COST


def test_only_the_accounts_asked_for_are_measured(store: Store) -> None:
    assert margins(store, None, ["a loss", "a day too old", "nobody"]) == {"a loss": -3_000}


def test_a_store_without_bills_knows_no_margin(tmp_path: Path) -> None:
    lines = pa.table(
        {"line_id": ["L"], "account_id": ["A"], "valid_day": [1], "known_day": [1], "state": ["active"]}
    )
    store = store_from_tables(tmp_path / "store", {"lines": lines}, end_day=20_100)
    assert margins(store, 0.45) == {}
