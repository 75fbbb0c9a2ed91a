"""What each ingredient of the churn learner is worth on real tables: ``make bench-real-ablation``.

The learner behind ``nbo evaluate table`` is judged with one ingredient left out at a time, on the folds of
``make bench-real``, repeat 1, and compared with the whole on the same rows. Where a set's file is absent it
is left out; the others are read as ``make bench-real`` left them.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine_words
from real import choice
from real_data import ROOT, SETS, DataSet, found
from real_folds import FOLDS, Floats, Rows, splits
from real_runs import MANY_ROWS

from nbo.evaluation import difference, evaluate_scores
from nbo.models import BoosterSettings, deriving
from nbo.models.labelled_table import LabelledTable, Labels, read_labelled_table
from nbo.models.table_card import BOOSTER, fit_table

SEED = 1
USUAL = ("cell2cell", "mlc-churn")
METRICS = {"auc": "AUC", "average_precision": "AP", "log_loss": "log loss"}
WHOLE = "the whole"
VARIANTS: Mapping[str, tuple[Mapping[str, Any], BoosterSettings]] = {
    WHOLE: ({}, BOOSTER),
    "without sums": ({"PAIRS": ("difference", "ratio")}, BOOSTER),
    "without pairs of numbers": ({"PAIRED_NUMBERS": 0}, BOOSTER),
    "without rates of codes": ({"MANY_CODES": 10_000}, BOOSTER),
    "nothing derived": ({}, BOOSTER.model_copy(update={"derive": False})),
    "derived, but the settings of `nbo train churn`": ({}, BoosterSettings(derive=True)),
    "neither": ({}, BoosterSettings()),
}
"""By what is left out: names of :mod:`nbo.models.deriving` that are changed for it, and settings."""


def scored(table: LabelledTable, variant: str, fold: int) -> Floats:
    """Probabilities of the rows of one fold."""
    changed, booster = VARIANTS[variant]
    before = {name: getattr(deriving, name) for name in changed}
    train, test = splits(table.label, SEED)[fold]
    for name, value in changed.items():
        setattr(deriving, name, value)
    try:
        learnt = fit_table(table.part(train), booster, trials=0, seed=SEED, progress=lambda _: None)
    finally:
        for name, value in before.items():
            setattr(deriving, name, value)
    return learnt.score(table.part(test).rows)


def table_lines(words: str, table: LabelledTable, p: Mapping[str, Floats], folds: int) -> list[str]:
    """The whole, and what changes without each ingredient.

    Parameters
    ----------
    p : mapping of str to ndarray
        Probabilities of the rows of the first ``folds`` folds, in the order of those folds.
    """
    label = table.label[judged_rows(table.label, folds)]
    whole = evaluate_scores(label, p[WHOLE], np.arange(label.size), SEED)
    lines = [
        f"**{words}**: {label.size:,} rows, {folds} of {FOLDS} folds.",
        "",
        f"| | {' | '.join(METRICS.values())} |",
        "|---|" + "---:|" * len(METRICS),
        f"| {WHOLE} | {' | '.join(f'{whole[metric].value:.4f}' for metric in METRICS)} |",
    ]
    for variant in list(VARIANTS)[1:]:
        cells = []
        for metric in METRICS:
            less = difference(label, p[variant], p[WHOLE], metric, seed=SEED)
            cells.append(f"{less.value:+.4f} [{less.low:+.4f}, {less.high:+.4f}]")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return [*lines, ""]


def judged_rows(label: Labels, folds: int) -> Rows:
    """The rows of the first folds, fold after fold."""
    return np.concatenate([test for _, test in splits(label, SEED)[:folds]])


def measured(words: str, table: LabelledTable, pool: ProcessPoolExecutor, folds: int) -> dict[str, Floats]:
    """Probabilities of the rows of the first folds, by variant."""
    jobs = {
        variant: [pool.submit(scored, table, variant, fold) for fold in range(folds)] for variant in VARIANTS
    }
    told = {}
    for variant, parts in jobs.items():
        told[variant] = np.concatenate([part.result() for part in parts])
        print(f"{words}: {variant}", flush=True)
    return told


def files(names: Sequence[str], folder: Path) -> Iterator[tuple[DataSet, Path]]:
    """The sets that were asked for and are there; a message for each that is not."""
    for known in SETS:
        file = found(known, folder) if known.name in names else None
        if file is not None and file.is_file():
            yield known, file
        elif file is not None:
            print(f"{file}: not there, {known.name} is not measured. Run make bench-real first.")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    names = [one.name for one in SETS]
    parser.add_argument("--sets", type=choice(names), default=USUAL, help=f"with commas: {', '.join(names)}")
    parser.add_argument(
        "--folds",
        type=int,
        choices=range(1, FOLDS + 1),
        help=f"the first ones; default: {FOLDS}, or 1 of a set of {MANY_ROWS:,} rows and more",
    )
    arguments = parser.parse_args(argv)
    lines = [
        f"Pooled out-of-fold figures, seed {SEED}; below the whole, what changes where an "
        f"ingredient is left out, with 95 % intervals on the same rows. {arguments.date}; {machine_words()}.",
        "",
    ]
    with ProcessPoolExecutor(arguments.workers) as pool:
        for known, file in files(arguments.sets, arguments.out / "real" / "data"):
            table = read_labelled_table(file, known.label, known.customer)
            folds = arguments.folds or (1 if len(table.label) >= MANY_ROWS else FOLDS)
            lines += table_lines(known.words, table, measured(known.words, table, pool, folds), folds)
    if len(lines) == 2:
        return 0
    path = arguments.out / "real-ablation.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(f"{path.read_text(encoding='utf-8')}\n{path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
