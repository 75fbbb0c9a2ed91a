"""A scoring job killed at any moment leaves nothing that a rerun does not put right."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbo.bundle import Releases
from nbo.decisions.scoring import score_accounts
from nbo.decisions.settings import ValueSettings
from nbo.files import MANIFEST, damaged_files, read_manifest
from nbo.keys import bundle_key
from nbo.tables.store import Store

JOB = """
import sys
from pathlib import Path
from nbo.bundle import Releases
from nbo.decisions.scoring import score_accounts
from nbo.decisions.settings import ValueSettings
from nbo.keys import bundle_key
from nbo.tables.store import Store
workspace, store, out = map(Path, sys.argv[1:])
tables, bundle = Store.open(store), Releases(workspace).load("churn", bundle_key(workspace))
print("ready", flush=True)
for line in sys.stdin:  # one date a line; a child of its own for each, so that imports are paid once
    import os
    child = os.fork()
    if child == 0:
        score_accounts(tables, bundle, tables.as_of(line.strip()), out, ValueSettings(), threads=1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def job(released: Path, own_store: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that scores a date in a child for each line it reads."""
    words = [sys.executable, "-c", JOB, str(released), str(own_store), str(tmp_path / "killed")]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads do not survive a fork
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=one_thread
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def own_store(store: Path, tmp_path: Path) -> Path:
    """The store without any features built, so that a kill can hit their building too."""
    return Path(shutil.copytree(store, tmp_path / "store", ignore=shutil.ignore_patterns("features")))


def scored(process: "subprocess.Popen[str]", date: str, kill_after: float | None) -> int:
    """Score a date in a child; returns how the child ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{date}\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    if kill_after is not None:
        time.sleep(kill_after)
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(child, signal.SIGKILL)
    return int(process.stdout.readline())


def whole_or_absent(folder: Path) -> None:
    if folder.exists():
        assert damaged_files(folder, read_manifest(folder, "")) == []


def test_killed_at_any_moment_a_rerun_gives_what_an_undisturbed_run_gives(
    job: "subprocess.Popen[str]", released: Path, own_store: Path, tmp_path: Path
) -> None:
    store, bundle = Store.open(own_store), Releases(released).load("churn", bundle_key(released))
    as_of = store.as_of("2024-11-01")
    started = time.monotonic()
    undisturbed = score_accounts(store, bundle, as_of, tmp_path / "undisturbed", ValueSettings())
    took = time.monotonic() - started
    features = own_store / "features"
    folder = tmp_path / "killed" / f"as_of={as_of}"
    draw = random.Random(20)
    moments = [0.02, *(draw.random() for _ in range(5))]
    killed = 0
    for turn, moment in enumerate(moments):
        if turn % 2 == 0:
            shutil.rmtree(features, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        killed += os.WIFSIGNALED(scored(job, str(as_of), kill_after=moment * took))
        whole_or_absent(folder)
        assert scored(job, str(as_of), kill_after=None) == 0
        again = score_accounts(store, bundle, as_of, folder.parent, ValueSettings())
        assert not again.written  # the rerun had left it whole
        assert again.manifest == undisturbed.manifest
        assert (folder / MANIFEST).read_bytes() == (undisturbed.folder / MANIFEST).read_bytes()
    assert killed > 0
    assert not list(folder.parent.glob("*partial*"))
    assert not list(folder.parent.glob(".*partial*"))
