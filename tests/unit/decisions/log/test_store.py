"""What is recorded is found again, exactly and once, in either database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from threading import Barrier

import pytest
from sqlalchemy import exc, text

from nbo.decisions.log import DecisionLog, LoggedDecision, NewDecision, open_log
from nbo.decisions.log.store import CHUNK
from nbo.errors import ConflictError, UsageError

Decided = Callable[..., NewDecision]


def stored(log: DecisionLog, table: str = "decisions") -> int:
    return int(log.database.read(lambda c: c.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()))


def without_seq(logged: LoggedDecision) -> NewDecision:
    fields = asdict(logged)
    del fields["seq"]
    return NewDecision(**fields)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"inputs": b"\x00\xff any bytes", "run_id": "r1", "idempotency_key": "k1"},
        {"answer": '{"text":"推荐 ADSL 😀 \\u0000 \'quoted\' %s :name"}', "account_id": "客户 1"},
        {"as_of": -1, "inputs": b""},
    ],
)
def test_a_decision_comes_back_as_it_was_given(log: DecisionLog, decided: Decided, changed: dict) -> None:
    new = decided("d1", **changed)
    logged = log.record(new)
    assert without_seq(logged) == new
    assert log.decision("d1") == logged


def test_the_number_rises_with_each_decision(log: DecisionLog, decided: Decided) -> None:
    first, second = log.record(decided("d1")), log.record(decided("d2"))
    assert 0 < first.seq < second.seq


def test_an_unknown_decision_is_told(log: DecisionLog, decided: Decided) -> None:
    log.record(decided("d1"))
    with pytest.raises(UsageError, match=r"^unknown decision d2\. Ask the log"):
        log.decision("d2")


def test_asking_twice_under_a_key_decides_once(log: DecisionLog, decided: Decided) -> None:
    first = log.record(decided("d1", idempotency_key="k1"))
    again = log.record(decided("d2", idempotency_key="k1", answer='{"offers":[]}'))
    assert again == first == log.by_key("k1")
    assert stored(log) == 1


def test_a_key_used_for_another_question_is_a_conflict(log: DecisionLog, decided: Decided) -> None:
    first = log.record(decided("d1", idempotency_key="k1"))
    with pytest.raises(ConflictError, match=r"idempotency key k1: expected the request it was first used"):
        log.record(decided("d2", idempotency_key="k1", request_hash="asked otherwise"))
    assert log.by_key("k1") == first
    assert stored(log) == 1


def test_without_a_key_the_id_tells_decisions_apart(log: DecisionLog, decided: Decided) -> None:
    first = log.record(decided("d1"))
    assert log.record(decided("d2")).decision_id == "d2"
    assert log.record(decided("d1")) == first
    with pytest.raises(ConflictError, match="decision d1: expected the request it was first used for"):
        log.record(decided("d1", request_hash="asked otherwise"))
    assert stored(log) == 2


def test_a_key_that_nobody_used_finds_nothing(log: DecisionLog, decided: Decided) -> None:
    log.record(decided("d1"))
    assert log.by_key("k1") is None


def test_one_of_many_in_conflict_leaves_the_others(log: DecisionLog, decided: Decided) -> None:
    log.record(decided("d1", idempotency_key="k1"))
    first, conflict, last = log.record_each(
        [decided("d2"), decided("d3", idempotency_key="k1", request_hash="other"), decided("d4")]
    )
    assert isinstance(conflict, ConflictError)
    assert [first, last] == [log.decision("d2"), log.decision("d4")]
    assert stored(log) == 3


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1])
def test_a_batch_is_recorded_whole(log: DecisionLog, decided: Decided, count: int) -> None:
    batch = [decided(f"d{n}", account_id=f"A{n}", run_id="r1") for n in range(count)]
    log.record_many(batch)
    assert stored(log) == count
    for new in batch[::1_000]:
        assert without_seq(log.decision(new.decision_id)) == new


def test_a_batch_leaves_what_is_there_as_it_is(log: DecisionLog, decided: Decided) -> None:
    before = log.record(decided("d1"))
    log.record_many([decided("d0"), decided("d1", answer="another"), decided("d2"), decided("d2")])
    assert log.decision("d1") == before
    assert stored(log) == 3


def test_a_batch_with_the_key_of_another_decision_is_refused_whole(
    log: DecisionLog, decided: Decided
) -> None:
    log.record(decided("d0", idempotency_key="k1"))
    batch = [decided(f"b{n}") for n in range(CHUNK + 5)]
    batch[-1] = replace(batch[-1], idempotency_key="k1")
    with pytest.raises(
        ConflictError, match=rf"one of another decision; 1 of 2,005 rows, e\.g\. b{CHUNK + 4}"
    ):
        log.record_many(batch)
    assert stored(log) == 1


def test_artifacts_are_kept_by_hash(log: DecisionLog) -> None:
    log.keep({"h1": "a catalog 目录", "h2": ""})
    log.keep({"h1": "a catalog 目录"})
    assert [log.artifact("h1"), log.artifact("h2")] == ["a catalog 目录", ""]
    with pytest.raises(UsageError, match="unknown artifact h3"):
        log.artifact("h3")


def test_another_text_under_the_same_hash_is_a_conflict(log: DecisionLog) -> None:
    log.keep({"h1": "one"})
    with pytest.raises(ConflictError, match="artifact h1: expected the text kept under this hash"):
        log.keep({"h0": "new", "h1": "two"})
    assert log.artifact("h1") == "one"
    assert stored(log, "artifacts") == 1


def test_two_at_once_under_one_key_get_the_same_decision(log: DecisionLog, decided: Decided) -> None:
    askers, keys = 6, 15
    together = Barrier(askers)

    def ask(asker: int) -> list[LoggedDecision]:
        got = []
        for key in range(keys):
            together.wait()
            got.append(log.record(decided(f"d{key}-{asker}", idempotency_key=f"k{key}", answer=str(asker))))
        return got

    with ThreadPoolExecutor(askers) as pool:
        answers = list(pool.map(ask, range(askers)))
    assert all(answer == answers[0] for answer in answers)
    assert stored(log) == keys


def test_what_was_recorded_is_there_after_opening_again(url: str, decided: Decided) -> None:
    first = open_log(url)
    logged = first.record(decided("d1"))
    first.close()
    second = open_log(url)
    assert second.decision("d1") == logged
    second.close()


SETS = {"decisions": "answer = 'x'", "outcomes": "outcome = 'refused'", "artifacts": "content = 'x'"}
ROWS = {
    "decisions": "(decision_id, account_id, channel, as_of, decided_at, request_hash, answer, versions) "
    "VALUES ('d1', 'A1', 'web', 1, 'now', 'h', 'another', '{}')",
    "outcomes": "(decision_id, outcome, occurred_at) VALUES ('d1', 'no_answer', '2024-06-03T02:00:00.000Z')",
    "artifacts": "(hash, content) VALUES ('h1', 'another')",
}


@pytest.fixture
def filled(log: DecisionLog, decided: Decided) -> DecisionLog:
    """A log with one row in each table."""
    log.record(decided("d1"))
    log.keep({"h1": "one"})
    log.database.write(lambda c: c.execute(text(f"INSERT INTO outcomes {ROWS['outcomes']}")))
    return log


def rows(log: DecisionLog, table: str) -> list:
    return log.database.read(lambda c: c.execute(text(f"SELECT * FROM {table}")).all())


@pytest.mark.parametrize("table", SETS)
def test_nothing_is_changed_or_removed(filled: DecisionLog, table: str) -> None:
    before = rows(filled, table)
    statements = [f"UPDATE {table} SET {SETS[table]}", f"DELETE FROM {table}"]
    if not filled.database.is_sqlite:
        statements.append(f"TRUNCATE {table} CASCADE")
    for statement in statements:
        with pytest.raises(exc.DBAPIError, match=f"{table} is append-only|outcomes is append-only"):
            with filled.database.engine.begin() as connection:
                connection.execute(text(statement))
    assert rows(filled, table) == before


@pytest.mark.parametrize("table", SETS)
def test_an_insert_replaces_nothing(filled: DecisionLog, table: str) -> None:
    before = rows(filled, table)
    unique = "hash" if table == "artifacts" else "decision_id"
    upsert = f"INSERT INTO {table} {ROWS[table]} ON CONFLICT ({unique}) DO UPDATE SET {SETS[table]}"
    if filled.database.is_sqlite:
        filled.database.write(lambda c: c.execute(text(f"INSERT OR REPLACE INTO {table} {ROWS[table]}")))
        filled.database.write(lambda c: c.execute(text(upsert)))  # ignored, as the row is there
    else:
        with pytest.raises(exc.DBAPIError, match=f"{table} is append-only"):
            filled.database.write(lambda c: c.execute(text(upsert)))
    assert rows(filled, table) == before


def test_a_key_of_another_decision_replaces_nothing(log: DecisionLog, decided: Decided) -> None:
    log.record(decided("d1", idempotency_key="k1"))
    before = rows(log, "decisions")
    columns = (
        ROWS["decisions"]
        .replace("(decision_id", "(idempotency_key, decision_id")
        .replace("'d1'", "'k1', 'd2'")
    )
    if log.database.is_sqlite:
        log.database.write(lambda c: c.execute(text(f"INSERT OR REPLACE INTO decisions {columns}")))
    else:
        with pytest.raises(exc.IntegrityError, match="decisions_idempotency_key_key"):
            log.database.write(lambda c: c.execute(text(f"INSERT INTO decisions {columns}")))
    assert rows(log, "decisions") == before
