"""What the operator decides about values and lists, from ``nbo.toml``."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nbo.errors import UsageError
from nbo.tables.contract import close_matches

Language = Literal["en", "zh"]
Channel = Literal["account_manager", "call_centre", "agent", "shop", "web", "direct_mail"]
SECTION_OF = {("money", "horizon_months"): "at_risk"}
"""Where a key stands that two settings share."""


class ValueSettings(BaseModel):
    """How margin at risk is counted.

    Parameters
    ----------
    margin_share : float or None
        Margin as a share of revenue (0 to 1) where bills carry no direct cost.
    horizon_months : int
        Months of margin counted as at stake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin_share: float | None = Field(default=None, ge=0, le=1)
    horizon_months: int = Field(default=12, ge=1, le=120)


class ListSettings(BaseModel):
    """How the at-risk list is made.

    Parameters
    ----------
    holdout_share : float
        Share of accounts (0 to 1) never put on the list, so that its effect can be measured.
    holdout_salt : str
        Changes which accounts these are.
    language : str
        ``en`` or ``zh``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holdout_share: float = Field(default=0.0, ge=0, le=1)
    holdout_salt: str = "at-risk"
    language: Language = "en"


class OffersSettings(BaseModel):
    """How offers are counted and how many are shown.

    Parameters
    ----------
    horizon_months : int
        Months of margin that an offer is counted with.
    alternatives : int
        Offers shown to one account: two or three honest ones beat one.
    channel : str
        Through which the batch and the at-risk list would make their offers.
    catalog, rules : str or None
        Files of products and offers, and of the rules, relative to the workspace; None = those of
        ``serving/offers/``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon_months: int = Field(default=12, ge=1, le=120)
    alternatives: int = Field(default=3, ge=1, le=10)
    channel: Channel = "call_centre"
    catalog: str | None = Field(default=None, min_length=1)
    rules: str | None = Field(default=None, min_length=1)


def value_settings(settings: Mapping[str, Any]) -> ValueSettings:
    """Read the value settings of a workspace; :class:`UsageError` names the key that is wrong."""
    at_risk, fields = section(settings, "at_risk"), section(settings, "money")
    if "horizon_months" in at_risk:
        fields["horizon_months"] = at_risk["horizon_months"]
    return validated(ValueSettings, fields, "money")


def list_settings(settings: Mapping[str, Any], language: str | None = None) -> ListSettings:
    """Read the list settings of a workspace; ``language`` overrides the operator's."""
    fields = section(settings, "at_risk")
    fields.pop("horizon_months", None)
    told = language or section(settings, "operator").get("language", "en")
    if told not in get_args(Language):
        where = "--language" if language else "nbo.toml operator.language"
        raise UsageError(f"{where}: expected {' or '.join(get_args(Language))}, got {told!r}")
    fields["language"] = told
    return validated(ListSettings, fields, "at_risk")


def offers_settings(settings: Mapping[str, Any]) -> OffersSettings:
    """Read the offers settings of a workspace; :class:`UsageError` names the key that is wrong."""
    return validated(OffersSettings, section(settings, "offers"), "offers")


def section(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy of a table of ``nbo.toml``; empty where it is not there."""
    found = settings.get(name, {})
    if not isinstance(found, Mapping):
        raise UsageError(f"nbo.toml {name}: expected a table of settings, got {found!r}")
    return dict(found)


T = TypeVar("T", bound=BaseModel)


def validated(model: type[T], fields: Mapping[str, Any], place: str) -> T:
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        place = SECTION_OF.get((place, name), place)
        if first["type"] == "extra_forbidden":
            known = list(model.model_fields)
            raise UsageError(f"nbo.toml {place}.{name}: unknown key{close_matches(name, known)}") from None
        raise UsageError(f"nbo.toml {place}.{name}: {first['msg']}, got {first['input']!r}") from None
