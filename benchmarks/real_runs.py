"""What ``bench-real`` measures, and the processes that do it: one for each repeat of a method on a set."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from real_data import LABEL, PEERS_PYTHON, Prepared
from real_folds import Told, place, splits
from real_report import METHODS, OURS, SEARCHED, Measured, counted

WORKER = Path(__file__).resolve().with_name("real_worker.py")
TRIALS = {OURS: 0, SEARCHED: 30}
"""Of the search for parameters, by what the project itself brings."""
MANY_ROWS = 10_000
"""Rows from which on one repeat is enough."""
SLOW = ("catboost", SEARCHED, "flaml")
"""Begun before the others, so that no worker is left with one of them at the end."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, eq=False)
class Bench:
    """Where folds are kept, and what they depend on beside their data.

    Parameters
    ----------
    folder : Path
        ``runs/bench/real``.
    folds : int
        The first of each repeat that are measured.
    depends : mapping of str to mapping
        By ``ours`` and ``peers``: code, versions, machine.
    """

    folder: Path
    folds: int
    depends: Mapping[str, Mapping[str, Any]]

    def fold_file(self, data: Prepared, method: str, seed: int, fold: int) -> Path:
        """Where the fold is kept; another budget of FLAML is another file."""
        where = {"set": data.known.name, "method": method, "seed": seed, "fold": fold}
        if method in TRIALS:
            read = {"data": data.digest, "label": data.known.label, "id": data.known.customer}
            depends = {**self.depends[OURS], **read, "trials": TRIALS[method]}
        else:
            depends = {**self.depends["peers"], "data": data.rows_digest}
            depends["budget_s"] = self.budget_s(data, method, seed, fold)
        return place(self.folder / "folds", where, depends)

    def budget_s(self, data: Prepared, method: str, seed: int, fold: int) -> float:
        """What FLAML may take: the wall-clock seconds that ours took in the same fold."""
        if method != "flaml":
            return 0.0
        return float(Told.read(self.fold_file(data, OURS, seed, fold)).wall_s[0])

    def files(self, data: Prepared, method: str, seed: int) -> list[Path]:
        return [self.fold_file(data, method, seed, fold) for fold in range(self.folds)]


@dataclass(frozen=True, eq=False)
class Repeat:
    """One method on all folds of one repeat of a set: the work of one process."""

    data: Prepared
    method: str
    seed: int

    @property
    def words(self) -> str:
        return f"{self.data.known.words}, {METHODS[self.method]}, repeat {self.seed}"

    def job(self, bench: Bench) -> dict[str, Any]:
        """What the worker is told; folds that are there are left out."""
        known, method, seed = self.data.known, self.method, self.seed
        wanted = [
            {"fold": fold, "out": str(path), "budget_s": bench.budget_s(self.data, method, seed, fold)}
            for fold, path in enumerate(bench.files(self.data, method, seed))
            if not path.is_file()
        ]
        job: dict[str, Any] = {"method": method, "seed": seed, "wanted": wanted}
        if method in TRIALS:
            read = {"file": str(self.data.file), "label": known.label, "customer": known.customer}
            return {**job, **read, "trials": TRIALS[method]}
        return {**job, "rows": str(self.data.rows), "label_column": LABEL}

    def measure(self, bench: Bench) -> int:
        """Learn and score what is not there yet; how many folds that were."""
        job = self.job(bench)
        if not job["wanted"]:
            return 0
        mine = self.method in TRIALS
        environment = {**os.environ, **ONE_THREAD}
        if not mine:
            environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [sys.executable if mine else PEERS_PYTHON, WORKER],
            input=json.dumps(job), capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{self.words}:\n{done.stderr.strip()[-2_000:]}")
        return len(job["wanted"])


def measure_all(repeats: Sequence[Repeat], bench: Bench, workers: int) -> None:
    """Ours first, since what it takes is what FLAML may take; a line for each finished repeat."""
    began, done = time.perf_counter(), 0
    for mine in (True, False):
        with ThreadPoolExecutor(workers) as pool:
            running = {
                pool.submit(repeat.measure, bench): repeat
                for repeat in sorted(repeats, key=costliest_first)
                if (repeat.method == OURS) is mine
            }
            try:
                for future in as_completed(running):
                    folds, done = future.result(), done + 1
                    elapsed = timedelta(seconds=round(time.perf_counter() - began))
                    told = counted(folds, "fold") if folds else "kept"
                    print(f"{done}/{len(repeats)} {running[future].words}: {told}; {elapsed}", flush=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def costliest_first(repeat: Repeat) -> tuple[bool, int, int]:
    return repeat.method not in SLOW, -len(repeat.data.table.label), repeat.seed


def planned(data: Sequence[Prepared], arguments: argparse.Namespace) -> Iterator[Repeat]:
    """What is measured: ours always, since all others are compared with it."""
    for one in data:
        many = len(one.table.label) >= MANY_ROWS
        for seed in range(1, (1 if many else arguments.repeats) + 1):
            for method in arguments.methods:
                yield Repeat(one, method, seed)


def measured(data: Prepared, repeats: Sequence[Repeat], bench: Bench) -> Measured:
    """What was told of a set, by method and seed; refused where it is not of the fold's rows."""
    table, told = data.table, dict[str, dict[int, Told]]()
    for repeat in repeats:
        if repeat.data is data:
            folds = [Told.read(path) for path in bench.files(data, repeat.method, repeat.seed)]
            for fold, (_, test) in zip(folds, splits(table.label, repeat.seed), strict=False):
                if not np.array_equal(fold.rows, test):
                    raise SystemExit(f"{repeat.words}: expected the rows of each fold, got others")
            told.setdefault(repeat.method, {})[repeat.seed] = Told.pooled(folds)
    return Measured(data.known.name, data.known.words, table.label, len(table.features), told)
