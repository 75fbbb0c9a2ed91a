"""The store's folder: claimed before it is cleared, cleared before it is written."""

import shutil
from pathlib import Path

from nbo.errors import UsageError
from nbo.files import MANIFEST
from nbo.tables.memory import forget, read_json
from nbo.tables.store import KIND

MARKER = ".nbo-store"
"""Says that a folder is ours to clear, also after a kill that left no manifest."""


def claim_folder(out: Path) -> None:
    """Make the store's folder ours; refuse one that holds something else."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: expected a folder, got the file {out}", "Name a new folder")
    ours = (out / MARKER).exists() or kind_of(out) == KIND
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise UsageError(
            f"--out: expected a new or empty folder or a store, got {out} with other files",
            "Name a new folder",
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()


def kind_of(out: Path) -> str | None:
    found = read_json(out / MANIFEST).get("kind")
    return found if isinstance(found, str) else None


def clear_store(out: Path, *, keep_tables: bool = False) -> None:
    """Take the manifest away first, so that nothing half-written looks whole; snapshots of
    features stay, for who asks for one looks whether it still stands."""
    forget(out)
    for name in () if keep_tables else ("tables", "quarantine"):
        if (out / name).exists():
            shutil.rmtree(out / name)
