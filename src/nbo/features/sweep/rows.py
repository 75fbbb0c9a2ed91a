"""A table's rows as a sweep keeps them: read once, parted by account."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from nbo.engine import Embedded
from nbo.features.sweep.compiled import (
    ACCOUNT,
    BITS,
    EVENT,
    FURTHER,
    VISIBLE,
    Bools,
    Int32s,
    Int64s,
    grouped,
)
from nbo.features.sweep.digests import Digests, Numbers

BATCH_ROWS = 1 << 18
PART_ROWS = 1 << 18
"""Rows of a part, about: so many fit a processor's cache."""
ROWS_MEMORY = 768 << 20
"""Bytes of rows in memory; those beyond it go to the disk."""


@dataclass(frozen=True)
class Part:
    """Rows of some accounts, account after account, and where each account's begin."""

    starts: Int64s
    rows: Int32s

    @property
    def accounts(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class Block:
    """What a relation tells of some accounts.

    Parameters
    ----------
    out, null : (dates, columns, accounts)
    there : (dates, accounts)
        Whether the relation has the account.
    """

    out: Int64s
    null: Bools
    there: Bools


@dataclass
class Reading:
    """What is read of each row: conditions by bit, measures and values by their first word.

    Parameters
    ----------
    event : str
        The column of the day on which a row happened.
    wide : mapping of str to bool
        By measure whether it needs two words.
    """

    event: str
    wide: Mapping[str, bool]
    conditions: dict[str, int] = field(default_factory=dict)
    measures: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    words: int = FURTHER

    def need(self, *conditions: str) -> int:
        """The bits of conditions; an empty one always holds."""
        asked = dict.fromkeys(text for text in conditions if text)
        return sum(1 << self.conditions.setdefault(text, len(self.conditions)) for text in asked)

    def measure(self, text: str) -> tuple[int, int]:
        """A measure's word, and whether it has two."""
        if text == self.event:
            return EVENT, 0
        wide = int(self.wide[text])
        return self._place(self.measures, text, 1 + wide), wide

    def value(self, column: str) -> int:
        """The first of the three words of a value's digest."""
        return self._place(self.values, column, 3)

    def _place(self, known: dict[str, int], text: str, words: int) -> int:
        if text not in known:
            known[text] = self.words
            self.words += words
        return known[text]

    def sql(self, table: str, where: str) -> str:
        """A SELECT of the account, both days, the bits, the measures (0 for null) and the values."""
        bits = [f"CASE WHEN {text} THEN {1 << bit} ELSE 0 END" for text, bit in self.conditions.items()]
        chosen = ["account_id", self.event, "known_day", f"CAST({' + '.join(bits) or 0} AS BIGINT)"]
        chosen += [f"coalesce({text}, 0)" for text in self.measures]
        chosen += [f"CAST({column} AS VARCHAR)" for column in self.values]
        named = ", ".join(f"{text} AS x{number}" for number, text in enumerate(chosen))
        return f"SELECT {named} FROM {table} WHERE {where}"

    def rows(self, batch: pa.RecordBatch, accounts: Int32s) -> tuple[Int32s, int]:
        """The words of a batch of :meth:`sql`, and the largest measure in it."""
        _, event, known, bits, *rest = batch.columns
        rows, largest = np.empty((len(batch), self.words), np.int32), 0
        rows[:, ACCOUNT], rows[:, EVENT] = accounts, event
        np.maximum(rows[:, EVENT] + 1, known, out=rows[:, VISIBLE], casting="unsafe")
        rows[:, BITS : BITS + 2] = two_words(bits.to_numpy())
        for (text, word), column in zip(self.measures.items(), rest, strict=False):
            values = column.to_numpy()
            if self.wide[text]:
                rows[:, word : word + 2] = two_words(values)
            else:
                rows[:, word] = values
            if len(values):
                largest = max(largest, int(values.max()), -int(values.min()))
        for word, column in zip(self.values.values(), rest[len(self.measures) :], strict=True):
            told = Digests.of(column)
            rows[:, word : word + 2] = told.low.view(np.int32).reshape(-1, 2)
            rows[:, word + 2] = told.checks.view(np.int32)
        return rows, largest


def two_words(numbers: Int64s) -> Int32s:
    return numbers.astype(np.int64).view(np.int32).reshape(-1, 2)


class PartedRows:
    """Rows by part, so many accounts to each; use it as a context manager.

    Parameters
    ----------
    parts, size : int
        How many, and accounts of each.
    folder : Path
        Where rows go that are too many for the memory.
    """

    def __init__(self, parts: int, size: int, folder: Path) -> None:
        self.parts, self._size, self._path, self._left = parts, size, folder / "rows", ROWS_MEMORY
        self._batches: list[tuple[Int64s, Int32s]] = []
        self._kept: list[tuple[Int64s, int]] = []
        self._words = 0

    def __enter__(self) -> "PartedRows":
        self._file = self._path.open("w+b", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink()
        self._batches.clear()

    def add(self, rows: Int32s) -> None:
        """Keep rows; those of account -1 are left out."""
        # -1 // size is -1.
        starts, parted = grouped(rows[:, ACCOUNT] // np.int32(self._size), self.parts, rows)
        self._left -= parted.nbytes
        if self._left >= 0:
            self._batches.append((starts, parted))
            return
        self._words = rows.shape[1]
        self._kept.append((starts * parted.itemsize * self._words, self._file.seek(0, os.SEEK_END)))
        left = parted.data.cast("B")
        while left:
            left = left[self._file.write(left) :]

    def part(self, number: int, accounts: int) -> Part | None:
        """A part's rows by account, of which it has so many; None where there is no row."""
        pieces = [rows[starts[number] : starts[number + 1]] for starts, rows in self._batches]
        for starts, offset in self._kept:
            first, end = int(starts[number]), int(starts[number + 1])
            read = os.pread(self._file.fileno(), end - first, offset + first)
            pieces.append(np.frombuffer(read, np.int32).reshape(-1, self._words))
        rows = np.concatenate(pieces) if pieces else np.empty((0, FURTHER), np.int32)
        first_account = np.int32(number * self._size)
        return Part(*grouped(rows[:, ACCOUNT] - first_account, accounts, rows)) if len(rows) else None


def read_parts(
    engine: Embedded, sql: str, reading: Reading, accounts: Numbers, parts: PartedRows
) -> tuple[int, int]:
    """Read and part all rows; the most rows of an account, and the largest measure."""
    counts, largest = np.zeros(len(accounts.texts) + 1, np.int64), 0
    for batch in engine.batches(sql, BATCH_ROWS):
        numbers = accounts.of(batch.column(0))
        # Rows of other accounts, -1, are counted first.
        counts += np.bincount(numbers + 1, minlength=len(counts))
        rows, here = reading.rows(batch, numbers)
        largest = max(largest, here)
        parts.add(rows)
    return int(counts[1:].max()), largest


def measure_kinds(engine: Embedded, table: str, measures: Iterator[str]) -> dict[str, pa.DataType]:
    """Types of measures, told without reading a row."""
    texts = list(dict.fromkeys(measures))
    asked = ", ".join(f"coalesce({text}, 0) AS m{number}" for number, text in enumerate(texts))
    kinds = engine.query(f"SELECT {asked} FROM {table} LIMIT 0").schema.types if texts else []
    return dict(zip(texts, kinds, strict=True))
