"""A log is made, migrated or refused when it is opened; what the disk does is told in one line."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from nbo.decisions.log import DecisionLog, NewDecision, log_url, open_log
from nbo.decisions.log.database import Database
from nbo.decisions.log.migrating import SCRIPTS
from nbo.decisions.log.schema import VERSION_TABLE, VERSIONS, metadata
from nbo.decisions.log.settings import read_address
from nbo.errors import DataError, StorageError, UsageError

Decided = Callable[..., NewDecision]
OPEN = "import sys; from nbo.decisions.log import open_log; open_log(sys.argv[1]).close()"
OPEN_AT_ONCE = """
import os, sys, time
import alembic.command, alembic.config
from nbo.decisions.log import open_log
for url in sys.argv[1:]:
    start = time.time() + 0.05
    children = []
    for _ in range(12):
        children.append(os.fork())
        if children[-1] == 0:
            time.sleep(max(0, start - time.time()))
            open_log(url).close()
            os._exit(0)
    print(sum(os.waitpid(child, 0)[1] != 0 for child in children), flush=True)
"""


def test_the_migrations_lead_to_the_tables_of_the_schema(log: DecisionLog) -> None:
    with log.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_versions_are_those_of_the_scripts() -> None:
    scripts = [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()]
    assert tuple(reversed(scripts)) == VERSIONS


def test_opening_what_is_up_to_date_loads_no_migration_and_no_model(url: str) -> None:
    open_log(url).close()
    told = f"{OPEN}; print(*[m for m in ('alembic', 'lightgbm', 'duckdb', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told, url], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_processes_that_open_a_new_log_at_once_all_succeed(url: str, decided: Decided) -> None:
    more = [f"{url}{n}" for n in range(5)] if url.startswith("sqlite") else []
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AT_ONCE, url, *more], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n" * (1 + len(more)), done.stderr
    log = open_log(url)
    assert log.record(decided("d1")).seq > 0
    log.close()


def test_a_log_of_a_newer_nbo_is_refused(log: DecisionLog, url: str) -> None:
    log.database.write(lambda c: c.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'")))
    with pytest.raises(StorageError, match=r"version 0001 or older, got 0999\. Use the newer nbo"):
        open_log(url)


def test_sqlite_flushes_each_commit_and_heeds_references(sqlite_url: str) -> None:
    log = open_log(sqlite_url)
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with log.database.engine.connect() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]
    log.close()
    assert found == ["wal", 2, 1, 30_000]


@pytest.mark.parametrize("name", ["a folder/x?y#z 100%.db", "%41.db", "目录.db"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str, decided: Decided) -> None:
    place = (tmp_path / name).parent
    place.mkdir(exist_ok=True)
    url = log_url(
        {"log": {"url": f"sqlite:///{(tmp_path / name).as_posix()}".replace("%", "%25").replace("?", "%3F")}},
        tmp_path,
    )
    log = open_log(url)
    log.record(decided("d1"))
    log.close()
    assert (tmp_path / name).is_file()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        StorageError, match=r"absent/x\.db: unable to open database file\. Create the folder, or name"
    ):
        open_log(f"sqlite:///{tmp_path}/absent/x.db")


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open database file"):
        open_log(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database " * 100)
    with pytest.raises(StorageError, match=r"file is not a database\. Name another file by NBO_LOG_URL"):
        open_log(f"sqlite:///{tmp_path}/x.db")
    assert (tmp_path / "x.db").read_text() == "not a database " * 100


def test_a_read_only_database_is_told(sqlite_url: str, decided: Decided) -> None:
    log = open_log(sqlite_url)
    with log.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match=r"attempt to write a readonly database\. Make file and folder"):
        log.record(decided("d1"))
    log.close()


def test_a_full_disk_is_told_and_records_nothing(sqlite_url: str, decided: Decided) -> None:
    log = open_log(sqlite_url)
    log.record(decided("d0"))
    with log.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match=r"database or disk is full\. Free some space, run again"):
        log.record_many([decided(f"d{n}", answer="x" * 1_000) for n in range(1, 100)])
    with log.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    with pytest.raises(UsageError, match="unknown decision d1"):
        log.decision("d1")
    log.record(decided("d1"))
    log.close()


def test_a_lock_that_is_not_given_up_is_told(sqlite_url: str, decided: Decided) -> None:
    log = open_log(sqlite_url)
    with log.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(log.database.name, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"database is locked\. Wait for the job that writes it"):
        log.record(decided("d1"))
    other.execute("ROLLBACK")
    assert log.record(decided("d1")).decision_id == "d1"
    log.close()


def test_a_damaged_database_is_told(sqlite_url: str, decided: Decided) -> None:
    log = open_log(sqlite_url)
    log.record_many([decided(f"d{n}") for n in range(100)])
    log.close()
    with Path(log.database.name).open("r+b") as file:
        file.seek(4_096)
        file.write(b"damage" * 10_000)
    with pytest.raises(StorageError, match=r"disk image is malformed\. Restore it from a copy"):
        open_log(sqlite_url).record(decided("d1"))


def test_text_that_no_database_holds_is_told(log: DecisionLog, decided: Decided) -> None:
    with pytest.raises(DataError, match="expected values that a database can hold"):
        log.record(decided("d1", account_id="half a pair \ud83d"))
    assert log.record(decided("d1")).decision_id == "d1"


def test_no_server_is_told_without_the_password() -> None:
    secret = "hidden"
    with pytest.raises(StorageError, match=r"^PostgreSQL database x at 127\.0\.0\.1:9: .*refused") as told:
        open_log(f"postgresql://nbo:{secret}@127.0.0.1:9/x")
    assert secret not in str(told.value)
    assert str(told.value).endswith("See that the server runs and that NBO_LOG_URL is right, run again.")
    assert "\n" not in str(told.value)


def test_a_driver_that_repeats_the_password_is_not_quoted() -> None:
    database = Database(read_address("postgresql://nbo:" + "hid%40den" + "@db/x", "url"))
    assert database.words(ValueError("no such\nuser nbo:hid@den")) == "no such user nbo:***"


def test_a_driver_that_is_not_installed_is_named() -> None:
    asked = (
        "import sys; sys.modules['psycopg'] = None; from nbo.decisions.log import open_log; "
        "open_log('postgresql://db/x')"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("Install nbo[postgres].")
