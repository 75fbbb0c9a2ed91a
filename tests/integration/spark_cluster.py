"""Real Spark processes on loopback: a standalone master, workers, a server of Spark Connect."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pyspark

BIN = Path(pyspark.__file__).parent / "bin"
DEPLOY = "org.apache.spark.deploy"
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
EXECUTOR = b"CoarseGrainedExecutorBackend"
DAEMON = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false"}
APART, HIDE = ("unshare", "--map-root-user", "--mount"), 'mount -t tmpfs none "$0" && exec "$@"'
"""A process with mounts of its own, where an empty folder lies over one that it shall not see."""
SECONDS = 300
"""After which a process that does not come up has failed to."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something; a test that waits in vain fails."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, f"waited for {what} in vain"
        time.sleep(0.05)


def can_hide() -> bool:
    """Whether this machine lets a process have mounts of its own."""
    return (
        shutil.which(APART[0]) is not None and subprocess.run([*APART, "true"], check=False).returncode == 0
    )


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid: int) -> dict[int, bytes]:
    """Command lines of all processes below one, by their ids."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                lines[int(entry.name)] = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
    below, found = {pid}, {}
    while fresh := {child for child, parent in parents.items() if parent in below} - below:
        below |= fresh
        found |= {child: lines[child] for child in fresh}
    return found


class Cluster:
    """A standalone master; workers of one core come and go. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def __enter__(self) -> "Cluster":
        web = str(free_port())
        words = [f"{DEPLOY}.master.Master", "--host", "127.0.0.1", "--port", str(self.port)]
        self.start("spark-class", *words, "--webui-port", web)
        until(lambda: listens(self.port), "a master")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes:
            kill(process.pid)
        for process in self.processes:
            process.wait()

    def start(self, program: str, *words: str, unseen: Path | None = None) -> subprocess.Popen[bytes]:
        """A process of Spark's own, to which a folder may be ``unseen``; what it says goes to a file."""
        hidden = [] if unseen is None else [*APART, "sh", "-c", HIDE, str(unseen)]
        with (self.folder / f"spark-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*hidden, str(BIN / program), *words],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={
                    **os.environ,
                    "SPARK_LOCAL_IP": "127.0.0.1",
                    **(DAEMON if program == "spark-class" else {}),
                },
            )
        self.processes.append(process)
        return process

    def add_worker(self, unseen: Path | None = None) -> None:
        port, web = str(free_port()), str(free_port())
        words = ["--host", "127.0.0.1", "--port", port, "--webui-port", web, "--cores", "1", "--memory", "1g"]
        work = ["--work-dir", str(self.folder / f"work-{port}")]
        program = ("spark-class", f"{DEPLOY}.worker.Worker", *words, *work, self.master)
        self.workers.append(self.start(*program, unseen=unseen))
        until(lambda: listens(int(port)), "a worker")

    def add_connect_server(self) -> str:
        """The address of a server that computes by itself."""
        port = free_port()
        settings = {
            "spark.connect.grpc.binding.port": port,
            "spark.connect.grpc.binding.address": "127.0.0.1",
        }
        words = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
        more = ["--master", "local[2]", "--driver-memory", "1g"]
        self.start("spark-submit", "--class", CONNECT, *words, *more, "spark-internal")
        until(lambda: listens(port), "a server of Spark Connect")
        return f"sc://127.0.0.1:{port}"

    def executors(self) -> list[int]:
        """Processes that compute for somebody now."""
        return [
            pid
            for worker in self.workers
            for pid, line in descendants(worker.pid).items()
            if EXECUTOR in line
        ]

    def lose_workers(self) -> None:
        for worker in self.workers:
            kill(worker.pid)
        self.workers.clear()


def kill(pid: int) -> None:
    """A process and all below it, at once."""
    for each in [pid, *descendants(pid)]:
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue
