"""A plain table of customers: what each holds, and whatever else is known of them.

No store and no dates as of which a fact counts: the table is taken as it is. It is how any data set
of holdings, an insurer's or a shop's, is read for measuring next-product models.
"""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from nbo.errors import DataError, UsageError
from nbo.evaluation.ranking import Flags
from nbo.features.compiled import CompiledFeature
from nbo.models.attributes import attribute_column
from nbo.tables.contract import close_matches

__all__ = ["HoldingsTable", "read_holdings_table"]

ENDINGS = (".csv", ".csv.gz", ".parquet")
TRUE, FALSE = ("1", "1.0", "true"), ("0", "0.0", "false")


@dataclass(frozen=True, eq=False)
class HoldingsTable:
    """Customers of a table, n of them, with k products.

    Parameters
    ----------
    products : tuple of str
        Names of the holdings' columns.
    held : ndarray of shape (n, k), bool
    features : tuple of CompiledFeature
        The customers' attributes.
    rows : pa.Table
        n rows with a column for each feature.
    notes : tuple of str
        What was left out, and why.
    """

    products: tuple[str, ...]
    held: Flags
    features: tuple[CompiledFeature, ...]
    rows: pa.Table
    notes: tuple[str, ...]


def read_holdings_table(path: Path, products: Sequence[str], customer: str | None = None) -> HoldingsTable:
    """Read holdings and attributes from a CSV file (also ``.gz``) or a Parquet file.

    Parameters
    ----------
    path : Path
        One row a customer; CSV in UTF-8 with a header line.
    products : sequence of str
        The columns that say what is held: 0 or 1, true or false. At least two.
    customer : str or None
        The column that names the customer; None = a row is a customer.

    Returns
    -------
    HoldingsTable
        All other columns are attributes: numbers and dates as numbers, text as categories.

    Raises
    ------
    UsageError
        No such file or column, or fewer than two columns of holdings.
    DataError
        The file cannot be read, a customer repeats, a value of a holding is neither 0 nor 1, or
        nobody holds anything.
    """
    named = checked_names(products, customer)
    table = read_table(path)
    for option, names in (("--holdings", named), ("--id", [customer] if customer is not None else [])):
        for name in names:
            if name not in table.column_names:
                raise UsageError(
                    f"{option}: no column {name!r} in {path.name}{close_matches(name, table.column_names)}"
                )
    keys = customer_keys(table, customer)
    held = np.stack([flags(table[name], name, keys) for name in named], axis=1)
    if len(held) and not held.any():
        raise DataError("--holdings", "customers that hold something", f"none in {len(held):,} rows")
    others = [name for name in table.column_names if name not in named and name != customer]
    found = [(name, attribute_column(table[name], name, place)) for place, name in enumerate(others)]
    kept = [column for _, column in found if not isinstance(column, str)]
    return HoldingsTable(
        products=tuple(named),
        held=held,
        features=tuple(feature for feature, _ in kept),
        rows=pa.table({feature.name: values for feature, values in kept}) if kept else empty_rows(len(held)),
        notes=tuple(f"{name} was left out: {why}" for name, why in found if isinstance(why, str)),
    )


def empty_rows(count: int) -> pa.Table:
    """A table with rows but nothing known of them; Arrow keeps no rows without a column."""
    return pa.table({"nothing": pa.nulls(count)})


def checked_names(products: Sequence[str], customer: str | None) -> list[str]:
    """The columns of holdings, each once and none the customer's."""
    named = [name.strip() for name in products if name.strip()]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UsageError(f"--holdings: expected each column once, got {twice[0]!r} twice")
    if customer in named:
        raise UsageError(
            f"--id: expected a column beside the holdings, got {customer!r}, which is one of them"
        )
    if len(named) < 2:
        raise UsageError(
            f"--holdings: expected at least 2 columns, such as P1,P2, got {len(named)}",
            "With one product there is nothing to rank",
        )
    return named


def read_table(path: Path) -> pa.Table:
    """The file as a table; :class:`DataError` unless it can be read to its end."""
    if not path.name.endswith(ENDINGS):
        raise UsageError(f"{path}: expected a .csv, .csv.gz or .parquet file, got {path.suffix!r}")
    if not path.is_file():
        raise UsageError(f"{path}: expected a file, got {'a folder' if path.is_dir() else 'none'}")
    try:
        if path.name.endswith(".parquet"):
            table = pq.read_table(path, partitioning=None)
        else:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                table = pcsv.read_csv(file, convert_options=pcsv.ConvertOptions(strings_can_be_null=True))
        names = table.column_names
    except UnicodeDecodeError:
        raise not_utf8(path.name) from None
    except (pa.ArrowException, EOFError, zlib.error, OSError) as error:
        got = "an empty file" if path.stat().st_size == 0 else " ".join(str(error).split())[:160].rstrip(".")
        raise DataError(str(path), "a whole, readable file", got, next_step="Write the file again") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(path.name, "each column once", f"{twice[0]!r} twice", next_step="Rename one of them")
    if not path.name.endswith(".parquet"):
        for field in table.schema:
            if pa.types.is_binary(field.type):
                raise not_utf8(f"{path.name}.{field.name}")
    return table


def not_utf8(where: str) -> DataError:
    return DataError(where, "UTF-8 text", "another encoding", next_step="Convert the file to UTF-8")


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


def flags(column: pa.ChunkedArray, name: str, keys: Sequence[str]) -> np.ndarray:
    """A column of holdings as booleans, shape (n,)."""
    told = [str(value).lower() if value is not None else None for value in column.to_pylist()]
    wrong = [row for row, text in enumerate(told) if text not in (*TRUE, *FALSE)]
    if wrong:
        first = column[wrong[0]].as_py()
        raise DataError(
            name, "0 or 1 (or false or true)", "an empty value" if first is None else repr(first),
            count=len(wrong), total=len(told), examples=[keys[row] for row in wrong[:5]],
        )  # fmt: skip
    return np.array([text in TRUE for text in told], dtype=np.bool_)
