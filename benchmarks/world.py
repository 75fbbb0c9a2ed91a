"""Measure the simulated operator: speed, memory, likeness to an operator, and how hard it is to learn from.

``make bench-world`` writes four tables:

- cost: worlds of growing size, each in a process tree of its own;
- realism: figures of the raw tables of the largest one beside what was aimed at;
- churn: a model of all features, of tenure and bill alone, and the best single feature, on held-out months;
- targeting: what contacting by the truth gains over contacting by risk, at equal capacity.

A missed target is printed and does not fail the run. ``--quick`` makes a small world and publishes nothing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from machine import machine_words
from world_learning import Learnt, learnt
from world_targeting import ACTIONS, CAPACITY, targeting

from nbo.world import WorldConfig
from nbo.world.realism import Reading, realism

ROOT = Path(__file__).resolve().parents[1]
MONTHS = 12
SIZES = (2_500, 5_000, 10_000, 20_000)
QUICK = (500, 1_000)
WORKERS = 2
SECONDS, GIB = 360.0, 4.0
"""What the largest world may take."""
LINEAR = 1.25
"""CPU per account of the largest world against the smallest."""
LEARN_ACCOUNTS, LEARN_MONTHS = 6_000, 15
TARGETING_SEEDS = (1, 2, 3)
BETTER = 1.25
MEASURED = """
import resource, sys, time
from pathlib import Path
from nbo.world import WorldConfig, simulate
if __name__ == "__main__":
    accounts, months, workers = (int(word) for word in sys.argv[2:5])
    began = time.perf_counter()
    told = simulate(WorldConfig(accounts, months, 1), Path(sys.argv[1]), lambda _: None, workers=workers)
    wall = time.perf_counter() - began
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(used.ru_utime + used.ru_stime for used in (own, others))
    print(told.rows["calls"], wall, cpu, own.ru_maxrss + workers * others.ru_maxrss)
"""


@dataclass(frozen=True)
class Cost:
    """What one world took.

    Parameters
    ----------
    accounts, calls : int
    wall, cpu : float
        Seconds; CPU of all processes.
    memory : float
        GiB: the highest of the first process and of each worker, added up.
    """

    accounts: int
    calls: int
    wall: float
    cpu: float
    memory: float


def simulated(accounts: int, folder: Path) -> Cost:
    """One world, made by processes of its own."""
    script = folder.with_suffix(".py")
    script.write_text(MEASURED, encoding="utf-8")
    words = [sys.executable, str(script), str(folder), str(accounts), str(MONTHS), str(WORKERS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    calls, wall, cpu, kib = (float(word) for word in done.stdout.split())
    return Cost(accounts, int(calls), wall, cpu, kib / (1 << 20))


def measured(sizes: Sequence[int], room: Path) -> tuple[list[Cost], list[Reading]]:
    """Worlds of each size in turn; the figures of the last one's tables."""
    costs = []
    for accounts in sizes:
        folder = room / f"world-{accounts}"
        costs.append(simulated(accounts, folder))
        print(f"{accounts:,} accounts: {costs[-1].wall:.0f} s, {costs[-1].memory:.2f} GiB", flush=True)
        if accounts != sizes[-1]:
            shutil.rmtree(folder)
    return costs, realism(folder)


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def cost_lines(costs: Sequence[Cost]) -> list[str]:
    lines = [
        "| accounts | calls | wall, s | CPU, s | CPU, ms an account | memory, GiB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {c.accounts:,} | {c.calls:,} | {c.wall:.1f} | {c.cpu:.1f} | {1000 * c.cpu / c.accounts:.2f} "
        f"| {c.memory:.2f} |"
        for c in costs
    ]
    first, last = costs[0], costs[-1]
    growth = (last.cpu / last.accounts) / (first.cpu / first.accounts)
    return [
        *lines,
        "",
        "| target | measured | |",
        "|---|---|---|",
        f"| {last.accounts:,} accounts over {MONTHS} months in {SECONDS:.0f} s | {last.wall:.0f} s "
        f"| {verdict(last.wall <= SECONDS)} |",
        f"| in {GIB:.0f} GiB | {last.memory:.2f} GiB | {verdict(last.memory <= GIB)} |",
        f"| CPU an account at most {LINEAR} times that of {first.accounts:,} | {growth:.2f} "
        f"| {verdict(growth <= LINEAR)} |",
        "",
    ]


def realism_lines(readings: Sequence[Reading]) -> list[str]:
    lines = ["| figure | measured | aimed at | source of the aim | |", "|---|---:|---|---|---|"]
    for one in readings:
        value = "–" if one.value is None else f"{one.value:,.4g}"
        aim = f"{one.measure.low:,g} to {one.measure.high:,g}"
        lines.append(f"| {one.measure.words} | {value} | {aim} | {one.measure.source} | {verdict(one.met)} |")
    return [*lines, ""]


def learning_lines(found: Learnt) -> list[str]:
    rows = (
        ("all features", found.whole, 0.75, 0.88),
        ("tenure and bill alone", found.tenure_and_bill, 0.5, 0.70),
        (f"the best single feature, `{found.best_name}`", found.best, 0.5, 0.75),
    )
    lines = [
        f"Learnt from {found.rows:,} rows with {found.leavers:,} leavers, judged on {found.judged:,} later "
        f"rows with {found.judged_leavers:,}.",
        "",
        "| churn from | AUC | aimed at | |",
        "|---|---:|---|---|",
    ]
    lines += [
        f"| {words} | {value:.3f} | {low} to {high} | {verdict(low <= value <= high)} |"
        for words, value, low, high in rows
    ]
    return [*lines, ""]


def targeting_lines(found: Mapping[int, Mapping[str, float]]) -> list[str]:
    lines = [
        f"{CAPACITY:.0%} of the accounts are contacted, {len(ACTIONS) - 1} actions; "
        "incremental margin of a year, CNY.",
        "",
        "| seed | accounts | by what it changes | by risk | by risk × margin | by risk, own best action | "
        "by risk × margin, own best action | first / best of the others | |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for seed, row in found.items():
        ways = [row[way] for way in ("risk", "risk_times_margin", "risk_own", "risk_times_margin_own")]
        other = max(ways)
        ratio = row["oracle"] / other if other > 0 else float("inf")
        lines.append(
            f"| {seed} | {row['accounts']:,.0f} | {row['oracle']:,.0f} | "
            + " | ".join(f"{way:,.0f}" for way in ways)
            + f" | {ratio:.2f} | {verdict(row['oracle'] >= BETTER * other)} |"
        )
    return [*lines, ""]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small world; writes nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    quick = arguments.quick
    with tempfile.TemporaryDirectory(dir=made(arguments.out)) as room:
        costs, readings = measured(QUICK if quick else SIZES, Path(room))
    found = learnt(1_500 if quick else LEARN_ACCOUNTS, LEARN_MONTHS, seed=1)
    print("churn: learnt and judged", flush=True)
    seeds = TARGETING_SEEDS[:1] if quick else TARGETING_SEEDS
    gained = {seed: targeting(WorldConfig(accounts=1_000, months=12, seed=seed), month=9) for seed in seeds}
    lines = [f"Scenario base, {WORKERS} processes. {arguments.date}; {machine_words()}.", ""]
    lines += cost_lines(costs) + realism_lines(readings) + learning_lines(found) + targeting_lines(gained)
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    if not quick:
        (arguments.out / "world.md").write_text(text, encoding="utf-8")
        print(arguments.out / "world.md")
    return 0


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
