"""The raw tables of one block of neighbourhoods: lived, drawn month by month, written."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from nbo.asof import date_of
from nbo.world import event_rows, state_rows
from nbo.world.calls import draw_calls
from nbo.world.columns import Ints
from nbo.world.config import Chunk, WorldConfig
from nbo.world.faults import repeat_file, with_faults
from nbo.world.life import Life, live
from nbo.world.money import bill
from nbo.world.traffic import draw_usage, settle
from nbo.world.tuning import Tuning

__all__ = ["BIG_TABLES", "LISTS", "Block", "blocks_of", "write_block"]

BLOCK_CHUNKS = 4
"""Neighbourhoods whose rows share files. A block is what is held in memory at a time, so it is no
option: it decides the files, and files must not depend on the machine."""
MONTHLY = ("calls", "interconnect", "usage")
BILLED = ("bills", "payments")
BIG_TABLES = (*MONTHLY, *BILLED)
"""Tables written as Parquet, a part for each block (and month)."""
LISTS = {
    "accounts": state_rows.account_rows,
    "sites": state_rows.site_rows,
    "lines": state_rows.line_rows,
    "contracts": event_rows.contract_rows,
    "tickets": state_rows.ticket_rows,
    "contacts": event_rows.contact_rows,
    "consents": state_rows.consent_rows,
    "promises": state_rows.promise_rows,
    "surveys": event_rows.survey_rows,
    "orders": state_rows.order_rows,
}
"""Tables written as one CSV each: change logs, and the events that are few; how each is made."""
ROW_GROUP = 250_000
SORT_KEYS = {
    "calls": ("event_time", "call_id"),
    "interconnect": ("event_date", "record_id"),
    "usage": ("event_date", "line_id", "service"),
    "bills": ("event_date", "bill_id", "family"),
    "payments": ("event_date", "bill_id"),
}


@dataclass(frozen=True)
class Block:
    """Neighbourhoods that are simulated and written together."""

    number: int
    chunks: tuple[Chunk, ...]

    @property
    def end_account(self) -> int:
        """Number of the first account after the block."""
        return self.chunks[-1].first_account + self.chunks[-1].accounts


def blocks_of(config: WorldConfig) -> Iterator[Block]:
    """The blocks of a world, in the order of their accounts."""
    chunks = config.chunks
    for number, first in enumerate(range(0, len(chunks), BLOCK_CHUNKS)):
        yield Block(number, chunks[first : first + BLOCK_CHUNKS])


def write_block(block: Block, config: WorldConfig, tuning: Tuning, stage: Path) -> dict[str, int]:
    """Simulate a block and write its tables; CSV without a header, into the folder of each table.

    Returns
    -------
    dict of str to int
        Rows written, by table.

    Raises
    ------
    OSError
        If the disk lets us down.
    """
    lives = [live(chunk, config, tuning) for chunk in block.chunks]
    rows: dict[str, int] = {}
    faults = config.scenario.data_faults
    billed: dict[str, list[pa.Table]] = defaultdict(list)
    for month, (start, stop) in enumerate(pairwise(config.month_starts)):
        days, drawn = np.arange(start, stop), defaultdict[str, list[pa.Table]](list)
        for life in lives:
            for name, table in month_tables(life, days, month, tuning):
                (drawn if name in MONTHLY else billed)[name].append(table)
        told = (faults, config.first_day, days)
        drawn["calls"] = [with_faults(table, *told, block.number) for table in drawn["calls"]]
        for name in MONTHLY:
            part = stage / name / f"part-{block.number:05d}-{month:04d}.parquet"
            rows[name] = rows.get(name, 0) + write_parquet(part, drawn.pop(name), name)
        if block.number == 0:
            repeat_file(stage / "calls" / f"part-00000-{month:04d}.parquet", *told)
    last = date_of(config.end_day - 1)
    for name, several in billed.items():
        within = [table.filter(pc.less_equal(table["event_date"], pa.scalar(last))) for table in several]
        rows[name] = write_parquet(stage / name / f"part-{block.number:05d}.parquet", within, name)
    for name, make in LISTS.items():
        table = pa.concat_tables([make(life, config) for life in lives])
        rows[name] = table.num_rows
        write_csv(table, list_part(stage, name, block.number), header=block.number == 0)
    return rows


def month_tables(life: Life, days: Ints, month: int, tuning: Tuning) -> Iterable[tuple[str, pa.Table]]:
    """The tables that one chunk adds in one month."""
    start = int(days[0])
    calls = draw_calls(life, days, month, tuning)
    yield "calls", event_rows.call_rows(life, calls, start)
    yield "interconnect", event_rows.settlement_rows(life, settle(life, calls, days, month), start)
    yield "usage", event_rows.usage_rows(life, draw_usage(life, calls, days, month))
    bills, payments = bill(life, calls, days, month)
    yield "bills", event_rows.bill_rows(life, bills, start)
    yield "payments", event_rows.payment_rows(life, payments, start)


def write_parquet(path: Path, parts: list[pa.Table], name: str) -> int:
    """One file of rows by time, then key: one order whatever the chunks' order was."""
    table = pa.concat_tables(parts)
    order = pc.sort_indices(table, [(key, "ascending") for key in SORT_KEYS[name]])
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table.take(order), path, compression="zstd", row_group_size=ROW_GROUP)
    return int(table.num_rows)


def list_part(stage: Path, name: str, number: int) -> Path:
    """Where a block's rows of a list wait to be joined to those of the blocks before."""
    return stage / f"{name}.csv.{number:05d}"


def write_csv(table: pa.Table, path: Path, *, header: bool) -> None:
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(include_header=header))
