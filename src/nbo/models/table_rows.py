"""Rows to score from a plain table, read exactly as the table that a model learnt from was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.errors import DataError
from nbo.features.compiled import CompiledFeature
from nbo.models.attributes import as_numbers, days, is_text, plain_text, undictionaried
from nbo.models.plain_tables import check_columns, customer_keys, finite, read_table
from nbo.tables.contract import close_matches

__all__ = ["TableRows", "read_table_rows"]

SHOWN = 5


@dataclass(frozen=True, eq=False)
class TableRows:
    """Customers of a table, n of them, whose label is not asked for.

    Parameters
    ----------
    ids : ndarray of shape (n,), str
        What each row is called, no two alike.
    rows : pa.Table
        n rows with a column for each feature.
    """

    ids: npt.NDArray[Any]
    rows: pa.Table


def read_table_rows(
    path: Path,
    features: Sequence[CompiledFeature],
    date_formats: Mapping[str, str],
    customer: str | None = None,
) -> TableRows:
    """Read the columns that a model learnt from; others may stand beside them.

    Parameters
    ----------
    path : Path
        One row a customer: .csv, .csv.gz or .parquet.
    features : sequence of CompiledFeature
        As :func:`nbo.models.labelled_table.read_labelled_table` made them.
    date_formats : mapping of str to str
        By feature, how the text of a date is read.
    customer : str or None
        The column that names the customer; None = a row is a customer.

    Raises
    ------
    UsageError
        No such file or customer column.
    DataError
        The file cannot be read, has no rows, lacks a column, or holds values of another kind in one.
    """
    names = [feature.words.en for feature in features]
    spelt = [
        name
        for feature, name in zip(features, names, strict=True)
        if feature.kind == "category" or feature.name in date_formats
    ]
    table = read_table(path, spelt)
    check_columns("--id", [customer] if customer is not None else [], table, path.name)
    if not table.num_rows:
        raise DataError(path.name, "rows below the names of the columns", "none", next_step="Bring rows")
    check_complete(table, names, path.name)
    keys = customer_keys(table, customer)
    read = {
        feature.name: values_of(table[name], feature, date_formats.get(feature.name), path.name)
        for feature, name in zip(features, names, strict=True)
    }
    return TableRows(np.array(keys), pa.table(read))


def check_complete(table: pa.Table, names: Sequence[str], file: str) -> None:
    """Refuse a table that lacks a column; a missing one is no missing value."""
    lacks = [name for name in names if name not in table.column_names]
    if lacks:
        raise DataError(
            file,
            "every column that the model learnt from",
            f"{len(lacks)} of {len(names)} missing{close_matches(lacks[0], table.column_names)}",
            examples=lacks,
            next_step="Bring these columns, empty where nothing is known",
        )


def values_of(
    column: pa.ChunkedArray, feature: CompiledFeature, date_format: str | None, file: str
) -> pa.Array:
    """A feature's values: numbers, or text; :class:`DataError` for values of another kind."""
    values = undictionaried(column)
    if pa.types.is_null(values.type):
        return values
    if feature.kind == "category":
        if is_text(values.type):
            return plain_text(values)
        if pa.types.is_integer(values.type):
            return values.cast(pa.string())
        raise other_kind(file, feature, "text", f"{values.type}")
    if date_format is not None and is_text(values.type):
        texts = plain_text(values)
        found = days(texts, date_format)
        unread = pc.filter(texts, pc.and_(pc.is_null(found), pc.is_valid(texts)))
        if len(unread):
            raise other_kind(file, feature, f"dates like {date_format}", "others", unread)
        return found
    if is_text(values.type):
        raise other_kind(file, feature, "numbers", "text", plain_text(values).drop_null())
    numbers = as_numbers(values)
    if numbers is None:
        raise other_kind(file, feature, "numbers", f"{values.type}")
    return finite(numbers)[0]


def other_kind(
    file: str, feature: CompiledFeature, expected: str, got: str, values: pa.Array | None = None
) -> DataError:
    """Values that the model did not learn from."""
    examples = [] if values is None else pc.unique(values)[:SHOWN].to_pylist()
    return DataError(
        f"{file}.{feature.words.en}", f"{expected}, as the model learnt from", got, examples=examples
    )
