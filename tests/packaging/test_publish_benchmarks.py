"""Published figures are those that were measured, and none gets lost."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def publish(room: Path, page: str, **tables: str) -> subprocess.CompletedProcess[str]:
    for folder in ("tools", "docs", "runs/bench"):
        (room / folder).mkdir(parents=True)
    script = shutil.copy(ROOT / "tools/publish_benchmarks.py", room / "tools")
    (room / "docs/benchmarks.md").write_text(page, encoding="utf-8")
    for name, table in tables.items():
        (room / f"runs/bench/{name}.md").write_text(table, encoding="utf-8")
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)


def test_a_table_replaces_what_stands_between_its_marks(tmp_path: Path) -> None:
    page = "before\n<!-- table: a -->\nold\n<!-- end: a -->\nafter\n"
    assert publish(tmp_path, page, a="| 1 \\1 |\n").returncode == 0
    assert (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8") == page.replace("old", "| 1 \\1 |")


def test_a_table_without_marks_is_refused_and_the_page_stays(tmp_path: Path) -> None:
    result = publish(tmp_path, "no marks\n", a="| 1 |\n")
    assert result.returncode == 2
    assert "expected one pair of marks <!-- table: a -->" in result.stderr
    assert (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8") == "no marks\n"


def test_nothing_measured_publishes_nothing(tmp_path: Path) -> None:
    assert publish(tmp_path, "page\n").returncode == 2
