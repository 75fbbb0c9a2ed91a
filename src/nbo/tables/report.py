"""What a check says: violations, one line each, and what became of every table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbo.errors import DataError


@dataclass(frozen=True)
class Violation:
    """One rule that some rows, a column or a file break.

    Parameters
    ----------
    table, column : str, or None where the rule is about a whole table
    rule : str
        Short name, such as ``"unknown reference"``.
    expected, got : str
        The rule with its unit, and what was found.
    next_step : str
        What to do now.
    count, total : int or None
        Rows that break it, and rows read; None for a file or a column.
    examples : tuple of str
        Up to five keys, in order.
    file : str or None
        The source file, where the rule is about one.
    fails : bool
        False where the table's allowed share of quarantined rows covers it.
    """

    table: str
    column: str | None
    rule: str
    expected: str
    got: str
    next_step: str
    count: int | None = None
    total: int | None = None
    examples: tuple[str, ...] = ()
    file: str | None = None
    fails: bool = True

    @property
    def line(self) -> str:
        """The one line that is printed."""
        where = f"{self.table}.{self.column}" if self.column else self.table
        where += f" ({self.file})" if self.file else ""
        told = DataError(
            where,
            self.expected,
            self.got,
            count=self.count,
            total=self.total,
            examples=self.examples,
            next_step=self.next_step,
        )
        return str(told)

    def allowed(self) -> "Violation":
        """The same, within the table's allowed share."""
        return replace(self, fails=False)


@dataclass(frozen=True)
class TableReport:
    """What became of one table; ``raw_rows = rows + duplicates_dropped + quarantined`` unless
    a source was summed up to the table's key. ``late`` of the rows reached us more than
    :data:`nbo.tables.reading.LATE_AFTER` days after what they tell of."""

    rows: int = 0
    raw_rows: int = 0
    duplicates_dropped: int = 0
    quarantined: int = 0
    late: int = 0
    columns: tuple[str, ...] = ()
    columns_absent: tuple[str, ...] = ()
    covers_from: int | None = None
    first_visible: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "TableReport":
        """The report of a table's entry in the manifest; which columns are absent is not told there."""
        steps = tuple((int(visible), int(first)) for visible, first in facts["first_visible"])
        return cls(**{**facts, "columns": tuple(facts["columns"]), "first_visible": steps})

    def to_json(self) -> dict[str, Any]:
        """The table's entry in the manifest."""
        return {
            "rows": self.rows,
            "raw_rows": self.raw_rows,
            "duplicates_dropped": self.duplicates_dropped,
            "quarantined": self.quarantined,
            "late": self.late,
            "columns": list(self.columns),
            "covers_from": self.covers_from,
            "first_visible": [list(step) for step in self.first_visible],
        }


@dataclass(frozen=True)
class CheckReport:
    """The answer of ``nbo check``.

    Parameters
    ----------
    ok : bool
        Whether the store is fit for use.
    violations : tuple of Violation
        All of them, in table order; those with ``fails`` False are told but allowed.
    tables : mapping of str to TableReport
        Tables that the store holds.
    store : Path
    store_id : str
    end_day : int or None
        First day that is not complete; None where nothing is dated.
    tables_absent, unused_files : tuple of str
        Tables without a source; files of the data folder that no source names.
    """

    ok: bool
    violations: tuple[Violation, ...]
    tables: Mapping[str, TableReport]
    store: Path
    store_id: str
    end_day: int | None
    tables_absent: tuple[str, ...] = ()
    unused_files: tuple[str, ...] = field(default=())

    @property
    def failed(self) -> tuple[Violation, ...]:
        return tuple(violation for violation in self.violations if violation.fails)
