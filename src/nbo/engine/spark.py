"""The engine for data that outgrow one machine: Apache Spark, which runs the same SQL text.

It comes with the extra ``nbo[spark]`` and needs Java. On a cluster every worker must see the store's files
under the same paths.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from nbo.engine.embedded import portable
from nbo.errors import StorageError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["LOCAL", "Spark"]

LOCAL = "local[*]"
"""The master that is this machine, all its processors."""
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalogImplementation": "in-memory",
}
MEMORY = "2g"
"""Memory of the driver, where the environment does not say otherwise (``NBO_SPARK_MEMORY``)."""


class Spark:
    """A Spark session; use it as a context manager.

    Parameters
    ----------
    master : str
        ``local[*]``, ``spark://HOST:PORT``, ``yarn`` or ``k8s://...``.
    scratch : Path
        Where Spark keeps what does not fit its memory.

    Raises
    ------
    UsageError
        If pyspark is not installed.
    StorageError
        If Java is missing or the master does not answer.
    """

    def __init__(self, master: str, scratch: Path) -> None:
        self._session = started(master, scratch)

    def __enter__(self) -> "Spark":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.stop()

    def view(self, name: str, files: Sequence[Path], missing: Mapping[str, str] | None = None) -> None:
        """Make Parquet files readable under a table name; as :meth:`Embedded.view`."""
        nulls = [f"CAST(NULL AS {portable(kind)}) AS `{column}`" for column, kind in (missing or {}).items()]
        with told_spark_errors():
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
        with told_spark_errors():
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
        with told_spark_errors():
            self._session.sql(sql).write.parquet(str(folder))
        # A sorted result is written range after range: the files' names are in its order.
        for path in sorted(folder.glob("part-*.parquet")):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=rows):
                    yield pa.Table.from_batches([batch])


def started(master: str, scratch: Path) -> "SparkSession":
    """A session on a master."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise UsageError(
            "--engine spark: expected pyspark, which is not installed", "pip install nbo[spark]"
        ) from None
    memory = os.environ.get("NBO_SPARK_MEMORY", MEMORY)
    builder = SparkSession.builder.appName("nbo").master(master).config("spark.driver.memory", memory)
    for name, value in {**SETTINGS, "spark.local.dir": str(scratch)}.items():
        builder = builder.config(name, value)
    with told_spark_errors(f"Spark at {master}"):
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
    return session


@contextmanager
def told_spark_errors(where: str = "Spark") -> Iterator[None]:
    """Turn what Spark and the bridge to it raise into one :class:`StorageError` line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in lines if "Exception" not in line and "Traceback" not in line), "failed")
        raise StorageError(
            f"{where}: {told}", "See that Java is there and that the master answers"
        ) from error
