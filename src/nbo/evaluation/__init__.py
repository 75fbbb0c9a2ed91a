"""How good the probabilities are, each number with its interval, formula and source."""

from nbo.evaluation.classification import (
    LIFT_SHARE,
    METRICS,
    auc,
    average_precision,
    brier,
    difference,
    ece,
    evaluate_scores,
    lift_at,
    log_loss,
)
from nbo.evaluation.consistency import Band, ece_of_perfect
from nbo.evaluation.intervals import DRAWS, Interval, bootstrap
from nbo.evaluation.tables import GainsRow, ReliabilityBin, gains_table, reliability_table
from nbo.evaluation.weighted import top_total_of

__all__ = [
    "DRAWS",
    "LIFT_SHARE",
    "METRICS",
    "Band",
    "GainsRow",
    "Interval",
    "ReliabilityBin",
    "auc",
    "average_precision",
    "bootstrap",
    "brier",
    "difference",
    "ece",
    "ece_of_perfect",
    "evaluate_scores",
    "gains_table",
    "lift_at",
    "log_loss",
    "reliability_table",
    "top_total_of",
]
