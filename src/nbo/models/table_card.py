"""How good the churn learner is on a plain table: every row scored by a model that never saw it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.model_selection import StratifiedKFold

from nbo.bundle import Vocabulary
from nbo.errors import DataError, UsageError
from nbo.evaluation import Band, Interval, ece_of_perfect, evaluate_scores
from nbo.features.compiled import CompiledFeatures
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.data import Floats, TrainingData
from nbo.models.deriving import with_derived
from nbo.models.labelled_table import LabelledTable
from nbo.models.settings import BoosterSettings, TuningSettings
from nbo.models.telltale import telltale_notes
from nbo.models.tuning import tune

__all__ = [
    "BOOSTER",
    "MODEL",
    "FittedTable",
    "TableCard",
    "check_enough",
    "check_options",
    "fit_table",
    "judge_table",
]

MODEL = "churn-table"
"""What a bundle learnt from a plain table is called; it cannot answer for accounts of a store."""
BOOSTER = BoosterSettings(
    derive=True,
    learning_rate=0.03,
    feature_fraction=0.5,
    max_bin=127,
    max_rounds=1_000,
    patience_rounds=40,
)
"""How plain tables are learnt from unless a config says otherwise: slowly, few columns a tree."""
FEWEST_FOLDS, MOST_FOLDS = 2, 20
FEWEST_ROWS = 20
FEWEST_OF_A_CLASS = 5
"""Rows of a class below which a twentieth of the bootstrap's draws may hold none of them."""
PURPOSE = "retention"
POSITIVE = "positive"

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FittedTable:
    """A model learnt from a plain table.

    Parameters
    ----------
    compiled : CompiledFeatures
        The table's columns as features.
    vocabulary : Vocabulary
        Codes of the rows that were learnt from.
    fitted : FittedModel
        Boosters and calibrator.
    tuned : bool
        Whether parameters were searched; below 100 positives they never are.
    """

    compiled: CompiledFeatures
    vocabulary: Vocabulary
    fitted: FittedModel
    tuned: bool

    def score(self, rows: pa.Table) -> Floats:
        """Calibrated probabilities, shape (n,), of rows with a column for each feature."""
        return self.fitted.score(self.vocabulary.encode(rows, self.compiled))


@dataclass(frozen=True)
class TableCard:
    """What judging on a table gives.

    Parameters
    ----------
    metrics : dict of str to Interval
        By the names of :data:`nbo.evaluation.METRICS`, all from the same out-of-fold probabilities.
    ece_of_perfect : Band
        Where the ECE of a perfectly calibrated model with these probabilities would fall.
    rows, positives, folds : int
    positive : str
        The label's value that is 1.
    notes : tuple of str
        What a reader must know.
    """

    metrics: dict[str, Interval]
    ece_of_perfect: Band
    rows: int
    positives: int
    folds: int
    positive: str
    notes: tuple[str, ...]

    @property
    def calibrated(self) -> bool:
        """Whether the ECE shows no miscalibration: a perfect model's may be as high by chance."""
        return self.metrics["ece"].value <= self.ece_of_perfect.high

    def to_json(self) -> dict[str, Any]:
        """Metrics by name, and beside them what they were measured on."""
        return {
            **{name: interval.to_json() for name, interval in self.metrics.items()},
            "ece_of_perfect": self.ece_of_perfect.to_json(),
            "calibrated": self.calibrated,
            "rows": self.rows,
            "positives": self.positives,
            "folds": self.folds,
            "positive": self.positive,
        }


