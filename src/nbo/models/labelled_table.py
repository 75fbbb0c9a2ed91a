"""A plain table of customers with a label: what is known of each, and whether the event happened.

No store and no dates as of which a fact counts: whoever made the table answers for that. It is how
any table of ready attributes is read for measuring the churn learner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.errors import DataError, UsageError
from nbo.features.compiled import CompiledFeature
from nbo.models.data import Rows
from nbo.models.plain_tables import (
    Attributes,
    check_columns,
    customer_keys,
    empty_rows,
    read_attributes,
    read_table,
)
from nbo.tables.contract import close_matches

__all__ = ["LabelledTable", "read_labelled_table"]

Labels = npt.NDArray[np.int8]

PAIRS = (("1", "0"), ("true", "false"), ("yes", "no"), ("y", "n"))
"""Two values that say by themselves which of them is 1, in any case."""
CHURNED = "churned"
"""A value that is 1 beside any other."""


@dataclass(frozen=True, eq=False)
class LabelledTable:
    """Customers of a table, n of them, each with what became of it.

    Parameters
    ----------
    label : ndarray of shape (n,), int8
        1 = the event happened.
    ids : ndarray of shape (n,), str
        What each row is called, no two alike.
    features : tuple of CompiledFeature
        The customers' attributes.
    rows : pa.Table
        n rows with a column for each feature.
    positive : str
        The label's value that is 1, as in the file.
    notes : tuple of str
        What was left out or changed, and why.
    date_formats : mapping of str to str
        By feature, how the text of a date was read.
    """

    label: Labels
    ids: npt.NDArray[Any]
    features: tuple[CompiledFeature, ...]
    rows: pa.Table
    positive: str
    notes: tuple[str, ...]
    date_formats: Mapping[str, str] = field(default_factory=dict)

    def part(self, rows: Rows) -> "LabelledTable":
        """Some of the rows."""
        return replace(self, label=self.label[rows], ids=self.ids[rows], rows=self.rows.take(pa.array(rows)))


def read_labelled_table(
    path: Path,
    label: str,
    customer: str | None = None,
    positive: str | None = None,
    drop: Sequence[str] = (),
) -> LabelledTable:
    """Read a label and attributes from a CSV file (also ``.gz``) or a Parquet file.

    Parameters
    ----------
    path : Path
        One row a customer; CSV in UTF-8 with a header line.
    label : str
        The column that says whether the event happened.
    customer : str or None
        The column that names the customer; None = a row is a customer.
    positive : str or None
        The label's value that is 1; every other is 0. None = the values are two and say it
        themselves: 1/0, true/false, yes/no, y/n, churned/other, in any case.
    drop : sequence of str
        Columns not to learn from.

    Returns
    -------
    LabelledTable
        All other columns are attributes: numbers and dates as numbers, text as categories. What
        cannot tell rows apart, or differs in every row, is left out with a note.

    Raises
    ------
    UsageError
        No such file, column or label value, or two values that do not say which is 1.
    DataError
        The file cannot be read, a customer repeats, a label is missing, there are more than two
        values or one class, or no column is left.
    """
    table = read_table(path)
    dropped = checked_names(table, path.name, label, customer, drop)
    if not table.num_rows:
        raise DataError(path.name, "rows below the names of the columns", "none", next_step="Bring rows")
    keys = customer_keys(table, customer)
    texts = label_texts(table[label], label, keys)
    chosen = positive_texts(texts, label, positive)
    found = np.isin(texts, chosen).astype(np.int8)
    if found.all():
        raise DataError(
            label,
            "rows of both classes",
            f"only {chosen[0]!r} in {len(texts):,} rows",
            next_step="Bring rows of the other class",
        )
    others = [name for name in table.column_names if name not in (label, customer, *dropped)]
    known = telling(read_attributes(table, others))
    if not known.features:
        got = "; ".join(("none beside the label", *known.notes))
        raise DataError(
            path.name, "a column to learn from", got, next_step="Bring attributes of the customers"
        )
    return LabelledTable(
        found, np.array(keys), known.features, known.rows, chosen[0], known.notes, known.date_formats
    )


def checked_names(
    table: pa.Table, file: str, label: str, customer: str | None, drop: Sequence[str]
) -> list[str]:
    """The columns not to learn from, none of them the label or the customer."""
    dropped = [name.strip() for name in drop if name.strip()]
    check_columns("--label", [label], table, file)
    check_columns("--id", [customer] if customer is not None else [], table, file)
    check_columns("--drop", dropped, table, file)
    if customer == label:
        raise UsageError(f"--id: expected a column beside the label, got {customer!r}, which is the label")
    for name in dropped:
        if name in (label, customer):
            option = "--label" if name == label else "--id"
            raise UsageError(f"--drop: expected columns beside --label and --id, got {name!r} of {option}")
    return dropped


def label_texts(column: pa.ChunkedArray, name: str, keys: Sequence[str]) -> list[str]:
    """The label of each row as text, as it stands in the file; none may be missing."""
    told = [label_text(value) for value in column.to_pylist()]
    missing = [row for row, text in enumerate(told) if not text]
    if missing:
        raise DataError(
            name, "a label in every row", "an empty value", count=len(missing), total=len(told),
            examples=[keys[row] for row in missing[:5]], next_step="Fill them in, or leave the rows out",
        )  # fmt: skip
    return told


def label_text(value: object) -> str:
    """A label's value as text; an empty one is missing.

    Examples
    --------
    >>> [label_text(value) for value in (" Yes", True, 1.0, 2.5, None, float("nan"))]
    ['Yes', 'true', '1', '2.5', '', '']
    """
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def positive_texts(texts: Sequence[str], name: str, positive: str | None) -> list[str]:
    """The values that are 1: unlike spellings of one, in order.

    Parameters
    ----------
    texts : sequence of str
        The label of each row.
    name : str
        The label's column.
    positive : str or None
        What was asked for.
    """
    values = sorted(set(texts))
    if positive is not None:
        return asked_texts(values, name, positive)
    spelt: dict[str, list[str]] = {}
    for value in values:
        spelt.setdefault(value.casefold(), []).append(value)
    if len(spelt) > 2:
        raise DataError(
            name, "two values", f"{len(spelt):,}", examples=values,
            next_step="Name the one that is 1: --positive VALUE",
        )  # fmt: skip
    if len(spelt) < 2:
        return values
    for yes, no in PAIRS:
        if set(spelt) == {yes, no}:
            return spelt[yes]
    if CHURNED in spelt:
        return spelt[CHURNED]
    first, second = (one[0] for one in spelt.values())
    raise UsageError(
        f"--label: expected two values that say which is 1 (1/0, true/false, yes/no, y/n, churned/other), "
        f"got {first!r} and {second!r} in {name}",
        f"Name the one that is 1: --positive {first!r} or --positive {second!r}",
    )


def asked_texts(values: Sequence[str], name: str, positive: str) -> list[str]:
    """The value asked for; where none is spelt so, those that are but for case, or the same number."""
    wanted = positive.strip()
    if wanted in values:
        return [wanted]
    meant = (wanted.casefold(), wanted.removesuffix(".0"))
    alike = [value for value in values if value.casefold() in meant]
    if not alike:
        raise UsageError(f"--positive: no value {wanted!r} in {name}{close_matches(wanted, list(values))}")
    return alike


def telling(known: Attributes) -> Attributes:
    """The attributes that can tell rows apart; a note says which cannot."""
    kept, notes = [], list(known.notes)
    for feature in known.features:
        values = known.rows[feature.name]
        unlike = len(pc.unique(values.drop_null()))
        if unlike and (unlike > 1 or values.null_count):
            kept.append(feature)
        else:
            why = "it is the same in every row" if unlike else "it is empty in every row"
            notes.append(f"{feature.words.en} was left out: {why}")
    rows = known.rows.select([feature.name for feature in kept]) if kept else empty_rows(known.rows.num_rows)
    return Attributes(tuple(kept), rows, tuple(notes), known.date_formats)
