"""Time the feature engine against a bare scan and against the same features in plain SQL.

``make bench-features`` makes 20 million calls of 200,000 accounts (kept in ``runs/bench/data``), then
runs in turn, each in a process of its own and several times over:

- ``scan``: one query that reads every column the features need, and does next to nothing with it;
- ``ours``: :func:`nbo.features.build.build_features`, as every command runs it, Parquet written;
- ``plain``: the same features as one would write them by hand, one FILTER a window, Parquet written.

CPU is user + system time of the whole process less that of an ``empty`` one, which imports the same
modules and opens the same store. The features of ``ours`` and ``plain`` must be equal (exit code 1
where they are not). A missed target is printed and does not fail the run.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from generated_calls import CODES, END_DAY, FIRST_DAY, GENERATOR_VERSION, RIVALS, Size, calls_sql, generate
from machine import MIB, machine_words

from nbo.asof import AsOf, days
from nbo.features import CompiledFeatures, FeatureSet, Words, compile_features, table
from nbo.features.build import PART, build_features, features_folder
from nbo.tables.store import CONTRACT_VERSION, Store

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = ("empty", "scan", "ours", "plain")
TOLERANCE = 1e-12
"""Relative, for floats: two correct ways to divide may differ in the last bit."""

WINDOWS = (7, 30, 90)
ABROAD = ("national", "international", "hkmt")

calls = table("calls")
out = calls.where(direction="out")
rival = out.where(counterparty="rival")
SUBJECTS = (
    out,
    calls.where(direction="in"),
    out.where(destination="local"),
    out.where(destination=list(ABROAD)),
    rival,
    calls.where(counterparty="rival_access_code"),
)
OVER = days(*WINDOWS)
BENCHMARK = FeatureSet(
    "benchmark",
    Words("Calls", "通话"),
    [
        calls.count(over=OVER),
        *(subject.count(over=OVER) for subject in SUBJECTS),
        *(subject.sum("minutes", over=OVER) for subject in SUBJECTS),
        out.mean("minutes", over=OVER),
        out.max("minutes", over=OVER),
        calls.distinct("counterparty_id", over=OVER),
        out.distinct("counterparty_id", over=OVER),
        rival.distinct("counterparty_id", over=OVER),
        rival.days_since("last", over=days(90)),
        out.sum("minutes", over=days(30)).share_of(calls),
        out.sum("minutes", over=days(30)).trend(),
    ],
)


@dataclass(frozen=True)
class Cost:
    """What one process used: CPU seconds (user + system), wall seconds, peak bytes of memory."""

    cpu: float
    wall: float
    peak: int


# What is measured


def visible() -> str:
    return f"event_day < {END_DAY} AND known_day <= {END_DAY} AND event_day >= {END_DAY - max(WINDOWS)}"


def scan_sql() -> str:
    """Reads every column that the features need, over the longest window."""
    names = ("account_id", "counterparty_id", "direction", "network_id", "access_code", "destination")
    read = ", ".join(f"max({name})" for name in names)
    return f"SELECT count(*), {read}, sum(duration_seconds) FROM calls WHERE {visible()}"


def plain_columns() -> Iterator[tuple[str, str]]:
    """(feature, expression) of every feature, written without the feature language."""
    rival_codes = ", ".join(f"'{code}'" for code, network in CODES.items() if network in RIVALS)
    rivals = ", ".join(f"'{name}'" for name in RIVALS)
    abroad = ", ".join(f"'{name}'" for name in ABROAD)
    with_rivals = f"network_id IN ({rivals}) OR access_code IN ({rival_codes})"
    rows = {
        "calls": "TRUE",
        "calls_out": "direction = 'out'",
        "calls_in": "direction = 'in'",
        "calls_out_local": "direction = 'out' AND destination = 'local'",
        f"calls_out_{'_'.join(ABROAD)}": f"direction = 'out' AND destination IN ({abroad})",
        "calls_out_rival": f"direction = 'out' AND ({with_rivals})",
        "calls_rival_access_code": f"access_code IN ({rival_codes})",
    }

    def over(aggregate: str, name: str, length: int) -> str:
        return f"{aggregate} FILTER (WHERE event_day >= {END_DAY - length} AND {rows[name]})"

    def seconds(name: str, length: int) -> str:
        return f"CAST(coalesce({over('sum(duration_seconds)', name, length)}, 0) AS DOUBLE)"

    for length in WINDOWS:
        for name in rows:
            yield f"{name}_count_{length}d", over("count(*)", name, length)
            if name != "calls":
                yield f"{name}_minutes_sum_{length}d", f"{seconds(name, length)} / 60"
        for name in ("calls", "calls_out", "calls_out_rival"):
            numbers = over("count(DISTINCT counterparty_id)", name, length)
            yield f"{name}_counterparty_id_distinct_{length}d", numbers
        mean = f"{seconds('calls_out', length)} / 60 / nullif({over('count(*)', 'calls_out', length)}, 0)"
        yield f"calls_out_minutes_mean_{length}d", mean
        largest = over("max(duration_seconds)", "calls_out", length)
        yield f"calls_out_minutes_max_{length}d", f"CAST({largest} AS DOUBLE) / 60"
    now, both, whole = seconds("calls_out", 30), seconds("calls_out", 60), seconds("calls", 30)
    yield "calls_out_minutes_sum_30d_share_of_all", f"{now} / nullif({whole}, 0)"
    yield "calls_out_minutes_sum_30d_trend", f"(2 * {now} - {both}) / nullif({both}, 0)"
    yield (
        "calls_out_rival_days_since_last_90d",
        f"{END_DAY} - {over('max(event_day)', 'calls_out_rival', 90)}",
    )


def plain_sql() -> str:
    """One GROUP BY over the calls in sight, one FILTER a window, count(DISTINCT ...)."""
    columns = dict(plain_columns())
    chosen = ",\n  ".join(f"{expression} AS {name}" for name, expression in columns.items())
    counted = ", ".join(
        f"coalesce({name}, 0) AS {name}"
        if "_count_" in name or "_sum_" in name or "_distinct_" in name
        else name
        for name in columns
        if not name.endswith(("_trend", "_share_of_all"))
    )
    return (
        f"WITH found AS (SELECT account_id,\n  {chosen}\nFROM calls WHERE {visible()} GROUP BY account_id)\n"
        f"SELECT lines.account_id, {counted}, calls_out_minutes_sum_30d_share_of_all, "
        "calls_out_minutes_sum_30d_trend\n"
        "FROM lines LEFT JOIN found ON found.account_id = lines.account_id ORDER BY 1"
    )


def plain_path(store: Store) -> Path:
    return store.root.with_name(f"{store.root.name}-plain.parquet")


def compiled_features() -> CompiledFeatures:
    return compile_features([BENCHMARK])


def run_variant(name: str, store: Store, compiled: CompiledFeatures) -> None:
    """What a measured process does after its start."""
    if name == "ours":
        build_features(store, compiled, AsOf(END_DAY))
    elif name in ("scan", "plain"):
        with store.connect(spill_folder=store.root.with_name("spill")) as engine:
            if name == "scan":
                engine.query(scan_sql())
            else:
                engine.write_parquet(plain_sql(), plain_path(store))


def unequal_features(store: Store, compiled: CompiledFeatures) -> list[str]:
    """Names of the features in which ``ours`` and ``plain`` differ; nulls must stand in the same rows."""
    ours = pq.read_table(features_folder(store, compiled, AsOf(END_DAY)) / PART, partitioning=None)
    plain = pq.read_table(plain_path(store))
    if set(plain.column_names) != set(ours.column_names):
        return sorted(set(plain.column_names) ^ set(ours.column_names))
    return [name for name in ours.column_names if not same_column(ours[name], plain[name])]


def same_column(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    left, right = left.combine_chunks(), right.combine_chunks().cast(left.type)
    if len(left) != len(right) or not left.is_null().equals(right.is_null()):
        return False
    if not pa.types.is_floating(left.type):
        return bool(left.equals(right))
    limit = pc.multiply(pc.abs(right), TOLERANCE)
    near = pc.less_equal(pc.abs(pc.subtract(left, right)), limit)
    return bool(pc.all(near, min_count=0).as_py())


# Processes and the report


def child(role: str, arguments: argparse.Namespace) -> Cost:
    """Run one role of this file in a fresh process."""
    sizes = ["--calls", str(arguments.calls), "--accounts", str(arguments.accounts)]
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--role",
        role,
        "--out",
        str(arguments.out),
        *sizes,
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(1)
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024)


def median_cost(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        max(cost.peak for cost in costs),
    )


def measure(arguments: argparse.Namespace) -> dict[str, Cost]:
    """Median costs of each variant, and the highest peak; CPU and wall less the empty process's."""
    found: dict[str, list[Cost]] = {name: [] for name in VARIANTS}
    for number in range(arguments.rounds):
        shutil.rmtree(store_folder(arguments.out) / "features", ignore_errors=True)
        for name in VARIANTS:
            cost = child(name, arguments)
            found[name].append(cost)
            told = f"CPU {cost.cpu:6.2f} s, wall {cost.wall:6.2f} s, peak {cost.peak / MIB:5.0f} MiB"
            print(f"round {number + 1} {name:6} {told}", flush=True)
        child("compare", arguments)
    medians = {name: median_cost(costs) for name, costs in found.items()}
    start = medians.pop("empty")
    return {
        name: Cost(max(cost.cpu - start.cpu, 1e-3), max(cost.wall - start.wall, 1e-3), cost.peak)
        for name, cost in medians.items()
    }


