"""The calling graph by hand: who is in touch, as it was known at a date."""

from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.features import FeatureSet, Words, compile_features, days, table
from nbo.features.build import build_features, feature_rows
from nbo.features.leaks import accounts_around
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

calls = table("calls")
out = calls.where(direction="out")
ended = table("lines").where(state="ended").count(over=days(60))
GRAPH = compile_features(
    [
        FeatureSet(
            "graph",
            Words("Graph", "网络"),
            [
                calls.degree(over=days(60)),
                out.pagerank(over=days(60)),
                ended.neighbours(calls.graph(over=days(60))),
                ended.spread(calls.graph(over=days(60))),
            ],
        )
    ]
)
DEGREE, RANK, SHARE, SPREAD = GRAPH.names
Line = tuple[str, str, str | None, int, int, str]
"""Line, account, number, valid day, known day, state."""
LINES: list[Line] = [
    ("a1", "A", "1", 0, 1, "active"),
    ("a2", "A", "2", 0, 1, "active"),
    ("b1", "B", "3", 0, 1, "active"),
    ("c1", "C", "4", 0, 1, "active"),
    ("d1", "D", None, 0, 1, "active"),
]
CALLS = [
    *[("A", "3")] * 3,  # with B
    ("A", "4"),  # with C
    ("A", "2"),  # with a line of its own
    ("A", "99"),  # with somebody else
    ("B", "4"),
    ("B", "1"),
]


def store_of(folder: Path, lines: list[Line], *, numbers: bool = True) -> Store:
    """These lines, and the calls of day 150."""
    names = ("line_id", "account_id", "number_id", "valid_day", "known_day", "state")
    kinds = (pa.string(), pa.string(), pa.string(), pa.int32(), pa.int32(), pa.string())
    columns = {
        name: pa.array([line[place] for line in lines], kind)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if numbers or name != "number_id"
    }
    made = {
        "call_id": [f"k{number}" for number in range(len(CALLS))],
        "account_id": [account for account, _ in CALLS],
        "counterparty_id": [number for _, number in CALLS],
        "direction": ["out"] * len(CALLS),
        "event_day": pa.array([150] * len(CALLS), pa.int32()),
        "known_day": pa.array([151] * len(CALLS), pa.int32()),
        "duration_seconds": pa.array([60] * len(CALLS), pa.int64()),
    }
    tables = {"lines": pa.table(columns), "calls": pa.table(made)}
    return store_from_tables(folder, tables, end_day=300, covers_from=0)


def told(store: Store, day: int) -> dict[str, dict[str, object]]:
    return {row.pop("account_id"): row for row in feature_rows(store, GRAPH, AsOf(day)).to_pylist()}


def test_accounts_are_joined_by_the_numbers_of_their_lines(tmp_path: Path) -> None:
    rows = told(store_of(tmp_path, LINES), 160)
    assert {account: row[DEGREE] for account, row in rows.items()} == {"A": 2, "B": 2, "C": 0, "D": 0}
    assert {account: row[SHARE] for account, row in rows.items()} == {"A": 0, "B": 0, "C": None, "D": None}


def test_pagerank_follows_the_calls(tmp_path: Path) -> None:
    rows = told(store_of(tmp_path, LINES), 160)
    # A hands three quarters to B and a quarter to C, B a half to A and to C; after ten rounds:
    a = b = c = 0.15
    for _ in range(10):
        a, b, c = 0.15 + 0.85 * b / 2, 0.15 + 0.85 * a * 3 / 4, 0.15 + 0.85 * (a / 4 + b / 2)
    found = [rows[account][RANK] for account in "ABCD"]
    assert found == pytest.approx([a, b, c, 0.15], abs=1e-7)


@pytest.mark.parametrize(("day", "share", "spread"), [(159, 0.0, 0.0), (160, 0.5, 59 / 224)])
def test_a_line_of_a_partner_has_ended_once_that_is_known(
    day: int, share: float, spread: float, tmp_path: Path
) -> None:
    lines = [*LINES, ("c1", "C", "4", 155, 160, "ended"), ("c2", "C", "5", 0, 1, "active")]
    row = told(store_of(tmp_path, lines), day)["A"]
    assert row[SHARE] == share
    # A quarter of its calls leads to C; in two steps 3/4 of B's half do; in three, by B and A, 3/4 of a half
    # of a quarter: (4 / 4 + 2 * 3 / 8 + 3 / 32) / 7.
    assert row[SPREAD] == pytest.approx(spread, abs=1e-8)


def test_a_number_belongs_to_whom_it_was_given_last_as_known_then(tmp_path: Path) -> None:
    store = store_of(tmp_path, [*LINES, ("d2", "D", "3", 155, 170, "active")])
    assert told(store, 169)["B"][RANK] > told(store, 169)["D"][RANK]  # type: ignore[operator]
    assert told(store, 170)["B"][RANK] == pytest.approx(0.15)
    assert told(store, 170)["A"][DEGREE] == 2


def test_around_an_account_are_those_whose_numbers_it_calls(tmp_path: Path) -> None:
    store = store_of(tmp_path, LINES)
    around = {account: set(accounts_around(store, pa.array([account]))) for account in "ABCD"}
    assert around == {"A": {"A", "B", "C"}, "B": {"A", "C"}, "C": set(), "D": set()}


def test_without_numbers_nothing_is_known_of_the_graph(tmp_path: Path) -> None:
    store = store_of(tmp_path, LINES, numbers=False)
    snapshot = build_features(store, GRAPH, AsOf(160))
    assert snapshot.manifest["missing"] == dict.fromkeys(GRAPH.names, "lines.number_id is not in the data")
    assert snapshot.manifest["nulls"] == dict.fromkeys(GRAPH.names, 4)
