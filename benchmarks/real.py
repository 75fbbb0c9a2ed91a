"""Measure the churn learner beside its peers on real public tables: ``make bench-real``.

Each method learns from four folds of a set and scores the fifth, in turn, and again with other folds. A
repeat of a method is a process of its own on one thread; each finished fold is kept under
``runs/bench/real``, so a killed run goes on where it was. Two sets are read from ``../shared/data`` or the
folder that ``NBO_BENCH_DATA`` names and are left out where they are absent; three come from packages.
"""

import argparse
import importlib.metadata
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import cpu_lines, machine_words
from real_data import PEERS_PYTHON, ROOT, SETS, found, prepared, write_packaged
from real_folds import FOLDS, digest_of
from real_report import METHODS, OURS, SEARCHED, judge, report
from real_runs import MANY_ROWS, TRIALS, Bench, measure_all, measured, planned

import nbo

HERE = Path(__file__).resolve().parent
REPEATS = 10
VERSIONS_OURS = ("lightgbm", "numpy", "optuna", "pyarrow", "scikit-learn")
TOLD = ("lightgbm", "xgboost-cpu", "catboost", "flaml", "scikit-learn")
"""Packages that the caption names."""
VERSIONS_PEERS = (*TOLD, "numpy", "pandas")


def dependencies() -> dict[str, dict[str, Any]]:
    """What a fold's file depends on beside its data, for ours and for the peers."""
    model = next((line for line in cpu_lines() if line.startswith("model name")), "")
    frame = {"machine": model, "frame": digest_of(HERE / "real_worker.py", HERE / "real_folds.py")}
    versions = {name: importlib.metadata.version(name) for name in VERSIONS_OURS}
    code = digest_of(Path(nbo.__file__).parent)
    return {
        OURS: {**frame, "code": code, "versions": versions, "python": sys.version},
        "peers": {**frame, "code": digest_of(HERE / "real_peers.py"), "versions": peer_versions()},
    }


def peer_versions() -> dict[str, str]:
    """Of the packages that the peers run on."""
    script = "import sys, importlib.metadata as found; print(*map(found.version, sys.argv[1:]))"
    command = [PEERS_PYTHON, "-c", script, *VERSIONS_PEERS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(VERSIONS_PEERS, done.stdout.split(), strict=True))


def caption(date: str, versions: Mapping[str, str]) -> str:
    packages = ", ".join(f"{name} {versions[name]}" for name in TOLD)
    return (
        "Means over the repeats of metrics of the pooled out-of-fold probabilities, with 95 % intervals by "
        "rows drawn together for all methods; CPU of learning one fold's model and scoring with it, on one "
        f"thread. {date}; {machine_words()}, {packages}."
    )


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for; ``whole`` says whether that is all that is published."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = [one.name for one in SETS]
    add = parser.add_argument
    add("--sets", type=choice(names), default=names, help=f"with commas: {', '.join(names)}")
    add("--methods", type=choice(list(METHODS)), help=f"with commas: {', '.join(METHODS)}")
    add("--repeats", type=count, default=REPEATS, help=f"of a set below {MANY_ROWS:,} rows; others have 1")
    add(
        "--folds",
        type=int,
        choices=range(1, FOLDS + 1),
        default=FOLDS,
        help="the first of each repeat that are measured",
    )
    add("--quick", action="store_true", help="1 repeat of every set")
    add("--full", action="store_true", help=f"also ours with {TRIALS[SEARCHED]} trials of a search")
    add("--workers", type=count, default=len(os.sched_getaffinity(0)))
    add("--out", type=Path, default=ROOT / "runs" / "bench")
    add("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    usual = [name for name in METHODS if name != SEARCHED or arguments.full]
    asked = arguments.methods or usual
    arguments.repeats = 1 if arguments.quick else arguments.repeats
    arguments.methods = [name for name in METHODS if name in (OURS, *asked)]
    whole = (arguments.sets, arguments.repeats, arguments.folds) == (names, REPEATS, FOLDS)
    arguments.whole = whole and set(usual) <= set(asked)
    return arguments


def count(text: str) -> int:
    """A parser of numbers from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text}")
    return int(text)


def choice(names: list[str]) -> Any:
    """A parser of names with commas, in the order of those that are known."""

    def parse(text: str) -> list[str]:
        asked = [name.strip() for name in text.split(",")]
        unknown = [name for name in asked if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"expected {', '.join(names)}, got {unknown[0]}")
        return [name for name in names if name in asked]

    return parse


def main(argv: list[str] | None = None) -> int:
    arguments = parsed(argv)
    folder = arguments.out / "real"
    sets = [one for one in SETS if one.name in arguments.sets]
    if any(one.file is None for one in sets):
        write_packaged(folder / "data")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    data = [
        prepared(one, file, folder / "data")
        for one in sets
        if (file := found(one, folder / "data")) is not None
    ]
    if not data:
        return 0
    bench = Bench(folder, arguments.folds, dependencies())
    repeats = list(planned(data, arguments))
    measure_all(repeats, bench, arguments.workers)
    print("intervals", flush=True)
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        judged = list(pool.map(judge, [measured(one, repeats, bench) for one in data]))
    there = [one.known for one in data]
    absent = [one.words for one in sets if one not in there]
    text = report(judged, caption(arguments.date, bench.depends["peers"]["versions"]), absent)
    path = arguments.out / "real.md" if arguments.whole else folder / "part.md"
    path.write_text(text, encoding="utf-8")
    print(f"{text}\n{path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
