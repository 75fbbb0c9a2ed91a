"""Choose LightGBM's parameters by cross-validation: bin once, subset per fold, prune early."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from optuna_integration import LightGBMPruningCallback

from nbo.files import canonical_json
from nbo.models.churn import binned_dataset
from nbo.models.constraints import constrained_parameters
from nbo.models.data import Rows, TrainingData
from nbo.models.settings import BoosterSettings, TuningSettings

METRIC = "binary_logloss"
PRUNING_ROUNDS = 5
"""Rounds between two looks at whether a trial is worth going on; each look is a database write."""
SMALLEST_LEAF = 10
SEARCHED: dict[str, tuple[Any, Any]] = {
    "learning_rate": (0.02, 0.2),
    "num_leaves": (4, 63),
    "lambda_l2": (1e-2, 100),
    "feature_fraction": (0.3, 1.0),
    "bagging_fraction": (0.5, 1.0),
}
"""Where each parameter is searched; a leaf's rows from ``SMALLEST_LEAF``."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
Progress = Callable[[int, int, float | None], None]
"""Called after each trial with: finished trials, all trials, best log loss so far."""


@dataclass(frozen=True)
class Trial:
    """One try.

    Parameters
    ----------
    number : int
        From 0, in order.
    state : str
        ``complete`` or ``pruned``.
    log_loss : float or None
        Mean over the folds; None where the trial was pruned.
    parameters : dict
        What was tried.
    """

    number: int
    state: str
    log_loss: float | None
    parameters: dict[str, Any]


@dataclass(frozen=True)
class TuningResult:
    """The best parameters, ``rounds`` among them, and every try.

    ``parameters`` is empty where nothing was tried: no trials wanted, or fewer than 100 positives.
    """

    parameters: dict[str, Any]
    history: tuple[Trial, ...]


def tune(
    data: TrainingData,
    settings: TuningSettings,
    progress: Progress | None = None,
    *,
    booster: BoosterSettings | None = None,
) -> TuningResult:
    """Search parameters by Optuna's TPE over folds grouped by account.

    Parameters
    ----------
    data : TrainingData
        The training slices.
    settings : TuningSettings
        With ``storage`` the study lives in that SQLite file: killed at any moment, the same
        call goes on where it stopped, for the same data and settings only.
    progress : callable or None
        Told after each trial.
    booster : BoosterSettings or None
        What is not searched: bins, rounds at most, patience, threads. None = the defaults.

    Returns
    -------
    TuningResult
        For ``fit_churn(tuned=result.parameters)``.

    Notes
    -----
    Minimised: mean over folds of the lowest held-out log loss. Its early stop looks at the
    rows it is judged by, so it is optimistic, alike for all trials: it ranks them and is no
    estimate of quality. ``rounds`` is the mean of the folds' best.

    References
    ----------
    Bergstra et al. (2011), *Algorithms for hyper-parameter optimization*, NeurIPS.
    """
    if settings.trials == 0 or not data.tunable:
        return TuningResult({}, ())
    fixed = booster or BoosterSettings()
    study = opened_study(data, settings, fixed)
    done = [trial for trial in study.trials if trial.state in FINISHED]
    objective = Objective(data, settings, fixed)

    def told(study: optuna.Study, _: FrozenTrial) -> None:
        if progress is not None:
            finished = study.get_trials(deepcopy=False, states=FINISHED)
            complete = [trial.value for trial in finished if trial.value is not None and not pruned(trial)]
            progress(len(finished), settings.trials, min(complete, default=None))

    study.optimize(objective, n_trials=max(0, settings.trials - len(done)), callbacks=[told])
    history = tuple(as_trial(trial) for trial in study.trials if trial.state in FINISHED)
    best = study.best_trial
    return TuningResult({**best.params, "rounds": int(best.user_attrs["rounds"])}, history)


