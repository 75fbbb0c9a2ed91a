"""Models at the level of the matrix: fit, tune, calibrate, explain. No tables are read here."""

from nbo.models.calibration import fit_calibrator
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.data import TrainingData
from nbo.models.reasons import Reason, reasons
from nbo.models.settings import ENOUGH_POSITIVES, BoosterSettings, TuningSettings
from nbo.models.tuning import Trial, TuningResult, tune

__all__ = [
    "ENOUGH_POSITIVES",
    "BoosterSettings",
    "FittedModel",
    "Reason",
    "TrainingData",
    "Trial",
    "TuningResult",
    "TuningSettings",
    "fit_calibrator",
    "fit_churn",
    "reasons",
    "tune",
]
