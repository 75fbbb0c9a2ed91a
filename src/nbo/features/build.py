"""Build compiled features over a store as of dates: once, unless a snapshot stands that was built before."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
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
from nbo.features.sweep import Swept, sweep
from nbo.features.visible import visible_data
from nbo.files import (
    lock,
    read_manifest,
    spill_folder,
    staged_folder,
    told_storage_errors,
    write_manifest,
)
from nbo.tables.store import Store

TOGETHER = 12
"""Dates of one pass: what it computes waits on the disk."""
ARROW_TYPES = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}


def build_features(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, *, spark: SparkPlace | None = None
) -> Snapshot:
    """The snapshot of these features at this date, built if it is not there; as :func:`build_snapshots`."""
    [snapshot] = build_snapshots(store, compiled, [as_of], spark=spark)
    return snapshot


def build_snapshots(
    store: Store, compiled: CompiledFeatures, dates: Sequence[AsOf], *, spark: SparkPlace | None = None
) -> Iterator[Snapshot]:
    """Snapshots of these features at several dates: those that are not there are built together.

    Parameters
    ----------
    store, compiled, dates
        What is computed of what, and as of when; no date twice.
    spark : SparkPlace or None
        The Spark that computes them; None = within this process. The values are the same.

    Yields
    ------
    Snapshot
        In the order of the dates, each when it is there.

    Raises
    ------
    BusyError
        Another job builds one of these snapshots.
    StorageError
        The disk is full, or a finished part was damaged afterwards.
    """
    for first in range(0, len(dates), TOGETHER):
        yield from built_together(store, compiled, dates[first : first + TOGETHER], spark)


def built_together(
    store: Store, compiled: CompiledFeatures, dates: Sequence[AsOf], spark: SparkPlace | None
) -> Iterator[Snapshot]:
    """Snapshots whose rows are read in one pass."""
    folders = {as_of: features_folder(store, compiled, as_of) for as_of in dates}
    there = {as_of: existing(folder, store) for as_of, folder in folders.items()}
    with ExitStack() as held:
        visible = {}
        for as_of in (one for one in dates if there[one] is None):
            held.enter_context(lock(folders[as_of]))
            visible[as_of] = visible_data(store, compiled, as_of)
            there[as_of] = existing(folders[as_of], store) or taken_over(
                folders[as_of], store, visible[as_of]
            )
        wanted = [as_of for as_of in dates if there[as_of] is None]
        swept: Swept = {}
        if wanted and spark is None:
            # Under the date that is written last: a killed build is asked for again with it.
            spill = held.enter_context(spill_folder(folders[wanted[-1]]))
            with told_storage_errors(folders[wanted[-1]]):
                swept = swept_relations(store, compiled, wanted, spill)
        for as_of in dates:
            folder, manifest = folders[as_of], there[as_of]
            if manifest is None:
                with staged_folder(folder) as stage:
                    nulls = write_part(store, compiled, as_of, stage / PART, spark, swept.get(as_of, {}))
                    facts = manifest_facts(store, compiled, as_of, nulls)
                    write_manifest(stage, {**facts, "visible": visible[as_of]})
                manifest = read_manifest(folder, REBUILD)
            yield Snapshot(folder, as_of, manifest, as_of in wanted)


def swept_relations(store: Store, compiled: CompiledFeatures, dates: Sequence[AsOf], folder: Path) -> Swept:
    """What one pass over the rows computes for all these dates."""
    with store.connect(memory_limit=BATCH_MEMORY, spill_folder=folder) as engine:
        parameters = {as_of: read_parameters(store, engine, compiled.sql, as_of, None) for as_of in dates}
        return sweep(engine, compiled.sql, parameters, folder)


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
    store: Store,
    compiled: CompiledFeatures,
    as_of: AsOf,
    path: Path,
    spark: SparkPlace | None,
    swept: Mapping[str, Path],
) -> tuple[int, dict[str, int]]:
    """Stream the rows to one Parquet file; returns row count and nulls by feature."""
    nulls = dict.fromkeys(compiled.names, 0)
    rows = 0
    with (
        spill_folder(path) as spill,
        pq.ParquetWriter(path, output_schema(compiled), compression="zstd") as writer,
    ):
        for table in computed(store, compiled, as_of, spill, spark, swept):
            shaped = declared(table, store, compiled)
            writer.write_table(shaped, row_group_size=ROW_GROUP)
            rows += shaped.num_rows
            for name in compiled.names:
                nulls[name] += shaped[name].null_count
    return rows, nulls


def computed(
    store: Store,
    compiled: CompiledFeatures,
    as_of: AsOf,
    spill: Path,
    spark: SparkPlace | None,
    swept: Mapping[str, Path],
) -> Iterator[pa.Table]:
    """The rows by account, some at a time, from the one SQL text on either engine."""
    if spark is None:
        with store.connect(memory_limit=BATCH_MEMORY, spill_folder=spill) as engine:
            refuse_unknown_networks(engine, compiled)
            parameters = read_parameters(store, engine, compiled.sql, as_of, None)
            yield from staged_rows(engine, compiled.sql, parameters, ROW_GROUP, swept=swept)
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
