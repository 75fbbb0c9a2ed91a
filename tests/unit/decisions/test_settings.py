"""What the operator writes in nbo.toml, and what it may not."""

from typing import Any

import pytest

from nbo.decisions.settings import (
    ListSettings,
    OffersSettings,
    ValueSettings,
    list_settings,
    offers_settings,
    value_settings,
)
from nbo.errors import UsageError


def test_settings_that_are_not_there_have_defaults() -> None:
    assert value_settings({}) == ValueSettings(margin_share=None, horizon_months=12)
    assert list_settings({}) == ListSettings(holdout_share=0.0, holdout_salt="at-risk", language="en")
    assert offers_settings({}) == OffersSettings(horizon_months=12, alternatives=3, catalog=None, rules=None)


def test_settings_are_read_from_their_sections() -> None:
    settings = {
        "operator": {"name": "Demo", "language": "zh"},
        "money": {"margin_share": 0.45},
        "at_risk": {"holdout_share": 0.05, "holdout_salt": "s", "horizon_months": 6},
        "offers": {"horizon_months": 24, "alternatives": 2, "catalog": "c.toml", "rules": "r.toml"},
    }
    assert offers_settings(settings) == OffersSettings(
        horizon_months=24, alternatives=2, catalog="c.toml", rules="r.toml"
    )
    assert value_settings(settings) == ValueSettings(margin_share=0.45, horizon_months=6)
    assert list_settings(settings) == ListSettings(holdout_share=0.05, holdout_salt="s", language="zh")
    assert list_settings(settings, "en").language == "en"
    assert settings["at_risk"]["horizon_months"] == 6  # type: ignore[index]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"at_risk": {"holdout_shar": 0.1}},
            "nbo.toml at_risk.holdout_shar: unknown key; did you mean holdout_share, holdout_salt?",
        ),
        (
            {"at_risk": {"holdout_share": 5}},
            "nbo.toml at_risk.holdout_share: Input should be less than or equal to 1, got 5.",
        ),
        ({"at_risk": 3}, "nbo.toml at_risk: expected a table of settings, got 3."),
        ({"operator": {"language": "fr"}}, "nbo.toml operator.language: expected en or zh, got 'fr'."),
    ],
)
def test_a_wrong_list_setting_is_told_with_its_place(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=r"^nbo\.toml ") as told:
        list_settings(settings)
    assert str(told.value) == text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"money": {"margin": 0.4}}, "nbo.toml money.margin: unknown key; did you mean margin_share?"),
        (
            {"money": {"margin_share": "much"}},
            "nbo.toml money.margin_share: Input should be a valid number, unable to parse string as a "
            "number, got 'much'.",
        ),
        (
            {"at_risk": {"horizon_months": 0}},
            "nbo.toml at_risk.horizon_months: Input should be greater than or equal to 1, got 0.",
        ),
    ],
)
def test_a_wrong_money_setting_is_told_with_its_place(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=r"^nbo\.toml ") as told:
        value_settings(settings)
    assert str(told.value) == text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"offers": {"alternative": 3}}, "offers.alternative: unknown key; did you mean alternatives?"),
        (
            {"offers": {"alternatives": 0}},
            "offers.alternatives: Input should be greater than or equal to 1, got 0.",
        ),
        (
            {"offers": {"alternatives": 11}},
            "offers.alternatives: Input should be less than or equal to 10, got 11.",
        ),
        (
            {"offers": {"horizon_months": 0}},
            "offers.horizon_months: Input should be greater than or equal to 1, got 0.",
        ),
        (
            {"offers": {"horizon_months": 121}},
            "offers.horizon_months: Input should be less than or equal to 120, got 121.",
        ),
        ({"offers": {"catalog": 3}}, "offers.catalog: Input should be a valid string, got 3."),
        ({"offers": {"rules": ""}}, "offers.rules: String should have at least 1 character, got ''."),
        ({"offers": []}, "offers: expected a table of settings, got []."),
    ],
)
def test_a_wrong_offers_setting_is_told_with_its_place(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=r"^nbo\.toml offers") as told:
        offers_settings(settings)
    assert str(told.value) == f"nbo.toml {text}"


def test_a_language_that_nobody_wrote_texts_in_is_refused() -> None:
    with pytest.raises(UsageError, match="--language: expected en or zh, got 'fr'"):
        list_settings({}, "fr")
