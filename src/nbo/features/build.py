"""Build compiled features over a store as of a date.

``STORE/features/<feature_hash>/as_of=YYYY-MM-DD/part-00000.parquet`` and its manifest are shared by
training, scoring, the at-risk list and the server. A build that exists is read, not repeated, for as
long as the store shows the same at its date: also when days have arrived since.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.engine import BATCH_MEMORY, Spark, SparkPlace
from nbo.errors import BusyError, StorageError
from nbo.features.compiled import CompiledFeatures
from nbo.features.gaps import missing_features, refuse_unknown_networks, short_features
from nbo.features.parameters import bind, read_parameters
from nbo.features.stages import staged_rows
from nbo.features.visible import visible_data
from nbo.files import (
    MANIFEST,
    damaged_files,
    lock,
    put_manifest,
    read_manifest,
    spill_folder,
    staged_folder,
    write_manifest,
)
from nbo.tables.folder import ASKED
from nbo.tables.store import Store

REBUILD = "Build the features again"
ROW_GROUP = 50_000
"""Rows of a Parquet group, and accounts whose features are joined at once: some hundred megabytes."""
PART = "part-00000.parquet"
ARROW_TYPES = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}


@dataclass(frozen=True)
class Snapshot:
    """Features of every account in the population at one date.

    Parameters
    ----------
    folder : Path
        Where the Parquet part and its manifest lie.
    as_of : AsOf
    manifest : mapping
        ``rows``, ``feature_hash``, ``store_id`` (the newest store that it is known to stand for),
        ``visible`` (digest of what it could depend on), ``nulls`` (count by feature), ``missing`` (note
        by feature whose columns the source does not have), ``short`` (note by feature whose window
        begins before the data do).
    """

    folder: Path
    as_of: AsOf
    manifest: Mapping[str, Any]

    def read(self, accounts: Sequence[str] | None = None) -> pa.Table:
        """The rows: ``account_id``, then the features in compiled order; sorted by account.

        Parameters
        ----------
        accounts : sequence of str or None
            Only these; None = all.
        """
        only = None if accounts is None else pc.field("account_id").isin(list(accounts))
        return pq.read_table(self.folder / PART, partitioning=None, filters=only)

    def batches(self, rows: int = ROW_GROUP) -> Iterator[pa.RecordBatch]:
        """The same rows in batches, never whole in memory."""
        with pq.ParquetFile(self.folder / PART) as file:
            yield from file.iter_batches(batch_size=rows)


def features_folder(store: Store, compiled: CompiledFeatures, as_of: AsOf) -> Path:
    return store.root / "features" / compiled.hash / f"as_of={as_of}"


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
    found = standing_snapshot(store, compiled, as_of)
    if found is not None:
        return found
    folder = features_folder(store, compiled, as_of)
    with lock(folder):
        manifest = existing(folder, store)
        if manifest is None:
            visible = visible_data(store, compiled, as_of)
            with staged_folder(folder) as stage:
                nulls = write_part(store, compiled, as_of, stage / PART, spark)
                facts = manifest_facts(store, compiled, as_of, nulls)
                write_manifest(stage, {**facts, "visible": visible})
            manifest = read_manifest(folder, REBUILD)
    return Snapshot(folder, as_of, manifest)


def standing_snapshot(store: Store, compiled: CompiledFeatures, as_of: AsOf) -> Snapshot | None:
    """The snapshot that was built from this store, or from an earlier one that showed the same at the
    date; None where there is none.

    Raises
    ------
    BusyError
        Another job builds it anew.
    StorageError
        A finished part was damaged afterwards.
    """
    folder = features_folder(store, compiled, as_of)
    manifest = existing(folder, store)
    if manifest is None and (folder / MANIFEST).is_file():
        with lock(folder):
            manifest = existing(folder, store) or taken_over(folder, store, compiled, as_of)
    return None if manifest is None else Snapshot(folder, as_of, manifest)


def existing(folder: Path, store: Store) -> dict[str, Any] | None:
    """The manifest of a whole build that stands for this very store, or None."""
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_manifest(folder, REBUILD)
    if manifest.get("store_id") != store.store_id:
        return None
    refuse_damaged(folder, manifest)
    # What nobody asks for is removed some day; a folder that none may write is nobody's to clear either.
    with suppress(OSError):
        (folder / ASKED).touch()
    return manifest


def taken_over(folder: Path, store: Store, compiled: CompiledFeatures, as_of: AsOf) -> dict[str, Any] | None:
    """The manifest of an earlier store's build, which from now on stands for this one; None where this
    one shows anything else at the date."""
    manifest = read_manifest(folder, REBUILD)
    if manifest.get("visible") != visible_data(store, compiled, as_of):
        return None
    refuse_damaged(folder, manifest)
    put_manifest(folder, {**manifest, "store_id": store.store_id})
    return read_manifest(folder, REBUILD)


def refuse_damaged(folder: Path, manifest: Mapping[str, Any]) -> None:
    damaged = damaged_files(folder, manifest)
    if damaged:
        raise StorageError(f"{folder / damaged[0]}: differs from its manifest", f"Remove {folder}, run again")


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
    """Rows of a few accounts: from the snapshot where one stands, else computed now; the same values.

    Parameters
    ----------
    accounts : sequence of str
        One that has no active line gets no row.

    Raises
    ------
    StorageError
        A finished part was damaged afterwards.
    """
    try:
        snapshot = standing_snapshot(store, compiled, as_of)
    except BusyError:
        snapshot = None
    if snapshot is None:
        return feature_rows(store, compiled, as_of, accounts)
    return snapshot.read(accounts)


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
