"""The log in PostgreSQL when the server goes away, hangs, refuses, or is asked by many at once."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from nbo.decisions.log import DecisionLog, LogWriter, NewDecision, Outcome, open_log
from nbo.decisions.log.schema import decisions
from nbo.decisions.log.store import CHUNK
from nbo.errors import ConflictError, DataError, StorageError, UsageError

pytestmark = pytest.mark.needs("postgres")
SOON = 20
ASKER = """
import sys
from nbo.decisions.log import NewDecision, open_log
url, asker = sys.argv[1:]
log = open_log(url)
print("ready", flush=True)
sys.stdin.readline()
for n in range(40):
    new = NewDecision(f"d{n}-{asker}", "A1", "web", 1, "2024-06-03T02:00:00.000Z", "h", f"k{n}", None, asker, None, "{}")
    print(log.record(new).decision_id)
log.close()
"""  # noqa: E501


def decided(decision_id: str, **changed: Any) -> NewDecision:
    answer = json.dumps({"offers": [{"offer_id": "P1"}]})
    fields: dict[str, Any] = {"idempotency_key": None, "run_id": None, "answer": answer, "inputs": None}
    at = "2024-06-03T02:00:00.000Z"
    return NewDecision(decision_id, "A1", "web", 19_877, at, "asked", **{**fields, **changed}, versions="{}")


@pytest.fixture
def log(postgres_url: str) -> Iterator[DecisionLog]:
    opened = open_log(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def server(postgres_server: Any) -> Iterator[Any]:
    """A server that the test may stop; it runs again afterwards."""
    yield postgres_server
    if not postgres_server.runs():
        postgres_server.start()


@pytest.fixture
def own_log(server: Any) -> Iterator[DecisionLog]:
    """A log on the server that the test may stop."""
    with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS stopped WITH (FORCE)")
        connection.execute("CREATE DATABASE stopped")
    opened = open_log(server.url("stopped"))
    yield opened
    opened.close()


def told(error: pytest.ExceptionInfo[StorageError], server: Any) -> str:
    """The one line, which names the database and gives no secret away."""
    line = str(error.value)
    assert line.startswith("PostgreSQL database stopped at ")
    assert line.endswith("See that the server runs and that NBO_LOG_URL is right, run again.")
    assert server.password not in line
    assert "\n" not in line
    return line


def test_a_server_that_is_away_is_told_and_found_again(own_log: DecisionLog, server: Any) -> None:
    own_log.record(decided("d1"))
    server.stop()
    for call in (
        lambda: own_log.record(decided("d2")),
        lambda: own_log.record_many([decided("d2")]),
        lambda: own_log.decision("d1"),
        lambda: own_log.keep({"h": "x"}),
        lambda: own_log.attach([Outcome("d1", "no_answer", None, "2024-06-04T00:00:00Z")]),
        lambda: open_log(server.url("stopped")),
    ):
        with pytest.raises(StorageError) as error:
            call()
        told(error, server)
    server.start()
    assert own_log.decision("d1").account_id == "A1"
    assert own_log.record(decided("d2")).decision_id == "d2"


def test_a_server_stopped_within_a_request_leaves_nothing_of_it(own_log: DecisionLog, server: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(own_log.adding, vars(decided("d1")))
        server.stop()
        connection.execute(own_log.adding, vars(decided("d2")))

    with pytest.raises(StorageError) as error:
        own_log.database.write(work)
    told(error, server)
    server.start()
    for name in ("d1", "d2"):
        with pytest.raises(UsageError, match=f"unknown decision {name}"):
            own_log.decision(name)
    assert own_log.record(decided("d1")).decision_id == "d1"


def test_a_restart_between_two_requests_is_not_noticed(own_log: DecisionLog, server: Any) -> None:
    own_log.record(decided("d1"))
    server.stop()
    server.start()
    assert own_log.attach([Outcome("d1", "no_answer", None, "2024-06-04T00:00:00Z")]) == (1, 0)
    server.stop()
    server.start()
    assert own_log.record(decided("d2", idempotency_key="k")).decision_id == "d2"


def test_the_writer_goes_on_after_the_server_was_away(own_log: DecisionLog, server: Any) -> None:
    writer = LogWriter(own_log)
    server.stop()
    for future in [writer.submit(decided(f"d{n}")) for n in range(3)]:
        with pytest.raises(StorageError) as error:
            future.result(SOON)
        told(error, server)
    server.start()
    assert writer.submit(decided("d9")).result(SOON).decision_id == "d9"
    writer.close()


def test_a_connection_cut_within_a_request_is_made_anew_once(log: DecisionLog) -> None:
    runs = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(log.adding, vars(decided("d1")))
        if len(runs) == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    log.database.write(work)
    assert len(runs) == 2
    assert log.decision("d1").decision_id == "d1"
    with pytest.raises(StorageError, match="terminating connection due to administrator command"):
        log.database.write(lambda c: c.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")))


def test_an_outcome_attached_in_the_same_moment_is_not_passed_over(log: DecisionLog) -> None:
    log.record(decided("d1"))
    told = [Outcome("d1", "refused", None, "2024-06-04T00:00:00Z")]
    with ThreadPoolExecutor(1) as pool, log.database.engine.begin() as other:
        insert = "INSERT INTO outcomes (decision_id, outcome, occurred_at) VALUES ('d1', 'no_answer', '{}')"
        other.execute(text(insert.format("2024-06-04T00:00:00.000Z")))
        attaching = pool.submit(log.attach, told)
        while not other.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
            assert not attaching.done()
        other.commit()
        with pytest.raises(ConflictError, match=r"expected the outcome attached already \(no_answer at"):
            attaching.result(SOON)


def test_outcomes_half_read_when_the_connection_breaks_are_not_attached(
    log: DecisionLog, postgres_url: str
) -> None:
    log.record_many([decided(f"d{n}") for n in range(CHUNK + 5)])

    def told() -> Iterator[Outcome]:
        for n in range(CHUNK + 5):
            if n == CHUNK:
                with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
            yield Outcome(f"d{n}", "accepted", "P1", "2024-06-04T00:00:00.000Z")

    with pytest.raises(StorageError, match="terminating connection"):
        log.attach(told())
    assert log.outcomes("d0") == log.outcomes(f"d{CHUNK + 4}") == []


def test_a_request_that_hangs_is_given_up(postgres_url: str) -> None:
    open_log(postgres_url).close()
    mark = "&" if "?" in postgres_url else "?"
    log = open_log(f"{postgres_url}{mark}options=-c%20statement_timeout%3D300")
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StorageError, match="canceling statement due to statement timeout"):
            log.record(decided("d1"))
    assert log.record(decided("d1")).decision_id == "d1"
    log.close()


def test_by_default_nothing_waits_for_ever(log: DecisionLog) -> None:
    with log.database.engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "30s"
        assert connection.execute(text("SHOW transaction_isolation")).scalar() == "read committed"


def test_a_user_without_rights_is_told_and_needs_few(postgres_url: str) -> None:
    open_log(postgres_url).close()
    plain = postgres_url.replace("+psycopg", "")
    mark = "&" if "?" in postgres_url else "?"
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS nbo_reader")
        admin.execute("CREATE ROLE nbo_reader")
        admin.execute("GRANT SELECT ON decision_log_version TO nbo_reader")
    log = open_log(f"{postgres_url}{mark}options=-c%20role%3Dnbo_reader")
    with pytest.raises(StorageError, match="permission denied for table decisions"):
        log.record(decided("d1"))
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute("GRANT SELECT, INSERT ON decisions, outcomes, artifacts TO nbo_reader")
    assert log.record(decided("d1")).decision_id == "d1"
    log.keep({"h": "x"})
    assert log.attach([Outcome("d1", "no_answer", None, "2024-06-04T00:00:00Z")]) == (1, 0)
    log.close()
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute("DROP OWNED BY nbo_reader")
        admin.execute("DROP ROLE nbo_reader")


def test_a_log_whose_tables_are_gone_is_told(log: DecisionLog, postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("DROP TABLE outcomes, decisions")
    with pytest.raises(StorageError, match='relation "decisions" does not exist'):
        log.record(decided("d1"))


def test_a_mistake_in_our_sql_passes_as_the_defect_it_is(log: DecisionLog) -> None:
    with pytest.raises(Exception, match="syntax error") as error:
        log.database.read(lambda c: c.execute(text("SELEKT 1")))
    assert not isinstance(error.value, StorageError)


def test_a_nul_character_is_told(log: DecisionLog) -> None:
    with pytest.raises(DataError, match="values that a database can hold, got PostgreSQL text fields cannot"):
        log.record(decided("d\x001"))


def test_the_log_shares_a_database_with_a_tool_that_migrates_too(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("CREATE TABLE alembic_version (version_num text)")
        admin.execute("INSERT INTO alembic_version VALUES ('of another tool')")
    log = open_log(postgres_url)
    assert log.record(decided("d1")).decision_id == "d1"
    log.close()
    open_log(postgres_url).close()


def test_processes_that_ask_under_the_same_keys_get_the_same_decisions(
    log: DecisionLog, postgres_url: str
) -> None:
    assert same_answers_of_all(postgres_url) == 40
    assert count(log) == 40


def test_in_sqlite_as_well(tmp_path: Any) -> None:
    log = open_log(f"sqlite:///{tmp_path}/decisions.db")
    assert same_answers_of_all(f"sqlite:///{tmp_path}/decisions.db") == 40
    assert count(log) == 40
    log.close()


def count(log: DecisionLog) -> int:
    return len(log.database.read(lambda c: c.execute(decisions.select()).all()))


def same_answers_of_all(url: str) -> int:
    """Three processes ask 40 questions at the same moments; returns how many answers all of them got."""
    start: Callable[[int], Any] = lambda asker: subprocess.Popen(  # noqa: E731
        [sys.executable, "-c", ASKER, url, str(asker)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    askers = [start(asker) for asker in range(3)]
    for process in askers:
        assert process.stdout.readline() == "ready\n"
    for process in askers:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in askers]
    assert answers[0] == answers[1] == answers[2]
    return len(answers[0])
