"""The churn run on a plain table: fit on every row, judge the order out of fold, bundle, record."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbo.files import sha256_file
from nbo.models.card import drivers, medians
from nbo.models.labelled_table import LabelledTable
from nbo.models.table_card import BOOSTER, MODEL, FittedTable, check_enough, fit_table
from nbo.tracking import Tracking
from nbo.workspace import Workspace
from training.runs import (
    GOLDEN_ROWS,
    LIBRARIES,
    Outcome,
    Progress,
    in_memory,
    left_behind,
    out_of_fold_metrics,
)


def run(
    table: LabelledTable,
    file: Path,
    workspace: Workspace,
    tracking: Tracking,
    progress: Progress,
    *,
    trials: int,
    seed: int,
) -> Outcome:
    """Learn from every row of a table; write the bundle, record the run.

    Parameters
    ----------
    table : LabelledTable
        What ``file`` was read as.
    trials, seed : int
        As for :func:`nbo.models.table_card.fit_table`, which is the whole of the fit.

    Raises
    ------
    DataError
        Fewer than 20 rows, or fewer than 5 of one class.
    """
    check_enough(table)
    progress(f"learning from {len(table.label):,} rows")
    learnt = fit_table(table, BOOSTER, trials=trials, seed=seed, progress=progress)
    metadata = described(table, file, learnt, trials, seed)
    metadata["medians"] = medians(table.rows, learnt.compiled)
    draft = in_memory(learnt.compiled, learnt.vocabulary, learnt.fitted, metadata)
    metadata.update(drivers(draft, draft.encode(table.rows), metadata["medians"], seed))
    return left_behind(workspace, tracking, draft, learnt.fitted, table.rows.slice(0, GOLDEN_ROWS), progress)


def described(
    table: LabelledTable, file: Path, learnt: FittedTable, trials: int, seed: int
) -> dict[str, Any]:
    """Where the model comes from, and how well the order of its rows was found out of fold."""
    fitted = learnt.fitted
    return {
        "model": MODEL,
        "purpose": learnt.compiled.purpose,
        "config": {"trials": trials, "seed": seed, "booster": BOOSTER.model_dump(mode="json")},
        "table": {"file": file.name, "sha256": sha256_file(file), "positive": table.positive},
        "date_formats": dict(table.date_formats),
        "feature_hash": learnt.compiled.hash,
        "parameters": fitted.parameters,
        "tuned": learnt.tuned,
        "rows": len(table.label),
        "positives": int(table.label.sum()),
        "cautions": list(fitted.cautions),
        "notes": [*table.notes, *fitted.notes],
        "metrics": {
            "holdout": {},
            "slices": {},
            "train_out_of_fold": out_of_fold_metrics(table.label, fitted, table.ids, seed),
        },
        "versions": {name: version(name) for name in LIBRARIES},
    }
