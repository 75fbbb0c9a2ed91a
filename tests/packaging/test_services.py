"""A test whose service is absent is skipped by name, fails where required, and never hides in CI."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
SUITE = """
import pytest

@pytest.mark.needs("bench_data")
def test_of_a_service():
    pass

def test_of_nothing():
    pass
"""


def run(
    room: Path, *arguments: str, suite: str = SUITE, **variables: str
) -> subprocess.CompletedProcess[str]:
    (room / "tests").mkdir()
    shutil.copy(CONFTEST, room / "tests")
    (room / "tests/test_suite.py").write_text(suite, encoding="utf-8")
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("NBO_", "CI", "PYTEST", "COV"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=room,
        env={**kept, "NBO_BENCH_DATA": str(room / "absent"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_skip_is_named_at_the_end(tmp_path: Path, processes: str) -> None:
    result = run(tmp_path, "-n", processes)
    assert result.returncode == 0, result.stdout
    assert "1 skipped, by name" in result.stdout
    assert "test_of_a_service: needs bench_data: no folder" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 passed, 1 skipped in")


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_skip_fails_a_run_in_ci(tmp_path: Path, processes: str) -> None:
    result = run(tmp_path, "-n", processes, CI="true")
    assert result.returncode == 1, result.stdout
    assert "1 skipped, which fails a CI run" in result.stdout
    assert "test_of_a_service: needs bench_data" in result.stdout


def test_any_skip_counts_in_ci(tmp_path: Path) -> None:
    result = run(tmp_path, suite="import pytest\ndef test_x():\n    pytest.skip('tired')\n", CI="true")
    assert result.returncode == 1
    assert "test_x: tired" in result.stdout


def test_no_skip_passes_in_ci(tmp_path: Path) -> None:
    assert run(tmp_path, NBO_BENCH_DATA=str(tmp_path), CI="true").returncode == 0


def test_a_required_service_that_is_absent_fails(tmp_path: Path) -> None:
    result = run(tmp_path, NBO_TEST_REQUIRE="postgres, bench_data")
    assert result.returncode == 1
    assert "needs bench_data, which NBO_TEST_REQUIRE names" in result.stdout


@pytest.mark.parametrize(
    ("suite", "variables", "message"),
    [
        (SUITE, {"NBO_TEST_REQUIRE": "oracle"}, "NBO_TEST_REQUIRE: expected names of"),
        (SUITE.replace("bench_data", "oracle"), {}, "needs('oracle'): expected one of"),
    ],
)
def test_a_service_that_nobody_knows_is_an_error(
    tmp_path: Path, suite: str, variables: dict[str, str], message: str
) -> None:
    result = run(tmp_path, suite=suite, **variables)
    assert result.returncode != 0
    assert message in result.stdout + result.stderr
