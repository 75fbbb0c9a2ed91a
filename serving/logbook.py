"""The decision log as the server uses it: never waited for in the event loop, its troubles told once."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from nbo.decisions.log import DecisionLog, LoggedDecision, LogWriter, NewDecision
from nbo.errors import StorageError

from .problems import Refused

logger = logging.getLogger("nbo.serving")

READERS = 4
"""Threads that may wait for the database; they are not those that score."""
AWAY = "The decision log is away, so nothing was decided or recorded. Ask again: the same key is safe."
RETRY = {"Retry-After": "1"}
T = TypeVar("T")


class Logbook:
    """An open decision log with its writer and readers.

    Parameters
    ----------
    log : DecisionLog
        Closed with this.
    """

    def __init__(self, log: DecisionLog) -> None:
        self.log = log
        self.writer = LogWriter(log)
        self.readers = ThreadPoolExecutor(READERS, "decision-log-reader")
        self.told = ""

    async def record(self, new: NewDecision) -> LoggedDecision:
        """A decision once it is on the disk, or the earlier one under its key.

        Raises
        ------
        ConflictError
            The key stands for another request.
        Refused
            503 where the log is away.
        """
        with self.available():
            return await asyncio.wrap_future(self.writer.submit(new))

    async def ask(self, question: Callable[[DecisionLog], T]) -> T:
        """Run something on the log in a thread of its own; 503 where the log is away."""
        with self.available():
            return await asyncio.get_running_loop().run_in_executor(self.readers, question, self.log)

    @contextmanager
    def available(self) -> Iterator[None]:
        """Turn a database that is away into a 503 problem; the same trouble is logged once."""
        try:
            yield
        except StorageError as error:
            if str(error) != self.told:
                logger.error("decision log away: %s", error)
            self.told = str(error)
            raise Refused(503, "log-unavailable", AWAY, RETRY) from None
        self.told = ""

    def close(self) -> None:
        """Record what waits, then close."""
        self.writer.close()
        self.readers.shutdown()
        self.log.close()
