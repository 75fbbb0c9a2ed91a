"""Tables of text: nothing is cut off, and where lines are free no name is broken."""

from typing import Any

import pytest

from nbo.cli.answers import WIDTH, table_lines

NAME = "calls_out_national_hkmt_international_minutes_sum_30d_share_of_out"
ROWS: list[dict[str, Any]] = [
    {"feature": NAME, "unit": "share", "meaning": "minutes of outgoing long-distance calls as a share " * 6}
]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_narrow_terminal_every_letter_is_there(width: int) -> None:
    lines = table_lines(["feature", "unit", "meaning"], ROWS, width=width)
    assert all(len(line) <= width for line in lines)
    letters = sorted("".join(str(value) for value in ROWS[0].values()).replace(" ", ""))
    assert sorted("".join(lines[1:]).replace(" ", "")) == letters


@pytest.mark.parametrize("copies", [1, 5])
def test_without_a_terminal_names_are_whole_however_many_there_are(copies: int) -> None:
    names = {f"feature {n}": f"{NAME}_{n}" for n in range(copies)}
    lines = table_lines([*names, "meaning"], [{**names, "meaning": ROWS[0]["meaning"]}])
    assert set(names.values()) <= set(lines[1].split())
    assert (max(map(len, lines)) <= WIDTH) == (copies == 1)
