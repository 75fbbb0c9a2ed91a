"""The types a table contract is made of: table, column, what each may be used for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

from nbo.errors import UsageError, listed

Kind = Literal["key", "code", "text", "flag", "day", "second", "seconds", "money", "count", "bytes", "number"]
"""What a column holds. Stored as: key, code, text = string; flag = boolean; day = int32 days since
1970-01-01; second = int32 within the day; seconds (a duration), money (minor units), count,
bytes = int64; number = double."""

Shape = Literal["events", "log", "reference"]
"""events: one row a fact; log: a change log keyed by (key, valid_day, known_day); reference: codes."""

INTEGER_KINDS = frozenset({"day", "second", "seconds", "money", "count", "bytes"})
SUMMABLE_KINDS = frozenset({"seconds", "money", "count", "bytes"})

SQL_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "key": "VARCHAR",
        "code": "VARCHAR",
        "text": "VARCHAR",
        "flag": "BOOLEAN",
        "day": "INTEGER",
        "second": "INTEGER",
        "seconds": "BIGINT",
        "money": "BIGINT",
        "count": "BIGINT",
        "bytes": "BIGINT",
        "number": "DOUBLE",
    }
)

PURPOSES = ("service", "retention", "marketing")
"""What a column may be used for. ``service``: running the network and the bill; ``retention``:
keeping an own customer; ``marketing``: selling. A column without purposes feeds no feature."""
ALL_PURPOSES = frozenset(PURPOSES)
NO_PURPOSE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Words:
    """One phrase in the two languages of the operator's people."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class Measure:
    """A column in the unit people speak: ``minutes`` is ``duration_seconds`` / 60."""

    name: str
    per: int
    unit: str
    words: Words


UNITS: Mapping[Kind, str] = MappingProxyType(
    {
        "day": "days since 1970-01-01 in the operator's zone",
        "second": "seconds since the day's 00:00",
        "seconds": "seconds",
        "money": "minor units of the store's currency",
        "bytes": "bytes",
    }
)
"""The unit of what a kind of column holds; a kind without one has none."""


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Parameters
    ----------
    name, kind
        The store's column name and what it holds (:data:`Kind`).
    words : Words
        The noun that reasons use.
    nullable : bool
        Whether a row may lack it.
    codes : mapping of code to Words
        Allowed values of a code column; empty = any.
    references : str or None
        Table whose key this column must exist in.
    purposes : frozenset of str
        What features may use it for (:data:`PURPOSES`).
    known_by : str or None
        Day column from which the value is known where that is later than the row's ``known_day``.
    measure : Measure or None
        The unit that declarations use in place of the stored one.
    """

    name: str
    kind: Kind
    words: Words
    nullable: bool = False
    codes: Mapping[str, Words] = field(default_factory=dict)
    references: str | None = None
    purposes: frozenset[str] = ALL_PURPOSES
    known_by: str | None = None
    measure: Measure | None = None

    @property
    def sql_type(self) -> str:
        return SQL_TYPES[self.kind]

    @property
    def unit(self) -> str | None:
        """The unit of the stored values; None where there is none to tell."""
        return UNITS.get(self.kind)


@dataclass(frozen=True)
class Table:
    """The contract of one input table.

    Parameters
    ----------
    name, shape, words
        Binding name, :data:`Shape`, and the plural noun of its rows.
    provenance : Words
        Where the rows come from, and with them every column.
    key : tuple of str
        Columns that identify a row; a log adds ``valid_day`` and ``known_day`` by itself.
    columns : tuple of Column
        All of the store's columns, time columns included.
    required : bool
        Whether a store without the table is unfit.
    """

    name: str
    shape: Shape
    words: Words
    provenance: Words
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    required: bool = False

    @property
    def event_column(self) -> str | None:
        """Name of the day a row speaks of; None for reference tables."""
        return {"events": "event_day", "log": "valid_day", "reference": None}[self.shape]

    @property
    def row_key(self) -> tuple[str, ...]:
        """Columns under which two rows are the same row."""
        return (*self.key, "valid_day", "known_day") if self.shape == "log" else self.key

    @property
    def has_counterparty(self) -> bool:
        """Whether rows name the network at the other end."""
        return "network_id" in self.column_names and "counterparty_id" in self.column_names

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of this name, or of the measure of this name; close matches in the error."""
        for column in self.columns:
            if name == column.name or (column.measure and name == column.measure.name):
                return column
        known = [*self.column_names, *(c.measure.name for c in self.columns if c.measure)]
        raise UsageError(f"{self.name}.{name}: no such column{close_matches(name, known)}")


def close_matches(name: str, known: list[str] | tuple[str, ...]) -> str:
    """The tail of an error about an unknown name.

    Examples
    --------
    >>> close_matches("cals", ["calls", "usage"])
    '; did you mean calls?'
    """
    near = get_close_matches(name, known, n=3)
    if near:
        return "; did you mean " + ", ".join(near) + "?"
    return f"; known: {listed(sorted(known))}"
