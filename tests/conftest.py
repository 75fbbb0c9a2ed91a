"""Which services a test needs, and what happens where one is absent.

``@pytest.mark.needs("postgres")`` names a service of :data:`SERVICES`. Where it is absent the test is
skipped and the closing summary names it; where ``NBO_TEST_REQUIRE`` lists it (comma or space separated)
the test fails instead. With ``CI=true`` any skipped test fails the run.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pyarrow as pa
import pytest

from nbo.tables.catalog import TABLES
from nbo.tables.contract import Column, Table
from nbo.tables.direct import ARROW_TYPES, store_from_tables
from nbo.tables.store import Store

ROOT = Path(__file__).resolve().parents[1]


def _bench_data() -> str | None:
    folder = Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data")
    return None if folder.is_dir() else "no folder ../shared/data; name another one by NBO_BENCH_DATA"


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``, newest version first; Debian keeps it off PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(installed, key=lambda path: float(path.parts[-3]), reverse=True)
    return newest[0].parent if newest else None


def _postgres() -> str | None:
    if os.environ.get("NBO_TEST_POSTGRES") or postgres_programs():
        return None
    return "no initdb; install postgresql or name a server by NBO_TEST_POSTGRES"


def _spark() -> str | None:
    if find_spec("pyspark") is None:
        return "no pyspark; install the extra nbo[spark]"
    return None if shutil.which("java") else "no java"


def _browser() -> str | None:
    return None if shutil.which("chromium") else "no chromium; install the package chromium"


SERVICES: Mapping[str, Callable[[], str | None]] = {
    "bench_data": _bench_data,
    "browser": _browser,
    "postgres": _postgres,
    "spark": _spark,
}
"""Service -> what is missing for it, None where it is there."""


def required_services() -> frozenset[str]:
    """The services that ``NBO_TEST_REQUIRE`` names."""
    return frozenset(os.environ.get("NBO_TEST_REQUIRE", "").replace(",", " ").split())


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"needs(service): skipped without it; one of {', '.join(SERVICES)}")
    if unknown := required_services() - set(SERVICES):
        raise pytest.UsageError(
            f"NBO_TEST_REQUIRE: expected names of {', '.join(SERVICES)}, got {', '.join(sorted(unknown))}"
        )


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for service in mark.args:
            if service not in SERVICES:
                pytest.fail(f"needs({service!r}): expected one of {', '.join(SERVICES)}", pytrace=False)
            missing = SERVICES[service]()
            if missing and service in required_services():
                pytest.fail(f"needs {service}, which NBO_TEST_REQUIRE names: {missing}", pytrace=False)
            if missing:
                pytest.skip(f"needs {service}: {missing}")


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


def _skipped(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """Test and reason of every skip seen so far, in the process that reports."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        yield report.nodeid, reason.removeprefix("Skipped: ")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _in_ci() and exitstatus == pytest.ExitCode.OK and any(_skipped(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skips = list(_skipped(config))
    if not skips:
        return
    verdict = "skipped, which fails a CI run" if _in_ci() else "skipped, by name"
    terminalreporter.section(f"{len(skips)} {verdict}", red=_in_ci(), yellow=not _in_ci())
    for test, reason in skips:
        terminalreporter.line(f"{test}: {reason}")


SALES_LINES = ("10010", "10060")
FIRST_DAY, DAYS = 19_700, 260
"""Random operators have facts on the days [FIRST_DAY, FIRST_DAY + DAYS)."""


def _random_values(column: Column, count: int, rng: np.random.Generator) -> pa.Array:
    """Values of one column by its kind; keys from small pools, so that tables meet each other."""
    pools = {"account_id": 25, "line_id": 30, "counterparty_id": 40, "site_id": 15}
    names = {
        "network_id": ["own", "unicom", "netcom", "other"],
        "access_code": ["17909", "17911", "17931", *SALES_LINES],
    }
    if column.codes:
        drawn: object = rng.choice(list(column.codes), count)
    elif column.name in names:
        drawn = rng.choice(names[column.name], count)
    elif column.name == "building_id":
        drawn = [f"b{n % 6}" for n in range(count)]
    elif column.kind == "key":
        pool = pools.get(column.name)
        drawn = [f"{column.name[0]}{n:04d}" for n in (rng.integers(0, pool, count) if pool else range(count))]
    elif column.kind in ("code", "text"):
        drawn = rng.choice(["one", "two", "three"], count)
    elif column.kind == "flag":
        drawn = rng.random(count) < 0.7
    elif column.kind == "number":
        drawn = rng.random(count)
    elif column.kind in ("day", "second"):
        drawn = FIRST_DAY + rng.integers(0, DAYS + 90, count)
    else:
        drawn = rng.integers(0, 5_000, count)
    missing = rng.random(count) < 0.1 if column.nullable else np.zeros(count, dtype=bool)
    return pa.array(drawn, ARROW_TYPES[column.sql_type], mask=missing)


