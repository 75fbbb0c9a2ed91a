"""A simulation that is killed or runs out of disk leaves nothing that looks complete, and can start again."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nbo.files import sha256_file

ACCOUNTS = ("--accounts", "6000", "--months", "3", "--workers", "2", "--seed", "2")
LIMIT = 64 * 1024


def words(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "nbo", "simulate", "--out", str(out), *more]


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something comes true in good time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def running(process: int) -> bool:
    """Whether a process is there and does more than wait to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def digests(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the processes of Linux")
def test_killed_it_leaves_no_world_and_no_process_and_a_rerun_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "raw"
    with subprocess.Popen(words(out, *ACCOUNTS), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as job:
        assert wait_for(lambda: any(tmp_path.glob(".raw.partial-*/calls/*.parquet")))
        workers = children(job.pid)
        job.kill()
    assert len(workers) >= 2 and not out.exists()
    assert wait_for(lambda: not any(running(worker) for worker in workers))
    small = ("--accounts", "300", "--months", "1", "--seed", "2")
    subprocess.run(words(out, *small), check=True, capture_output=True)
    assert not list(tmp_path.glob(".raw.partial-*"))
    subprocess.run(words(tmp_path / "again", *small), check=True, capture_output=True)
    assert digests(out) == digests(tmp_path / "again")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_disk_that_is_full_is_one_line(tmp_path: Path, small_files: dict[str, str], workers: str) -> None:
    """A limit on the size of files stands for the disk: the write fails in the same place."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    told = subprocess.run(
        words(tmp_path / "raw", "--accounts", "2100", "--months", "1", "--workers", workers),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
        env=small_files,
    )
    lines = [line for line in told.stderr.splitlines() if line.startswith("nbo: ")]
    assert told.returncode == 2, told.stderr
    assert len(lines) == 1 and "raw" in lines[0] and "Traceback" not in told.stderr
    assert not (tmp_path / "raw").exists() and not list(tmp_path.glob(".raw.partial-*"))


def test_workers_below_one_are_refused(tmp_path: Path) -> None:
    told = subprocess.run(
        words(tmp_path / "raw", "--workers", "0"), capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert told.stderr.strip() == "nbo: workers: expected 1 or above, got 0."