def judge_table(
    table: LabelledTable,
    *,
    folds: int,
    trials: int,
    seed: int,
    progress: Progress,
    booster: BoosterSettings = BOOSTER,
) -> TableCard:
    """Learn from all folds but one, score that one, in turn; judge the probabilities of all rows.

    Parameters
    ----------
    table : LabelledTable
    folds : int
        Parts of the rows, 2 to 20, each with about the same share of positives.
    trials : int
        Of the search for parameters, made anew within each training part; 0 = no search.
    seed : int
        Of the folds, the search, the boosters and the bootstrap.
    progress : callable
        Told before each fold and after each trial.
    booster : BoosterSettings
        What the search does not choose.

    Raises
    ------
    UsageError
        A number of folds, trials or a seed out of range.
    DataError
        Fewer than 20 rows, or too few of one class for these folds.

    Notes
    -----
    Codes, parameters, rounds, boosters and the calibrator are all learnt within the training part:
    nothing that a row is scored by has seen its label. The number of rows that a model learnt from
    is smaller than the table by one fold, so the figures are, if anything, a little too low.

    References
    ----------
    Varma and Simon (2006), *Bias in error estimation when using cross-validation for model
    selection*, BMC Bioinformatics 7: parameters are searched within each training part.
    """
    if not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise UsageError(f"--folds: expected {FEWEST_FOLDS} to {MOST_FOLDS}, got {folds}")
    check_options(trials, seed)
    check_enough(table, folds)
    p = np.empty(len(table.label))
    cautions: Counter[str] = Counter()
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (train, test) in enumerate(splitter.split(table.label, table.label), start=1):
        progress(f"fold {number} of {folds}: learning from {len(train):,} rows")
        learnt = fit_table(table.part(train), booster, trials=trials, seed=seed, progress=progress)
        p[test] = learnt.score(table.part(test).rows)
        cautions.update(learnt.fitted.cautions)
    told = [f"{text} ({count} of {folds} folds)" for text, count in cautions.items()]
    return TableCard(
        metrics=evaluate_scores(table.label, p, table.ids, seed),
        ece_of_perfect=ece_of_perfect(p, seed=seed),
        rows=len(table.label),
        positives=int(table.label.sum()),
        folds=folds,
        positive=table.positive,
        notes=(*table.notes, *telltale_notes(table, compiled_features(table), seed), *told),
    )


def fit_table(
    table: LabelledTable,
    booster: BoosterSettings = BOOSTER,
    *,
    trials: int,
    seed: int,
    progress: Progress,
) -> FittedTable:
    """Learn from every row of a table.

    Parameters
    ----------
    table : LabelledTable
        Training rows only.
    booster : BoosterSettings
        What the search does not choose.
    trials : int
        Of the search for parameters; 0 = no search. Below 100 positives there is none.
    seed : int
        Same rows, settings and seed: same model, byte for byte.
    progress : callable
        Told after each trial.

    Raises
    ------
    UsageError
        A number of trials or a seed out of range.
    DataError
        Only one class, or one row.
    """
    check_options(trials, seed)
    compiled = compiled_features(table)
    vocabulary = Vocabulary.learn(table.rows, compiled)
    data = TrainingData(
        matrix=vocabulary.encode(table.rows, compiled),
        label=table.label,
        account_ids=table.ids,
        as_of_days=np.zeros(len(table.label), dtype=np.int32),
        names=compiled.column_names,
        categories=tuple(n for n, column in enumerate(compiled.columns) if column.kind == "category"),
    )

    def told(done: int, wanted: int, best: float | None) -> None:
        progress(f"tuning: {done} of {wanted} trials" + ("" if best is None else f", log loss {best:.4f}"))

    if booster.derive:
        data = with_derived(data, booster, seed)
    search = TuningSettings(trials=trials, seed=seed, own_first=True)
    tuned = tune(data, search, told, booster=booster).parameters
    return FittedTable(
        compiled, vocabulary, fit_churn(data, booster, tuned=tuned, seed=seed, positive=POSITIVE), bool(tuned)
    )


def compiled_features(table: LabelledTable) -> CompiledFeatures:
    """The table's columns as the features of a model; no SQL computes them."""
    return CompiledFeatures.of(table.features, "", PURPOSE)


def check_options(trials: int, seed: int) -> None:
    """Refuse numbers out of range."""
    for option, number in (("--trials", trials), ("--seed", seed)):
        if number < 0:
            raise UsageError(f"{option}: expected 0 or above, got {number}")


def check_enough(table: LabelledTable, folds: int = FEWEST_FOLDS) -> None:
    """Refuse a table that nothing can be learnt or measured from."""
    rows, positives = len(table.label), int(table.label.sum())
    if rows < FEWEST_ROWS:
        raise DataError("--label", f"at least {FEWEST_ROWS} rows", f"{rows}", next_step="Bring more rows")
    fewest = max(folds, FEWEST_OF_A_CLASS)
    why = f", one for each of {folds} folds" if folds > FEWEST_OF_A_CLASS else ""
    for count, words in ((positives, "positives"), (rows - positives, "negatives")):
        if count < fewest:
            raise DataError(
                "--label",
                f"at least {fewest} {words}{why}",
                f"{count} in {rows:,} rows",
                next_step="Use fewer folds, or bring more rows" if why else "Bring more rows",
            )
