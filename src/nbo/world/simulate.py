"""Run the demo operator and write its raw tables, month by month."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from nbo.asof import date_of
from nbo.errors import UsageError
from nbo.files import staged_folder, told_storage_errors
from nbo.world import event_rows, state_rows
from nbo.world.calls import draw_calls
from nbo.world.columns import Ints
from nbo.world.config import WorldConfig
from nbo.world.life import Life, live
from nbo.world.money import bill
from nbo.world.traffic import draw_usage, settle
from nbo.world.tuning import TUNING, Tuning

CURRENCY = "CNY"
MONTHLY_TABLES = ("calls", "interconnect", "usage")
ROW_GROUP = 250_000
SORT_KEYS = {
    "calls": ("event_time", "call_id"),
    "interconnect": ("event_date", "record_id"),
    "usage": ("event_date", "line_id", "service"),
}
# fmt: off
ALL_TABLES = (
    "accounts", "sites", "lines", "contracts", "products", "networks", "access_codes", "calls",
    "interconnect", "usage", "bills", "payments", "tickets", "contacts", "consents", "promises",
    "surveys", "orders",
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
        Rows per table.
    first_day, end_day : int
        First day simulated and first day not simulated.
    """

    folder: Path
    rows: dict[str, int]
    first_day: int
    end_day: int


def simulate(
    config: WorldConfig, out: Path, progress: Callable[[str], None], *, tuning: Tuning = TUNING
) -> WorldSummary:
    """Simulate an operator and export its raw tables into a new folder.

    Parameters
    ----------
    config : WorldConfig
        Size, length and seed; the same config and tuning give the same bytes.
    out : Path
        A folder that is absent or empty; it appears whole or not at all.
    progress : callable
        Told one short line per step.
    tuning : Tuning
        How the accounts behave.

    Returns
    -------
    WorldSummary
        Rows per table and the simulated days.

    Raises
    ------
    UsageError
        If ``out`` holds anything.
    StorageError
        If the disk lets us down.
    """
    check_out(out)
    with staged_folder(out) as stage:
        lives = []
        for chunk in config.chunks:
            lives.append(live(chunk, config, tuning))
            progress(f"lives of {chunk.first_account + chunk.accounts:,} of {config.accounts:,} accounts")
        rows, small = write_months(lives, config, stage, progress, tuning)
        for name, table in small_tables(lives, config, small).items():
            rows[name] = table.num_rows
            pyarrow.csv.write_csv(table, stage / f"{name}.csv")
        (stage / "mapping.toml").write_text(mapping_text(config), encoding="utf-8")
    progress(f"wrote {sum(rows.values()):,} rows to {out}")
    ordered = {name: rows[name] for name in ALL_TABLES}
    return WorldSummary(folder=out, rows=ordered, first_day=config.first_day, end_day=config.end_day)


def check_out(out: Path) -> None:
    with told_storage_errors(out):
        if out.exists() and not out.is_dir():
            raise UsageError(f"out: expected a folder, got the file {out}", "Choose another --out")
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"out: expected an absent or empty folder, got {out}", "Choose another --out")


def write_months(
    lives: list[Life], config: WorldConfig, stage: Path, progress: Callable[[str], None], tuning: Tuning
) -> tuple[dict[str, int], dict[str, list[pa.Table]]]:
    """Write the big tables one month at a time; hand back row counts and the small tables' parts."""
    rows: dict[str, int] = dict.fromkeys(MONTHLY_TABLES, 0)
    small: dict[str, list[pa.Table]] = defaultdict(list)
    starts = config.month_starts
    for month, (start, stop) in enumerate(pairwise(starts)):
        big: dict[str, list[pa.Table]] = defaultdict(list)
        for life in lives:
            for name, table in month_tables(life, np.arange(start, stop), month, tuning):
                (big if name in MONTHLY_TABLES else small)[name].append(table)
        for name in MONTHLY_TABLES:
            rows[name] += write_part(stage / name, month, sort_rows(pa.concat_tables(big.pop(name)), name))
        progress(f"month {month + 1} of {config.months}: {rows['calls']:,} calls so far")
    return rows, small


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


def sort_rows(table: pa.Table, name: str) -> pa.Table:
    """Rows by time, then key: one order whatever the chunks' order was."""
    return table.take(pc.sort_indices(table, [(key, "ascending") for key in SORT_KEYS[name]]))


def write_part(folder: Path, month: int, table: pa.Table) -> int:
    folder.mkdir(exist_ok=True)
    pq.write_table(table, folder / f"part-{month:04d}.parquet", compression="zstd", row_group_size=ROW_GROUP)
    return int(table.num_rows)


def small_tables(
    lives: list[Life], config: WorldConfig, parts: dict[str, list[pa.Table]]
) -> dict[str, pa.Table]:
    """Tables written as CSV: code tables, change logs, and the events that are few."""
    makers = {
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
    tables = state_rows.code_tables()
    for name, make in makers.items():
        tables[name] = pa.concat_tables([make(life, config) for life in lives])
    last = date_of(config.end_day - 1)
    for name, several in parts.items():
        table = pa.concat_tables(several)
        tables[name] = table.filter(pc.less_equal(table["event_date"], pa.scalar(last)))
    return tables


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
