"""Score every account as of a date, in batches, into one folder that is whole or absent.

``<out>/as_of=YYYY-MM-DD/part-*.parquet`` and ``MANIFEST.json``, written last. The same inputs give
the same bytes; a rerun over them is a no-op.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.customers.value import monthly_margins
from nbo.decisions.settings import ValueSettings
from nbo.errors import DataError
from nbo.features.build import build_features
from nbo.features.snapshots import Snapshot
from nbo.files import (
    MANIFEST,
    canonical_json,
    damaged_files,
    lock,
    read_manifest,
    sha256_bytes,
    sha256_file,
    staged_folder,
    write_manifest,
)
from nbo.tables.store import Store

PART = "part-00000.parquet"
BATCH_ROWS = 50_000
AGAIN = "Run nbo score again"


@dataclass(frozen=True)
class ScoreRun:
    """What a scoring run left behind.

    Parameters
    ----------
    folder : Path
    manifest : mapping
        ``rows``, ``bundle_id``, ``feature_hash``, ``store_id``, ``currency``, ``digest``.
    written : bool
        False where the same scores were already there.
    """

    folder: Path
    manifest: Mapping[str, Any]
    written: bool

    @classmethod
    def open(cls, folder: Path) -> "ScoreRun":
        """Scores that lie there; :class:`DataError` where they are not whole."""
        return cls(folder, read_manifest(folder, AGAIN), written=False)

    def read(self) -> pa.Table:
        """All rows, sorted by account."""
        return pq.read_table(self.folder / PART, partitioning=None)


def scores_folder(out: Path, as_of: AsOf) -> Path:
    return out / f"as_of={as_of}"


def score_accounts(
    store: Store, bundle: Bundle, as_of: AsOf, out: Path, settings: ValueSettings, *, threads: int = 2
) -> ScoreRun:
    """Score the population of a date.

    Parameters
    ----------
    store, bundle, as_of
        What is scored, by which model, on which date.
    out : Path
        Folder that holds one sub-folder per date.
    settings : ValueSettings
        How margin at risk is counted.
    threads : int
        Threads of the model; no effect on any value.

    Raises
    ------
    BusyError
        Another job writes the same date.
    DataError
        No account has an active line then.
    """
    folder = scores_folder(out, as_of)
    inputs = score_inputs(store, bundle, as_of, settings)
    with lock(folder):
        found = unchanged(folder, inputs)
        if found is not None:
            return ScoreRun(folder, found, written=False)
        snapshot = build_features(store, bundle.features, as_of)
        with staged_folder(folder) as stage:
            rows = write_scores(store, bundle, snapshot, settings, stage / PART, threads)
            if rows == 0:
                expected = f"at least one account with an active line as of {as_of}"
                raise DataError("lines", expected, "none", next_step="Choose a later date")
            write_manifest(stage, {**inputs, "rows": rows, "digest": content_digest(stage)})
        return ScoreRun(folder, read_manifest(folder, AGAIN), written=True)


def score_inputs(store: Store, bundle: Bundle, as_of: AsOf, settings: ValueSettings) -> dict[str, Any]:
    """Everything the scores depend on; equal inputs mean equal scores."""
    return {
        "kind": "scores",
        "version": 1,
        "as_of": str(as_of),
        "bundle_id": bundle.id,
        "feature_hash": bundle.features.hash,
        "store_id": store.store_id,
        "currency": store.currency,
        "margin_share": settings.margin_share,
        "horizon_months": settings.horizon_months,
    }


def unchanged(folder: Path, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest of whole and undamaged scores from these very inputs, or None."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = read_manifest(folder, AGAIN)
    except DataError:
        return None
    same = all(manifest.get(name) == value for name, value in inputs.items())
    return manifest if same and not damaged_files(folder, manifest) else None


def content_digest(stage: Path) -> str:
    """One digest over the digests of all parts."""
    parts = {path.name: sha256_file(path) for path in sorted(stage.glob("*.parquet"))}
    return sha256_bytes(canonical_json(parts).encode())


def write_scores(
    store: Store, bundle: Bundle, snapshot: Snapshot, settings: ValueSettings, path: Path, threads: int
) -> int:
    """Stream features to scores; returns the number of rows."""
    margins = monthly_margins(store, snapshot.as_of, margin_share=settings.margin_share)
    schema = score_schema(store.minor_digits)
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in snapshot.batches(BATCH_ROWS):
            scored = score_batch(bundle, batch, margins, settings, schema, threads)
            writer.write_batch(scored, row_group_size=BATCH_ROWS)
            rows += scored.num_rows
    return rows


def score_schema(minor_digits: int) -> pa.Schema:
    """Columns of a score file; amounts are decimals in the currency of the manifest."""
    money = pa.decimal128(18, minor_digits)
    return pa.schema(
        [
            pa.field("account_id", pa.string(), nullable=False),
            pa.field("p_churn", pa.float64(), nullable=False),
            pa.field("band", pa.string(), nullable=False),
            pa.field("monthly_margin_amount", money),
            pa.field("margin_at_risk_amount", money),
        ]
    )


def score_batch(
    bundle: Bundle,
    batch: pa.RecordBatch,
    margins: pa.Table,
    settings: ValueSettings,
    schema: pa.Schema,
    threads: int,
) -> pa.RecordBatch:
    """Scores of one batch of feature rows, in the rows' order."""
    rows = pa.Table.from_batches([batch])
    p_churn = bundle.score(bundle.encode(rows), threads=threads)
    place = pc.index_in(rows["account_id"], value_set=margins["account_id"].combine_chunks())
    margin = margins["monthly_margin_amount"].take(place).combine_chunks()
    at_risk = margin_at_risk(p_churn, margin, settings.horizon_months)
    digits = schema.field("monthly_margin_amount").type.scale
    return pa.RecordBatch.from_arrays(
        [
            rows["account_id"].combine_chunks(),
            pa.array(p_churn),
            pa.array(bands(p_churn, bundle.metadata["band_edges"])),
            to_decimal(margin, digits),
            to_decimal(at_risk, digits),
        ],
        schema=schema,
    )


def margin_at_risk(p_churn: np.ndarray, monthly_margin: pa.Array, horizon_months: int) -> pa.Array:
    """``p_churn * monthly margin * months``, in minor units, null where the margin is unknown."""
    known = np.asarray(monthly_margin.is_valid())
    margin = np.asarray(monthly_margin.fill_null(0)).astype(np.float64)
    amount = np.rint(p_churn * margin * horizon_months).astype(np.int64)
    return pa.array(amount, mask=~known)


def bands(p_churn: np.ndarray, edges: Mapping[str, float]) -> list[str]:
    """``high``, ``medium`` or ``low`` by the bundle's edges."""
    names = np.where(p_churn >= edges["high"], "high", np.where(p_churn >= edges["medium"], "medium", "low"))
    return [str(name) for name in names]


def to_decimal(minor: pa.Array, digits: int) -> pa.Array:
    """Minor units as exact decimals in major units: the same integers, read with a decimal point.

    Examples
    --------
    >>> to_decimal(pa.array([-150, None], pa.int64()), 2).to_pylist()
    [Decimal('-1.50'), None]
    """
    low = np.asarray(minor.fill_null(0)).astype(np.int64)
    words = np.column_stack([low, low >> 63])
    valid = np.packbits(np.asarray(minor.is_valid()), bitorder="little")
    buffers = [pa.py_buffer(valid.tobytes()), pa.py_buffer(words.tobytes())]
    return pa.Array.from_buffers(pa.decimal128(18, digits), len(minor), buffers)
