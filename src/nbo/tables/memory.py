"""What a check remembers of what it read, so that the next one need not read it again.

``.nbo-read.json`` stands beside the store's manifest and belongs to that very store: the size, the time of
change and the digest of every source file, and of each table its files and its newest day. It counts only
for a fit store that was made by the same mapping, workspace key and version; without it all is read.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nbo import __version__
from nbo.files import MANIFEST, canonical_json, sha256_bytes, sha256_file, write_atomic
from nbo.keys import derived
from nbo.tables import mapping as mappings
from nbo.tables.report import TableReport
from nbo.tables.store import CONTRACT_VERSION, written_parts

FILE = ".nbo-read.json"
PURPOSE = "check:memory"
SETTLED_AFTER = 2_000_000_000
"""A file changed less than so many nanoseconds before it was read may change again within the same tick of
the clock: its time says nothing."""
UNSETTLED = -1
MAGIC = b"PAR1"
"""Where a Parquet file begins, and where it ends."""


@dataclass(frozen=True)
class FileSeen:
    """A source file as it was read: bytes, nanoseconds since 1970 of its last change (or
    :data:`UNSETTLED`), SHA-256."""

    size: int
    changed: int
    sha256: str


@dataclass(frozen=True)
class TableSeen:
    """What became of a table: its source files by name, and the newest day of its events."""

    files: tuple[str, ...]
    newest: int | None


@dataclass(frozen=True)
class Memory:
    """Of a store's last check; an empty one remembers nothing.

    Parameters
    ----------
    files, tables
        By the name below the data folder, and by the table's name.
    reports : mapping of str to TableReport
        As the store's manifest tells them.
    digests : mapping of str to str
        SHA-256 of the store's own files.
    """

    files: Mapping[str, FileSeen] = field(default_factory=dict)
    tables: Mapping[str, TableSeen] = field(default_factory=dict)
    reports: Mapping[str, TableReport] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tables)

    def look(self, path: Path, name: str) -> FileSeen:
        """A source file as it is now; its content is read only if it may have changed."""
        stat, now = path.stat(), time.time_ns()
        seen = self.files.get(name)
        if seen is not None and (seen.size, seen.changed) == (stat.st_size, stat.st_mtime_ns):
            return seen
        changed = stat.st_mtime_ns if stat.st_mtime_ns < now - SETTLED_AFTER else UNSETTLED
        return FileSeen(stat.st_size, changed, sha256_file(path))

    def same(self, files: Mapping[str, FileSeen], names: Iterable[str]) -> bool:
        """Whether source files are there as they were."""
        return all(name in files and files[name].sha256 == self.files[name].sha256 for name in names)


def reader(mapping: mappings.Mapping, key: bytes) -> str:
    """Whatever beside the files decides on what a check writes, as one digest."""
    facts = {
        "version": __version__,
        "contract": CONTRACT_VERSION,
        "mapping": mapping.model_dump(mode="json"),
        "key": sha256_bytes(derived(key, PURPOSE)),
    }
    return sha256_bytes(canonical_json(facts).encode())


def recall(out: Path, by: str) -> Memory:
    """What the last check of a store remembers; nothing of one that is not fit, made otherwise or damaged."""
    kept, manifest = read_json(out / FILE), read_json(out / MANIFEST)
    if (
        not manifest.get("fit")
        or kept.get("reader") != by
        or kept.get("store_id") != manifest.get("store_id")
        or not as_written(out, manifest["files"])
    ):
        return Memory()
    return Memory(
        files={name: FileSeen(**seen) for name, seen in kept["files"].items()},
        tables={name: TableSeen(tuple(t["files"]), t["newest"]) for name, t in kept["tables"].items()},
        reports={name: TableReport.from_json(facts) for name, facts in manifest["tables"].items()},
        digests=manifest["files"],
    )


def as_written(out: Path, names: Iterable[str]) -> bool:
    """Whether just these files are there, none of them cut off; their content is not read."""
    there = written_parts(out)
    return set(there) == set(names) and all(map(is_parquet, there.values()))


def is_parquet(path: Path) -> bool:
    """Whether a file begins and ends as Parquet does."""
    with path.open("rb") as file:
        begins = file.read(len(MAGIC)) == MAGIC
        file.seek(max(path.stat().st_size - len(MAGIC), 0))
        return begins and file.read() == MAGIC


def remember(
    out: Path, store_id: str, by: str, files: Mapping[str, FileSeen], tables: Mapping[str, TableSeen]
) -> None:
    """Keep it for the next check; the last thing a check does."""
    facts = {
        "store_id": store_id,
        "reader": by,
        "files": {name: asdict(seen) for name, seen in files.items()},
        "tables": {name: asdict(seen) for name, seen in tables.items()},
    }
    write_atomic(out / FILE, json.dumps(facts, sort_keys=True))


def forget(out: Path) -> None:
    """So that nothing half-written is taken for what a check left."""
    for name in (MANIFEST, FILE):
        (out / name).unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
