"""The settings of a training run: one frozen model, read from TOML, kept in the bundle."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nbo.asof import LabelWindow
from nbo.errors import UsageError
from nbo.models.settings import BoosterSettings, TuningSettings
from nbo.tables.contract import close_matches


class LabelConfig(BaseModel):
    """What counts as leaving.

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


def read_config(path: Path) -> ChurnConfig:
    """Read a training config; :class:`UsageError` names the key that is wrong.

    Raises
    ------
    UsageError
        The file is missing, is not TOML, or holds an unknown key or an impossible value.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path}: no such config") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    try:
        return ChurnConfig(**content)
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation in words; unknown keys show close matches."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{name}: unknown key{close_matches(str(first['loc'][-1]), known_keys(first['loc']))}"
    return f"{name}: {first['msg']}, got {first['input']!r}"


def known_keys(place: tuple[int | str, ...]) -> list[str]:
    """Keys that the table around ``place`` may hold."""
    model: type[BaseModel] = ChurnConfig
    for part in place[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
