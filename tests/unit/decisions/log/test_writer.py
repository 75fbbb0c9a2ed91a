"""Decisions that wait together are recorded together, and each waits for its own answer only."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future

import pytest
from sqlalchemy import event

from nbo.decisions.log import DecisionLog, LoggedDecision, LogWriter, NewDecision, open_log
from nbo.decisions.log.writer import MOST
from nbo.errors import ConflictError, DataError, StorageError

Decided = Callable[..., NewDecision]
SOON = 20


@pytest.fixture
def writer(log: DecisionLog) -> Iterator[LogWriter]:
    made = LogWriter(log)
    yield made
    made.close()


@pytest.fixture
def held(sqlite_url: str) -> Iterator[tuple[LogWriter, Callable[[], None]]]:
    """A writer whose database is locked by somebody else, and what gives the lock up."""
    log = open_log(sqlite_url)
    other = sqlite3.connect(log.database.name, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    made = LogWriter(log)
    yield made, lambda: other.execute("ROLLBACK") and None
    made.close()
    log.close()
    other.close()


def test_a_decision_handed_over_is_recorded(writer: LogWriter, decided: Decided) -> None:
    logged = writer.submit(decided("d1")).result(SOON)
    assert writer.log.decision("d1") == logged


def test_who_waits_together_shares_a_commit(
    held: tuple[LogWriter, Callable[[], None]], decided: Decided
) -> None:
    writer, give_up = held
    commits = []
    event.listen(writer.log.database.engine, "commit", lambda _: commits.append(1))
    futures = [writer.submit(decided(f"d{n}")) for n in range(MOST)]
    give_up()
    assert [future.result(SOON).decision_id for future in futures] == [f"d{n}" for n in range(MOST)]
    assert len(commits) <= 3  # those that came before the writer had to wait, and the rest


def test_a_conflict_is_told_to_whom_it_concerns(writer: LogWriter, decided: Decided) -> None:
    first = writer.submit(decided("d0", idempotency_key="k"))
    told = [decided("d1"), decided("d2", idempotency_key="k", request_hash="other"), decided("d3")]
    before, conflict, after = (writer.submit(new) for new in told)
    assert [first.result(SOON).decision_id, before.result(SOON).decision_id] == ["d0", "d1"]
    with pytest.raises(ConflictError, match="idempotency key k"):
        conflict.result(SOON)
    assert after.result(SOON).decision_id == "d3"


def test_text_that_no_database_holds_harms_no_neighbour(
    held: tuple[LogWriter, Callable[[], None]], decided: Decided
) -> None:
    writer, give_up = held
    before, bad, after = (writer.submit(decided("d1", account_id=name)) for name in ("A", "\ud83d", "A"))
    give_up()
    assert before.result(SOON) == after.result(SOON)
    with pytest.raises(DataError, match="values that a database can hold"):
        bad.result(SOON)


def test_a_trouble_of_the_database_is_told_to_all_and_passes(sqlite_url: str, decided: Decided) -> None:
    log = open_log(sqlite_url)
    with log.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(log.database.name, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer = LogWriter(log)
    futures = [writer.submit(decided(f"d{n}")) for n in range(5)]
    for future in futures:
        with pytest.raises(StorageError, match="database is locked"):
            future.result(SOON)
    other.execute("ROLLBACK")
    assert writer.submit(decided("d0")).result(SOON).decision_id == "d0"
    writer.close()
    log.close()


def test_closing_records_what_waits(held: tuple[LogWriter, Callable[[], None]], decided: Decided) -> None:
    writer, give_up = held
    futures = [writer.submit(decided(f"d{n}")) for n in range(2 * MOST)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    assert closing.is_alive()
    give_up()
    closing.join(SOON)
    assert all(future.done() for future in futures)
    assert writer.log.decision(f"d{2 * MOST - 1}") == futures[-1].result(0)
    writer.close()  # twice is no harm


def test_a_closed_writer_takes_nothing(writer: LogWriter, decided: Decided) -> None:
    writer.close()
    with pytest.raises(StorageError, match="the writer is closed"):
        writer.submit(decided("d1"))


def test_what_was_cancelled_before_its_turn_is_not_recorded(
    held: tuple[LogWriter, Callable[[], None]], decided: Decided
) -> None:
    writer, give_up = held
    first = writer.submit(decided("d1"))
    while not first.running():  # taken; whatever comes now waits for the lock
        pass
    gone, kept = writer.submit(decided("d2")), writer.submit(decided("d3"))
    assert gone.cancel()
    give_up()
    assert kept.result(SOON).decision_id == "d3"
    with pytest.raises(CancelledError):
        gone.result(SOON)
    assert [found(writer, name) for name in ("d1", "d2", "d3")] == [True, False, True]


def found(writer: LogWriter, decision_id: str) -> bool:
    again = writer.log.database.read(
        lambda c: c.exec_driver_sql(f"SELECT 1 FROM decisions WHERE decision_id = '{decision_id}'").scalar()
    )
    return again == 1


def test_many_threads_hand_over_at_once(writer: LogWriter, decided: Decided) -> None:
    futures: list[Future[LoggedDecision]] = []

    def hand_over(thread: int) -> None:
        futures.extend([writer.submit(decided(f"d{thread}-{n}")) for n in range(50)])

    threads = [threading.Thread(target=hand_over, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {future.result(SOON).decision_id for future in futures}
    assert ids == {f"d{thread}-{n}" for thread in range(6) for n in range(50)}