class Objective:
    """Mean held-out log loss of a trial's parameters.

    One binned Dataset serves all trials; each fold's subsets are made once.
    """

    def __init__(self, data: TrainingData, settings: TuningSettings, fixed: BoosterSettings) -> None:
        self.rows = len(data.label)
        self.has_categories = bool(data.categories)
        self.fixed = fixed
        self.parameters = constrained_parameters(data, fixed, settings.seed)
        binned = binned_dataset(data, self.parameters)
        self.folds = [subsets(binned, fold) for fold in data.folds(settings.folds, settings.seed)]

    def __call__(self, trial: optuna.Trial) -> float:
        parameters = self.parameters | self.suggested(trial)
        losses, rounds = [], []
        for number, (fit, judge) in enumerate(self.folds):
            callbacks: list[Callable[..., Any]] = [
                lgb.early_stopping(self.fixed.patience_rounds, verbose=False)
            ]
            # Optuna keeps one curve a trial: the first fold's, which is where a poor trial ends.
            if number == 0:
                callbacks.append(LightGBMPruningCallback(trial, METRIC, report_interval=PRUNING_ROUNDS))
            booster = lgb.train(
                dict(parameters), fit, self.fixed.max_rounds, valid_sets=[judge], callbacks=callbacks
            )
            losses.append(booster.best_score["valid_0"][METRIC])
            rounds.append(booster.best_iteration)
        trial.set_user_attr("rounds", max(1, round(float(np.mean(rounds)))))
        return float(np.mean(losses))

    def suggested(self, trial: optuna.Trial) -> dict[str, Any]:
        """The searched parameters of this trial."""
        searched: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", *SEARCHED["learning_rate"], log=True),
            "num_leaves": trial.suggest_int("num_leaves", *SEARCHED["num_leaves"], log=True),
            "min_data_in_leaf": trial.suggest_int(
                "min_data_in_leaf", SMALLEST_LEAF, largest_leaf(self.rows), log=True
            ),
            "lambda_l2": trial.suggest_float("lambda_l2", *SEARCHED["lambda_l2"], log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", *SEARCHED["feature_fraction"]),
            "bagging_fraction": trial.suggest_float("bagging_fraction", *SEARCHED["bagging_fraction"]),
        }
        if self.has_categories:
            searched["cat_smooth"] = trial.suggest_float("cat_smooth", 1, 100, log=True)
        return searched


def largest_leaf(rows: int) -> int:
    """The most rows that a leaf is asked to have."""
    return max(20, min(500, rows // 20))


def own_values(data: TrainingData, fixed: BoosterSettings) -> dict[str, Any]:
    """The settings' own values of what is searched; what lies out of range is left to the search."""
    ranges = {**SEARCHED, "min_data_in_leaf": (SMALLEST_LEAF, largest_leaf(len(data.label)))}
    own = {name: getattr(fixed, name) for name in ranges}
    return {name: value for name, value in own.items() if ranges[name][0] <= value <= ranges[name][1]}


def subsets(binned: lgb.Dataset, fold: tuple[Rows, Rows]) -> tuple[lgb.Dataset, lgb.Dataset]:
    """The two sides of a fold as subsets of the binned rows."""
    fit, judge = (binned.subset(np.sort(rows).tolist()).construct() for rows in fold)
    return fit, judge


def opened_study(data: TrainingData, settings: TuningSettings, fixed: BoosterSettings) -> optuna.Study:
    """A new study, or the one that an earlier call left in the storage."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    if settings.storage is not None:
        settings.storage.parent.mkdir(parents=True, exist_ok=True)
        storage = f"sqlite:///{settings.storage}"
    study = optuna.create_study(
        study_name=study_name(data, settings, fixed),
        storage=storage,
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=settings.startup_trials, n_warmup_steps=10),
    )
    if settings.own_first and not study.trials:
        study.enqueue_trial(own_values(data, fixed))
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    # Seeded by what is done already: a resumed search must not repeat its first proposals.
    study.sampler = optuna.samplers.TPESampler(
        seed=settings.seed + len(study.trials), n_startup_trials=settings.startup_trials
    )
    return study


def study_name(data: TrainingData, settings: TuningSettings, fixed: BoosterSettings) -> str:
    """A name that other data or settings do not share; the number of trials may grow."""
    digest = sha256()
    for part in (data.matrix, data.label, data.account_ids.astype(np.str_)):
        digest.update(np.ascontiguousarray(part).tobytes())
    said = {
        "names": data.names,
        "categories": data.categories,
        "tuning": settings.model_dump(mode="json", exclude={"trials", "storage"}),
        "booster": fixed.model_dump(mode="json"),
    }
    digest.update(canonical_json(said).encode())
    return digest.hexdigest()[:16]


def pruned(trial: FrozenTrial) -> bool:
    return bool(trial.state == TrialState.PRUNED)


def as_trial(trial: FrozenTrial) -> Trial:
    """A study's trial as plain data."""
    loss = None if pruned(trial) or trial.value is None else float(trial.value)
    return Trial(trial.number, trial.state.name.lower(), loss, dict(trial.params))
