"""Time features over months and days: ``make bench-features-over-time``.

Three questions, each a table of its own:

- ``months``: features at twelve dates a month apart, in one process, against one scan of all the calls;
- ``memory``: the peak of a build and of a check as the history grows, with as many calls a day;
- ``day``: ``nbo check`` of a day that arrived, against a scan of that day's file and a check of everything;
  and what features at earlier dates, asked for again, cost then.

CPU is user + system time of a process less that of one that only starts, imports and opens the store. A
missed target is printed and does not fail the run.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from call_stores import ready_store, work
from features_worker import compiled_features
from generated_calls import END_DAY, Size
from machine import MIB, machine_words
from processes import Cost, cost_of, median_cost

from nbo.asof import AsOf, date_of, day_of

ROOT = Path(__file__).resolve().parents[1]
CHECK_WORKER = Path(__file__).resolve().with_name("check_worker.py")
MONTHS = 12
SCANS = 100
"""Of a day's file: one alone is too short to measure."""
WEEKS = 8
"""Dates a week apart, whose features a new day must not cost again."""
BEFORE_FIRST = 90
"""Days that the longest window needs before the first date."""
TABLE = ["| | CPU, s | CPU / scan | wall, s | peak memory, MiB |", "|---|---:|---:|---:|---:|"]


@dataclass(frozen=True)
class Target:
    """A figure and what it may be at most."""

    what: str
    measured: float
    at_most: float

    @property
    def line(self) -> str:
        met = "met" if self.measured <= self.at_most else "MISSED"
        return f"| {self.what} | {self.measured:,.2f} | {self.at_most:,.2f} | {met} |"


