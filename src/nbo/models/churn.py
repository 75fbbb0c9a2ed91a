"""Fit a classifier of a rare event: boosters, out-of-fold scores, calibrator, and what to say about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import lightgbm as lgb
import numpy as np

from nbo.bundle import NOTHING_DERIVED, Calibrator, Derivation, parsed_booster, scored
from nbo.errors import listed
from nbo.models.calibration import fit_calibrator
from nbo.models.constraints import constrained_parameters
from nbo.models.data import Floats, Rows, TrainingData
from nbo.models.settings import SCARCE_PARAMETERS, SCARCE_ROUNDS, BoosterSettings

__all__ = ["FittedModel", "TrainingData", "fit_churn"]


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What a fit gives; everything a bundle needs from the matrix level.

    Parameters
    ----------
    boosters : tuple of str
        LightGBM native texts, one for each seed, fitted on all rows.
    calibrator : Calibrator
        Learnt from ``oof_scores``.
    parameters : dict
        As given to LightGBM, and ``rounds``.
    oof_scores : ndarray of shape (n,)
        Raw probabilities of each training row by boosters that never saw its account.
    names : tuple of str
        Features in the order of the columns, then derived columns.
    cautions : tuple of str
        What everybody must know before trusting a score.
    notes : tuple of str
        The cautions, and what else a data scientist wants to know.
    derivation : Derivation
        The derived columns, rates counted on all training rows.
    """

    boosters: tuple[str, ...]
    calibrator: Calibrator
    parameters: dict[str, Any]
    oof_scores: Floats
    names: tuple[str, ...]
    cautions: tuple[str, ...]
    notes: tuple[str, ...]
    derivation: Derivation = NOTHING_DERIVED

    def score(self, matrix: Floats, *, threads: int = 1) -> Floats:
        """Calibrated probabilities, shape (n,), of rows without derived columns: those of the bundle."""
        boosters = [parsed_booster(text, self.names) for text in self.boosters]
        return scored(boosters, self.calibrator, self.derivation(matrix), threads=threads)


def fit_churn(
    data: TrainingData,
    settings: BoosterSettings,
    *,
    tuned: Mapping[str, Any] | None = None,
    seed: int = 0,
    positive: str = "leaver",
) -> FittedModel:
    """Fit, cross-fit and calibrate.

    Parameters
    ----------
    data : TrainingData
        The training slices; hold-out slices are none of it.
    settings : BoosterSettings
        Defaults, folds, seeds, threads.
    tuned : mapping or None
        Parameters from :func:`nbo.models.tune`, with ``rounds``; they override the settings.
        Not used below 100 positives.
    seed : int
        Same data, settings and seed: same texts, byte for byte.
    positive : str
        What a row of label 1 is called in cautions, in the singular.

    Returns
    -------
    FittedModel
        Its ``oof_scores`` are those the calibrator was learnt from, averaged over the seeds
        like the final boosters are.

    Notes
    -----
    Without tuned rounds their number is where the mean out-of-fold log loss is lowest: one
    number shared by all folds, so that a fold does not stop on its own rows.
    """
    parameters, rounds = chosen_parameters(data, settings, tuned, seed)
    binned = binned_dataset(data, parameters)
    folds = data.folds(settings.folds, seed)
    searched: list[lgb.Booster] = []
    if rounds is None:
        rounds, searched = best_rounds(binned, parameters, folds, settings)
    seeds = range(seed, seed + settings.seeds)
    found = [
        searched if searched and s == seed else cross_fitted(binned, parameters | {"seed": s}, folds, rounds)
        for s in seeds
    ]
    oof = np.mean([oof_scores(data, boosters, folds, rounds, settings.threads) for boosters in found], axis=0)
    boosters = [lgb.train(parameters | {"seed": s}, binned, rounds) for s in seeds]
    calibrator, calibration = fit_calibrator(oof, data.label)
    cautions = fit_cautions(data, calibration, calibrator, positive)
    return FittedModel(
        boosters=tuple(booster.model_to_string(num_iteration=-1) for booster in boosters),
        calibrator=calibrator,
        parameters={**parameters, "rounds": rounds, "calibration": calibration},
        oof_scores=oof,
        names=data.names,
        cautions=tuple(cautions),
        notes=(*cautions, *idle_notes(data)),
        derivation=data.derivation,
    )


