"""A plain table of customers: what each holds, and whatever else is known of them.

No store and no dates as of which a fact counts: the table is taken as it is. It is how any data set
of holdings, an insurer's or a shop's, is read for measuring next-product models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from nbo.errors import DataError, UsageError
from nbo.evaluation.ranking import Flags
from nbo.features.compiled import CompiledFeature
from nbo.models.plain_tables import check_columns, customer_keys, read_attributes, read_table

__all__ = ["HoldingsTable", "read_holdings_table"]

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
    check_columns("--holdings", named, table, path.name)
    check_columns("--id", [customer] if customer is not None else [], table, path.name)
    keys = customer_keys(table, customer)
    held = np.stack([flags(table[name], name, keys) for name in named], axis=1)
    if len(held) and not held.any():
        raise DataError("--holdings", "customers that hold something", f"none in {len(held):,} rows")
    others = [name for name in table.column_names if name not in named and name != customer]
    known = read_attributes(table, others)
    return HoldingsTable(tuple(named), held, known.features, known.rows, known.notes)


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
