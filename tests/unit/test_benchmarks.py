"""The feature benchmark: it compares equal things, keeps its data, and notices a wrong result."""

import importlib
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]


def benchmark(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks/features.py"), "--calls", "2000", "--accounts", "50"]
    command += ["--rounds", "1", "--date", "2026-01-31", "--out", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def compare(store: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks/features_worker.py"), "compare", str(store)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its folder and what it said, after one round over 2,000 calls."""
    out = tmp_path_factory.mktemp("bench")
    result = benchmark(out)
    assert result.returncode == 0, result.stderr
    return out, result.stdout


def test_ours_and_plain_sql_agree_on_every_feature(ran: tuple[Path, str]) -> None:
    assert "ours and plain: equal" in ran[1]


def test_the_features_are_not_all_zero_or_null(ran: tuple[Path, str]) -> None:
    plain = pq.read_table(next((ran[0] / "data").glob("*-plain.parquet")))
    assert plain.num_rows == 50
    assert plain.num_columns == 58
    dull = [name for name in plain.column_names[1:] if len(pc.unique(plain[name].drop_null())) < 2]
    assert not dull


def test_the_table_names_every_variant_and_judges_every_target(ran: tuple[Path, str]) -> None:
    text = (ran[0] / "features.md").read_text(encoding="utf-8")
    assert "57 features of 50 accounts from 2,000 calls" in text
    assert "2026-01-31" in text
    for name in ("scan", "ours", "plain"):
        assert text.count(f"| {name} |") == 1
    assert text.count("| met |") + text.count("| MISSED |") == 3


def test_late_calls_are_in_the_data(ran: tuple[Path, str]) -> None:
    calls = pq.read_table(ran[0] / "data/store/tables/calls", columns=["event_day", "known_day"])
    delay = pc.subtract(calls["known_day"], calls["event_day"])
    assert pc.min(delay).as_py() == 1
    assert 30 < pc.max(delay).as_py() <= 40


def test_data_of_the_same_generator_are_kept_and_of_another_size_made_anew(ran: tuple[Path, str]) -> None:
    manifest = ran[0] / "data/store/MANIFEST.json"
    first = manifest.stat().st_mtime_ns
    assert benchmark(ran[0]).returncode == 0
    assert manifest.stat().st_mtime_ns == first
    assert benchmark(ran[0], "--calls", "2001").returncode == 0
    assert manifest.stat().st_mtime_ns != first


@pytest.mark.parametrize("change", ["another value", "a null"])
def test_a_result_that_differs_in_one_cell_is_told_and_fails(ran: tuple[Path, str], change: str) -> None:
    path = next((ran[0] / "data").glob("*-plain.parquet"))
    whole = pq.read_table(path)
    name = "calls_out_minutes_sum_90d"
    values = whole[name].to_pylist()
    values[7] = values[7] + 1e-6 if change == "another value" else None
    at = whole.column_names.index(name)
    try:
        pq.write_table(whole.set_column(at, name, pa.array(values, whole[name].type)), path)
        result = compare(ran[0] / "data/store")
    finally:
        pq.write_table(whole, path)
    assert result.returncode == 1
    assert f"UNEQUAL in {name}" in result.stdout


@pytest.mark.parametrize("name", ["features", "features-large", "features-dense", "featuretools", "families"])
def test_the_published_page_has_room_for_the_table(name: str) -> None:
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert page.count(f"<!-- table: {name} -->") == page.count(f"<!-- end: {name} -->") == 1


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""Words."""\n\nx = 1  # why\n# more\n', 1),
        ('def f():\n    """Words,\n    more."""\n    return """a\n    b"""\n', 3),
        ("x = [\n    1,\n\n    2,\n]\n", 4),
    ],
)
def test_lines_to_write_are_lines_of_code_alone(
    monkeypatch: pytest.MonkeyPatch, source: str, lines: int
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    assert importlib.import_module("features_beside").lines_of_code(source) == lines


def test_the_online_benchmark_compares_every_row_and_tells_its_targets(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/online.py"), "--accounts", "2000", "--features", "20"]
    command += ["--lookups", "500", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    table = (tmp_path / "online.md").read_text(encoding="utf-8")
    assert "| rows equal to the batch's matrix in every bit | 2,000 of 2,000 |" in table
    assert "| look-up, file in the cache, p99, µs |" in table


def test_over_time_every_part_is_judged_and_one_new_file_read(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/features_over_time.py"), "--calls", "4000"]
    command += ["--daily", "50", "--date", "2026-01-31", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "calls: reading 1 new of 61 files" in result.stdout
    for name, targets in (("months", 4), ("memory", 1), ("day", 2)):
        text = (tmp_path / f"features-{name}.md").read_text(encoding="utf-8")
        assert text.count("| met |") + text.count("| MISSED |") == targets