def _random_table(table: Table, count: int, rng: np.random.Generator) -> pa.Table:
    """Rows that fit a contract's types, with one event in ten known late."""
    rows = {c.name: _random_values(c, count, rng) for c in table.columns if c.name != "number_id"}
    event = FIRST_DAY + rng.integers(0, DAYS, count)
    late = np.where(rng.random(count) < 0.1, rng.integers(1, 45, count), 0)
    if table.event_column is not None:
        rows[table.event_column] = pa.array(event.astype(np.int32))
    rows["known_day"] = pa.array((event + 1 + late).astype(np.int32))
    if table.name == "lines":
        rows["state"] = pa.array(rng.choice(["active", "suspended", "ended"], count, p=[0.5, 0.1, 0.4]))
        rows["reason"] = pa.array(rng.choice(["price", "service", "bankruptcy"], count, p=[0.6, 0.3, 0.1]))
        # Of the numbers that calls have at their other end, most are of a line, some of several in turn.
        rows["number_id"] = pa.array([None if n % 9 == 0 else f"c{n % 34:04d}" for n in range(count)])
    if table.name == "access_codes":
        sells = np.isin(rows["access_code"].to_pylist(), SALES_LINES)
        rows["use"] = pa.array(np.where(sells, "sales_line", "ip_voice"))
        rows["network_id"] = pa.array(np.where(sells, "unicom", rows["network_id"].to_pylist()))
        rows["state"] = pa.array(np.where(sells | (np.arange(count) % 5 > 0), "active", "ended"))
    found = pa.table(rows)
    if table.shape == "log":
        _, first = np.unique([str(key) for key in found.select(table.row_key).to_pylist()], return_index=True)
        return found.take(pa.array(np.sort(first)))
    return found


@pytest.fixture
def random_tables() -> Callable[[int], dict[str, pa.Table]]:
    """Every table of the contracts, filled at random from a seed."""

    def made(seed: int) -> dict[str, pa.Table]:
        sizes = {"calls": 1_500, "interconnect": 300, "usage": 800, "lines": 90, "accounts": 40}
        rng = np.random.default_rng(seed)
        # Drawn last, the newest table leaves the rows of the others as they were.
        drawn = sorted(TABLES, key=lambda name: name == "tariffs")
        tables = {name: _random_table(TABLES[name], sizes.get(name, 120), rng) for name in drawn}
        networks = {
            "network_id": ["own", "unicom", "netcom", "other"],
            "kind": ["own", "rival", "rival", "other"],
        }
        known = pa.array([FIRST_DAY, FIRST_DAY, FIRST_DAY + 130, FIRST_DAY], pa.int32())
        tables["networks"] = pa.table({**networks, "known_day": known})
        del tables["labels"]
        return tables

    return made


@pytest.fixture
def random_store(
    tmp_path: Path, random_tables: Callable[[int], dict[str, pa.Table]]
) -> Callable[[int], Store]:
    """A store of a random operator; complete to the last of its days."""

    def made(seed: int) -> Store:
        folder = tmp_path / f"random-{seed}"
        return store_from_tables(folder, random_tables(seed), end_day=FIRST_DAY + DAYS)

    return made


class PostgresServer:
    """A server of the tests' own, which they may stop; reached by a socket in its folder."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.password = secrets.token_hex(8)
        # The programs refuse to run as root.
        names = [user.pw_name for user in pwd.getpwall()]
        self.user = None if os.getuid() else "postgres" if "postgres" in names else "nobody"
        (folder / "password").write_text(self.password, encoding="utf-8")
        if self.user:
            for path in (folder, folder / "password"):
                shutil.chown(path, self.user)
        words = ("-U", "nbo", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-N", "-E", "UTF8")
        done = self.popen("initdb", *words, "--locale=C")
        assert done.wait() == 0, (folder / "initdb.txt").read_text()
        self.start()

    def popen(self, program: str, *words: str) -> "subprocess.Popen[bytes]":
        # A server must not outlive the tests, however these end.
        leash = ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
        command = [*leash, self.programs / program, "-D", self.folder / "data", *words]
        with (self.folder / f"{program}.txt").open("a") as said:
            return subprocess.Popen(command, user=self.user, cwd=self.folder, stdout=said, stderr=said)

    def start(self) -> None:
        """Start it and wait until it answers."""
        import psycopg

        settings = ("-c", "listen_addresses=", "-c", "fsync=off")
        self.process = self.popen("postgres", "-k", str(self.folder), *settings)
        given_up = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url().replace("+psycopg", "")).close()
            except psycopg.OperationalError:
                said = (self.folder / "postgres.txt").read_text()
                assert self.process.poll() is None and time.monotonic() < given_up, said
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it at once, as a crash would: connections break, commits stay."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def runs(self) -> bool:
        return self.process.poll() is None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://nbo:{self.password}@/{database}?host={self.folder}"


@pytest.fixture(scope="session")
def small_files() -> dict[str, str]:
    """The environment of a process whose files may not grow beyond a limit, as if the disk were full.

    It writes neither coverage, which would meet the same limit, nor byte code: Python takes the half of a
    file for the whole, and every later process would stop at it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server that the test may stop; it starts it again before it ends."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs initdb: only a server of the tests' own may be stopped")
    with tempfile.TemporaryDirectory(prefix="nbo-postgres-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), programs)
        yield server
        server.stop()


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new database: on the server that NBO_TEST_POSTGRES names, else on one of our own."""
    import psycopg

    named = os.environ.get("NBO_TEST_POSTGRES")
    address = named or request.getfixturevalue("postgres_server").url()
    parts = urlsplit(address)
    database = f"nbo_test_{secrets.token_hex(6)}"
    admin = address.replace("+psycopg", "", 1)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    yield urlunsplit(parts._replace(path=f"/{database}"))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
