"""Time the feature engine against a bare scan and against the same features in plain SQL.

``make bench-features`` makes 20 million calls of 200,000 accounts (kept in ``runs/bench/data``), then
runs in turn, each in a process of its own and several times over, the roles ``scan``, ``ours`` and
``plain`` of ``features_worker.py``. Other shapes (``ARGS="--shape large"``) leave out ``plain``, whose
memory grows with the accounts.

CPU is user + system time of the whole process less that of an ``empty`` one, which imports the same
modules and opens the same store. The features of ``ours`` and ``plain`` must be equal (exit code 1
where they are not). A missed target is printed and does not fail the run.
"""

import argparse
import shutil
from datetime import UTC, datetime
from pathlib import Path

from call_stores import ready_store, work
from features_sql import plain_sql, visible
from features_worker import compiled_features, scan_sql
from generated_calls import Size
from machine import MIB, machine_words
from processes import Cost, median_cost

ROOT = Path(__file__).resolve().parents[1]
SHAPES = {"sparse": Size(), "large": Size(60_000_000, 600_000), "dense": Size(60_000_000, 40_000)}
PLAIN_SHAPE = "sparse"


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Cost]:
    """Median costs of each variant, and the highest peak; CPU and wall less the empty process's."""
    variants = ("empty", "scan", "ours", *(["plain"] if arguments.shape == PLAIN_SHAPE else []))
    found: dict[str, list[Cost]] = {name: [] for name in variants}
    for number in range(arguments.rounds):
        shutil.rmtree(store / "features", ignore_errors=True)
        for name in variants:
            cost = work(name, store)
            found[name].append(cost)
            print(f"round {number + 1} {name:6} {cost}", flush=True)
        if "plain" in variants:
            work("compare", store)
    medians = {name: median_cost(costs) for name, costs in found.items()}
    start = medians.pop("empty")
    return {name: cost.less(start) for name, cost in medians.items()}


def targets(costs: dict[str, Cost]) -> list[tuple[str, float, float]]:
    """(what, measured, at most)."""
    ours = costs["ours"]
    found = [("CPU, ours / scan", ours.cpu / costs["scan"].cpu, 6.0)]
    if "plain" in costs:
        found.append(("CPU, ours / plain", ours.cpu / costs["plain"].cpu, 0.5))
    return [*found, ("peak memory of ours, MiB", ours.peak / MIB, 2048.0)]


def report(costs: dict[str, Cost], size: Size, arguments: argparse.Namespace) -> str:
    """The published table."""
    scan = costs["scan"].cpu
    lines = [
        f"{len(compiled_features().names)} features of {size.accounts:,} accounts from {size.calls:,} calls "
        f"over {size.days} days; medians of {arguments.rounds} interleaved rounds, the highest peak of "
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


def table_name(shape: str) -> str:
    return "features" if shape == PLAIN_SHAPE else f"features-{shape}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default=PLAIN_SHAPE)
    parser.add_argument("--calls", type=int, help="another number of calls than the shape's")
    parser.add_argument("--accounts", type=int, help="another number of accounts than the shape's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    shape = SHAPES[arguments.shape]
    size = Size(arguments.calls or shape.calls, arguments.accounts or shape.accounts)
    data = arguments.out / ("data" if arguments.shape == PLAIN_SHAPE else f"data-{arguments.shape}")
    store = ready_store(data, size)
    print(f"-- scan\n{scan_sql(visible())}\n\n-- plain\n{plain_sql()}\n", flush=True)
    text = report(measure(arguments, store), size, arguments)
    path = arguments.out / f"{table_name(arguments.shape)}.md"
    path.write_text(text, encoding="utf-8")
    print(f"\n{text}\n{path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
