"""One database of the log: connections, transactions, and what its troubles are called."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL
from sqlalchemy.schema import Table

from nbo.decisions.log.settings import VARIABLE, public_name
from nbo.errors import DataError, NboError, StorageError, UsageError

BUSY_SECONDS = 30
"""How long a writer of SQLite waits for another one."""

POSTGRESQL = {
    "connect_timeout": 5,
    "tcp_user_timeout": 30_000,
    "options": "-c statement_timeout=30000",
}
"""Connection parameters, unless the address says otherwise: nothing waits for ever."""

SQLITE_STEPS = {
    "SQLITE_FULL": "Free some space, run again",
    "SQLITE_BUSY": "Wait for the job that writes it, run again",
    "SQLITE_CANTOPEN": f"Create the folder, or name another file by {VARIABLE}",
    "SQLITE_NOTADB": f"Name another file by {VARIABLE}",
    "SQLITE_CORRUPT": "Restore it from a copy",
    "SQLITE_READONLY": "Make file and folder writable",
}
POSTGRESQL_STEP = f"See that the server runs and that {VARIABLE} is right, run again"
DENIED = ("42501", "42P01", "3F000")
"""States of a refusal that lies with the database and not with our SQL: a missing right, table, schema."""

WRITE = "nbo_write"

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database:
    """Runs work in a transaction; a trouble becomes one :class:`StorageError` line.

    Parameters
    ----------
    address : URL
        A checked address.
    """

    def __init__(self, address: URL) -> None:
        self.name = public_name(address)
        self.secret = address.password
        self.is_sqlite = address.drivername == "sqlite"
        self.engine = engine_of(address)
        self.writing = self.engine.execution_options(**{WRITE: True}, preserve_rowcount=True)

    def read(self, work: Work[T]) -> T:
        """Run work that changes nothing."""
        return self.run(self.engine, work, again=True)

    def write(self, work: Work[T], *, again: bool = True) -> T:
        """Run work in a transaction of its own, committed and on the disk when this returns.

        Parameters
        ----------
        work : callable
            Gets the connection; its result is returned.
        again : bool
            Whether the work may be run once more over a new connection where the first one broke. It
            may have been committed by then, so only for work that does the same when done twice.
        """
        return self.run(self.writing, work, again=again)

    def run(self, engine: Engine, work: Work[T], *, again: bool) -> T:
        with self.told_troubles():
            try:
                with engine.connect() as connection, connection.begin():
                    return work(connection)
            except exc.DBAPIError as error:
                if not (again and error.connection_invalidated):
                    raise
            with engine.connect() as connection, connection.begin():
                return work(connection)

    def insert(self, table: Table) -> Any:
        """An INSERT that leaves a row which is there already as it is."""
        if self.is_sqlite:
            return sqlite_insert(table).on_conflict_do_nothing()
        # The dialects of PostgreSQL take long to import, and few need them.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def told_troubles(self) -> Iterator[None]:
        """Turn what a database says into our errors; a mistake of ours passes as the defect it is."""
        try:
            yield
        except (exc.DataError, UnicodeEncodeError) as error:
            told = self.words(getattr(error, "orig", error))
            raise DataError(self.name, "values that a database can hold", told) from None
        except exc.TimeoutError:
            raise StorageError(f"{self.name}: every connection is in use", "Run again") from None
        except exc.DBAPIError as error:
            if (trouble := self.trouble(error)) is None:
                raise
            raise trouble from None

    def trouble(self, error: exc.DBAPIError) -> NboError | None:
        """The storage trouble behind an error, or None where our SQL is at fault."""
        state = getattr(error.orig, "sqlstate", None)
        if isinstance(error, exc.IntegrityError):
            return None
        if isinstance(error, exc.ProgrammingError) and state not in DENIED:
            return None
        said = self.words(error.orig)
        if not self.is_sqlite:
            return StorageError(f"{self.name}: {said}", POSTGRESQL_STEP)
        code = str(getattr(error.orig, "sqlite_errorname", ""))
        step = next((step for name, step in SQLITE_STEPS.items() if code.startswith(name)), None)
        return StorageError(f"{self.name}: {said}", step)

    def words(self, error: BaseException | None) -> str:
        """What the driver said, in one line and without the password."""
        line = " ".join(str(error).split())
        return line.replace(str(self.secret), "***") if self.secret else line


def engine_of(address: URL) -> Engine:
    """An engine whose connections are set up as the log needs them."""
    if address.drivername != "sqlite":
        parameters = {name: value for name, value in POSTGRESQL.items() if name not in address.query}
        try:
            return create_engine(
                address, connect_args=parameters, pool_pre_ping=True, isolation_level="READ COMMITTED"
            )
        except ModuleNotFoundError as error:
            raise UsageError(f"{address.drivername}: {error}", "Install nbo[postgres]") from None
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", set_up_sqlite)
    event.listen(engine, "begin", begin_sqlite)
    return engine


def set_up_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    # Python's driver begins transactions by guessing from the statement; begin_sqlite does it instead.
    connection.isolation_level = None
    use_write_ahead_log(connection)
    for setting in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}").close()


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Make a commit one append and one flush, for which readers need not wait."""
    given_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            # Of two that change the mode of a new file at once, SQLite refuses one without any waiting.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > given_up:
                raise
            time.sleep(0.01)
        else:
            return


def begin_sqlite(connection: Connection) -> None:
    # A writer that first reads and then asks for the lock can be refused without waiting.
    writes = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
