"""What is held: every boundary of lines and contracts by hand. The date is day 20,000."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.customers.holdings import held_matrix, holdings
from nbo.features.leaks import permute_future
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

AS_OF = AsOf(20_000)
Change = tuple[int, int, str, str | None]
"""valid_day, known_day, state, product."""
Contract = tuple[str | None, int, int, int | None]
"""product, event_day, known_day, planned_end_day."""
OLD = (19_000, 19_000, "active", "adsl")

# fmt: off
CASES: dict[str, tuple[set[str], Sequence[Sequence[Change]], Sequence[Contract]]] = {
    # Held, lines, contracts.
    "an active line": ({"adsl"}, [[OLD]], []),
    "active since the day before": ({"adsl"}, [[(19_999, 20_000, "active", "adsl")]], []),
    "active on the date": (set(), [[(20_000, 20_000, "active", "adsl")]], []),
    "known a day late": (set(), [[(19_990, 20_001, "active", "adsl")]], []),
    "suspended": (set(), [[OLD, (19_990, 19_990, "suspended", "adsl")]], []),
    "ended": (set(), [[OLD, (19_999, 19_999, "ended", "adsl")]], []),
    "end known late": ({"adsl"}, [[OLD, (19_999, 20_001, "ended", "adsl")]], []),
    "one of two lines ended": ({"adsl"}, [[OLD, (19_990, 19_990, "ended", "adsl")], [OLD]], []),
    "two lines of one product": ({"adsl"}, [[OLD], [OLD]], []),
    "two products": ({"adsl", "phs"}, [[OLD], [(19_000, 19_000, "active", "phs")]], []),
    "a line became another product": ({"lan"}, [[OLD, (19_990, 19_990, "active", "lan")]], []),
    "a line without a product": (set(), [[(19_000, 19_000, "active", None)]], []),
    "a contract": ({"growth"}, [], [("growth", 19_900, 19_900, 20_500)]),
    "signed the day before": ({"growth"}, [], [("growth", 19_999, 20_000, 20_500)]),
    "signed on the date": (set(), [], [("growth", 20_000, 20_000, 20_500)]),
    "signing known late": (set(), [], [("growth", 19_900, 20_001, 20_500)]),
    "no end planned": ({"growth"}, [], [("growth", 19_900, 19_900, None)]),
    "runs out on the date": ({"growth"}, [], [("growth", 19_900, 19_900, 20_000)]),
    "ran out the day before": (set(), [], [("growth", 19_900, 19_900, 19_999)]),
    "ran out and was renewed": ({"growth"}, [], [("growth", 19_500, 19_500, 19_900),
                                                 ("growth", 19_900, 19_900, 20_300)]),
    "two running contracts on one product": ({"growth"}, [], [("growth", 19_500, 19_500, 20_900),
                                                              ("growth", 19_900, 19_900, 20_300)]),
    "a contract without a product": (set(), [], [(None, 19_900, 19_900, 20_500)]),
    # Lines decide where there are any.
    "the contract runs, its line ended": (set(), [[OLD, (19_990, 19_990, "ended", "adsl")]],
                                          [("adsl", 19_900, 19_900, 20_500)]),
    "the contract ran out, its line is active": ({"adsl"}, [[OLD]], [("adsl", 19_000, 19_000, 19_500)]),
    "a contract and a line not yet known": ({"adsl"}, [[(19_990, 20_001, "suspended", "adsl")]],
                                            [("adsl", 19_900, 19_900, 20_500)]),
    "a contract on another product than the ended line": (
        {"growth"}, [[OLD, (19_990, 19_990, "ended", "adsl")]], [("growth", 19_900, 19_900, None)]),
}
# fmt: on


def line_rows(cases: dict[str, Sequence[Sequence[Change]]]) -> pa.Table:
    rows = [
        (f"{account}/{number}", account, *change)
        for account, lines in cases.items()
        for number, changes in enumerate(lines)
        for change in changes
    ]
    names = ("line_id", "account_id", "valid_day", "known_day", "state", "product_id")
    kinds = (pa.string(), pa.string(), pa.int32(), pa.int32(), pa.string(), pa.string())
    columns = [pa.array([row[k] for row in rows], kind) for k, kind in enumerate(kinds)]
    return pa.table(dict(zip(names, columns, strict=True)))


def contract_rows(cases: dict[str, Sequence[Contract]]) -> pa.Table:
    rows = [
        (f"{account}/{number}", account, *told)
        for account, several in cases.items()
        for number, told in enumerate(several)
    ]
    names = ("contract_id", "account_id", "product_id", "event_day", "known_day", "planned_end_day")
    kinds = (pa.string(), pa.string(), pa.string(), pa.int32(), pa.int32(), pa.int32())
    columns = [pa.array([row[k] for row in rows], kind) for k, kind in enumerate(kinds)]
    return pa.table(dict(zip(names, columns, strict=True)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    tables = {
        "lines": line_rows({account: lines for account, (_, lines, _) in CASES.items()}),
        "contracts": contract_rows({account: told for account, (_, _, told) in CASES.items()}),
    }
    return store_from_tables(tmp_path_factory.mktemp("holdings") / "store", tables, end_day=20_200)


@pytest.fixture(scope="module")
def held(store: Store) -> pa.Table:
    return holdings(store, AS_OF)


def products_of(table: pa.Table, account: str) -> list[str]:
    return [row["product_id"] for row in table.to_pylist() if row["account_id"] == account]


@pytest.mark.parametrize("account", CASES)
def test_a_product_is_held_or_not(held: pa.Table, account: str) -> None:
    assert products_of(held, account) == sorted(CASES[account][0])


def test_holdings_are_sorted_pairs_of_text(held: pa.Table) -> None:
    pairs = [(row["account_id"], row["product_id"]) for row in held.to_pylist()]
    assert pairs == sorted(set(pairs))
    assert held.schema.types == [pa.string(), pa.string()]


def test_some_accounts_alone_hold_what_they_hold_among_all(store: Store, held: pa.Table) -> None:
    for account in CASES:
        assert products_of(holdings(store, AS_OF, [account]), account) == products_of(held, account)
    assert holdings(store, AS_OF, ["nobody", "it's nobody"]).num_rows == 0


def test_a_line_that_went_to_another_account_is_held_by_that_one_only(tmp_path: Path) -> None:
    moved = pa.table(
        {
            "line_id": ["L", "L"],
            "account_id": ["giver", "taker"],
            "product_id": ["adsl", "adsl"],
            "valid_day": pa.array([19_000, 19_990], pa.int32()),
            "known_day": pa.array([19_000, 19_990], pa.int32()),
            "state": ["active", "active"],
        }
    )
    store = store_from_tables(tmp_path / "store", {"lines": moved}, end_day=20_200)
    assert holdings(store, AS_OF).to_pylist() == [{"account_id": "taker", "product_id": "adsl"}]
    assert holdings(store, AS_OF, ["giver"]).num_rows == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changing_the_whole_future_changes_no_holding(
    seed: int, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store = random_store(seed)
    as_of = store.latest.back(100)
    changed = permute_future(store, tmp_path / "changed", event_cut=as_of.day, known_cut=as_of.day, seed=seed)
    before = holdings(store, as_of)
    assert before.num_rows > 5
    assert holdings(changed, as_of).equals(before)
    assert not holdings(changed, store.latest).equals(holdings(store, store.latest))


def test_pairs_of_unknown_accounts_or_products_are_left_out() -> None:
    pairs = pa.table({"account_id": ["A", "A", "B"], "product_id": ["phs", "adsl", "phs"]})
    assert held_matrix(pairs, ["B", "A"], ["adsl"]).tolist() == [[False], [True]]
    assert held_matrix(pairs, [], ["adsl"]).shape == (0, 1)
    assert held_matrix(pairs.slice(0, 0), ["A"], []).shape == (1, 0)