def chosen_parameters(
    data: TrainingData, settings: BoosterSettings, tuned: Mapping[str, Any] | None, seed: int
) -> tuple[dict[str, Any], int | None]:
    """LightGBM's parameters, and the rounds where they are settled already."""
    parameters = constrained_parameters(data, settings, seed)
    if not data.tunable:
        return parameters | SCARCE_PARAMETERS, SCARCE_ROUNDS
    chosen = dict(tuned or {})
    rounds = chosen.pop("rounds", None)
    return parameters | chosen, None if rounds is None else int(rounds)


def binned_dataset(data: TrainingData, parameters: Mapping[str, Any]) -> lgb.Dataset:
    """The matrix binned once; folds and trials are subsets of it."""
    shared = ("max_bin", "feature_pre_filter", "deterministic", "force_row_wise", "num_threads", "verbosity")
    binned = lgb.Dataset(
        np.ascontiguousarray(data.matrix),
        label=data.label.astype(np.float64),
        feature_name=list(data.names),
        categorical_feature=list(data.categories),
        params={name: parameters[name] for name in shared},
        free_raw_data=False,
    )
    return binned.construct()


def best_rounds(
    binned: lgb.Dataset,
    parameters: dict[str, Any],
    folds: list[tuple[Rows, Rows]],
    settings: BoosterSettings,
) -> tuple[int, list[lgb.Booster]]:
    """Rounds at which the mean out-of-fold log loss is lowest, at least one; and the folds' boosters."""
    history = lgb.cv(
        dict(parameters),
        binned,
        settings.max_rounds,
        folds=folds,
        callbacks=[lgb.early_stopping(settings.patience_rounds, verbose=False)],
        return_cvbooster=True,
    )
    curve = cast(list[float], history["valid binary_logloss-mean"])
    return max(1, len(curve)), cast(lgb.CVBooster, history["cvbooster"]).boosters


def cross_fitted(
    binned: lgb.Dataset, parameters: dict[str, Any], folds: list[tuple[Rows, Rows]], rounds: int
) -> list[lgb.Booster]:
    """A booster for each fold, fitted on the accounts that the fold is not judged by."""
    return [lgb.train(dict(parameters), binned.subset(np.sort(fit).tolist()), rounds) for fit, _ in folds]


def oof_scores(
    data: TrainingData, boosters: list[lgb.Booster], folds: list[tuple[Rows, Rows]], rounds: int, threads: int
) -> Floats:
    """Raw probability of every row by the fold that did not see its account, shape (n,)."""
    scores = np.empty(len(data.label), dtype=np.float64)
    for booster, (_, judge) in zip(boosters, folds, strict=True):
        told = booster.predict(data.matrix[judge], num_iteration=rounds, num_threads=threads)
        scores[judge] = np.asarray(told, dtype=np.float64)
    return scores


def fit_cautions(data: TrainingData, calibration: str, calibrator: Calibrator, positive: str) -> list[str]:
    """What a reader must know before trusting the model."""
    notes = []
    if not data.tunable:
        notes.append(
            f"only {counted(data.positives, positive)} to learn from: parameters were not tuned; "
            "treat the ranking as a test of the plumbing, not as evidence"
        )
        if calibration == "identity":
            notes.append(f"too few {positive}s to calibrate: probabilities are the booster's own")
        else:
            notes.append(
                f"too few {positive}s for isotonic calibration: a logistic map of two parameters is used"
            )
    if calibrator.x.size == 1:
        notes.append("scores carry no order out of fold: every row gets the base rate")
    return notes


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "leaver"), counted(34, "leaver")
    ('1 leaver', '34 leavers')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def idle_notes(data: TrainingData) -> list[str]:
    """Features that cannot separate rows, by the word for why."""
    idle = list(data.idle_columns())
    notes = []
    for word in ("empty", "constant"):
        named = [name for name, why in idle if why == word]
        if named:
            notes.append(f"{len(named)} {word} in every training row, not used: {listed(named)}")
    return notes
