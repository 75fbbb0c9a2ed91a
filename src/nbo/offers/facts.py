"""What rules read of accounts: a few features, and rows of a few tables, held in memory by column.

A live request takes the facts of one account out of an index of all; the decision log keeps them, so
that a decision can be judged again.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import AsOf
from nbo.engine import Embedded
from nbo.errors import DataError, UsageError
from nbo.features.build import account_rows, build_features
from nbo.features.compiled import CompiledFeatures
from nbo.offers.expression_rows import Row, Rows
from nbo.offers.expression_sql import PREFIX, rows_sql
from nbo.offers.expressions import Kind, Value
from nbo.offers.rules import Rules
from nbo.tables.store import Store


@dataclass(frozen=True)
class AccountFacts:
    """What rules read of one account.

    Parameters
    ----------
    features : mapping of str to value
        Numbers as doubles, categories as text; None is null.
    tables : mapping of str to sequence of rows
        By table, each row a mapping of the columns that are read; a table without rows is there too.
    """

    features: Row
    tables: Rows

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives equal facts."""
        return {
            "features": dict(self.features),
            "tables": {table: [dict(row) for row in rows] for table, rows in self.tables.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "AccountFacts":
        """Read recorded facts; :class:`DataError` if they are none."""
        try:
            features = dict(value["features"])
            tables = {table: [dict(row) for row in rows] for table, rows in value["tables"].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError("facts", "features and tables", repr(error)) from None
        return cls(features, tables)


class Column(Protocol):
    """Values of one column; a slice of it is a list."""

    def take(self, start: int, stop: int) -> list[Value]:
        """The values in ``[start, stop)``; null is None."""
        ...


@dataclass(frozen=True, eq=False)
class Numbers:
    """Doubles; NaN is null."""

    values: npt.NDArray[np.float64]

    def take(self, start: int, stop: int) -> list[Value]:
        """The values in ``[start, stop)``; null is None."""
        return [None if value != value else value for value in self.values[start:stop].tolist()]


@dataclass(frozen=True, eq=False)
class Coded:
    """Texts or flags as positions in a list of the different ones; the last of the list is null."""

    positions: npt.NDArray[np.int32]
    values: tuple[Value, ...]

    def take(self, start: int, stop: int) -> list[Value]:
        """The values in ``[start, stop)``; null is None."""
        return [self.values[position] for position in self.positions[start:stop].tolist()]


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows of one table: those of the account at place ``i`` are ``[starts[i], starts[i + 1])``."""

    starts: npt.NDArray[np.int64]
    columns: Mapping[str, Column]

    def of(self, place: int) -> list[Row]:
        """The rows of one account."""
        start, stop = int(self.starts[place]), int(self.starts[place + 1])
        if start == stop:
            return []
        if not self.columns:
            return [{} for _ in range(start, stop)]
        taken = [column.take(start, stop) for column in self.columns.values()]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*taken, strict=True)]


class FactsIndex:
    """Facts of many accounts, each found in tens of microseconds.

    Parameters
    ----------
    accounts : pa.Array
        Account ids as text, ascending, without repeats.
    features : mapping of str to Column
        One value an account.
    tables : mapping of str to TableRows
    """

    def __init__(
        self, accounts: pa.Array, features: Mapping[str, Column], tables: Mapping[str, TableRows]
    ) -> None:
        self._count = len(accounts)
        _, ends, texts = accounts.buffers()
        self._ends = np.frombuffer(ends, np.int32)[accounts.offset : accounts.offset + self._count + 1]
        self._texts = memoryview(texts) if texts else memoryview(b"")
        self._features = dict(features)
        self._tables = dict(tables)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, account_id: str) -> bool:
        return self._place(account_id) is not None

    def of(self, account_id: str) -> AccountFacts:
        """The facts of one account.

        Raises
        ------
        UsageError
            The account is not among those that were read.
        """
        place = self._place(account_id)
        if place is None:
            raise UsageError(f"account {account_id}: expected one with an active line, got none")
        features = {name: column.take(place, place + 1)[0] for name, column in self._features.items()}
        return AccountFacts(features, {name: rows.of(place) for name, rows in self._tables.items()})

    def _place(self, account_id: str) -> int | None:
        sought = account_id.encode()
        place = bisect_left(range(self._count), sought, key=self._text)
        return place if place < self._count and self._text(place) == sought else None

    def _text(self, place: int) -> bytes:
        return bytes(self._texts[self._ends[place] : self._ends[place + 1]])


def read_facts(
    store: Store,
    rules: Rules,
    compiled: CompiledFeatures,
    as_of: AsOf,
    accounts: Sequence[str] | None = None,
) -> FactsIndex:
    """Read what the rules read, and nothing else, as visible at a date.

    Parameters
    ----------
    rules : Rules
        Their features and columns are read.
    compiled : CompiledFeatures
        The features that the rules were read with.
    accounts : sequence of str or None
        Only these; None = all. One without an active line is left out.

    Raises
    ------
    BusyError
        Another job builds the same features.
    """
    if accounts is None:
        rows = build_features(store, compiled, as_of).read()
    else:
        rows = account_rows(store, compiled, as_of, accounts)
    ids = rows["account_id"].combine_chunks()
    features = {name: column_of(rows[name], kind) for name, kind in rules.features.items()}
    with store.connect() as engine:
        engine.register("population", pa.table({"account_id": ids, "position": pa.array(range(len(ids)))}))
        tables = {
            table: read_rows(engine, table, columns, as_of, len(ids))
            for table, columns in rules.columns.items()
        }
    return FactsIndex(ids, features, tables)


def read_rows(
    engine: Embedded, table: str, columns: Mapping[str, Kind], as_of: AsOf, count: int
) -> TableRows:
    """Rows of a table by account; in the order of their values, whatever the order on disk."""
    names = [f"{PREFIX['row']}{name}" for name in columns]
    chosen = ", ".join(["position", *names])
    found = engine.query(
        f"SELECT {chosen} FROM ({rows_sql(table, columns, as_of)}) AS seen "
        f"JOIN population ON population.account_id = seen.account_id ORDER BY {chosen}"
    )
    starts = np.searchsorted(found["position"].to_numpy(), np.arange(count + 1)).astype(np.int64)
    read = {name: column_of(found[f"{PREFIX['row']}{name}"], kind) for name, kind in columns.items()}
    return TableRows(starts, read)


def column_of(values: pa.ChunkedArray, kind: Kind) -> Column:
    """A column in memory, numbers as finite doubles."""
    if kind == "number":
        doubles = pc.fill_null(pc.cast(values, pa.float64(), safe=False), float("nan")).to_numpy()
        return Numbers(np.where(np.isfinite(doubles), doubles, np.nan))
    coded = pc.dictionary_encode(values).combine_chunks()
    known = (*coded.dictionary.to_pylist(), None)
    positions = pc.fill_null(coded.indices, len(known) - 1).to_numpy(zero_copy_only=False)
    return Coded(positions.astype(np.int32), known)
