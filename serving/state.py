"""What is loaded: one bundle, one snapshot as a matrix; swapped whole at a new release."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.bundle import Bundle, Matrix, Release, Releases
from nbo.customers.value import monthly_margins
from nbo.decisions.settings import ValueSettings, value_settings
from nbo.errors import DataError, UsageError
from nbo.features.build import PART, Snapshot, existing
from nbo.files import MANIFEST
from nbo.keys import bundle_key
from nbo.tables.store import Store
from nbo.workspace import MARKER, bundled_code, read_settings

from .problems import Refused
from .settings import MODEL, ServeSettings


@dataclass(frozen=True)
class Stamp:
    """What a loaded state was made from; a difference means: load again."""

    bundle_id: str
    digest: str
    snapshot: Path
    written_ns: int


class RawRows:
    """The snapshot's file, kept open: it stays readable when a newer one takes its place.

    Parameters
    ----------
    path : Path
        The Parquet part of the snapshot.
    """

    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path)
        counts = [self.file.metadata.row_group(n).num_rows for n in range(self.file.num_row_groups)]
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
        self.reading = threading.Lock()

    def take(self, places: npt.NDArray[np.intp]) -> pa.Table:
        """Rows by number, in the order asked; reads only the row groups that hold them."""
        groups = np.searchsorted(self.starts, places, side="right") - 1
        wanted = np.unique(groups)
        with self.reading:
            rows = self.file.read_row_groups(wanted.tolist())
        sizes = self.starts[wanted + 1] - self.starts[wanted]
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        index = offsets[np.searchsorted(wanted, groups)] + places - self.starts[groups]
        return rows.take(pa.array(index))


@dataclass(frozen=True)
class Loaded:
    """Everything that one answer needs; never changed, only replaced.

    Parameters
    ----------
    stamp : Stamp
        What it was made from.
    bundle : Bundle
        The released model with its vocabulary and calibrator.
    as_of : AsOf
        The date of the snapshot.
    rows : mapping of account_id to row
        Accounts of the snapshot.
    matrix : array of shape (accounts, features), float64
        The encoded snapshot, read-only.
    raw : RawRows
        The same rows as they were before encoding, to explain them.
    margins : mapping of account_id to int
        Monthly margin in minor units; accounts whose margin is not known are absent.
    value : ValueSettings
        How margin at risk is counted.
    currency, minor_digits : str, int
        Of the store.
    """

    stamp: Stamp
    bundle: Bundle
    as_of: AsOf
    rows: Mapping[str, int]
    matrix: Matrix
    raw: RawRows
    margins: Mapping[str, int]
    value: ValueSettings
    currency: str
    minor_digits: int


class Live:
    """What answers now.

    ``loaded`` is replaced by one assignment, so a request that took it before finishes on it.

    Parameters
    ----------
    settings : ServeSettings
        Where releases and snapshots are.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.loaded: Loaded | None = None
        self.draining = False

    def require(self) -> Loaded:
        """What is loaded, or a 503 problem."""
        if self.loaded is None:
            raise Refused(
                503, "not-loaded", "No release is loaded yet. Try again soon.", {"Retry-After": "1"}
            )
        return self.loaded

    def refresh(self) -> bool:
        """Load the current release and its snapshot where they are other than what is loaded.

        Raises
        ------
        UsageError
            Nothing is released.
        DataError
            The store is unfit or has no snapshot for the bundle.
        BundleError
            The bundle cannot be trusted.
        """
        releases = Releases(self.settings.workspace)
        release = releases.current(MODEL)
        if release is None:
            raise UsageError(f"{MODEL}: expected a released bundle, got none", f"Run nbo promote {MODEL}")
        bundle = self.bundle_of(releases, release)
        folder, as_of = newest_snapshot(self.settings, bundle)
        written = (folder / MANIFEST).stat().st_mtime_ns
        stamp = Stamp(release.bundle_id, release.digest, folder, written)
        if self.loaded is not None and self.loaded.stamp == stamp:
            return False
        self.loaded = load(self.settings, stamp, bundle, as_of)
        return True

    def bundle_of(self, releases: Releases, release: Release) -> Bundle:
        """The bundle of a release; the one at hand if it is the same."""
        if self.loaded is not None:
            stamp = self.loaded.stamp
            if (stamp.bundle_id, stamp.digest) == (release.bundle_id, release.digest):
                return self.loaded.bundle
        return releases.load(MODEL, bundle_key(self.settings.workspace))


def newest_snapshot(settings: ServeSettings, bundle: Bundle) -> tuple[Path, AsOf]:
    """Folder and date of the snapshot to serve; :class:`DataError` if it is not built."""
    folder = settings.store / "features" / bundle.features.hash
    wanted = None if settings.as_of in (None, "latest") else AsOf.parse(str(settings.as_of))
    built = {
        AsOf.parse(path.parent.name.removeprefix("as_of=")): path.parent
        for path in folder.glob(f"as_of=????-??-??/{MANIFEST}")
    }
    as_of = wanted or max(built, default=None)
    if as_of is None or as_of not in built:
        raise DataError(
            str(folder),
            f"a feature snapshot as of {wanted or 'any date'} for bundle {bundle.id}",
            ", ".join(str(each) for each in sorted(built)[-5:]) or "none",
            next_step="Run nbo score with the same --store and --as-of",
        )
    return built[as_of], as_of


def load(settings: ServeSettings, stamp: Stamp, bundle: Bundle, as_of: AsOf) -> Loaded:
    """Read the snapshot into a matrix with the bundle's own encoder, and the margins beside it."""
    store = Store.open(settings.store)
    manifest = existing(stamp.snapshot, store)
    if manifest is None:
        raise DataError(
            str(stamp.snapshot),
            "a feature snapshot of this store",
            "one of another store",
            next_step="Run nbo score with the same --store and --as-of",
        )
    rows, matrix = encoded(Snapshot(stamp.snapshot, as_of, manifest), bundle)
    value = value_settings(read_settings(marker(settings.workspace)))
    margins = monthly_margins(store, as_of, margin_share=value.margin_share)
    known = margins.filter(margins["monthly_margin_amount"].is_valid())
    return Loaded(
        stamp=stamp,
        bundle=bundle,
        as_of=as_of,
        rows=rows,
        matrix=matrix,
        raw=RawRows(stamp.snapshot / PART),
        margins=dict(
            zip(known["account_id"].to_pylist(), known["monthly_margin_amount"].to_pylist(), strict=True)
        ),
        value=value,
        currency=store.currency,
        minor_digits=store.minor_digits,
    )


def marker(workspace: Path) -> Path:
    """The settings that hold for a workspace: its own, or those of the installed copy."""
    own = workspace / MARKER
    return own if own.is_file() else bundled_code() / MARKER


def encoded(snapshot: Snapshot, bundle: Bundle) -> tuple[dict[str, int], Matrix]:
    """Row numbers by account, and the matrix, filled batch by batch."""
    matrix = np.empty((int(snapshot.manifest["rows"]), len(bundle.features.names)))
    accounts: list[str] = []
    for batch in snapshot.batches():
        end = len(accounts) + batch.num_rows
        matrix[len(accounts) : end] = bundle.encode(pa.Table.from_batches([batch]))
        accounts.extend(batch.column("account_id").to_pylist())
    if len(accounts) != len(matrix):
        raise DataError(str(snapshot.folder), f"{len(matrix):,} rows", f"{len(accounts):,}")
    matrix.flags.writeable = False
    return {account: row for row, account in enumerate(accounts)}, matrix
