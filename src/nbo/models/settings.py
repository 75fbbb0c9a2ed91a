"""How boosters are fitted and how their parameters are searched."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ENOUGH_POSITIVES = 100
"""Positives below which parameters are not tuned and calibration is not isotonic."""


class BoosterSettings(BaseModel):
    """How boosters are fitted. The defaults are those of a plain, cautious fit.

    With ``monotone`` the score never falls (1) or never rises (-1) as a feature grows, by the feature's
    name; with ``interactions`` only features of one group meet in a branch. With ``derive`` differences,
    sums, ratios and rates of codes are learnt from too, where they help.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(default=0.05, gt=0, le=1)
    num_leaves: int = Field(default=15, ge=2, le=1024)
    min_data_in_leaf: int = Field(default=50, ge=1)
    lambda_l2: float = Field(default=1.0, ge=0)
    feature_fraction: float = Field(default=0.8, gt=0, le=1)
    bagging_fraction: float = Field(default=0.8, gt=0, le=1)
    max_bin: int = Field(default=255, ge=3, le=255)
    max_rounds: int = Field(default=400, ge=1)
    patience_rounds: int = Field(default=30, ge=1)
    folds: int = Field(default=5, ge=2)
    seeds: int = Field(default=2, ge=1, le=20)
    threads: int = Field(default=1, ge=1)
    derive: bool = False
    monotone: dict[str, Literal[-1, 1]] = Field(default_factory=dict)
    interactions: tuple[tuple[str, ...], ...] = ()

    def parameters(self, seed: int) -> dict[str, Any]:
        """LightGBM's parameters of these settings; the same settings and seed fit the same trees."""
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_data_in_leaf,
            "lambda_l2": self.lambda_l2,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "max_bin": self.max_bin,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": seed,
            "verbosity": -1,
        }


class TuningSettings(BaseModel):
    """How long and by which folds parameters are searched; 0 trials = no search.

    With ``own_first`` the first trial is the booster's own settings, so that no search ends worse than
    it began.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(default=20, ge=0)
    folds: int = Field(default=3, ge=2)
    seed: int = 0
    startup_trials: int = Field(default=8, ge=1)
    own_first: bool = False
    storage: Path | None = None


SCARCE_PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 4,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 10.0,
}
"""What replaces settings and tuning below :data:`ENOUGH_POSITIVES`: few leaves, each of many rows.

The hessian of a row is p (1 - p), so a leaf of hessian 1 expects about one positive."""
SCARCE_ROUNDS = 60
