"""A snapshot stands for every store that shows the same at its date."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nbo.asof import AsOf
from nbo.errors import StorageError
from nbo.features import CompiledFeatures, compile_features
from nbo.features import visible as visible_module
from nbo.features.build import build_features
from nbo.features.leaks import permute_future, visible
from nbo.features.online import ONLINE, online_rows
from nbo.features.snapshots import ASKED, PART, Snapshot, features_folder
from nbo.features.visible import visible_data, visible_table
from nbo.tables import writing
from nbo.tables.catalog import TABLES
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

WORKSPACE = Workspace.find(Path(__file__).resolve().parents[3])
FIRST_DAY, END_DAY = 19_700, 19_960
AS_OF = AsOf(END_DAY - 70)
Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def compiled() -> CompiledFeatures:
    return compile_features(WORKSPACE.feature_sets("churn"))


def known_by(tables: Tables, day: int) -> Tables:
    """The rows that had arrived by a day."""
    return {name: rows.filter(pc.less_equal(rows["known_day"], day)) for name, rows in tables.items()}


def written(folder: Path, tables: Mapping[str, pa.Table], end_day: int = END_DAY) -> Store:
    return store_from_tables(folder, tables, end_day=end_day, covers_from=FIRST_DAY)


def written_at(snapshot: Snapshot) -> int:
    return (snapshot.folder / PART).stat().st_mtime_ns


def test_a_snapshot_stands_when_days_arrive_with_late_rows_among_them(
    tmp_path: Path, random_tables: Callable[[int], Tables], compiled: CompiledFeatures
) -> None:
    tables = random_tables(1)
    before = written(tmp_path / "store", known_by(tables, AS_OF.day + 10), AS_OF.day + 9)
    first = build_features(before, compiled, AS_OF)
    online_rows(first)
    derived = (first.folder / ONLINE).stat().st_mtime_ns
    assert not (first.folder / ASKED).exists()
    late = pc.and_(
        pc.less(tables["calls"]["event_day"], AS_OF.day),
        pc.greater(tables["calls"]["known_day"], AS_OF.day + 10),
    )
    assert pc.sum(late).as_py() > 1
    after = written(tmp_path / "store", tables)
    assert after.store_id != before.store_id
    second = build_features(after, compiled, AS_OF)
    assert written_at(second) == written_at(first)
    assert second.manifest["store_id"] == after.store_id
    assert second.read().equals(build_features(written(tmp_path / "fresh", tables), compiled, AS_OF).read())
    online_rows(second)
    build_features(after, compiled, AS_OF)
    assert (second.folder / ASKED).exists()
    assert (second.folder / ONLINE).stat().st_mtime_ns == derived


def test_a_row_that_had_arrived_by_the_date_builds_it_anew(
    tmp_path: Path, random_tables: Callable[[int], Tables], compiled: CompiledFeatures
) -> None:
    tables = random_tables(1)
    first = build_features(written(tmp_path / "store", tables), compiled, AS_OF)
    at, old = written_at(first), first.read()
    seen = visible(TABLES["calls"], tables["calls"], AS_OF.day, AS_OF.day)
    newest = np.flatnonzero(seen)[np.argmax(tables["calls"]["event_day"].to_numpy()[seen])]
    tables["calls"] = tables["calls"].filter(pa.array(np.arange(len(seen)) != newest))
    second = build_features(written(tmp_path / "store", tables), compiled, AS_OF)
    assert written_at(second) != at
    assert not second.read().equals(old)


def test_a_damaged_part_is_not_taken_for_one_that_stands(
    tmp_path: Path, random_tables: Callable[[int], Tables], compiled: CompiledFeatures
) -> None:
    tables = random_tables(1)
    part = build_features(written(tmp_path, known_by(tables, AS_OF.day)), compiled, AS_OF).folder / PART
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(StorageError, match="differs from its manifest"):
        build_features(written(tmp_path, tables), compiled, AS_OF)


@pytest.mark.parametrize("name", sorted(WORKSPACE.module("features.sets").SETS))
@pytest.mark.parametrize("seed", [1, 2])
def test_no_change_of_the_future_changes_the_digest(
    name: str, seed: int, tmp_path: Path, random_tables: Callable[[int], Tables]
) -> None:
    compiled = compile_features(WORKSPACE.feature_sets(name))
    store = written(tmp_path / "store", random_tables(seed))
    changed = permute_future(store, tmp_path / "changed", event_cut=AS_OF.day, known_cut=AS_OF.day, seed=seed)
    assert visible_data(changed, compiled, AS_OF) == visible_data(store, compiled, AS_OF)


def test_a_column_that_the_text_does_not_name_changes_nothing(
    tmp_path: Path, random_tables: Callable[[int], Tables], compiled: CompiledFeatures
) -> None:
    tables = random_tables(1)
    before = visible_data(written(tmp_path / "store", tables), compiled, AS_OF)
    accounts = tables["accounts"]
    for column, same in (("name", True), ("industry", False)):
        at = accounts.column_names.index(column)
        changed = accounts.set_column(at, column, pa.array(["other"] * accounts.num_rows))
        store = written(tmp_path / "store", {**tables, "accounts": changed})
        assert (visible_data(store, compiled, AS_OF) == before) == same


def other(value: object) -> object:
    """Any value of the same type but this."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}x"


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"labels"}))
def test_any_change_of_a_visible_value_changes_the_digest(
    name: str, tmp_path: Path, random_tables: Callable[[int], Tables]
) -> None:
    rows, table = random_tables(1)[name], TABLES[name]

    def told(changed: pa.Table) -> object:
        store = written(tmp_path / "store", {name: changed})
        with store.connect() as engine:
            return visible_table(store, engine, table, set(table.column_names), AS_OF)

    before = told(rows)
    places = np.flatnonzero(visible(table, rows, AS_OF.day, AS_OF.day))
    assert told(rows.filter(pa.array(np.arange(rows.num_rows) != places[0]))) != before
    for column in table.columns:
        if column.name in ("known_day", table.event_column) or column.name not in rows.column_names:
            continue
        values = rows[column.name].to_pylist()
        told_on = rows[column.known_by or "known_day"].fill_null(AS_OF.day + 1).to_pylist()
        counts = [place for place in places if values[place] is not None and told_on[place] <= AS_OF.day]
        values[counts[0]] = other(values[counts[0]])
        at = rows.column_names.index(column.name)
        changed = rows.set_column(at, column.name, pa.array(values, rows.schema.field(column.name).type))
        assert told(changed) != before, column.name
    optional = {column.name for column in table.columns if column.nullable} & set(rows.column_names)
    assert not optional or told(rows.drop_columns(optional)) != before