def targets(costs: dict[str, Cost]) -> list[tuple[str, float, float]]:
    """(what, measured, at most)."""
    ours = costs["ours"]
    return [
        ("CPU, ours / scan", ours.cpu / costs["scan"].cpu, 8.0),
        ("CPU, ours / plain", ours.cpu / costs["plain"].cpu, 0.5),
        ("peak memory of ours, MiB", ours.peak / MIB, 2048.0),
    ]


def report(costs: dict[str, Cost], arguments: argparse.Namespace, features: int) -> str:
    """The published table."""
    scan = costs["scan"].cpu
    lines = [
        f"{features} features of {arguments.accounts:,} accounts from {arguments.calls:,} calls over "
        f"{END_DAY - FIRST_DAY} days; medians of {arguments.rounds} interleaved rounds, the highest peak of "
        f"memory. {arguments.date}; {machine_words()}.",
        "",
        "| | CPU, s | CPU / scan | wall, s | peak memory, MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {cost.cpu:.2f} | {cost.cpu / scan:.2f} | {cost.wall:.2f} | {cost.peak / MIB:,.0f} |"
        for name, cost in costs.items()
    ]
    lines += ["", "| target | measured | at most | |", "|---|---:|---:|---|"]
    lines += [
        f"| {what} | {value:,.2f} | {limit:,.2f} | {'met' if value <= limit else 'MISSED'} |"
        for what, value, limit in targets(costs)
    ]
    return "\n".join(lines) + "\n"


