"""The store's folder: claimed before it is cleared, cleared before it is written."""

import json
import shutil
from pathlib import Path
from typing import Any

from nbo.errors import UsageError
from nbo.files import MANIFEST
from nbo.tables.memory import forget
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
    found = old_manifest(out).get("kind")
    return found if isinstance(found, str) else None


def old_manifest(out: Path) -> dict[str, Any]:
    try:
        content = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def clear_store(out: Path, store_id: str, *, keep_tables: bool = False) -> None:
    """Take the manifest away first, so that nothing half-written looks whole; features stay
    where the data did."""
    same = old_manifest(out).get("store_id") == store_id
    forget(out)
    gone = () if keep_tables else ("tables", "quarantine")
    for name in (*gone, *(() if same else ("features",))):
        if (out / name).exists():
            shutil.rmtree(out / name)
