"""Outcomes from a CSV file: read in a streaming way, judged as a whole, attached all or not at all."""

import csv
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nbo.decisions.log.outcomes import MOST_PROBLEMS
from nbo.decisions.log.records import Outcome
from nbo.decisions.log.store import DecisionLog
from nbo.errors import DataError, StorageError, UsageError

COLUMNS = ("decision_id", "outcome", "offer_id", "occurred_at")
SAVE_AGAIN = "Save it as CSV in UTF-8"


@dataclass(frozen=True)
class LineProblem:
    """Why one line of a file was refused."""

    line: int
    decision_id: str
    problem: str


@dataclass(frozen=True)
class Imported:
    """What became of a file.

    Parameters
    ----------
    attached, present : int
        Outcomes attached now, and before; both 0 where a row was refused.
    refused, rows : int
        Rows that do not fit, of all rows.
    problems : tuple of LineProblem
        Why, by line, for the first :data:`MOST_PROBLEMS` refused.
    """

    attached: int
    present: int
    refused: int
    rows: int
    problems: tuple[LineProblem, ...]


@dataclass(frozen=True)
class Row:
    """A row as it stands in the file, with the line on which it ends."""

    line: int
    values: list[str]


def import_outcomes(log: DecisionLog, path: Path) -> Imported:
    """Attach the outcomes of a file, or none where any row is refused.

    Parameters
    ----------
    log : DecisionLog
        The log that recorded the decisions.
    path : Path
        CSV in UTF-8 with the columns :data:`COLUMNS` in any order; an empty ``offer_id`` means none.

    Raises
    ------
    UsageError
        No such file, or a column that is missing or unknown.
    DataError
        The file is not CSV in UTF-8, or changed while it was read.
    StorageError
        The file or the database cannot be read.
    """
    rows, misshapen, problems = shape(path)
    lines = array("q")
    outcomes = shaped_outcomes(path, lines, rows - misshapen)
    found = log.try_to_attach(outcomes, check_only=misshapen > 0)
    refused = found.refused + misshapen
    if not refused:
        return Imported(found.attached, found.present, 0, rows, ())
    problems += [LineProblem(lines[p.position], p.decision_id, p.text) for p in found.problems]
    in_order = sorted(problems, key=lambda problem: problem.line)[:MOST_PROBLEMS]
    return Imported(0, 0, refused, rows, tuple(in_order))


def shape(path: Path) -> tuple[int, int, list[LineProblem]]:
    """How many rows there are, and how many (and which) have more or fewer fields than columns."""
    rows = refused = 0
    problems: list[LineProblem] = []
    for row in islice(read_rows(path), 1, None):
        rows += 1
        if len(row.values) != len(COLUMNS):
            refused += 1
            if len(problems) < MOST_PROBLEMS:
                text = f"expected {len(COLUMNS)} fields, got {len(row.values)}"
                problems.append(LineProblem(row.line, "", text))
    return rows, refused, problems


def shaped_outcomes(path: Path, lines: "array[int]", expected: int) -> Iterator[Outcome]:
    """Outcomes of the rows with as many fields as columns; their lines are added to ``lines``."""
    rows = read_rows(path)
    header = next(rows).values
    order = [header.index(name) for name in COLUMNS]
    for row in rows:
        if len(row.values) == len(COLUMNS):
            decision_id, word, offer_id, occurred_at = (row.values[place] for place in order)
            lines.append(row.line)
            yield Outcome(decision_id, word, offer_id or None, occurred_at)
    if len(lines) != expected:
        got = f"{len(lines)} the second time"
        raise DataError(str(path), f"a file that can be read twice, with {expected} rows", got)


def read_rows(path: Path) -> Iterator[Row]:
    """The header, checked, then the rows of a CSV file; empty lines are passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            check_header(path, header)
            yield Row(reader.line_num, header)
            for values in reader:
                if values:
                    yield Row(reader.line_num, values)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise StorageError(f"{path}: not readable ({error.strerror})") from error
    except UnicodeDecodeError as error:
        byte = f"the byte 0x{error.object[error.start]:02x}"
        raise DataError(str(path), "text in UTF-8", byte, next_step=SAVE_AGAIN) from None
    except csv.Error as error:
        raise DataError(str(path), "CSV", str(error), next_step=SAVE_AGAIN) from None


def check_header(path: Path, header: list[str]) -> None:
    """Each column once, and no other."""
    for name in header:
        if name not in COLUMNS:
            # This comes with libraries that take long to import, and only a mistake needs it.
            from nbo.tables.contract import close_matches

            raise UsageError(f"{path}: unknown column {name!r}{close_matches(name, COLUMNS)}")
        if header.count(name) > 1:
            raise UsageError(f"{path}: expected each column once, got {name} {header.count(name)} times")
    if absent := [name for name in COLUMNS if name not in header]:
        raise UsageError(f"{path}: expected a header of {', '.join(COLUMNS)}, got no {', '.join(absent)}")
