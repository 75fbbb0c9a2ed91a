"""One pass over the rows of a table for many dates: the numbers that SQL computes date by date."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.engine import Embedded
from nbo.features.sweep.compiled import Int64s
from nbo.features.sweep.digests import Numbers
from nbo.features.sweep.rows import PART_ROWS, Block, PartedRows, Reading, measure_kinds, read_parts
from nbo.features.sweep.tallies import TalliesLoop
from nbo.features.sweep.texts import Asked, Totals, visible_rows
from nbo.features.sweep.totals import TotalsLoop

Loop = TotalsLoop | TalliesLoop
T = TypeVar("T")

BITS = 62
"""Conditions that a whole number holds."""
LARGEST = 2**51
"""Of a sum: what the text makes of sums, some hundred times as much, stays within 64 bits."""
WORKERS = 16
"""At most: each holds a part and what is told of it."""
RESULT_BYTES = 9
"""A whole number, and whether it is null."""
BLOCK_BYTES = 32 << 20
"""Of results, about: of those of a part, and of those of a relation that are written at once."""


def one_pass(
    engine: Embedded, asked: Sequence[Asked], dates: Sequence[AsOf], accounts: Numbers, folder: Path
) -> dict[AsOf, dict[str, Path]]:
    """The relations that are asked of one table, at all dates.

    Parameters
    ----------
    engine : Embedded
        Has the table.
    asked : sequence of Totals or Tallies
    dates : sequence of AsOf
        Ascending.
    accounts : Numbers
        Rows of others are left out.
    folder : Path
        An empty one, for the results and what the memory does not hold.

    Returns
    -------
    dict
        By date and relation, a Parquet file sorted by account. A relation that cannot be computed with the
        same result is not there: a measure that is no whole number, sums near 64 bits, more conditions
        than a whole number has bits, two values of one digest, an account with more values than the memory
        has room for.
    """
    loops, reading = loops_of(engine, asked, np.array([date.day for date in dates], np.int64))
    if not loops or not len(accounts.texts) or not accounts.told_apart or len(reading.conditions) > BITS:
        return {}
    table, longest = asked[0].rows.table, max(one.rows.edges[-1] for one in asked)
    where = visible_rows(reading.event, longest, dates[0].day, dates[-1].day)
    rows = int(str(engine.value(f"SELECT count(*) FROM {table} WHERE {where}")))
    size = part_size(len(accounts.texts), rows, len(dates) * sum(len(loop.columns) for loop in loops))
    with PartedRows(-(-len(accounts.texts) // size), size, folder) as parts:
        most_rows, largest = read_parts(engine, reading.sql(table, where), reading, accounts, parts)
        if most_rows * largest > LARGEST:
            return {}
        for loop in loops:
            if isinstance(loop, TalliesLoop):
                loop.prepare(engine, most_rows)

        def told(number: int) -> tuple[pa.Array, list[Block | None]] | None:
            names = accounts.texts.slice(number * size, size)
            part = parts.part(number, len(names))
            return (names, [loop.block(part) for loop in loops]) if part else None

        with ExitStack() as stack:
            files = [stack.enter_context(RelationFiles(loop, dates, folder)) for loop in loops]
            for names, blocks in filter(None, in_turn(told, parts.parts)):
                for file, block in zip(files, blocks, strict=True):
                    file.add(names, block)
    return {date: {file.name: file.paths[date] for file in files if file.exact} for date in dates}


def known_accounts(engine: Embedded) -> Numbers:
    """All that have or had a line: the others are in no population."""
    found = engine.query("SELECT DISTINCT account_id FROM lines WHERE account_id IS NOT NULL ORDER BY 1")
    return Numbers(found["account_id"].combine_chunks())


def part_size(accounts: int, rows: int, results: int) -> int:
    """Accounts of a part: neither their rows are many nor what is told of them, so much of each.

    Examples
    --------
    >>> part_size(1_000, 1_000_000, 10), part_size(1_000_000, 1_000_000, 1_000)
    (262, 3728)
    """
    return max(1, min(accounts * PART_ROWS // max(rows, 1), BLOCK_BYTES // (RESULT_BYTES * results)))


def loops_of(engine: Embedded, asked: Sequence[Asked], dates: Int64s) -> tuple[list[Loop], Reading]:
    """Loops for what is asked, but for totals of what is no whole number; and what they read."""
    totals = [one for one in asked if isinstance(one, Totals)]
    measures = (partial.measure for one in totals for partial in one.partials if partial.reads_measure)
    kinds = measure_kinds(engine, asked[0].rows.table, measures)
    wide = {text: kind.bit_width > 32 for text, kind in kinds.items() if pa.types.is_signed_integer(kind)}
    reading = Reading(asked[0].rows.event, wide)
    loops: list[Loop] = []
    for one in asked:
        if not isinstance(one, Totals):
            loops.append(TalliesLoop(one, reading, dates))
        elif all(partial.measure in wide for partial in one.partials if partial.reads_measure):
            loops.append(TotalsLoop(one, reading, dates))
    return loops, reading


def in_turn(work: Callable[[int], T], count: int) -> Iterator[T]:
    """``work`` of 0, 1, ... in this order, on several processors; no more results than these wait."""
    workers = min(os.cpu_count() or 1, WORKERS)
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, count, workers):
            yield from pool.map(work, range(first, min(first + workers, count)))


class RelationFiles:
    """A Parquet file of a relation for each date; use it as a context manager.

    Parameters
    ----------
    loop : TotalsLoop or TalliesLoop
    dates : sequence of AsOf
    folder : Path
    """

    def __init__(self, loop: Loop, dates: Sequence[AsOf], folder: Path) -> None:
        self.name, self.exact = loop.name, True
        self.paths = {date: folder / f"{self.name}-{date}.parquet" for date in dates}
        fields = [pa.field("account_id", pa.string()), *(pa.field(name, pa.int64()) for name in loop.columns)]
        self._schema = pa.schema(fields)
        self._waiting: list[tuple[pa.Array, Block]] = []
        self._bytes = 0

    def __enter__(self) -> "RelationFiles":
        self._writers = [
            pq.ParquetWriter(path, self._schema, compression="lz4", write_statistics=["account_id"])
            for path in self.paths.values()
        ]
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._write()
        for writer in self._writers:
            writer.close()

    def add(self, accounts: pa.Array, block: Block | None) -> None:
        """Keep what is told of the next accounts; None = it is not exact, and nor is the file."""
        if block is None:
            self.exact = False
            return
        self._waiting.append((accounts, block))
        self._bytes += block.out.nbytes + block.null.nbytes
        if self._bytes >= BLOCK_BYTES:
            self._write()

    def _write(self) -> None:
        for number, writer in enumerate(self._writers if self._waiting else []):
            parts = [rows_at(number, accounts, block, self._schema) for accounts, block in self._waiting]
            writer.write_table(pa.concat_tables(parts))
        self._waiting, self._bytes = [], 0


def rows_at(number: int, accounts: pa.Array, block: Block, schema: pa.Schema) -> pa.Table:
    """What a block tells at the date of this number, of the accounts that the relation has then."""
    columns = [
        pa.array(out, mask=null) for out, null in zip(block.out[number], block.null[number], strict=True)
    ]
    rows = pa.table([accounts, *columns], schema=schema)
    there = block.there[number]
    return rows if there.all() else rows.filter(pa.array(there))
