"""The engine for data that outgrow one machine: Apache Spark, which runs the same SQL text.

It comes with the extra ``nbo[spark]`` and, but for a Spark Connect server, needs Java. On a cluster every
worker must see the store's files under the same paths.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from nbo.engine.embedded import portable
from nbo.engine.place import SparkPlace
from nbo.engine.trouble import (
    after,
    limited,
    refuse_silent,
    told_spark_errors,
    too_long,
    unanswered,
    without_break,
)
from nbo.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Spark"]

QUERIES = {"spark.sql.ansi.enabled": "true", "spark.sql.session.timeZone": "UTC"}
"""What every query needs, wherever it runs."""
OWN = {
    "spark.log.level": "OFF",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
    # Every join of the last stage keeps a page; Spark's own size would be more than there is.
    "spark.buffer.pageSize": "2m",
}
"""What a session of our own is told."""
MEMORY = "2g"
"""Memory of the driver, where neither ``[spark.conf]`` nor the environment (``NBO_SPARK_MEMORY``) says."""


class Spark:
    """A Spark session; use it as a context manager.

    Parameters
    ----------
    place : SparkPlace
        The master, how long it is waited for, and Spark's settings.
    scratch : Path
        Where Spark keeps what does not fit its memory.

    Raises
    ------
    UsageError
        If pyspark is not installed.
    StorageError
        If Java is missing, the master does not answer in time, or has no worker for us.
    """

    def __init__(self, place: SparkPlace, scratch: Path) -> None:
        self._place = place
        self._session = connected(place) if place.connects else launched(place, scratch)
        try:
            with self._watched():
                self._session.range(1).count()
        except Exception:
            self._stop()
            raise

    def __enter__(self) -> "Spark":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def view(self, name: str, files: Sequence[Path], missing: Mapping[str, str] | None = None) -> None:
        """Make Parquet files readable under a table name; as :meth:`Embedded.view`."""
        nulls = [f"CAST(NULL AS {portable(kind)}) AS `{column}`" for column, kind in (missing or {}).items()]
        with self._watched():
            if files:
                self._session.read.parquet(*(str(path) for path in files)).createOrReplaceTempView(
                    f"{name}_files"
                )
                source = f"{name}_files"
            else:
                source = "(SELECT 1) WHERE FALSE"
            chosen = ", ".join(["*", *nulls] if files else nulls)
            self._session.sql(f"SELECT {chosen} FROM {source}").createOrReplaceTempView(name)

    def query(self, sql: str) -> pa.Table:
        """The whole result as an Arrow table."""
        with self._watched():
            return self._session.sql(sql).toArrow()

    def batches(self, sql: str, folder: Path, rows: int) -> Iterator[pa.Table]:
        """The result in its order, some rows at a time; the workers write it, this process reads it.

        Parameters
        ----------
        sql : str
            Ends with an ORDER BY.
        folder : Path
            A folder that the workers and this process see; it must not exist yet.
        rows : int
            Of a batch, at most.
        """
        with self._watched():
            self._session.sql(sql).write.parquet(str(folder))
        # A sorted result is written range after range: the files' names are in its order.
        for path in sorted(folder.glob("part-*.parquet")):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=rows):
                    yield pa.Table.from_batches([batch])

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Errors in one line, and an end to waiting for workers that never come."""
        where = f"Spark at {self._place.master}"
        late = f"no worker for {self._place.wait_seconds} seconds (wait_seconds of [spark] in nbo.toml)"
        if self._place.is_local or self._place.connects:
            # A server of Spark Connect does not tell of its workers.
            with told_spark_errors(where):
                yield
            return
        context = self._session.sparkContext
        tracker = context.statusTracker()

        def alone() -> bool:
            # The driver is counted among the executors.
            return len(tracker.getExecutorInfos()) <= 1

        wait = without_break(self._place.wait_seconds, alone)
        with limited(context.cancelAllJobs, wait) as limit, told_spark_errors(where, limit, late):
            yield

    def _stop(self) -> None:
        # One that broke has nothing left to stop.
        with suppress(Exception):
            self._session.stop()


def launched(place: SparkPlace, scratch: Path) -> "SparkSession":
    """A session of our own, with its driver in a Java process beside this one."""
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession
    except ImportError:
        raise not_installed() from None
    if place.master.startswith("spark://"):
        refuse_silent(place)
    memory = os.environ.get("NBO_SPARK_MEMORY", MEMORY)
    settings = {
        **OWN,
        "spark.driver.memory": memory,
        "spark.local.dir": str(scratch),
        **place.settings,
        **QUERIES,
        "spark.app.name": "nbo",
        "spark.master": place.master,
    }
    where = f"Spark at {place.master}"
    with told_spark_errors(where):
        # Java is started before the master's time begins.
        conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
        SparkContext._ensure_initialized(conf=conf)
    gateway: Any = SparkContext._gateway

    def give_up() -> None:
        gateway.proc.kill()

    try:
        with (
            limited(give_up, after(place.wait_seconds)) as limit,
            told_spark_errors(where, limit, too_long(place)),
        ):
            return SparkSession.builder.config(conf=conf).getOrCreate()
    finally:
        if limit.passed.is_set():
            SparkContext._gateway = SparkContext._jvm = None


def connected(place: SparkPlace) -> Any:
    """A session on a server of Spark Connect."""
    # Its bridge tells of each attempt; the error at the end says it all.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        import grpc
        from pyspark.sql.connect.client.core import DefaultChannelBuilder
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession
    except ImportError:
        raise not_installed() from None
    refuse_silent(place)
    with told_spark_errors(f"Spark at {place.master}"):
        channel = DefaultChannelBuilder(place.master).toChannel()
        try:
            grpc.channel_ready_future(channel).result(timeout=place.wait_seconds)
        except grpc.FutureTimeoutError:
            raise unanswered(place, too_long(place)) from None
        finally:
            channel.close()
        builder = SparkSession.builder.remote(place.master)
        for name, value in {**place.settings, **QUERIES}.items():
            builder = builder.config(name, value)
        session = builder.create()
        # Eight attempts, a quarter of the time at most between two.
        session.client.set_retry_policies(
            [DefaultPolicy(max_retries=8, max_backoff=250 * place.wait_seconds)]
        )
    return session


def not_installed() -> UsageError:
    return UsageError("--engine spark: expected pyspark, which is not installed", "pip install nbo[spark]")
