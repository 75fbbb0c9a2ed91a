"""Online rows: a snapshot as one mapped file, in which one account is found in microseconds.

``rows.online`` lies beside the Parquet part of its snapshot and is derived from it once. The file holds the
account ids, sorted and of one width, then one row an account: float64 values in compiled order, and a check
word. A number is what :meth:`Vocabulary.encode` reads, null is not-a-number; a text is its place in the
file's own list of texts. Nothing is loaded but the pages that are asked for.

No look-up gives a wrong row: the header names the digest of the very part and tells the file's size; it has a
digest of its own, and so have the account ids; each row's check word is over its account and its values.
"""

import fcntl
import hashlib
import json
import mmap
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbo.errors import DataError, StorageError
from nbo.features.snapshots import PART, Snapshot
from nbo.files import canonical_json, damaged_files, told_storage_errors

Floats = npt.NDArray[np.float64]
ONLINE = "rows.online"
MAGIC = b"NBOROWS1"
ALIGNED = 4_096
WORD = 8
DIGEST = 32
BLOCK = 50_000
AGAIN = "Remove it; it is made again from the snapshot"
REBUILD = "Remove the snapshot's folder, build the features again"


@dataclass(frozen=True)
class Layout:
    """Where things stand in the file, in bytes.

    Parameters
    ----------
    rows, columns, width : int
        Accounts, features, and bytes of the longest account id.
    """

    rows: int
    columns: int
    width: int

    def keys_at(self, header: int) -> int:
        """Where the account ids begin, after a header of so many bytes."""
        return aligned(len(MAGIC) + WORD + header + DIGEST)

    def values_at(self, header: int) -> int:
        """Where the rows begin."""
        return aligned(self.keys_at(header) + self.rows * self.width + DIGEST)

    def size(self, header: int) -> int:
        """Bytes of the whole file."""
        return self.values_at(header) + self.rows * (self.columns + 1) * WORD


def aligned(offset: int) -> int:
    return -(-offset // ALIGNED) * ALIGNED


class OnlineRows:
    """An open file of online rows; safe to ask from many threads.

    It stays whole for who has it open when a newer file takes its place.

    Parameters
    ----------
    path : Path
    header : mapping
        ``names``, ``texts`` (by category feature its texts), and what the file was made from.
    layout : Layout
    header_bytes : int
        Length of the header in the file.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], layout: Layout, header_bytes: int) -> None:
        self.path = path
        self.layout = layout
        self.names: tuple[str, ...] = tuple(header["names"])
        self.texts: Mapping[str, tuple[str, ...]] = {k: tuple(v) for k, v in header["texts"].items()}
        self._kind = np.dtype(f"S{layout.width}")
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(mmap, "MADV_RANDOM"):
            mapped.madvise(mmap.MADV_RANDOM)
        count, wide = layout.rows, layout.columns + 1
        start = layout.keys_at(header_bytes)
        self._keys = np.frombuffer(mapped, self._kind, count, start)
        digest = hashlib.sha256(self._keys.view(np.uint8).data).digest()
        if digest != mapped[start + self._keys.nbytes : start + self._keys.nbytes + DIGEST]:
            raise damaged(path, "account ids of their own digest", "others")
        self._mapped, self._values_at = mapped, layout.values_at(header_bytes)
        values = np.frombuffer(mapped, "<f8", count * wide, self._values_at)
        self._rows = values.reshape(count, wide)
        self._checks = self._rows.view("<u8")[:, -1]

    def __len__(self) -> int:
        return self.layout.rows

    def __contains__(self, account_id: str) -> bool:
        return self.place(account_id) is not None

    def accounts(self) -> Iterator[str]:
        """All account ids, ascending."""
        for key in self._keys:
            yield key.decode()

    def place(self, account_id: str) -> int | None:
        """The row of an account, None where it has none."""
        sought = account_id.encode("utf-8", "surrogatepass")
        # numpy cuts a longer id to the width and drops its trailing NULs; the comparison takes it whole.
        place = int(self._keys.searchsorted(np.array(sought, self._kind)))
        return place if place < len(self) and self._keys[place] == sought else None

    def values(self, place: int) -> Floats:
        """A copy of one row, shape (F,): texts as places in :attr:`texts`, null as NaN.

        Raises
        ------
        StorageError
            The row's check word is not that of its account and values: the disk gave other bytes.
        """
        self._fetch(place)
        row = self._rows[place, :-1]
        if check_word(self._keys[place], row) != int(self._checks[place]):
            raise StorageError(f"{self.path}: row {place:,} differs from its check word", AGAIN)
        return row.copy()

    def _fetch(self, place: int) -> None:
        """Ask for all pages of a row at once; touched one after the other, each would wait for the disk."""
        wide = self._rows.strides[0]
        start = self._values_at + place * wide
        first = start - start % mmap.PAGESIZE
        if start + wide > first + mmap.PAGESIZE and hasattr(mmap, "MADV_WILLNEED"):
            self._mapped.madvise(mmap.MADV_WILLNEED, first, start + wide - first)

    def raw(self, place: int) -> dict[str, float | str | None]:
        """The values of one row by name, as the snapshot has them, numbers as floats."""
        return {
            name: self.told(name, value)
            for name, value in zip(self.names, self.values(place).tolist(), strict=True)
        }

    def told(self, name: str, value: float) -> float | str | None:
        """One value of a row in the snapshot's own terms."""
        if value != value:
            return None
        return self.texts[name][int(value)] if name in self.texts else value


def check_word(key: bytes, row: Floats) -> int:
    """CRC-32 over the account id and the bytes of its row."""
    return zlib.crc32(row.data, zlib.crc32(key))


def online_rows(snapshot: Snapshot) -> OnlineRows:
    """The online rows of a snapshot, derived from it if they are not there.

    Opening takes milliseconds, whatever the size; deriving reads the snapshot once and writes
    8 bytes × accounts × features.

    Raises
    ------
    StorageError
        The file is cut off, damaged or of another snapshot; or the snapshot's part is damaged; or the disk is
        full.
    DataError
        Account ids that are not ascending, or hold a NUL.
    """
    path = snapshot.folder / ONLINE
    if not path.is_file():
        write_online(snapshot, path)
    return open_online(snapshot, path)


def open_online(snapshot: Snapshot, path: Path) -> OnlineRows:
    """The online rows in a file, which must be this very snapshot's; :class:`StorageError` otherwise."""
    with told_storage_errors(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header, length = read_header(path, file, size)
    layout = Layout(header["rows"], len(header["names"]), header["width"])
    if size != layout.size(length):
        raise damaged(path, f"{layout.size(length):,} bytes", f"{size:,}")
    said = {name: header[name] for name in origin(snapshot)}
    for name, value in origin(snapshot).items():
        if said[name] != value:
            raise damaged(path, f"rows of the snapshot beside it ({name} {value})", str(said[name]))
    return OnlineRows(path, header, layout, length)


def read_header(path: Path, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """The header and its length in bytes, its digest compared."""
    start = file.read(len(MAGIC) + WORD)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + WORD:
        raise damaged(path, f"a file that begins with {MAGIC.decode()}", f"{start[: len(MAGIC)]!r}")
    length = int.from_bytes(start[len(MAGIC) :], "little")
    if length > size:
        raise damaged(path, "a whole header", f"{size:,} bytes of file")
    text, digest = file.read(length), file.read(DIGEST)
    if hashlib.sha256(text).digest() != digest:
        raise damaged(path, "a header of its own digest", "another")
    header: dict[str, Any] = json.loads(text)
    return header, length


def damaged(path: Path, expected: str, got: str) -> StorageError:
    return StorageError(f"{path}: expected {expected}, got {got}", AGAIN)


def origin(snapshot: Snapshot) -> dict[str, Any]:
    """What tells one snapshot from every other."""
    manifest = snapshot.manifest
    return {
        "part": manifest["files"][PART],
        "feature_hash": manifest["feature_hash"],
        "as_of": manifest["as_of"],
        "rows": manifest["rows"],
    }


def write_online(snapshot: Snapshot, path: Path) -> None:
    """Derive the file of a snapshot; it appears whole or not at all.

    Two jobs that derive it at once write the same bytes; the later one takes its place.
    """
    broken = damaged_files(snapshot.folder, snapshot.manifest)
    if broken:
        raise StorageError(f"{snapshot.folder / broken[0]}: differs from its manifest", REBUILD)
    with pq.ParquetFile(snapshot.folder / PART) as part:
        schema = part.schema_arrow
        names = [name for name in schema.names if name != "account_id"]
        width, texts = surveyed(
            snapshot, [name for name in names if pa.types.is_string(schema.field(name).type)]
        )
    header = canonical_json({**origin(snapshot), "names": names, "texts": texts, "width": width}).encode()
    layout = Layout(int(snapshot.manifest["rows"]), len(names), width)
    with partial_file(path) as (file, partial), told_storage_errors(path):
        file.write(MAGIC + len(header).to_bytes(WORD, "little") + header + hashlib.sha256(header).digest())
        file.truncate(layout.size(len(header)))
        file.seek(layout.keys_at(len(header)))
        digest = hashlib.sha256()
        for batch in snapshot.batches(BLOCK):
            keys = keys_of(batch, width).tobytes()
            digest.update(keys)
            file.write(keys)
        file.write(digest.digest())
        file.seek(layout.values_at(len(header)))
        for batch in snapshot.batches(BLOCK):
            file.write(block(batch, names, texts, keys_of(batch, width)).tobytes())
        file.flush()
        os.fsync(file.fileno())
        if file.tell() != layout.size(len(header)):
            got = f"{file.tell():,} bytes of rows"
            raise StorageError(f"{snapshot.folder / PART}: expected {layout.rows:,} rows, got {got}", REBUILD)
        os.replace(partial, path)


@contextmanager
def partial_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A hidden file of this process beside ``path``; those that killed jobs left are swept first."""
    with told_storage_errors(path):
        for leftover in path.parent.glob(f".{path.name}.partial-*"):
            # A lock that is held means that its writer lives; a file that is gone, that it has finished.
            with suppress(FileNotFoundError, BlockingIOError), leftover.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
        partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
        file = partial.open("xb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file, partial
    finally:
        file.close()
        partial.unlink(missing_ok=True)


def surveyed(snapshot: Snapshot, categories: Sequence[str]) -> tuple[int, dict[str, list[str]]]:
    """Bytes of the longest account id, and the texts of every category; ids must be strictly ascending."""
    width, last = 1, b""
    texts: dict[str, set[str]] = {name: set() for name in categories}
    with pq.ParquetFile(snapshot.folder / PART) as part:
        for batch in part.iter_batches(BLOCK, columns=["account_id", *categories]):
            for account in batch.column("account_id").to_pylist():
                key = account.encode()
                if key <= last or b"\0" in key:
                    raise DataError(
                        f"{snapshot.folder / PART}: account_id",
                        "ids that ascend, without NUL",
                        repr(account),
                        next_step=REBUILD,
                    )
                width, last = max(width, len(key)), key
            for name, known in texts.items():
                known.update(pc.unique(batch.column(name)).drop_null().to_pylist())
    return width, {name: sorted(known) for name, known in texts.items()}


def keys_of(batch: pa.RecordBatch, width: int) -> npt.NDArray[np.bytes_]:
    """The account ids of a batch in one width."""
    return np.array([account.encode() for account in batch.column("account_id").to_pylist()], f"S{width}")


def block(
    batch: pa.RecordBatch,
    names: Sequence[str],
    texts: Mapping[str, Sequence[str]],
    keys: npt.NDArray[np.bytes_],
) -> Floats:
    """The rows of a batch with their check words, shape (n, F + 1)."""
    rows = np.empty((batch.num_rows, len(names) + 1), "<f8")
    for place, name in enumerate(names):
        values = batch.column(name)
        if name in texts:
            values = pc.index_in(values, value_set=pa.array(texts[name], pa.string()))
        rows[:, place] = pc.fill_null(pc.cast(values, pa.float64(), safe=False), float("nan")).to_numpy()
    checks = rows.view("<u8")[:, -1]
    for place, key in enumerate(keys):
        checks[place] = check_word(key, rows[place, :-1])
    return rows
