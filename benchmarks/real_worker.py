"""One process of ``bench-real``: some folds of one repeat of one method, one after the other.

The job is JSON on standard input; each fold leaves its file. Ours runs in the project's environment and reads
the set as ``nbo evaluate table`` does, a peer in its own and reads what that reader kept of it.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from real_folds import Floats, Rows, Told, splits

Fit = Callable[[Rows, Rows, float], Floats]
"""From rows to learn from, rows to score and a budget in seconds to probabilities."""


def ours(job: Mapping[str, Any]) -> tuple[Any, Fit]:
    """The labels, and the learner behind ``nbo evaluate table``."""
    from nbo.models.labelled_table import read_labelled_table
    from nbo.models.table_card import fit_table

    table = read_labelled_table(Path(job["file"]), job["label"], job["customer"])

    def fit(train: Rows, test: Rows, _: float) -> Floats:
        trials, seed = job["trials"], job["seed"]
        learnt = fit_table(table.part(train), trials=trials, seed=seed, progress=lambda _: None)
        return learnt.score(table.part(test).rows)

    return table.label, fit


def peer(job: Mapping[str, Any]) -> tuple[Any, Fit]:
    """The labels, and one of the peers."""
    import pandas as pd
    from real_peers import PEERS, typed

    frame = pd.read_parquet(job["rows"])
    label = frame.pop(job["label_column"]).to_numpy()
    known, told_by = typed(frame), PEERS[job["method"]]()

    def fit(train: Rows, test: Rows, budget_s: float) -> Floats:
        return told_by(known.iloc[train], label[train], known.iloc[test], job["seed"], budget_s)

    return label, fit


def cpu_s() -> float:
    """CPU seconds of this process and of the children that it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    label, fit = ours(job) if "trials" in job else peer(job)
    folds = splits(label, job["seed"])
    for wanted in job["wanted"]:
        train, test = folds[wanted["fold"]]
        cpu, wall = cpu_s(), time.perf_counter()
        p = np.asarray(fit(train, test, wanted["budget_s"]), dtype=np.float64)
        cost = np.array([cpu_s() - cpu]), np.array([time.perf_counter() - wall])
        Told(test, p, *cost).write(Path(wanted["out"]))


if __name__ == "__main__":
    main()
