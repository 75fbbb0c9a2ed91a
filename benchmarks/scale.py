"""Size an operator from rates measured on this machine: ``make bench-scale``.

Invented calls are checked, and 57 features of them are computed by the embedded engine and by a Spark of
this machine. What a million rows take is then multiplied up to an operator. Everything measured is wall
time x processors, start-up taken off: what one pays for. What is assumed is an option of this command and
is told as such.
"""

import argparse
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from call_stores import ready_store, work
from features_over_time import check
from generated_calls import Size
from machine import machine_words

ROOT = Path(__file__).resolve().parents[1]
WINDOW_DAYS = 90
MILLION = 1_000_000


@dataclass(frozen=True)
class Rates:
    """Measured: core-seconds for a million rows; bytes of a row in the store and in the file it came by."""

    check: float
    scan: float
    embedded: float
    spark: float
    stored: float
    raw: float


def cores() -> int:
    return len(os.sched_getaffinity(0))


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def measured(arguments: argparse.Namespace) -> Rates:
    """Each once, in a process of its own."""
    size = Size(arguments.calls, max(arguments.calls // 100, 1))
    store = ready_store(arguments.out / "data-scale", size)
    shutil.rmtree(store / "features", ignore_errors=True)
    wall = {}
    for role in ("empty", "scan", "ours", "empty_spark", "spark"):
        if role == "empty_spark":
            shutil.rmtree(store / "features", ignore_errors=True)
        cost = work(role, store)
        wall[role] = cost.wall
        print(f"{role:12} {cost}", flush=True)
    folder = arguments.out / "data-scale-check"
    shutil.rmtree(folder, ignore_errors=True)
    raw, checked = folder / "raw", folder / "store"
    check("export", raw, size.calls, size.accounts, size.days)
    start, whole = check("start").wall, check("check", raw, checked).wall

    def rate(seconds: float, rows: float) -> float:
        return max(seconds, 1e-3) * cores() / (rows / MILLION)

    seen = size.calls * min(WINDOW_DAYS, size.days) / size.days
    return Rates(
        check=rate(whole - start, size.calls),
        scan=rate(wall["scan"] - wall["empty"], seen),
        embedded=rate(wall["ours"] - wall["empty"], seen),
        spark=rate(wall["spark"] - wall["empty_spark"], seen),
        stored=folder_bytes(store / "tables" / "calls") / size.calls,
        raw=folder_bytes(raw / "calls") / size.calls,
    )


def report(rates: Rates, arguments: argparse.Namespace) -> str:
    """The published tables."""
    daily = arguments.lines * arguments.daily_calls
    window = daily * WINDOW_DAYS
    gib = 1 << 30

    def core_hours(rate: float, rows: float) -> float:
        return rate * rows / MILLION / 3600

    lines = [
        f"Measured on {arguments.calls:,} calls of {max(arguments.calls // 100, 1):,} accounts, once. "
        f"{arguments.date}; {machine_words()}.",
        "",
        "| for a million calls | core-seconds |",
        "|---|---:|",
        f"| `nbo check`, Parquet files to the store | {rates.check:.2f} |",
        f"| scan of the columns, embedded engine | {rates.scan:.2f} |",
        f"| 57 features, embedded engine | {rates.embedded:.2f} |",
        f"| 57 features, Spark on this machine | {rates.spark:.2f} |",
        "",
        f"A call takes {rates.raw:.0f} bytes in the file it came by and {rates.stored:.0f} in the store.",
        "",
        f"Multiplied up, assuming {arguments.lines:,} lines with {arguments.daily_calls:g} calls a day, "
        f"{arguments.hours:g} hours a night and {arguments.price:.2f} USD for a core-hour:",
        "",
        "| | rows | GiB in the store | core-hours | cores for the night | USD |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for words, rate, rows in (
        ("a day's `nbo check`", rates.check, daily),
        (f"features of one date, {WINDOW_DAYS} days, Spark", rates.spark, window),
        (f"features of one date, {WINDOW_DAYS} days, embedded engine", rates.embedded, window),
    ):
        hours = core_hours(rate, rows)
        stored = rates.stored * rows / gib
        night, money = hours / arguments.hours, hours * arguments.price
        lines.append(
            f"| {words} | {rows:,.0f} | {stored:,.0f} | {hours:,.1f} | {night:,.1f} | {money:,.2f} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=5_000_000, help="invented calls to measure on")
    parser.add_argument("--lines", type=int, default=30_000_000, help="assumed lines of the operator")
    parser.add_argument("--daily-calls", type=float, default=5.0, help="assumed calls of a line and day")
    parser.add_argument("--hours", type=float, default=4.0, help="assumed hours that a night has")
    parser.add_argument("--price", type=float, default=0.05, help="assumed USD for a core-hour")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    text = report(measured(arguments), arguments)
    path = arguments.out / "scale.md"
    path.write_text(text, encoding="utf-8")
    print(f"\n{text}\n{path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
