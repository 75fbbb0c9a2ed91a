"""The settings of a training run: one frozen model, read from TOML, kept in the bundle."""

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nbo.asof import LabelWindow
from nbo.errors import UsageError
from nbo.models.settings import BoosterSettings, TuningSettings
from nbo.tables.contract import close_matches


class LabelConfig(BaseModel):
    """Where the outcome is looked for.

    Parameters
    ----------
    gap_days : int
        Days between the decision and the first day that counts: the time it takes to act.
    horizon_days : int
        Length of the label window.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_days: int = Field(default=7, ge=0)
    horizon_days: int = Field(default=60, ge=1)

    @property
    def window(self) -> LabelWindow:
        return LabelWindow(self.gap_days, self.horizon_days)


class SliceConfig(BaseModel):
    """Which monthly dates are learnt from and held out.

    Parameters
    ----------
    train, holdout : int
        Most training slices, and held-out slices at the end.
    history_days : int
        Days of data that a slice needs behind it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int = Field(default=6, ge=1)
    holdout: int = Field(default=2, ge=1)
    history_days: int = Field(default=90, ge=1)


class ChurnConfig(BaseModel):
    """Everything a churn run can be told.

    Parameters
    ----------
    model : "churn"
    features : str
        A key of ``SETS`` in ``features/sets.py``.
    purpose : str
        What the model may be used for; columns barred for it are refused.
    seed : int
        Of folds, bootstrap draws and boosters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Literal["churn"] = "churn"
    features: str = "churn"
    purpose: Literal["service", "retention", "marketing"] = "retention"
    seed: int = 1
    label: LabelConfig = LabelConfig()
    slices: SliceConfig = SliceConfig()
    tuning: TuningSettings = TuningSettings()
    booster: BoosterSettings = BoosterSettings()


class PairBoosterSettings(BoosterSettings):
    """The defaults for pairs: take-ups are few in many rows, so leaves are few and held back.

    The hessian of a row is p (1 - p), thousandths here, so only a large ``lambda_l2`` restrains a leaf.
    """

    learning_rate: float = Field(default=0.2, gt=0, le=1)
    num_leaves: int = Field(default=7, ge=2, le=1024)
    min_data_in_leaf: int = Field(default=100, ge=1)
    lambda_l2: float = Field(default=30.0, ge=0)
    max_bin: int = Field(default=63, ge=3, le=255)
    max_rounds: int = Field(default=150, ge=1)
    patience_rounds: int = Field(default=10, ge=1)
    folds: int = Field(default=3, ge=2)
    seeds: int = Field(default=1, ge=1, le=20)


class PairTuningSettings(TuningSettings):
    """No search unless it is asked for: the defaults are near the best found."""

    trials: int = Field(default=0, ge=0)


class NextProductConfig(BaseModel):
    """Everything a next-product run can be told.

    Parameters
    ----------
    model : "next-product"
    features, purpose, seed
        As for :class:`ChurnConfig`.
    new_product_share : float
        Part of the training pairs, 0 to 1, whose product is shown as if nobody knew it yet: what a
        new product is scored by.
    max_rows : int
        Pairs learnt from at most; beyond it, a random part of the accounts is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Literal["next-product"] = "next-product"
    features: str = "next_product"
    purpose: Literal["service", "retention", "marketing"] = "marketing"
    seed: int = 1
    new_product_share: float = Field(default=0.15, ge=0, lt=1)
    max_rows: int = Field(default=500_000, ge=1_000)
    label: LabelConfig = LabelConfig()
    slices: SliceConfig = SliceConfig()
    tuning: PairTuningSettings = PairTuningSettings()
    booster: PairBoosterSettings = PairBoosterSettings()


Config = TypeVar("Config", bound=BaseModel)


def read_config(path: Path) -> ChurnConfig:
    """Read the config of a churn run.

    Raises
    ------
    UsageError
        The file is missing, is not TOML, or holds an unknown key or an impossible value, which is
        named.
    """
    return validated(path, ChurnConfig)


def read_next_product_config(path: Path) -> NextProductConfig:
    """Read the config of a next-product run; it fails as :func:`read_config` does."""
    return validated(path, NextProductConfig)


def validated(path: Path, kind: type[Config]) -> Config:
    """The config in a TOML file."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path}: no such config") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    try:
        return kind(**content)
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error, kind)}") from None


def first_problem(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first problem of a validation in words; unknown keys show close matches."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{name}: unknown key{close_matches(str(first['loc'][-1]), known_keys(kind, first['loc']))}"
    return f"{name}: {first['msg']}, got {first['input']!r}"


def known_keys(kind: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Keys that the table around ``place`` of a config may hold."""
    model = kind
    for part in place[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
