"""Snapshots that nobody asks for go, the others stay."""

import os
from pathlib import Path

from nbo.features.snapshots import ASKED, PART, drop_unread
from nbo.files import MANIFEST, lock

NOW = 1_700_000_000


def test_snapshots_stay_for_as_long_as_somebody_asks_for_them(tmp_path: Path) -> None:
    def kept(as_of: str, **days_ago: int) -> Path:
        folder = tmp_path / "features" / "abc" / f"as_of={as_of}"
        folder.mkdir(parents=True)
        for name, days in {"part": 0, **days_ago}.items():
            path = folder / {"part": PART, "manifest": MANIFEST, "asked": ASKED}[name]
            path.write_text("{}")
            os.utime(path, (NOW, NOW - days * 86_400))
        return folder

    stay = [kept("2024-03-05", manifest=6), kept("2024-03-06", manifest=90, asked=6)]
    stay.append(kept("2024-03-01", manifest=39))
    go = [kept("2024-03-04", manifest=8), kept("2024-02-01", manifest=90, asked=41), kept("2024-03-03")]
    drop_unread(tmp_path, NOW)
    assert all((folder / PART).exists() for folder in stay)
    assert [folder for folder in go if folder.exists()] == []
    drop_unread(tmp_path / "without snapshots", NOW)


def test_what_a_killed_build_left_goes_and_what_a_build_needs_stays(tmp_path: Path) -> None:
    folder = tmp_path / "features" / "abc" / "as_of=2024-03-05"
    left = folder.with_name(f".{folder.name}.spill")
    (left / "0").mkdir(parents=True)
    with lock(folder):
        drop_unread(tmp_path, NOW)
        assert left.is_dir()
    drop_unread(tmp_path, NOW)
    assert not left.exists()
