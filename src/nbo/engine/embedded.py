"""The default engine: DuckDB inside the process."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from nbo.errors import NboError, StorageError

BATCH_MEMORY = "1536MiB"
"""Memory limit of a batch over all accounts; beyond it the engine works on the disk."""


class Embedded:
    """A private DuckDB connection; use it as a context manager.

    Parameters
    ----------
    threads : int or None
        Worker threads; None = all cores.
    memory_limit : str or None
        Such as ``"2GiB"``; beyond it the engine spills to ``spill_folder``.
    spill_folder : Path or None
        Where it spills; None = the system's temporary folder.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        spill_folder: Path | None = None,
    ) -> None:
        self._connection = duckdb.connect(":memory:")
        self.execute("SET enable_progress_bar = false")
        self.execute("SET TimeZone = 'UTC'")
        self.execute("SET autoinstall_known_extensions = false")
        # A table name must never be taken for a variable of the calling code.
        self.execute("SET python_enable_replacements = false")
        if threads is not None:
            self.execute(f"SET threads = {int(threads)}")
        if memory_limit is not None:
            self.execute(f"SET memory_limit = {literal(memory_limit)}")
        if spill_folder is not None:
            self.execute(f"SET temp_directory = {literal(str(spill_folder))}")

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def view(self, name: str, files: Sequence[Path], missing: Mapping[str, str] | None = None) -> None:
        """Make Parquet files readable under a table name.

        Parameters
        ----------
        name : str
        files : sequence of Path
            Parts of one schema; none = an empty table of the missing columns.
        missing : mapping of str to str or None
            SQL types of columns that the files do not have; they read as null.
        """
        nulls = [f"CAST(NULL AS {kind}) AS {identifier(column)}" for column, kind in (missing or {}).items()]
        chosen = ", ".join(["*", *nulls] if files else nulls)
        paths = ", ".join(literal(str(path)) for path in files)
        source = f"read_parquet([{paths}], hive_partitioning = false)" if files else "(SELECT 1) WHERE FALSE"
        self.execute(f"CREATE OR REPLACE VIEW {identifier(name)} AS SELECT {chosen} FROM {source}")

    def register(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table readable under a name."""
        self._connection.register(name, table)

    def execute(self, sql: str) -> None:
        """Run a statement for its effect."""
        with told_engine_errors():
            self._connection.execute(sql)

    def query(self, sql: str) -> pa.Table:
        """The whole result as an Arrow table."""
        with told_engine_errors():
            return self._connection.sql(sql).to_arrow_table()

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The result so many rows at a time, never whole in memory."""
        with told_engine_errors():
            yield from self._connection.sql(sql).to_arrow_reader(rows)

    def value(self, sql: str) -> object:
        """The single value of a one-row, one-column result."""
        with told_engine_errors():
            rows = self._connection.execute(sql).fetchall()
        return rows[0][0] if rows else None

    def write_parquet(self, sql: str, path: Path, *, options: str = "", nullable: bool = False) -> None:
        """Write a query's result to one Parquet file, or to a folder with ``PARTITION_BY``.

        Parameters
        ----------
        nullable : bool
            Whether the file says of every column that it may be null. Otherwise it says so where the
            query's sources have a null, so that the same rows from other sources make another file.
        """
        extra = f", {options}" if options else ""
        copy = f"COPY ({sql}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd{extra})"
        if not nullable:
            return self.execute(copy)
        self.execute("SET disabled_optimizers = 'statistics_propagation'")
        try:
            self.execute(copy)
        finally:
            self.execute("RESET disabled_optimizers")


class told_engine_errors:  # noqa: N801 - reads as a verb at its call sites
    """Turn the engine's out-of-space and out-of-memory errors into one :class:`StorageError`."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, duckdb.Error):
            told = storage_trouble(error)
            if told is not None:
                raise told from error


def storage_trouble(error: duckdb.Error) -> NboError | None:
    text = str(error)
    if "No space left" in text:
        return StorageError("no space left on the device", "Free some space, run again")
    if "File too large" in text:
        return StorageError("a file grew beyond what the system allows", "Raise its limit, run again")
    if isinstance(error, duckdb.OutOfMemoryException):
        return StorageError("the engine ran out of memory", "Raise the memory limit or free memory")
    return None


def portable(sql_type: str) -> str:
    """The name by which every engine knows a type of the contracts.

    Examples
    --------
    >>> portable("VARCHAR"), portable("BIGINT")
    ('STRING', 'BIGINT')
    """
    return "STRING" if sql_type == "VARCHAR" else sql_type


def literal(text: str) -> str:
    """A SQL string literal.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier.

    Examples
    --------
    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'
