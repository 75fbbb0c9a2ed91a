"""One measured process of the feature benchmarks: ``features_worker.py ROLE STORE [DATE ...]``.

- ``generate``: make the store; sizes stand in place of the dates;
- ``empty``: start, import and open the store, no more;
- ``scan``: one query that reads every column the features need, as of a date, and next to nothing with it;
- ``scan_all``: the same over every row of the store;
- ``ours``: :func:`nbo.features.build.build_snapshots` at all dates, as every command runs it;
- ``spark``: the same on a Spark of this machine;
- ``empty_spark``: start that Spark, no more;
- ``plain``: the same features written by hand in SQL, to one Parquet file;
- ``compare``: exit code 1 unless ``ours`` and ``plain`` are equal.
"""

import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from features_nbo import BENCHMARK
from features_sql import plain_sql, visible
from generated_calls import END_DAY, Size, generate

from nbo.asof import AsOf, day_of
from nbo.engine import Spark, SparkPlace
from nbo.features import CompiledFeatures, compile_features
from nbo.features.build import build_snapshots
from nbo.features.snapshots import PART, features_folder
from nbo.files import spill_folder
from nbo.tables.store import Store

TOLERANCE = 1e-12
"""Relative, for floats: two correct ways to divide may differ in the last bit."""


def scan_sql(where: str) -> str:
    """Reads every column that the features need."""
    names = ("account_id", "counterparty_id", "direction", "network_id", "access_code", "destination")
    read = ", ".join(f"max({name})" for name in names)
    return f"SELECT count(*), {read}, sum(duration_seconds) FROM calls WHERE {where}"


def every_row() -> str:
    """Keeps them all, and still reads the two days."""
    return f"event_day < {END_DAY} AND known_day <= {END_DAY + 1000}"


def beside(store: Store, name: str) -> Path:
    """Where what was computed by other means is written."""
    return store.root.with_name(f"{store.root.name}-{name}.parquet")


def compiled_features() -> CompiledFeatures:
    return compile_features([BENCHMARK])


def run_role(role: str, store: Store, compiled: CompiledFeatures, dates: list[AsOf]) -> None:
    """What a measured process does after its start."""
    if role == "ours":
        for _ in build_snapshots(store, compiled, dates):
            pass
    elif role == "spark":
        for _ in build_snapshots(store, compiled, dates, spark=SparkPlace()):
            pass
    elif role == "empty_spark":
        with spill_folder(store.root) as spill, Spark(SparkPlace(), spill):
            pass
    elif role in ("scan", "scan_all", "plain"):
        with store.connect(spill_folder=store.root.with_name("spill")) as engine:
            if role == "plain":
                engine.write_parquet(plain_sql(), beside(store, "plain"))
            else:
                engine.query(scan_sql(visible() if role == "scan" else every_row()))


def unequal_features(store: Store, compiled: CompiledFeatures, other: str) -> list[str]:
    """Names of the features in which ``ours`` and another differ; nulls must stand in the same rows."""
    ours = pq.read_table(features_folder(store, compiled, AsOf(END_DAY)) / PART, partitioning=None)
    told = pq.read_table(beside(store, other))
    if set(told.column_names) != set(ours.column_names):
        return sorted(set(told.column_names) ^ set(ours.column_names))
    return [name for name in ours.column_names if not same_column(ours[name], told[name])]


def same_column(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    left, right = left.combine_chunks(), right.combine_chunks().cast(left.type)
    if len(left) != len(right) or not left.is_null().equals(right.is_null()):
        return False
    if not pa.types.is_floating(left.type):
        return bool(left.equals(right))
    limit = pc.multiply(pc.abs(right), TOLERANCE)
    near = pc.less_equal(pc.abs(pc.subtract(left, right)), limit)
    return bool(pc.all(near, min_count=0).as_py())


def compare(store: Store, compiled: CompiledFeatures, other: str) -> int:
    unequal = unequal_features(store, compiled, other)
    said = f"UNEQUAL in {', '.join(unequal)}" if unequal else "equal"
    print(f"ours and {other}: {said}", flush=True)
    return 1 if unequal else 0


def main(arguments: list[str]) -> int:
    role, folder, *rest = arguments
    if role == "generate":
        generate(Path(folder), Size(*map(int, rest)))
        return 0
    store, compiled = Store.open(Path(folder)), compiled_features()
    if role == "compare":
        return compare(store, compiled, *rest or ["plain"])
    dates = [AsOf(day_of(date.fromisoformat(text))) for text in rest]
    run_role(role, store, compiled, dates or [AsOf(END_DAY)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