@pytest.mark.parametrize("large", [10, 1_000_000])
def test_files_that_are_joined_or_split_later_change_nothing(
    large: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    random_tables: Callable[[int], Tables],
    compiled: CompiledFeatures,
) -> None:
    monkeypatch.setattr(writing, "OPEN_MONTH", 5)
    for module in (writing, visible_module):
        monkeypatch.setattr(module, "LARGE_MONTH", large)
    tables = random_tables(1)
    digests = set()
    for arrived in (AS_OF.day, AS_OF.day + 3, AS_OF.day + 60):
        store = written(tmp_path / "store", known_by(tables, arrived))
        digests.add(visible_data(store, compiled, AS_OF))
    assert len(digests) == 1
    names = [path.name for path in store.files("calls")]
    assert (f"part-{AS_OF.date:%Y-%m}.parquet" in names) == (large == 1_000_000)


def test_it_is_another_snapshot_under_another_currency(
    tmp_path: Path, random_tables: Callable[[int], Tables], compiled: CompiledFeatures
) -> None:
    store = written(tmp_path / "store", random_tables(1))
    dollars = Store(store.root, {**store.manifest, "currency": "USD"})
    assert visible_data(dollars, compiled, AS_OF) != visible_data(store, compiled, AS_OF)
    assert features_folder(dollars, compiled, AS_OF) == features_folder(store, compiled, AS_OF)
