"""What was built and is kept: features of all accounts at a date.

``STORE/features/<feature_hash>/as_of=YYYY-MM-DD/part-00000.parquet`` and its manifest are shared by
training, scoring, the at-risk list and the server. A snapshot stands for as long as the store shows the
same at its date: also when days have arrived since.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.errors import BusyError, StorageError
from nbo.features.compiled import CompiledFeatures
from nbo.features.visible import visible_data
from nbo.files import MANIFEST, damaged_files, lock, put_manifest, read_manifest
from nbo.tables.store import Store

REBUILD = "Build the features again"
ROW_GROUP = 50_000
"""Rows of a Parquet group, and accounts whose features are joined at once: some hundred megabytes."""
PART = "part-00000.parquet"
ASKED = ".asked"
"""Beside a snapshot's manifest: touched whenever somebody asks for the snapshot."""
KEPT_DAYS, KEPT_MONTH_DAYS = 7, 40
"""How long a snapshot stays that nobody asks for; one of the first of a month, a date to train on, longer."""
SECONDS_PER_DAY = 86_400


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
    built : bool
        Whether it was computed just now, and not before.
    """

    folder: Path
    as_of: AsOf
    manifest: Mapping[str, Any]
    built: bool = False

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
            visible = visible_data(store, compiled, as_of)
            manifest = existing(folder, store) or taken_over(folder, store, visible)
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


def taken_over(folder: Path, store: Store, visible: str) -> dict[str, Any] | None:
    """The manifest of an earlier store's build, which from now on stands for this one; None where there is
    none, or where this one shows anything else at the date."""
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_manifest(folder, REBUILD)
    if manifest.get("visible") != visible:
        return None
    refuse_damaged(folder, manifest)
    manifest["store_id"] = store.store_id
    put_manifest(folder, manifest)
    return manifest


def refuse_damaged(folder: Path, manifest: Mapping[str, Any]) -> None:
    damaged = damaged_files(folder, manifest)
    if damaged:
        raise StorageError(f"{folder / damaged[0]}: differs from its manifest", f"Remove {folder}, run again")


def drop_unread(store: Path, now: float) -> None:
    """Remove the snapshots that nobody has asked for in so long that they only take space, and what killed
    builds left.

    Parameters
    ----------
    store : Path
        The store's folder.
    now : float
        Seconds since 1970-01-01 UTC.
    """
    for folder in (store / "features").glob("*/as_of=*"):
        days = KEPT_MONTH_DAYS if folder.name.endswith("-01") else KEPT_DAYS
        if now - last_asked(folder) > days * SECONDS_PER_DAY:
            (folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder)
    for left in (store / "features").glob("*/.as_of=*.spill"):
        # Of a build that was killed, if nobody holds its lock.
        with suppress(BusyError), lock(left.with_name(left.stem.removeprefix("."))):
            shutil.rmtree(left)


def last_asked(folder: Path) -> float:
    """When it was written or last asked for, in seconds since 1970-01-01 UTC; 0 where it is not whole."""
    if not (folder / MANIFEST).is_file():
        return 0.0
    return max(path.stat().st_mtime for path in (folder / MANIFEST, folder / ASKED) if path.is_file())
