"""A recorder killed at any moment loses nothing that it was told is recorded, and doubles nothing."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from nbo.decisions.log import DecisionLog, open_log
from nbo.decisions.log.schema import decisions

KILLS = 50
IN_OPENING = 5
"""The first kills come while the tables are being made."""

RECORDER = """
import json, os, sys
import alembic.command, psycopg, sqlalchemy.dialects.postgresql
from nbo.decisions.log import NewDecision, open_log

def say(*words):  # one write a line, so that a kill leaves no half of one
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

say("ready")

def decided(n, attempt, batch):
    key = f"k{n}" if n % 2 and not batch else None
    name = f"d{n}-{attempt}" if key else f"d{n}"
    at = "2024-06-03T02:00:00.000Z"
    return NewDecision(name, f"A{n}", "web", n, at, f"h{n}", key, None, f"answer of {name}", None, "{}")

def record(attempt, start, batch):
    say(os.getpid())
    log = open_log(sys.argv[1])
    say("open")
    for n in range(start, start + 100_000, 20 if batch else 1):
        if batch:
            many = [decided(m, attempt, True) for m in range(n, n + 20)]
            log.record_many(many)
            names = [new.decision_id for new in many]
        else:
            names = [log.record(decided(n, attempt, False)).decision_id]
        say(*names)

for line in sys.stdin:  # a process of its own for each line, so that imports are paid once
    child = os.fork()
    if child == 0:
        record(*json.loads(line))
    say("ended", os.waitpid(child, 0)[1])
"""


class Recorder:
    """Starts processes that record until they are killed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def killed(self, told: tuple[int, int, bool], after: float, *, in_opening: bool) -> list[str]:
        """Let one record, kill it some seconds after it began, or has opened the log; what it confirmed."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        child, lines = int(self.line()), []
        if not in_opening:
            assert self.line() == "open"
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        while not (line := self.line()).startswith("ended"):
            lines.append(line)
        assert line == f"ended {signal.SIGKILL.value}"
        return [name for line in lines if line != "open" for name in line.split()]


@pytest.fixture
def recorder(url: str) -> Iterator[Recorder]:
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield Recorder(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/decisions.db"
    return str(request.getfixturevalue("postgres_url"))


def test_what_was_confirmed_is_in_the_log_exactly_once(url: str, recorder: Recorder) -> None:
    draw = random.Random(50)
    confirmed: list[str] = []
    reached, in_batches, quiet = 0, 0, 0
    for kill in range(KILLS):
        in_opening = kill < IN_OPENING
        batch = draw.random() < 0.5
        start = max(0, reached - 3)  # as one who does not know how far it came, under the same keys
        moment = draw.uniform(0, 0.15)
        names = recorder.killed((kill, start, batch), moment, in_opening=in_opening)
        confirmed += names
        in_batches += batch and bool(names)
        quiet += not names
        reached = max([reached, *(number(name) + 1 for name in names)])
    assert len(confirmed) > KILLS
    assert 5 < in_batches < KILLS - 5
    assert quiet < KILLS / 2
    log = open_log(url)
    check(log, confirmed)
    log.close()


def number(name: str) -> int:
    return int(name[1:].split("-")[0])


def check(log: DecisionLog, confirmed: list[str]) -> None:
    """Each confirmed decision is there once, as it was given; no question was decided twice."""
    columns = decisions.c.decision_id, decisions.c.idempotency_key, decisions.c.answer, decisions.c.as_of
    rows = log.database.read(lambda c: c.execute(select(*columns)).all())
    ids = Counter(row.decision_id for row in rows)
    assert set(confirmed) <= set(ids)
    assert set(ids.values()) == {1}
    keys = Counter(row.idempotency_key for row in rows if row.idempotency_key)
    assert set(keys.values()) == {1}
    assert all(row.answer == f"answer of {row.decision_id}" for row in rows)
    assert all(row.as_of == number(row.decision_id) for row in rows)
    if log.database.is_sqlite:
        with sqlite3.connect(log.database.name) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
