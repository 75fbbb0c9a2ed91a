"""Twenty million invented calls, the same on every machine, written as a store.

The store has the layout that ``nbo check`` gives it: one part a month, sorted by day.
"""

import random
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from nbo.asof import day_of
from nbo.engine import Embedded
from nbo.files import lock, spill_folder
from nbo.tables.catalog import contract
from nbo.tables.coverage import staircase
from nbo.tables.direct import write_direct_manifest, write_one
from nbo.tables.folder import claim_folder, clear_store
from nbo.tables.report import TableReport
from nbo.tables.writing import write_table

GENERATOR_VERSION = 3
"""Raised when the state tables change; a change of the calls shows in their SQL."""
SEED = 20
PRIME = 2_147_483_647
FIRST_DAY, END_DAY = day_of(date(2025, 1, 1)), day_of(date(2025, 4, 21))
LATE_PERCENT, LATEST_DAYS, COUNTERPARTIES = 2, 40, 25
RIVALS = ("rival_1", "rival_2", "rival_3", "rival_4")
NETWORKS = {"own": "own", **dict.fromkeys(RIVALS, "rival"), "other": "other"}
CODES = {"17909": "own", "17911": "rival_1", "17931": "rival_2", "17951": "rival_3"}


@dataclass(frozen=True)
class Size:
    """How much data: ``calls`` rows of ``accounts`` accounts, over so many days before :data:`END_DAY`."""

    calls: int = 20_000_000
    accounts: int = 200_000
    days: int = END_DAY - FIRST_DAY

    @property
    def first_day(self) -> int:
        return END_DAY - self.days


def calls_sql(size: Size) -> str:
    """The generator: integers drawn by quadratic congruences, the same on every machine."""
    constants = random.Random(SEED)

    def draw(below: int) -> str:
        a, b = constants.randrange(10**8, PRIME), constants.randrange(PRIME)
        x = f"((i * {a} + {b}) % {PRIME})"
        return f"({x} * {x} % {PRIME} % {below})"

    names = (
        "account",
        "second",
        "late",
        "delay",
        "way",
        "number",
        "network",
        "coded",
        "code",
        "place",
        "long",
    )
    limits = (size.accounts, 86_400, 100, LATEST_DAYS, 10, COUNTERPARTIES, 8, 20, len(CODES), 8, 600)
    drawn = ", ".join(f"{draw(limit)} AS {name}" for name, limit in zip(names, limits, strict=True))
    return f"""SELECT 'K' || lpad(CAST(i AS VARCHAR), 9, '0') AS call_id,
  'A' || lpad(CAST(account AS VARCHAR), 7, '0') AS account_id,
  'L' || lpad(CAST(account AS VARCHAR), 7, '0') AS line_id,
  event_day, CAST(second AS INTEGER) AS event_second,
  CAST(event_day + 1 + CASE WHEN late < {LATE_PERCENT} THEN delay ELSE 0 END AS INTEGER) AS known_day,
  CASE WHEN way < 6 THEN 'out' ELSE 'in' END AS direction,
  translate(to_base64(unhex(substr(md5(CAST(account * {COUNTERPARTIES} + number AS VARCHAR)), 1, 18))),
    '+/', '._') AS counterparty_id,
  CASE WHEN network < 3 THEN 'own' WHEN network < 7 THEN 'rival_' || CAST(network - 2 AS VARCHAR)
    ELSE 'other' END AS network_id,
  CASE WHEN coded = 0 THEN list_extract({list(CODES)}, CAST(code + 1 AS INTEGER)) END AS access_code,
  CASE WHEN place < 5 THEN 'local' WHEN place < 6 THEN 'national' WHEN place < 7 THEN 'international'
    ELSE 'hkmt' END AS destination,
  long AS duration_seconds
FROM (SELECT i, CAST({size.first_day} + i * {size.days} // {size.calls} AS INTEGER) AS event_day,
  {drawn} FROM range({size.calls}) AS numbers(i))"""


def state_tables(size: Size) -> dict[str, pa.Table]:
    """Lines, networks and access codes, all known before the first call."""

    def rows(columns: dict[str, list[str]], **days_known: int) -> pa.Table:
        count = len(next(iter(columns.values())))
        integers = {name: pa.array([day] * count, pa.int32()) for name, day in days_known.items()}
        return pa.table({**columns, **integers})

    numbers = [f"{number:07d}" for number in range(size.accounts)]
    lines = {
        "line_id": [f"L{number}" for number in numbers],
        "account_id": [f"A{number}" for number in numbers],
        "state": ["active"] * size.accounts,
    }
    codes = {
        "access_code": list(CODES),
        "network_id": list(CODES.values()),
        "use": ["ip_voice"] * len(CODES),
        "state": ["active"] * len(CODES),
    }
    networks = {"network_id": list(NETWORKS), "kind": list(NETWORKS.values())}
    return {
        "lines": rows(lines, valid_day=size.first_day - 400, known_day=size.first_day - 399),
        "networks": rows(networks, known_day=size.first_day),
        "access_codes": rows(codes, valid_day=size.first_day - 400, known_day=size.first_day - 399),
    }


def generate(out_folder: Path, size: Size) -> None:
    """Write the store month by month, as ``nbo check`` lays it out."""
    with (
        lock(out_folder),
        spill_folder(out_folder) as spill,
        Embedded(memory_limit="4GiB", spill_folder=spill) as engine,
    ):
        claim_folder(out_folder)
        clear_store(out_folder)
        engine.execute(f"CREATE TEMP TABLE generated AS {calls_sql(size)}")
        made = contract("calls")
        columns = [name for name in made.column_names if name != "charge_amount"]
        write_table(engine, "generated", made, columns, out_folder / "tables" / "calls")
        reports = {
            "calls": TableReport(
                rows=size.calls,
                raw_rows=size.calls,
                columns=tuple(columns),
                covers_from=None,
                first_visible=staircase(engine, "generated", "event_day"),
            )
        }
        for name, rows in state_tables(size).items():
            reports[name] = write_one(engine, out_folder, contract(name), rows, size.first_day - 400)
        write_direct_manifest(out_folder, reports, end_day=END_DAY, zone="Asia/Shanghai", currency="CNY")
