"""Every number of the simulated operator is told in its page, with its value."""

from dataclasses import fields
from pathlib import Path

import pytest

from nbo.world import TUNING, Tuning

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "world.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [field.name for field in fields(Tuning)])
def test_a_number_stands_in_the_page_with_its_value(name: str) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    assert len(rows) == 1, f"docs/world.md has {len(rows)} rows for {name}"
    names = [word.strip().strip("`") for word in rows[0].split("|")[1].split(",")]
    values = [word.strip() for word in rows[0].split("|")[2].replace(";", ",").split(",")]
    assert len(names) == len(values)
    assert float(values[names.index(name)]) == getattr(TUNING, name)


def test_changed_numbers_leave_the_others_alone() -> None:
    changed = TUNING.changed({"seen_share": 0.5, "newcomer_month": 3})
    assert (changed.seen_share, changed.newcomer_month, changed.habit_share) == (0.5, 3, TUNING.habit_share)
    assert TUNING.changed({}) == TUNING
