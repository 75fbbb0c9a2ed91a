"""Which services a test needs, and what happens where one is absent.

``@pytest.mark.needs("postgres")`` names a service of :data:`SERVICES`. Where it is absent the test is
skipped and the closing summary names it; where ``NBO_TEST_REQUIRE`` lists it (comma or space separated)
the test fails instead. With ``CI=true`` any skipped test fails the run.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _bench_data() -> str | None:
    folder = Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data")
    return None if folder.is_dir() else "no folder ../shared/data; name another one by NBO_BENCH_DATA"


def _postgres() -> str | None:
    if os.environ.get("NBO_TEST_POSTGRES") or shutil.which("initdb"):
        return None
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
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
