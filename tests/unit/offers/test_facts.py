"""What rules read of an account: visible, newest, typed, found fast, kept and read again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.customers.holdings import holdings
from nbo.errors import DataError, UsageError
from nbo.features import CompiledFeatures, compile_features
from nbo.features.build import feature_rows
from nbo.offers.facts import AccountFacts, FactsIndex, read_facts
from nbo.offers.parsing import parse
from nbo.offers.readable import READABLE_TABLES, readable_features
from nbo.offers.rules import Rule, Rules
from nbo.tables.catalog import TABLES
from nbo.tables.contract import Table, Words
from nbo.tables.direct import read_tables, store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

WORKSPACE = Workspace.find(Path(__file__).resolve().parents[3])
EVERYTHING = {
    table.name: [column.name for column in table.columns if "marketing" in column.purposes]
    for table in TABLES.values()
    if table.name in READABLE_TABLES
}


@pytest.fixture(scope="module")
def compiled() -> CompiledFeatures:
    return compile_features(WORKSPACE.feature_sets("offers"), "marketing")


def rules_of(compiled: CompiledFeatures, *texts: str) -> Rules:
    known = readable_features(compiled)
    words = Words("no", "否")
    return Rules.of(
        tuple(Rule(f"r{n}", "eligibility", "o", parse(text, known), words) for n, text in enumerate(texts))
    )


@pytest.fixture(scope="module")
def reading_everything(compiled: CompiledFeatures) -> Rules:
    """Rules that read every feature and every column that a rule may read."""
    texts = [f"{name} is null" for name in compiled.names]
    texts += [f"any(t.{name} is null for t in {t})" for t, names in EVERYTHING.items() for name in names]
    return rules_of(compiled, *texts, "any(t.product_id is null for t in holdings)")


def visible_rows(table: Table, rows: pa.Table, as_of: AsOf) -> list[dict[str, Any]]:
    """The rows that a rule sees, found one by one."""
    event = table.event_column or ""
    seen = [row for row in rows.to_pylist() if as_of.sees(row[event], row["known_day"])]
    if table.shape == "log":
        newest: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in sorted(seen, key=lambda row: (row["valid_day"], row["known_day"])):
            newest[tuple(row[name] for name in table.key)] = row
        seen = list(newest.values())
    for column in table.columns:
        for row in seen:
            if column.known_by and (row[column.known_by] is None or row[column.known_by] > as_of.day):
                row[column.name] = None
    return seen


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("back", [0, 90])
def test_facts_are_the_newest_visible_rows_and_the_features(
    seed: int,
    back: int,
    compiled: CompiledFeatures,
    reading_everything: Rules,
    random_store: Callable[[int], Store],
) -> None:
    store = random_store(seed)
    as_of = store.latest.back(back)
    index = read_facts(store, reading_everything, compiled, as_of)
    seen = {
        name: visible_rows(TABLES[name], rows, as_of)
        for name, rows in read_tables(store).items()
        if name in EVERYTHING
    }
    seen["holdings"] = holdings(store, as_of).to_pylist()
    columns = {**EVERYTHING, "holdings": ["product_id"]}
    features = feature_rows(store, compiled, as_of).to_pylist()
    assert len(index) == len(features) > 5
    for row in features:
        account = row.pop("account_id")
        facts = index.of(account)
        assert facts.features == row
        for table, rows in seen.items():
            expected = [
                {name: float(row[name]) if type(row[name]) is int else row[name] for name in columns[table]}
                for row in rows
                if row["account_id"] == account
            ]
            assert in_order([dict(row) for row in facts.tables[table]]) == in_order(expected)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_account_alone_has_the_facts_that_it_has_among_all(
    seed: int, compiled: CompiledFeatures, reading_everything: Rules, random_store: Callable[[int], Store]
) -> None:
    store = random_store(seed)
    as_of = store.latest.back(50)
    together = read_facts(store, reading_everything, compiled, as_of)
    some = feature_rows(store, compiled, as_of)["account_id"].to_pylist()[::3]
    few = read_facts(store, reading_everything, compiled, as_of, [*reversed(some), "nobody", some[0]])
    assert len(few) == len(some)
    for account in some:
        alone = read_facts(store, reading_everything, compiled, as_of, [account]).of(account)
        assert alone == few.of(account) == together.of(account)


def test_only_what_the_rules_read_is_there(
    compiled: CompiledFeatures, random_store: Callable[[int], Store]
) -> None:
    rules = rules_of(
        compiled,
        'accounts_kind == "company"',
        "any(t.allowed for t in consents) or any(True for t in surveys)",
    )
    store = random_store(1)
    index = read_facts(store, rules, compiled, store.latest)
    account = feature_rows(store, compiled, store.latest)["account_id"][0].as_py()
    facts = index.of(account)
    assert list(facts.features) == ["accounts_kind"]
    assert set(facts.tables) == {"consents", "surveys"}
    assert {tuple(row) for row in facts.tables["consents"]} <= {("allowed",)}
    surveyed = [row for row in facts.tables["surveys"] if row == {}]
    assert len(surveyed) == len(facts.tables["surveys"])


def test_a_store_without_a_table_has_no_rows_of_it(compiled: CompiledFeatures, tmp_path: Path) -> None:
    lines = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}
    store = store_from_tables(tmp_path / "store", {"lines": pa.table(lines)}, end_day=300)
    rules = rules_of(compiled, "any(t.allowed for t in consents)", "accounts_account_class is null")
    facts = read_facts(store, rules, compiled, AsOf(300)).of("A1")
    assert facts == AccountFacts({"accounts_account_class": None}, {"consents": []})


def test_a_store_without_accounts_has_no_facts(compiled: CompiledFeatures, tmp_path: Path) -> None:
    lines = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["ended"]}
    store = store_from_tables(tmp_path / "store", {"lines": pa.table(lines)}, end_day=300)
    index = read_facts(store, rules_of(compiled, "any(t.allowed for t in consents)"), compiled, AsOf(300))
    assert len(index) == 0
    assert "A1" not in index


def test_accounts_are_found_by_their_whole_id() -> None:
    names = ["", "A1", "A10", "A2", "Z", "é", "产品", "😀"]
    index = FactsIndex(pa.array(["before", *names]).slice(1), {}, {})
    assert [name for name in [*names, "A", "A1 ", "~", "产"] if name in index] == names
    with pytest.raises(UsageError, match="account A3: expected one with an active line, got none"):
        index.of("A3")


def test_facts_survive_a_round_trip_through_text(
    compiled: CompiledFeatures, reading_everything: Rules, random_store: Callable[[int], Store]
) -> None:
    store = random_store(1)
    index = read_facts(store, reading_everything, compiled, store.latest)
    for account in feature_rows(store, compiled, store.latest)["account_id"].to_pylist():
        facts = index.of(account)
        assert AccountFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize(
    "value", [{}, {"features": {}}, {"features": 3, "tables": {}}, {"features": {}, "tables": []}]
)
def test_what_are_no_facts_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="facts: expected features and tables"):
        AccountFacts.from_json(value)
