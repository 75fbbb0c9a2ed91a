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
ASKED = ".asked"
"""Beside a snapshot's manifest: touched whenever somebody asks for the snapshot."""
KEPT_DAYS, KEPT_MONTH_DAYS = 7, 40
"""How long a snapshot stays that nobody asks for; one of the first of a month, a date to train on, longer."""
SECONDS_PER_DAY = 86_400


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


def clear_store(out: Path, *, keep_tables: bool = False) -> None:
    """Take the manifest away first, so that nothing half-written looks whole; features stay, for those
    who ask for one look whether it still holds."""
    forget(out)
    for name in () if keep_tables else ("tables", "quarantine"):
        if (out / name).exists():
            shutil.rmtree(out / name)


def drop_unread(out: Path, now: float) -> None:
    """Remove the snapshots that nobody has asked for in so long that they only take space.

    Parameters
    ----------
    now : float
        Seconds since 1970-01-01 UTC.
    """
    for folder in (out / "features").glob("*/as_of=*"):
        days = KEPT_MONTH_DAYS if folder.name.endswith("-01") else KEPT_DAYS
        if now - last_asked(folder) > days * SECONDS_PER_DAY:
            (folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder)


def last_asked(snapshot: Path) -> float:
    """When it was written or last asked for, in seconds since 1970-01-01 UTC; 0 where it is not whole."""
    if not (snapshot / MANIFEST).is_file():
        return 0.0
    return max(path.stat().st_mtime for path in (snapshot / MANIFEST, snapshot / ASKED) if path.is_file())
