"""A standalone cluster and Spark Connect: the same values, and one clear line where the place is at fault."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbo.engine import SparkPlace
from nbo.features import compile_features
from nbo.features.build import build_features, feature_rows
from nbo.features.snapshots import features_folder
from nbo.files import MANIFEST
from nbo.tables.store import Store
from nbo.workspace import Workspace
from tests.integration.test_spark import same_on, unequal

pytestmark = pytest.mark.needs("spark")
pytest.importorskip("pyspark")

from tests.integration.spark_cluster import Cluster, can_hide, free_port, until  # noqa: E402

SMALL = {
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "4",
}
WAIT = 40
"""Seconds without a worker: more than a driver takes to come up where the machine is busy."""
SETTINGS = "\n".join(f'"{name}" = "{value}"' for name, value in SMALL.items())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master with two workers of one core."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.add_worker()
        made.add_worker()
        yield made


class Builder:
    """``nbo features build`` on a master as a process of its own, over a store of its own."""

    def __init__(self, store: Path, folder: Path, master: str, wait_seconds: int = 60) -> None:
        self.store = folder / "store"
        shutil.copytree(store, self.store, ignore=shutil.ignore_patterns("features"))
        (folder / "nbo.toml").write_text(
            f'[spark]\nmaster = "{master}"\nwait_seconds = {wait_seconds}\n\n[spark.conf]\n{SETTINGS}\n'
        )
        opened = Store.open(self.store)
        self.as_of = opened.latest.back(45)
        compiled = compile_features(Workspace.find(folder).feature_sets("offers"))
        self.snapshot = features_folder(opened, compiled, self.as_of)
        words = ["features", "build", "--store", str(self.store), "--set", "offers"]
        self.command = [sys.executable, "-m", "nbo", *words, "--as-of", str(self.as_of), "--engine", "spark"]
        self.folder = folder
        self.opened, self.compiled = opened, compiled

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, cwd=self.folder, text=True, stderr=subprocess.PIPE)

    def computing(self) -> bool:
        """Whether workers write the rows."""
        return any(self.snapshot.parent.rglob("rows/_temporary"))

    def built_as_expected(self) -> bool:
        expected = feature_rows(self.opened, self.compiled, self.as_of)
        snapshot = build_features(self.opened, self.compiled, self.as_of)
        return unequal(expected, snapshot.read()) == []


def told(stderr: str) -> str:
    """The last line, which must be the only one of ours."""
    assert stderr.count("nbo: ") == 1, stderr
    return stderr.strip().splitlines()[-1]


def test_every_declared_feature_is_the_same_on_a_standalone_cluster(
    store: Path, cluster: Cluster, tmp_path: Path
) -> None:
    same_on(SparkPlace(master=cluster.master, conf=SMALL), store, tmp_path)


def test_every_declared_feature_is_the_same_over_spark_connect(store: Path, tmp_path: Path) -> None:
    with Cluster(tmp_path) as server:
        address = server.add_connect_server()
        same_on(SparkPlace(master=address), store, tmp_path)
        builder = Builder(store, tmp_path, address)
        builder_process = builder.start()
        assert builder_process.wait() == 0
        assert builder.built_as_expected()


def test_a_worker_killed_while_it_computes_changes_nothing(
    store: Path, cluster: Cluster, tmp_path: Path
) -> None:
    builder = Builder(store, tmp_path, cluster.master)
    process = builder.start()
    until(lambda: builder.computing() and bool(cluster.executors()), "an executor at work")
    os.kill(cluster.executors()[0], signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert (builder.snapshot / MANIFEST).is_file() and builder.built_as_expected()


def test_a_builder_killed_while_its_workers_compute_leaves_nothing_that_is_read(
    store: Path, cluster: Cluster, tmp_path: Path
) -> None:
    builder = Builder(store, tmp_path, cluster.master)
    process = builder.start()
    until(builder.computing, "workers that write")
    process.kill()
    process.communicate()
    assert not builder.snapshot.exists()
    again = builder.start()
    _, err = again.communicate()
    assert again.returncode == 0, err
    assert builder.built_as_expected()


def test_workers_that_are_all_lost_end_the_build_with_one_line(store: Path, tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.add_worker()
        builder = Builder(store, tmp_path, cluster.master, wait_seconds=WAIT)
        process = builder.start()
        until(builder.computing, "workers that write")
        cluster.lose_workers()
        _, err = process.communicate()
    assert process.returncode == 2
    assert f"Spark at {cluster.master}: no worker for {WAIT} seconds" in told(err)
    assert not builder.snapshot.exists()


@pytest.mark.skipif(not can_hide(), reason="no process may have mounts of its own here")
def test_a_worker_that_does_not_see_the_store_ends_the_build_with_one_line(
    store: Path, tmp_path: Path
) -> None:
    with Cluster(tmp_path) as cluster:
        builder = Builder(store, tmp_path, cluster.master)
        cluster.add_worker(unseen=builder.store)
        process = builder.start()
        _, err = process.communicate()
    assert process.returncode == 2
    assert "Every worker must see the store under the same path" in told(err)
    assert not builder.snapshot.exists()


def test_a_master_without_workers_is_one_line(store: Path, tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        process = Builder(store, tmp_path, cluster.master, wait_seconds=WAIT).start()
        _, err = process.communicate()
    assert process.returncode == 2
    assert f"Spark at {cluster.master}: no worker for {WAIT} seconds" in told(err)


@pytest.mark.parametrize("scheme", ["spark", "sc"])
def test_a_master_that_says_nothing_is_one_line(store: Path, tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        master = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}"
        process = Builder(store, tmp_path, master, wait_seconds=3).start()
        _, err = process.communicate()
    assert process.returncode == 2
    assert f"Spark at {master}: no answer within 3 seconds" in told(err)


@pytest.mark.parametrize("scheme", ["spark", "sc"])
def test_an_address_where_nothing_listens_is_one_line(store: Path, tmp_path: Path, scheme: str) -> None:
    master = f"{scheme}://127.0.0.1:{free_port()}"
    process = Builder(store, tmp_path, master).start()
    _, err = process.communicate()
    assert process.returncode == 2
    assert told(err).startswith(f"nbo: Spark at {master}: Connection refused")


def test_a_host_that_does_not_exist_is_one_line(store: Path, tmp_path: Path) -> None:
    process = Builder(store, tmp_path, "spark://no-such-host.invalid:7077").start()
    _, err = process.communicate()
    assert process.returncode == 2
    assert told(err).startswith("nbo: Spark at spark://no-such-host.invalid:7077: ")