def monthly_dates(months: int) -> list[date]:
    """So many dates a month apart, the last being that of the newest call's next day.

    Examples
    --------
    >>> [day.isoformat() for day in monthly_dates(3)]
    ['2025-02-21', '2025-03-21', '2025-04-21']
    """
    last = date_of(END_DAY)
    counts = [last.year * 12 + last.month - 1 - back for back in reversed(range(months))]
    return [date(count // 12, count % 12 + 1, last.day) for count in counts]


def measured(store: Path, roles: Mapping[str, list[str]], rounds: int) -> dict[str, Cost]:
    """Median costs of each role of the worker, less those of one that only starts; dates by role."""
    found: dict[str, list[Cost]] = {name: [] for name in ("empty", *roles)}
    for number in range(rounds):
        shutil.rmtree(store / "features", ignore_errors=True)
        for name, costs in found.items():
            costs.append(work(name, store, *roles.get(name, [])))
            print(f"round {number + 1} {name:10} {costs[-1]}", flush=True)
    medians = {name: median_cost(costs) for name, costs in found.items()}
    start = medians.pop("empty")
    return {name: cost.less(start) for name, cost in medians.items()}


def row(name: str, cost: Cost, scan: Cost) -> str:
    return (
        f"| {name} | {cost.cpu:.2f} | {cost.cpu / scan.cpu:,.1f} | {cost.wall:.2f} | {cost.peak / MIB:,.0f} |"
    )


def judged(targets: list[Target]) -> list[str]:
    return ["", "| target | measured | at most | |", "|---|---:|---:|---|", *(one.line for one in targets)]


def months(arguments: argparse.Namespace) -> list[str]:
    """Twelve monthly snapshots, of few calls an account and of many."""
    dates = monthly_dates(MONTHS)
    days = END_DAY - day_of(dates[0]) + BEFORE_FIRST
    lines = [f"{len(compiled_features().names)} features at {MONTHS} dates, from calls over {days} days."]
    lines += ["", *TABLE]
    targets = []
    for name, accounts, at_most in (
        ("dense", arguments.calls // 1500, 6.0),
        ("sparse", arguments.calls // 100, 10.0),
    ):
        size = Size(arguments.calls, max(accounts, 1), days)
        store = ready_store(arguments.out / f"data-months-{name}", size)
        roles = {"scan_all": [], "ours": [day.isoformat() for day in dates]}
        costs = measured(store, roles, arguments.rounds)
        scan, ours = costs["scan_all"], costs["ours"]
        words = f"{name}: {size.calls:,} calls of {size.accounts:,} accounts"
        lines += [
            row(f"{words}, one scan of all", scan, scan),
            row(f"{words}, {MONTHS} snapshots", ours, scan),
        ]
        targets.append(Target(f"CPU, {name}, snapshots / scan", ours.cpu / scan.cpu, at_most))
        targets.append(Target(f"peak memory, {name}, MiB", ours.peak / MIB, 2048.0))
    return [*lines, *judged(targets)]


def memory(arguments: argparse.Namespace) -> list[str]:
    """The last date of longer and longer histories; accounts and calls a day stay."""
    lines = ["| days | calls | CPU, s | wall, s | peak memory, MiB |", "|---:|---:|---:|---:|---:|"]
    peaks = {}
    for days in (60, 120, 240):
        size = Size(arguments.daily * days, max(arguments.daily * 90 // 100, 1), days)
        store = ready_store(arguments.out / f"data-days-{days}", size)
        ours = measured(store, {"ours": [str(AsOf(END_DAY))]}, arguments.rounds)["ours"]
        peaks[days] = ours.peak
        lines.append(
            f"| {days} | {size.calls:,} | {ours.cpu:.2f} | {ours.wall:.2f} | {ours.peak / MIB:,.0f} |"
        )
    return [*lines, *judged([Target("peak memory, 240 / 120 days", peaks[240] / peaks[120], 1.1)])]


def check(role: str, *more: object) -> Cost:
    """Play one role of the check's worker in a fresh process."""
    cost = cost_of([sys.executable, str(CHECK_WORKER), role, *map(str, more)])
    print(f"{role:10} {cost}", flush=True)
    return cost


def day(arguments: argparse.Namespace) -> list[str]:
    """A store of some weeks, and a file that arrives."""
    days = 60
    size = Size(arguments.daily * (days + 1), max(arguments.daily * 90 // 100, 1), days + 1)
    folder = arguments.out / "data-day"
    shutil.rmtree(folder, ignore_errors=True)
    raw, store, newest = folder / "raw", folder / "store", folder / "newest.parquet"
    check("export", raw, *(size.calls, size.accounts, size.days))
    arrives = raw / "calls" / f"{date_of(END_DAY)}.parquet"
    arrives.rename(newest)
    start = check("start")
    everything = check("check", raw, store).less(start)
    dates = [str(AsOf(END_DAY - back)) for back in range(7 * WEEKS, 0, -7)]
    built = work("ours", store, *dates).less(work("empty", store))
    newest.rename(arrives)
    scans = check("scan", arrives, SCANS).less(start)
    scan = Cost(scans.cpu / SCANS, scans.wall / SCANS, scans.peak)
    one_day = check("check", raw, store).less(start)
    again = work("ours", store, *dates).less(work("empty", store))
    lines = [
        f"{size.calls // size.days:,} calls a day, one Parquet file each; {days} days and one more.",
        "",
        *TABLE,
    ]
    lines += [
        row("scan of the new file", scan, scan),
        row("check of the new day", one_day, scan),
        row(f"check of the {days} days before", everything, scan),
        row(f"features at {WEEKS} earlier dates, before the new day", built, scan),
        row("the same dates asked for again, after the new day", again, scan),
    ]
    targets = [
        Target("CPU, new day / scan of its file", one_day.cpu / scan.cpu, 3.0),
        Target("CPU, new day / everything before", one_day.cpu / everything.cpu, 0.2),
    ]
    return [*lines, *judged(targets)]


PARTS: dict[str, Callable[[argparse.Namespace], list[str]]] = {"months": months, "memory": memory, "day": day}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; repeatable")
    parser.add_argument("--calls", type=int, default=60_000_000, help="of months")
    parser.add_argument("--daily", type=int, default=250_000, help="calls a day, of memory and day")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    for name in arguments.part or PARTS:
        lines = PARTS[name](arguments)
        head = f"Medians of {arguments.rounds} rounds. {arguments.date}; {machine_words()}."
        text = "\n".join([head, "", *lines]) + "\n"
        path = arguments.out / f"features-{name}.md"
        path.write_text(text, encoding="utf-8")
        print(f"\n{text}\n{path}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
