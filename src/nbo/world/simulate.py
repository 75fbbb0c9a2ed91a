"""Run the demo operator and write its raw tables, block by block, on as many processes as are wanted."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from nbo.asof import date_of
from nbo.errors import StorageError, UsageError
from nbo.files import staged_folder, told_storage_errors
from nbo.world import state_rows
from nbo.world.blocks import BLOCK_CHUNKS, LISTS, Block, blocks_of, list_part, write_block, write_csv
from nbo.world.config import WorldConfig
from nbo.world.tuning import TUNING, Tuning

CURRENCY = "CNY"
# fmt: off
ALL_TABLES = (
    "accounts", "sites", "lines", "contracts", "products", "networks", "access_codes", "tariffs",
    "calls", "interconnect", "usage", "bills", "payments", "tickets", "contacts", "consents",
    "promises", "surveys", "orders",
)
# fmt: on


@dataclass(frozen=True)
class WorldSummary:
    """What was written.

    Parameters
    ----------
    folder : Path
        Where the raw tables lie.
    rows : dict of table name to int
        Rows per table; a file that a scenario lays down twice counts once.
    first_day, end_day : int
        First day simulated and first day not simulated.
    """

    folder: Path
    rows: dict[str, int]
    first_day: int
    end_day: int


def simulate(
    config: WorldConfig,
    out: Path,
    progress: Callable[[str], None],
    *,
    tuning: Tuning = TUNING,
    workers: int | None = 1,
) -> WorldSummary:
    """Simulate an operator and export its raw tables into a new folder.

    Parameters
    ----------
    config : WorldConfig
        Size, length, seed and scenario; the same config and tuning give the same bytes.
    out : Path
        A folder that is absent or empty; it appears whole or not at all.
    progress : callable
        Told one short line per block of accounts.
    tuning : Tuning
        How the accounts behave; what the scenario says goes before it.
    workers : int or None
        Processes that simulate, >= 1, None = one a processor; they change how long it takes and nothing
        else. Memory grows with them (about 0.6 GiB each), not with the number of accounts.

    Returns
    -------
    WorldSummary
        Rows per table and the simulated days.

    Raises
    ------
    UsageError
        If ``out`` holds anything, or ``workers`` is below 1.
    StorageError
        If the disk lets us down.
    """
    if workers is None:
        workers = processors()
    if workers < 1:
        raise UsageError(f"workers: expected 1 or above, got {workers}")
    check_out(out)
    tuning = config.scenario.tuned(tuning)
    rows: Counter[str] = Counter()
    with staged_folder(out) as stage:
        for block, written in written_blocks(config, tuning, stage, workers):
            rows.update(written)
            join_lists(stage, block)
            progress(f"{block.end_account:,} of {config.accounts:,} accounts, {rows['calls']:,} calls so far")
        for name, table in state_rows.code_tables(config).items():
            rows[name] = table.num_rows
            write_csv(table, stage / f"{name}.csv", header=True)
        (stage / "mapping.toml").write_text(mapping_text(config), encoding="utf-8")
    progress(f"wrote {rows.total():,} rows to {out}")
    ordered = {name: rows[name] for name in ALL_TABLES}
    return WorldSummary(folder=out, rows=ordered, first_day=config.first_day, end_day=config.end_day)


def processors() -> int:
    """Processors that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_out(out: Path) -> None:
    if out.name in ("", ".."):
        raise UsageError("out: expected the name of a new folder, got the current one or its parent")
    with told_storage_errors(out):
        if out.exists() and not out.is_dir():
            raise UsageError(f"out: expected a folder, got the file {out}", "Choose another --out")
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"out: expected an absent or empty folder, got {out}", "Choose another --out")


def written_blocks(
    config: WorldConfig, tuning: Tuning, stage: Path, workers: int
) -> Iterator[tuple[Block, dict[str, int]]]:
    """Each block in its order once its files lie in the stage, and the rows of its tables."""
    blocks = blocks_of(config)
    if workers == 1 or len(config.chunks) <= BLOCK_CHUNKS:
        for block in blocks:
            yield block, write_block(block, config, tuning, stage)
        return
    with process_pool(workers) as pool:
        waiting: list[tuple[Block, Future[dict[str, int]]]] = []
        while True:
            for block in islice(blocks, 2 * workers - len(waiting)):
                waiting.append((block, pool.submit(write_block, block, config, tuning, stage)))
            if not waiting:
                return
            block, future = waiting.pop(0)
            try:
                yield block, future.result()
            except BrokenProcessPool:
                raise StorageError(
                    f"{stage}: a process that simulated was killed, perhaps for want of memory",
                    "Run again with fewer --workers",
                ) from None


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, however it ends; what has not begun is dropped on an error."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """Leave as soon as the process that started this one is gone: nobody waits for the blocks then."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def join_lists(stage: Path, block: Block) -> None:
    """Move a block's rows of every list to the end of the list's file."""
    for name in LISTS:
        part = list_part(stage, name, block.number)
        with part.open("rb") as rows, (stage / f"{name}.csv").open("ab") as file:
            shutil.copyfileobj(rows, file)
        part.unlink()


def mapping_text(config: WorldConfig) -> str:
    """The mapping file that reads this folder: the canonical layout with its days and zone."""
    first, last = date_of(config.first_day), date_of(config.end_day - 1)
    lines = [
        "# Raw tables of the demo operator.",
        'extends = "canonical"',
        f'zone = "{config.zone}"',
        f'currency = "{CURRENCY}"',
        f"complete_to = {last}",
        f"covers_from = {first}",
        "",
        "# Bills and payments of what was used before the run are not here.",
    ]
    for name in ("bills", "payments"):
        lines += [f"[tables.{name}]", f"covers_from = {date_of(config.month_starts[1])}", ""]
    return "\n".join(lines)
