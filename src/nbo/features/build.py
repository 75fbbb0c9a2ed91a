"""Build compiled features over a store as of a date: once, unless a snapshot stands that was built before."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.engine import BATCH_MEMORY, Spark, SparkPlace
from nbo.features.compiled import CompiledFeatures
from nbo.features.gaps import missing_features, refuse_unknown_networks, short_features
from nbo.features.parameters import bind, read_parameters
from nbo.features.snapshots import (
    PART,
    REBUILD,
    ROW_GROUP,
    Snapshot,
    existing,
    features_folder,
    taken_over,
)
from nbo.features.stages import staged_rows
from nbo.features.visible import visible_data
from nbo.files import lock, read_manifest, spill_folder, staged_folder, write_manifest
from nbo.tables.store import Store

ARROW_TYPES = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}


def build_features(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, *, spark: SparkPlace | None = None
) -> Snapshot:
    """The snapshot of these features at this date, built if it is not there.

    Parameters
    ----------
    store, compiled, as_of
        What is computed of what, and as of when.
    spark : SparkPlace or None
        The Spark that computes it; None = within this process. The values are the same.

    Raises
    ------
    BusyError
        Another job builds the same snapshot.
    StorageError
        The disk is full, or a finished part was damaged afterwards.
    """
    folder = features_folder(store, compiled, as_of)
    manifest, built = existing(folder, store), False
    if manifest is None:
        with lock(folder):
            visible = visible_data(store, compiled, as_of)
            manifest = existing(folder, store) or taken_over(folder, store, visible)
            if manifest is None:
                with staged_folder(folder) as stage:
                    nulls = write_part(store, compiled, as_of, stage / PART, spark)
                    facts = manifest_facts(store, compiled, as_of, nulls)
                    write_manifest(stage, {**facts, "visible": visible})
                manifest, built = read_manifest(folder, REBUILD), True
    return Snapshot(folder, as_of, manifest, built)


def manifest_facts(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, nulls: tuple[int, dict[str, int]]
) -> dict[str, Any]:
    rows, by_name = nulls
    return {
        "kind": "features",
        "version": 1,
        "as_of": str(as_of),
        "feature_hash": compiled.hash,
        "store_id": store.store_id,
        "rows": rows,
        "nulls": by_name,
        "missing": missing_features(store, compiled),
        "short": short_features(store, compiled, as_of),
    }


def write_part(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, path: Path, spark: SparkPlace | None
) -> tuple[int, dict[str, int]]:
    """Stream the rows to one Parquet file; returns row count and nulls by feature."""
    nulls = dict.fromkeys(compiled.names, 0)
    rows = 0
    with (
        spill_folder(path) as spill,
        pq.ParquetWriter(path, output_schema(compiled), compression="zstd") as writer,
    ):
        for table in computed(store, compiled, as_of, spill, spark):
            shaped = declared(table, store, compiled)
            writer.write_table(shaped, row_group_size=ROW_GROUP)
            rows += shaped.num_rows
            for name in compiled.names:
                nulls[name] += shaped[name].null_count
    return rows, nulls


def computed(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, spill: Path, spark: SparkPlace | None
) -> Iterator[pa.Table]:
    """The rows by account, some at a time, from the one SQL text on either engine."""
    if spark is None:
        with store.connect(memory_limit=BATCH_MEMORY, spill_folder=spill) as engine:
            refuse_unknown_networks(engine, compiled)
            parameters = read_parameters(store, engine, compiled.sql, as_of, None)
            yield from staged_rows(engine, compiled.sql, parameters, ROW_GROUP)
        return
    with Spark(spark, spill) as cluster:
        store.show(cluster)
        refuse_unknown_networks(cluster, compiled)
        sql = bind(compiled.sql, read_parameters(store, cluster, compiled.sql, as_of, None))
        yield from cluster.batches(sql, spill / "rows", ROW_GROUP)


def feature_rows(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, accounts: Sequence[str] | None = None
) -> pa.Table:
    """Rows computed now and kept nowhere; for one account or for a test.

    Parameters
    ----------
    accounts : sequence of str or None
        Only these; one that has no active line gets no row.
    """
    with store.connect() as engine:
        refuse_unknown_networks(engine, compiled)
        sql = bind(compiled.sql, read_parameters(store, engine, compiled.sql, as_of, accounts))
        return declared(engine.query(sql), store, compiled)


def account_rows(store: Store, compiled: CompiledFeatures, as_of: AsOf, accounts: Sequence[str]) -> pa.Table:
    """Rows of a few accounts: from this store's snapshot where there is one, else computed now; the same.

    Parameters
    ----------
    accounts : sequence of str
        One that has no active line gets no row.

    Raises
    ------
    StorageError
        The snapshot's part was damaged afterwards.
    """
    folder = features_folder(store, compiled, as_of)
    manifest = existing(folder, store)
    if manifest is None:
        return feature_rows(store, compiled, as_of, accounts)
    return Snapshot(folder, as_of, manifest).read(accounts)


def declared(rows: pa.Table, store: Store, compiled: CompiledFeatures) -> pa.Table:
    """Rows in the output schema; features the source cannot feed are null."""
    missing = missing_features(store, compiled)
    schema = output_schema(compiled)
    columns = [
        pa.nulls(rows.num_rows, field.type) if field.name in missing else rows[field.name].cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def output_schema(compiled: CompiledFeatures) -> pa.Schema:
    """``account_id`` string, then each feature in its declared type."""
    fields = [pa.field("account_id", pa.string(), nullable=False)]
    fields += [pa.field(feature.name, ARROW_TYPES[feature.sql_type]) for feature in compiled.features]
    return pa.schema(fields)
