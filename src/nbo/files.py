"""Files that are whole or absent: atomic writes, staged folders, locks, digests, manifests.

A folder is whole iff its ``MANIFEST.json`` exists; it is written last. A job works in a hidden
sibling and moves it into place, so a kill at any moment leaves the old state, the new one, or none.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbo.errors import BusyError, DataError, StorageError

MANIFEST = "MANIFEST.json"


@contextmanager
def told_storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's storage errors into one :class:`StorageError` line."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path) -> StorageError:
    if error.errno == errno.ENOSPC:
        return StorageError(f"{path}: no space left on the device", "Free some space, run again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{path}: not writable ({error.strerror})", "Choose another folder")
    return StorageError(f"{path}: {error.strerror or error}")


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace a file in one step; a reader sees the old bytes or the new ones."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    with told_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def spill_folder(out: Path) -> Iterator[Path]:
    """Where the engine spills; swept also after a killed run, for it may hold raw numbers."""
    spill = out.with_name(f".{out.name}.spill")
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(mode=0o700)
    try:
        yield spill
    finally:
        shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """A fresh hidden sibling of ``target`` that replaces it when the block ends well.

    On any error the sibling is removed and ``target`` is left as it was. Leftovers of killed
    runs are swept first; the caller holds :func:`lock` where two jobs could meet.
    """
    with told_storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(f".{target.name}.partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        stage = target.with_name(f".{target.name}.partial-{os.getpid()}")
        stage.mkdir()
    try:
        yield stage
        with told_storage_errors(target):
            sync_folder(stage)
            swap_folder(stage, target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def swap_folder(stage: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.partial-old-{os.getpid()}")
    if target.exists():
        target.rename(old)
    stage.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Flush every file of a folder to the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock beside ``path``; a second holder gets :class:`BusyError` at once."""
    with told_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.with_name(f".{path.name}.lock").open("w")
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"{path}: another job is writing it", "Wait for it, or choose another --out"
            ) from None
        yield
    finally:
        handle.close()


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the form that is hashed and signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``MANIFEST.json`` with these facts and the digest of every file beside it."""
    files = {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    put_manifest(folder, {**facts, "files": files})


def put_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``MANIFEST.json`` of files that are known already; in place of an older one, at once."""
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomic(folder / MANIFEST, text + "\n")


def read_manifest(folder: Path, next_step: str) -> dict[str, Any]:
    """The manifest of a whole folder; :class:`DataError` where it is missing or unreadable."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(str(folder), f"a folder with {MANIFEST}", "none", next_step=next_step) from None
    except (OSError, ValueError) as error:
        raise DataError(str(path), "readable JSON", type(error).__name__, next_step=next_step) from None
    if not isinstance(content, dict):
        raise DataError(str(path), "a JSON object", type(content).__name__, next_step=next_step)
    return content


def damaged_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Names of files that are missing or differ from the manifest's digests."""
    return [
        name
        for name, digest in manifest.get("files", {}).items()
        if not (folder / name).is_file() or sha256_file(folder / name) != digest
    ]