def store_folder(out_folder: Path) -> Path:
    return out_folder / "data" / "store"


def prepare(arguments: argparse.Namespace) -> None:
    """Make the store unless the one that is there came from this very generator and size."""
    said = store_folder(arguments.out).with_name("generator.sql")
    made = f"-- generator {GENERATOR_VERSION}, contracts {CONTRACT_VERSION}, {arguments.accounts} accounts"
    sql = f"{made}\n{calls_sql(Size(arguments.calls, arguments.accounts))}\n"
    print(f"-- generator\n{sql}\n-- scan\n{scan_sql()}\n\n-- plain\n{plain_sql()}\n", flush=True)
    if said.is_file() and said.read_text(encoding="utf-8") == sql:
        return
    said.unlink(missing_ok=True)
    said.parent.mkdir(parents=True, exist_ok=True)
    child("generate", arguments)
    said.write_text(sql, encoding="utf-8")


def play(role: str, arguments: argparse.Namespace) -> int:
    """What a child process does."""
    folder = store_folder(arguments.out)
    if role == "generate":
        generate(folder, Size(arguments.calls, arguments.accounts))
        return 0
    store, compiled = Store.open(folder), compiled_features()
    if role == "compare":
        unequal = unequal_features(store, compiled)
        print("ours and plain: " + (f"UNEQUAL in {', '.join(unequal)}" if unequal else "equal"), flush=True)
        return 1 if unequal else 0
    run_variant(role, store, compiled)
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=Size.calls)
    parser.add_argument("--accounts", type=int, default=Size.accounts)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    parser.add_argument("--role", choices=(*VARIANTS, "generate", "compare"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.role:
        return play(arguments.role, arguments)
    prepare(arguments)
    costs = measure(arguments)
    text = report(costs, arguments, len(compiled_features().names))
    (arguments.out / "features.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\n{arguments.out / 'features.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
