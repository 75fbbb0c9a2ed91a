"""Builds: once, whole, null where the data cannot say."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.errors import BusyError, StorageError
from nbo.features import CompiledFeatures, FeatureSet, Words, compile_features, table
from nbo.features.build import account_rows, build_features, feature_rows
from nbo.features.snapshots import PART, features_folder
from nbo.files import MANIFEST, lock
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

calls = table("calls")
LINES = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}
SOME = compile_features(
    [
        FeatureSet(
            "calls",
            Words("Calls", "通话"),
            [
                calls.count(over=days(30, 90)),
                calls.where(direction="out").count(over=days(30)),
                calls.where(counterparty="rival").count(over=days(30)),
                table("usage").sum("megabytes", over=days(30)),
            ],
        )
    ]
)


def small_store(folder: Path, first: int = 100, last: int = 180) -> Store:
    event = pa.array(range(first, last), pa.int32())
    rows = {
        "call_id": [f"c{n}" for n in range(first, last)],
        "account_id": ["A1"] * (last - first),
        "event_day": event,
        "known_day": pa.array(range(first + 1, last + 1), pa.int32()),
        "duration_seconds": pa.array([60] * (last - first), pa.int64()),
    }
    return store_from_tables(folder, {"calls": pa.table(rows), "lines": pa.table(LINES)}, end_day=last)


def test_what_the_source_does_not_have_is_null_and_told(tmp_path: Path) -> None:
    snapshot = build_features(small_store(tmp_path), SOME, AsOf(180))
    row = snapshot.read().to_pylist()[0]
    assert row["calls_count_30d"] == 30
    assert row["calls_out_count_30d"] is None
    assert row["calls_rival_count_30d"] is None
    assert row["usage_megabytes_sum_30d"] is None
    assert snapshot.manifest["missing"] == {
        "calls_out_count_30d": "calls.direction is not in the data",
        "calls_rival_count_30d": "calls.network_id is not in the data",
        "usage_megabytes_sum_30d": "usage is not in the data",
    }


def test_a_window_longer_than_the_history_is_null_not_a_smaller_count(tmp_path: Path) -> None:
    row = feature_rows(small_store(tmp_path), SOME, AsOf(180)).to_pylist()[0]
    assert row["calls_count_30d"] == 30
    assert row["calls_count_90d"] is None
    assert (
        feature_rows(small_store(tmp_path, first=90), SOME, AsOf(180)).to_pylist()[0]["calls_count_90d"] == 90
    )


def test_a_build_is_read_not_repeated_until_the_store_changes(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    first = build_features(store, SOME, AsOf(180))
    written = (first.folder / PART).stat().st_mtime_ns
    again = build_features(store, SOME, AsOf(180))
    assert (again.folder / PART).stat().st_mtime_ns == written
    assert [batch.num_rows for batch in again.batches()] == [1]
    other = small_store(tmp_path, first=90)
    assert build_features(other, SOME, AsOf(180)).read().to_pylist()[0]["calls_count_90d"] == 90


def test_a_few_accounts_are_read_from_a_snapshot_and_else_computed(
    random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store = random_store(1)
    everyone = feature_rows(store, SOME, store.latest)
    few = [*everyone["account_id"].to_pylist()[3:6], "nobody"]
    computed = account_rows(store, SOME, store.latest, few)
    assert computed.num_rows == 3
    build_features(store, SOME, store.latest)
    newer = Store(store.root, {**store.manifest, "store_id": "newer"})
    before = (features_folder(store, SOME, store.latest) / MANIFEST).read_bytes()
    with lock(features_folder(store, SOME, store.latest)):
        assert account_rows(newer, SOME, store.latest, few).equals(computed)
    assert (features_folder(store, SOME, store.latest) / MANIFEST).read_bytes() == before
    shutil.rmtree(store.root / "tables")
    assert account_rows(store, SOME, store.latest, few).equals(computed)
    assert account_rows(store, SOME, store.latest, ["nobody"]).num_rows == 0


def test_equal_builds_are_equal_bytes(tmp_path: Path) -> None:
    one = build_features(small_store(tmp_path / "one"), SOME, AsOf(180))
    two = build_features(small_store(tmp_path / "two"), SOME, AsOf(180))
    assert (one.folder / PART).read_bytes() == (two.folder / PART).read_bytes()


def test_a_damaged_part_is_noticed(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    part = build_features(store, SOME, AsOf(180)).folder / PART
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(StorageError, match=rf"{PART}: differs from its manifest\. Remove .*, run again"):
        build_features(store, SOME, AsOf(180))


def test_a_second_builder_is_told(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    target = store.root / "features" / SOME.hash / "as_of=1970-06-30"
    with lock(target), pytest.raises(BusyError, match="another job is writing it"):
        build_features(store, SOME, AsOf(180))


def test_types_are_as_declared(random_store: Callable[[int], Store]) -> None:
    compiled: CompiledFeatures = compile_features(
        [
            FeatureSet(
                "mixed",
                Words("Mixed", "混合"),
                [
                    calls.count(over=days(30)),
                    calls.mean("minutes", over=days(30)),
                    table("accounts").attribute("industry"),
                ],
            )
        ]
    )
    store = random_store(1)
    types = [field.type for field in feature_rows(store, compiled, store.latest).schema]
    assert types == [pa.string(), pa.int64(), pa.float64(), pa.string()]
