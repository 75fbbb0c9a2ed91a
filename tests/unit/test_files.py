"""Files are whole or absent."""

import errno
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nbo.errors import BusyError, DataError, StorageError
from nbo.files import (
    canonical_json,
    damaged_files,
    lock,
    read_manifest,
    sha256_bytes,
    sha256_file,
    staged_folder,
    storage_error,
    write_atomic,
    write_manifest,
)


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_staged_folder_replaces_the_old_one_only_when_all_went_well(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with staged_folder(target) as stage:
        (stage / "a").write_text("1")
    with pytest.raises(ValueError, match="half way"), staged_folder(target) as stage:
        (stage / "b").write_text("2")
        raise ValueError("half way")
    assert [p.name for p in target.iterdir()] == ["a"]
    with staged_folder(target) as stage:
        (stage / "c").write_text("3")
    assert [p.name for p in target.iterdir()] == ["c"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_killed_writer_leaves_no_target_and_its_leftovers_are_swept(tmp_path: Path) -> None:
    target = tmp_path / "out"
    code = f"""
        import os, signal
        from pathlib import Path
        from nbo.files import staged_folder
        with staged_folder(Path({str(target)!r})) as stage:
            (stage / "half").write_text("x")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not target.exists()
    assert len(list(tmp_path.iterdir())) == 1
    with staged_folder(target) as stage:
        (stage / "whole").write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_second_holder_is_told_at_once(tmp_path: Path) -> None:
    with lock(tmp_path / "out"):
        with (
            pytest.raises(BusyError, match=r"out: another job is writing it\. Wait for it"),
            lock(tmp_path / "out"),
        ):
            pass
    with lock(tmp_path / "out"):
        pass


def test_manifests_find_damage(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"data")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "part").write_bytes(b"more")
    write_manifest(tmp_path, {"kind": "test"})
    manifest = read_manifest(tmp_path, "Run it again")
    assert manifest["files"] == {
        "part": sha256_bytes(b"data"),
        "sub/part": sha256_file(tmp_path / "sub" / "part"),
    }
    assert damaged_files(tmp_path, manifest) == []
    (tmp_path / "part").write_bytes(b"Data")
    (tmp_path / "sub" / "part").unlink()
    assert damaged_files(tmp_path, manifest) == ["part", "sub/part"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "expected a folder with MANIFEST.json, got none"),
        ("{", "expected readable JSON"),
        ("[]", "expected a JSON object, got list"),
    ],
)
def test_a_manifest_that_is_missing_or_broken_says_what_to_run(
    tmp_path: Path, content: str | None, text: str
) -> None:
    if content is not None:
        (tmp_path / "MANIFEST.json").write_text(content)
    with pytest.raises(DataError, match=rf"{text}.*Run it again\."):
        read_manifest(tmp_path, "Run it again")


def test_storage_errors_are_told_in_one_line(tmp_path: Path) -> None:
    full = storage_error(OSError(errno.ENOSPC, "No space left on device"), tmp_path)
    assert str(full).endswith("no space left on the device. Free some space, run again.")
    denied = storage_error(OSError(errno.EACCES, "Permission denied"), tmp_path)
    assert "not writable" in str(denied)
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(StorageError, match="file/below: File exists"):
        write_atomic(blocker / "below", "x")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, small_files: dict[str, str]) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    code = f"""
        import resource, signal
        from pathlib import Path
        from nbo.files import write_atomic
        from nbo.errors import StorageError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_atomic(Path({str(path)!r}), b"x" * 5000)
        except StorageError as error:
            print(error)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        env=small_files,
    )
    assert "File too large" in ended.stdout
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical_json({"b": 1, "a": "中"}) == canonical_json({"a": "中", "b": 1}) == '{"a":"中","b":1}'
    assert json.loads(canonical_json({"a": [1]})) == {"a": [1]}
