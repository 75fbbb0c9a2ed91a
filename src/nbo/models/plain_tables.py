"""Plain tables: files of ready columns, read as they are, without a store and without dates.

Every reader of a plain table finds its columns, its customers and its attributes by these.
"""

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from nbo.errors import DataError, UsageError
from nbo.features.compiled import CompiledFeature
from nbo.models.attributes import attribute_column
from nbo.tables.contract import close_matches

__all__ = [
    "Attributes",
    "check_columns",
    "customer_keys",
    "empty_rows",
    "finite",
    "read_attributes",
    "read_table",
]

ENDINGS = (".csv", ".csv.gz", ".parquet")
MISSING = (*pcsv.ConvertOptions().null_values, " ")
"""How a CSV file says that a value is missing; a lone blank would make text of a column of numbers."""
LARGEST_BLOCK = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Attributes:
    """What is known of n customers.

    Parameters
    ----------
    features : tuple of CompiledFeature
    rows : pa.Table
        n rows with a column for each feature.
    notes : tuple of str
        Columns that were left out, and why; what else was changed.
    date_formats : mapping of str to str
        By feature, how the text of a date was read.
    """

    features: tuple[CompiledFeature, ...]
    rows: pa.Table
    notes: tuple[str, ...]
    date_formats: Mapping[str, str] = field(default_factory=dict)


def read_table(path: Path, texts: Sequence[str] = ()) -> pa.Table:
    """The file as a table; :class:`DataError` unless it can be read to its end.

    Parameters
    ----------
    path : Path
    texts : sequence of str
        Columns of a CSV file that are text, whatever their values look like.
    """
    if not path.name.endswith(ENDINGS):
        raise UsageError(f"{path}: expected a .csv, .csv.gz or .parquet file, got {path.suffix!r}")
    if not path.is_file():
        raise UsageError(f"{path}: expected a file, got {'a folder' if path.is_dir() else 'none'}")
    is_parquet = path.name.endswith(".parquet")
    try:
        table = pq.read_table(path, partitioning=None) if is_parquet else read_csv(path, texts)
        names = table.column_names
    except UnicodeDecodeError:
        raise not_utf8(path.name) from None
    except (pa.ArrowException, EOFError, zlib.error, OSError) as error:
        got = "an empty file" if path.stat().st_size == 0 else " ".join(str(error).split())[:160].rstrip(".")
        raise DataError(str(path), "a whole, readable file", got, next_step="Write the file again") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(path.name, "each column once", f"{twice[0]!r} twice", next_step="Rename one of them")
    if not is_parquet:
        for field in table.schema:
            if pa.types.is_binary(field.type):
                raise not_utf8(f"{path.name}.{field.name}")
    return table


def read_csv(path: Path, texts: Sequence[str]) -> pa.Table:
    """The CSV file in one block: a column's type follows from all its rows, whatever their order."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read()
    return pcsv.read_csv(
        pa.BufferReader(content),
        read_options=pcsv.ReadOptions(block_size=min(max(len(content), 1), LARGEST_BLOCK)),
        convert_options=pcsv.ConvertOptions(
            strings_can_be_null=True, null_values=MISSING, column_types=dict.fromkeys(texts, pa.string())
        ),
    )


def not_utf8(where: str) -> DataError:
    return DataError(where, "UTF-8 text", "another encoding", next_step="Convert the file to UTF-8")


def check_columns(option: str, names: Sequence[str], table: pa.Table, file: str) -> None:
    """Refuse a name that no column has.

    Parameters
    ----------
    option : str
        Where the names were given.
    names : sequence of str
    table : pa.Table
    file : str
        What the table is called in errors.
    """
    for name in names:
        if name not in table.column_names:
            raise UsageError(
                f"{option}: no column {name!r} in {file}{close_matches(name, table.column_names)}"
            )


def customer_keys(table: pa.Table, customer: str | None) -> Sequence[str]:
    """What each row is called in errors: the customer, or the row's number from 1."""
    if customer is None:
        return [f"row {number}" for number in range(1, table.num_rows + 1)]
    column = table[customer].combine_chunks()
    if column.null_count:
        rows = np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False)) + 1
        raise DataError(
            customer, "a customer in every row", "an empty value", count=column.null_count,
            total=table.num_rows, examples=[f"row {row}" for row in rows[:5]],
        )  # fmt: skip
    keys = [str(value) for value in column.to_pylist()]
    found, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            customer, "each customer once", "customers that repeat", count=int(counts[counts > 1].sum()),
            total=table.num_rows, examples=found[counts > 1][:5].tolist(),
            next_step="Leave one row of each customer",
        )  # fmt: skip
    return keys


def read_attributes(table: pa.Table, names: Sequence[str]) -> Attributes:
    """These columns as features: numbers and dates as numbers, text as categories.

    A value that is infinite is taken as missing, with a note: it is what a division by 0 left.
    """
    kept: dict[str, pa.Array] = {}
    formats: dict[str, str] = {}
    features, notes = [], []
    for place, name in enumerate(names):
        found = attribute_column(table[name], name, place)
        if isinstance(found, str):
            notes.append(f"{name} was left out: {found}")
            continue
        feature, values, date_format = found
        if date_format is not None:
            formats[feature.name] = date_format
        if feature.kind == "number":
            values, infinite = finite(values)
            if infinite:
                notes.append(
                    f"{name}: infinite values are taken as missing; {infinite:,} of {len(values):,} rows"
                )
        features.append(feature)
        kept[feature.name] = values
    rows = pa.table(kept) if kept else empty_rows(table.num_rows)
    return Attributes(tuple(features), rows, tuple(notes), formats)


def finite(values: pa.Array) -> tuple[pa.Array, int]:
    """The finite numbers, all others null; and how many were infinite.

    Examples
    --------
    >>> found, infinite = finite(pa.array([1.0, float("inf"), float("nan"), None]))
    >>> found.to_pylist(), infinite
    ([1.0, None, None, None], 1)
    """
    infinite = pc.sum(pc.is_inf(values)).as_py() or 0
    return pc.if_else(pc.is_finite(values), values, None), infinite


def empty_rows(count: int) -> pa.Table:
    """A table with rows but nothing known of them; Arrow keeps no rows without a column."""
    return pa.table({"nothing": pa.nulls(count)})
