"""One writer for a server: whatever waits is put on the disk in one transaction.

A commit costs a flush of the disk. Requests that come while one is being flushed wait together and
share the next, so that many at once cost little more than one.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from nbo.decisions.log.records import LoggedDecision, NewDecision
from nbo.decisions.log.store import DecisionLog
from nbo.errors import NboError, StorageError

MOST = 256
"""Decisions of one transaction at most, so that the first of many does not wait for the last."""

Waiting = tuple[NewDecision, "Future[LoggedDecision]"]


class LogWriter:
    """A thread that records decisions in groups.

    Parameters
    ----------
    log : DecisionLog
        Stays open when the writer is closed.
    """

    def __init__(self, log: DecisionLog) -> None:
        self.log = log
        self.queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self.closed = False
        self.lock = Lock()
        self.thread = Thread(target=self._run, name="decision-log", daemon=True)
        self.thread.start()

    def submit(self, new: NewDecision) -> "Future[LoggedDecision]":
        """Hand over a decision; the future ends when it is on the disk.

        Returns
        -------
        Future
            Ends as :meth:`DecisionLog.record` would, for this decision alone: a conflict of a
            neighbour is not told to it. Cancelled before its turn, the decision is not recorded.

        Raises
        ------
        StorageError
            The writer is closed.
        """
        future: Future[LoggedDecision] = Future()
        with self.lock:
            if self.closed:
                raise StorageError("decision log: the writer is closed", "Ask again after the restart")
            self.queue.put((new, future))
        return future

    def close(self) -> None:
        """Take nothing more, record what waits, and return when it is done."""
        with self.lock:
            if not self.closed:
                self.closed = True
                self.queue.put(None)
        self.thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            taken = [self.queue.get(), *waiting(self.queue)]
            closing = None in taken
            group = [item for item in taken if item is not None]
            self._settle([item for item in group if item[1].set_running_or_notify_cancel()])

    def _settle(self, group: Sequence[Waiting]) -> None:
        """End every future of a group."""
        try:
            results = self.log.record_each([new for new, _ in group])
        except StorageError as trouble:
            for _, future in group:
                future.set_exception(trouble)
        except Exception:  # noqa: BLE001 - one of them is to blame, and only its own future shall say so
            for new, future in group:
                self._settle_alone(new, future)
        else:
            for (_, future), result in zip(group, results, strict=True):
                if isinstance(result, NboError):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _settle_alone(self, new: NewDecision, future: "Future[LoggedDecision]") -> None:
        try:
            future.set_result(self.log.record(new))
        except Exception as error:  # noqa: BLE001 - whoever waits learns of it; the thread goes on
            future.set_exception(error)


def waiting(queue: "SimpleQueue[Waiting | None]") -> list[Waiting | None]:
    """What is in the queue now, up to a group's size."""
    taken: list[Waiting | None] = []
    while len(taken) < MOST - 1:
        try:
            taken.append(queue.get_nowait())
        except Empty:
            break
    return taken
