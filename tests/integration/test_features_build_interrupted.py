"""Building features on a full disk, twice at once, and killed: whole or absent, and the same again."""

import contextlib
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbo.errors import DataError
from nbo.features import compile_features
from nbo.features.snapshots import PART, features_folder
from nbo.files import MANIFEST, read_manifest
from nbo.tables.store import Store
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
Nbo = Callable[..., Any]
DATE = "2024-11-01"
BY_PASS = "from nbo.features import sweep; sweep.SWEEP_ROWS = 0"
"""As a store with many more rows is built."""
LIMITED = """
import resource, signal, sys
from nbo.cli.app import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.exit(run(sys.argv[1:]))
"""
BUILD = "import sys; from nbo.cli.app import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture
def own_store(store: Path, tmp_path: Path) -> Path:
    """The store without any features built."""
    return Path(shutil.copytree(store, tmp_path / "store", ignore=shutil.ignore_patterns("features")))


def target(own_store: Path) -> Path:
    """Where the snapshot of the date lies once it is whole."""
    opened = Store.open(own_store)
    compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
    return features_folder(opened, compiled, opened.as_of(DATE))


def words(own_store: Path) -> list[str]:
    return ["features", "build", "--store", str(own_store), "--as-of", DATE]


def started(code: str, own_store: Path, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *words(own_store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=env,
    )


WRITES, SWEEPS = "partial-*/" + PART, "spill/0/*"
"""Where a builder's files lie that writes the snapshot, and that makes its pass."""


@pytest.fixture(params=[(BUILD, WRITES), (f"{BY_PASS}; {BUILD}", SWEEPS), (f"{BY_PASS}; {BUILD}", WRITES)])
def builder(own_store: Path, request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    """A builder that has begun its work; the test may stop or kill it."""
    code, file = request.param
    process = started(code, own_store)
    folder = target(own_store)
    while not list(folder.parent.glob(f".{folder.name}.{file}")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    yield process
    for send in (signal.SIGKILL, signal.SIGCONT):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(send)
    process.communicate()


def nothing_whole(folder: Path) -> None:
    """No reader takes what is there for a snapshot."""
    assert not folder.exists()
    with pytest.raises(DataError, match=r"expected a folder with MANIFEST\.json, got none"):
        read_manifest(folder, "Build")


@pytest.mark.parametrize("first", ["", BY_PASS])
def test_a_disk_that_takes_no_more_is_told_in_one_line_and_leaves_nothing(
    own_store: Path, nbo: Nbo, small_files: dict[str, str], first: str
) -> None:
    """A limit on the size of files stands for a disk that fills up."""
    folder = target(own_store)
    ended = started(f"{first}\n{LIMITED}", own_store, small_files)
    out, err = ended.communicate()
    assert (ended.returncode, out) == (2, ""), err
    [line] = err.splitlines()
    assert line.startswith(f"nbo: {folder}: ") and line.endswith("File too large.")
    nothing_whole(folder)
    assert [path.name for path in folder.parent.iterdir()] == [f".{folder.name}.lock"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert nbo(*words(own_store), cwd=ROOT).code == 0


def test_of_two_builders_one_is_told_that_the_other_is_at_work_and_that_one_completes(
    own_store: Path, builder: "subprocess.Popen[str]", nbo: Nbo
) -> None:
    folder = target(own_store)
    builder.send_signal(signal.SIGSTOP)
    second = nbo(*words(own_store), cwd=ROOT)
    assert second.code == 75 and second.out == ""
    assert second.err == f"nbo: {folder}: another job is writing it. Wait for it, or choose another --out.\n"
    nothing_whole(folder)
    builder.send_signal(signal.SIGCONT)
    out, err = builder.communicate()
    assert builder.returncode == 0, err
    assert str(folder) in out
    assert nbo(*words(own_store), cwd=ROOT).code == 0


def test_a_killed_builder_leaves_nothing_that_reads_as_whole_and_a_rerun_gives_the_same(
    own_store: Path, builder: "subprocess.Popen[str]", nbo: Nbo, tmp_path: Path
) -> None:
    folder = target(own_store)
    builder.send_signal(signal.SIGKILL)
    builder.communicate()
    assert builder.returncode == -signal.SIGKILL
    nothing_whole(folder)
    left = [*folder.parent.glob(f".{folder.name}.partial-*"), *folder.parent.glob(f".{folder.name}.spill")]
    assert left, "it was killed while it wrote"
    assert nbo(*words(own_store), cwd=ROOT).code == 0
    assert not [path for path in left if path.exists()]
    apart = Path(shutil.copytree(own_store, tmp_path / "apart", ignore=shutil.ignore_patterns("features")))
    assert nbo(*words(apart), cwd=ROOT).code == 0
    for name in (PART, MANIFEST):
        assert (folder / name).read_bytes() == (target(apart) / name).read_bytes()
