"""Time ``nbo recommend --all`` over a million invented accounts, from a checked store to logged decisions.

``make bench-recommendations`` trains a next-product model on a small simulated operator, writes the stores
of three invented operators (kept in ``runs/bench/recommendations``), and runs the command on each in a
process of its own: building features, judging every rule for every offer, scoring, ranking, logging every
decision in SQLite and writing the Parquet parts are all inside the time. A missed target is printed and
does not fail the run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generated_operator import GENERATOR_VERSION, generate_operator
from machine import MIB, machine_words

from nbo.offers.reading import read_catalog
from nbo.tables.store import CONTRACT_VERSION

ROOT = Path(__file__).resolve().parents[1]
TRAINED_ON = ("--accounts", "1500", "--months", "13", "--seed", "1")
MINUTES = 10.0
"""The target for a million accounts."""
FLAT = 1.25
"""Memory may not grow beyond this ratio while accounts double; small runs stay below the engine's limit."""


@dataclass(frozen=True)
class Run:
    """What one run cost and did."""

    accounts: int
    offers: int
    decisions: int
    open_offers: int
    wall: float
    cpu: float
    peak: int


def nbo(workspace: Path, *words: str) -> dict[str, Any]:
    """Run a command and hand back its envelope's result."""
    command = [sys.executable, "-m", "nbo", *words, "--json"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"nbo {' '.join(words)}: {done.stderr}")
    return dict(json.loads(done.stdout)["result"])


def prepare_workspace(folder: Path) -> Path:
    """A workspace with a next-product model in use, trained once."""
    workspace = folder / "workspace"
    if (workspace / "releases" / "current.json").is_file():
        return workspace
    shutil.rmtree(workspace, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    nbo(folder, "init", str(workspace))
    nbo(workspace, "simulate", *TRAINED_ON, "--out", "runs/raw")
    nbo(workspace, "check", "--data", "runs/raw", "--out", "runs/store")
    bundle = nbo(workspace, "train", "next-product", "--store", "runs/store")["bundle"]
    nbo(workspace, "promote", "next-product", "--bundle", bundle)
    return workspace


def prepare_store(folder: Path, workspace: Path, accounts: int) -> Path:
    """The invented operator's store, unless this very one is there."""
    store = folder / f"store-{accounts}"
    said = folder / f"store-{accounts}.txt"
    products = [p.product_id for p in read_catalog(workspace / "serving/offers/catalog.toml").functional]
    made = f"generator {GENERATOR_VERSION}, contracts {CONTRACT_VERSION}, {accounts} accounts, {products}"
    if not said.is_file() or said.read_text(encoding="utf-8") != made:
        said.unlink(missing_ok=True)
        generate_operator(store, accounts, products)
        said.write_text(made, encoding="utf-8")
    return store


def measured(workspace: Path, store: Path, accounts: int) -> Run:
    """One run from nothing: no features, no decisions."""
    for leftover in (store / "features", workspace / "runs" / "recommendations"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in workspace.glob("decisions.db*"):
        leftover.unlink()
    words = ["recommend", "--all", "--store", str(store.resolve()), "--as-of", "latest", "--json"]
    began = time.perf_counter()
    with (workspace / "answer.json").open("w") as answer:
        process = subprocess.Popen([sys.executable, "-m", "nbo", *words], cwd=workspace, stdout=answer)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"nbo {' '.join(words)}: exit code {process.returncode}")
    facts = json.loads((workspace / "answer.json").read_text())["result"]
    return Run(
        accounts=accounts,
        offers=len(facts["offers"]),
        decisions=facts["accounts"],
        open_offers=facts["rows"],
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        peak=used.ru_maxrss * 1024,
    )


def report(runs: list[Run]) -> str:
    """The published table."""
    half, large = runs[-2:]
    per_million = large.wall / 60 * 1_000_000 / large.accounts
    growth = large.peak / half.peak
    lines = [
        f"`nbo recommend --all` from a checked store to logged decisions, one run each. "
        f"{datetime.now(UTC):%Y-%m-%d}; {machine_words()}.",
        "",
        "| accounts | offers | decisions | open offers | wall, s | CPU, s | accounts / s | peak, MiB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {run.accounts:,} | {run.offers} | {run.decisions:,} | {run.open_offers:,} | {run.wall:.1f} | "
            f"{run.cpu:.1f} | {run.accounts / run.wall:,.0f} | {run.peak / MIB:,.0f} |"
            for run in runs
        ),
        "",
        "| target | measured | at most | |",
        "|---|---:|---:|---|",
        target("minutes for a million accounts", per_million, MINUTES),
        target(f"memory, {large.accounts:,} / {half.accounts:,} accounts", growth, FLAT),
    ]
    return "\n".join(lines) + "\n"


def target(what: str, value: float, limit: float) -> str:
    return f"| {what} | {value:.2f} | {limit:.2f} | {'met' if value <= limit else 'MISSED'} |"


def main() -> int:
    """Prepare, run each size, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, nargs="+", default=[100_000, 500_000, 1_000_000])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    arguments = parser.parse_args()
    folder = (arguments.out / "recommendations").resolve()
    workspace = prepare_workspace(folder)
    runs = []
    for accounts in arguments.accounts:
        store = prepare_store(folder, workspace, accounts)
        runs.append(measured(workspace, store, accounts))
        print(f"{runs[-1]}", flush=True)
    table = report(runs)
    print(table)
    (arguments.out / "recommendations.md").write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
