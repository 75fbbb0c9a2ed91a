"""A file that changes between its two readings attaches nothing."""

from array import array
from pathlib import Path

import pytest

from nbo.decisions.log.imports import shape, shaped_outcomes
from nbo.errors import DataError

HEADER = "decision_id,outcome,offer_id,occurred_at\n"
ROW = "d1,refused,,2024-06-04T00:00:00Z\n"


def test_the_shape_counts_rows_and_names_misshapen_ones(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text(HEADER + ROW + "\n" + "d2,refused\n" + ROW)
    rows, refused, problems = shape(path)
    assert (rows, refused, [problem.line for problem in problems]) == (3, 1, [4])
    lines = array("q")
    assert [outcome.decision_id for outcome in shaped_outcomes(path, lines, 2)] == ["d1", "d1"]
    assert list(lines) == [2, 5]


@pytest.mark.parametrize("later", [HEADER, HEADER + ROW * 3, HEADER + ROW + "d2,refused\n"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, later: str) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text(HEADER + ROW * 2)
    rows, refused, _ = shape(path)
    path.write_text(later)
    with pytest.raises(DataError, match="expected a file that can be read twice, with 2 rows, got"):
        list(shaped_outcomes(path, array("q"), rows - refused))
