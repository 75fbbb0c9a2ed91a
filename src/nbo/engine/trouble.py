"""What can go wrong with a Spark, in bounded time and in one line."""

import logging
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from nbo.engine.place import SparkPlace
from nbo.errors import StorageError

POLL_SECONDS = 1.0
UNSEEN = ("FileNotFoundException", "PATH_NOT_FOUND", "FAILED_READ_FILE")
"""What Spark says where a worker does not see a file."""


LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "pyspark.sql.connect.logging")
"""They write what is raised, with all of Java's stack, on stderr."""


class Limit:
    """Whether time ran out for what was waited for."""

    def __init__(self) -> None:
        self.passed = threading.Event()
        self.done = threading.Event()


@contextmanager
def limited(act: Callable[[], object], lasts: Callable[[float], bool]) -> Iterator[Limit]:
    """Do something from beside as soon as a wait has lasted too long.

    Parameters
    ----------
    act : callable
        Ends the wait, so that the code within raises; what it raises itself is dropped.
    lasts : callable
        Told every second how many seconds passed since the last time; True where the wait must end.
    """
    limit = Limit()

    def look() -> None:
        while not limit.done.wait(POLL_SECONDS):
            if lasts(POLL_SECONDS):
                limit.passed.set()
                # What is ended may just have ended by itself.
                with suppress(Exception):
                    act()
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield limit
    finally:
        limit.done.set()


def after(seconds: float) -> Callable[[float], bool]:
    """True once so much time has passed in all."""
    return without_break(seconds, lambda: True)


def without_break(seconds: float, waits: Callable[[], bool]) -> Callable[[float], bool]:
    """True once something was so for so long without a break."""
    passed = 0.0

    def look(more: float) -> bool:
        nonlocal passed
        passed = passed + more if waits() else 0.0
        return passed >= seconds

    return look


def refuse_silent(place: SparkPlace) -> None:
    """Refuse a master at whose address nothing listens, before Java is started for it."""
    heads = [part for part in place.master.split("://", 1)[1].split(";")[0].split(",") if part]
    told = "no address"
    for head in heads:
        address = urlsplit(f"//{head.rstrip('/')}")
        try:
            port = address.port or (15002 if place.connects else 7077)
            with socket.create_connection((address.hostname or "", port), timeout=place.wait_seconds):
                return
        except TimeoutError:
            told = f"no answer within {place.wait_seconds} seconds"
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or str(error)
    raise unanswered(place, told)


def unanswered(place: SparkPlace, told: str) -> StorageError:
    """The error of a master that is not there for us."""
    return StorageError(f"Spark at {place.master}: {told}", "See that the master runs and can be reached")


def too_long(place: SparkPlace) -> str:
    return f"no answer within {place.wait_seconds} seconds (wait_seconds of [spark] in nbo.toml)"


@contextmanager
def told_spark_errors(where: str = "Spark", limit: Limit | None = None, late: str = "") -> Iterator[None]:
    """Turn what Spark and the bridges to it raise into one :class:`StorageError` line.

    Parameters
    ----------
    limit : Limit or None
        Where its time has passed, ``late`` is told in place of what was raised for it.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except bridge_errors() as error:
        if limit is not None and limit.passed.is_set():
            raise StorageError(
                f"{where}: {late}", "See that it runs and has workers with free cores"
            ) from error
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        plain = (line for line in lines if "Exception" not in line and "Traceback" not in line)
        raise StorageError(f"{where}: {next(plain, 'failed')}", next_step(error)) from error


def next_step(error: Exception) -> str | None:
    """What to do about an error, where it is the place and not the query that is wrong."""
    from pyspark.errors import AnalysisException

    if any(word in str(error) for word in UNSEEN):
        return "Every worker must see the store under the same path"
    return (
        None if isinstance(error, AnalysisException) else "See that Java is there and that the master answers"
    )


def bridge_errors() -> tuple[type[Exception], ...]:
    """What pyspark, the bridge to Java and that to a server raise; the last only where it is installed."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    found: list[type[Exception]] = [PySparkException, Py4JError, ConnectionError, EOFError]
    try:
        from grpc import RpcError
    except ImportError:
        return tuple(found)
    return (*found, RpcError)
