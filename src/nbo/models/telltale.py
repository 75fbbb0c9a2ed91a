"""Columns that order the rows so well by themselves that they may hold the answer."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from nbo.bundle import Vocabulary
from nbo.evaluation.weighted import auc_of
from nbo.features.compiled import CompiledFeatures
from nbo.models.data import Floats
from nbo.models.labelled_table import LabelledTable

__all__ = ["SUSPICIOUS_AUC", "single_aucs", "telltale_notes"]

SUSPICIOUS_AUC = 0.90
"""What one honest column of attributes does not reach."""
FOLDS = 5


def telltale_notes(table: LabelledTable, compiled: CompiledFeatures, seed: int) -> list[str]:
    """One note for each column that alone orders the rows with an AUC above .90.

    Such a column was often written after the event, or is the label in other words: a day of
    leaving, a final bill, the reason given.

    Parameters
    ----------
    table : LabelledTable
        All rows, of both classes.
    compiled : CompiledFeatures
        The table's features.
    seed : int
        Of the folds that rates of categories are counted in.

    """
    found = single_aucs(table.rows, table.label, compiled, seed)
    return [
        f"{feature.words.en} alone orders the rows with AUC {auc:.3f}: does it hold the answer?"
        for feature, auc in zip(compiled.columns, found, strict=True)
        if auc > SUSPICIOUS_AUC
    ]


def single_aucs(
    rows: pa.Table, label: npt.NDArray[np.int8], compiled: CompiledFeatures, seed: int
) -> list[float]:
    """How well each feature alone orders rows of both classes: AUC, 0.5 to 1 for a number.

    Parameters
    ----------
    rows : pa.Table
        A column for each feature.
    label : int8 array of shape (rows,)
    compiled : CompiledFeatures
    seed : int
        Of the folds that rates of categories are counted in.

    Returns
    -------
    list of float
        In the order of the features.

    Notes
    -----
    A number orders rows by itself, up or down, rows without it first. A category orders them by
    the rate of its code, counted in the other folds: a code's own rows would tell their labels.
    """
    matrix = Vocabulary.learn(rows, compiled).encode(rows, compiled)
    found = []
    for place, feature in enumerate(compiled.columns):
        values, category = matrix[:, place], feature.kind == "category"
        if category:
            values = cross_fitted_rates(values, label, seed)
        found.append(single_auc(label, values, turn=not category))
    return found


def cross_fitted_rates(codes: Floats, label: npt.NDArray[np.int8], seed: int) -> Floats:
    """Smoothed share of positives of each row's code, counted without the row's own fold."""
    smallest = int(min(label.sum(), len(label) - label.sum()))
    if smallest < 2:
        return np.zeros(len(codes))
    rates = np.empty(len(codes))
    splitter = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    column = codes[:, np.newaxis]
    for fit, judge in splitter.split(column, label):
        encoder = TargetEncoder(target_type="binary", smooth="auto").fit(column[fit], label[fit])
        rates[judge] = encoder.transform(column[judge])[:, 0]
    return rates


def single_auc(label: npt.NDArray[np.int8], values: Floats, *, turn: bool) -> float:
    """AUC of one column, missing values below all others; the better direction where it may turn.

    Examples
    --------
    >>> single_auc(np.array([1, 1, 0], np.int8), np.array([1.0, 2.0, np.nan]), turn=False)
    1.0
    """
    ordered = np.where(np.isnan(values), -np.inf, values)
    found = float(auc_of(label.astype(np.float64), ordered)(np.ones((1, len(label))))[0])
    return max(found, 1 - found) if turn else found
