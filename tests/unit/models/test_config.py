"""A training config is read whole, or refused with the key that is wrong."""

from pathlib import Path

import pytest

from nbo.asof import LabelWindow
from nbo.errors import UsageError
from nbo.models.config import ChurnConfig, NextProductConfig, read_config, read_next_product_config

ROOT = Path(__file__).resolve().parents[3]


def refused(tmp_path: Path, text: str | bytes) -> str:
    """What the error says after the name of the file."""
    path = tmp_path / "churn.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=r"churn\.toml: ") as told:
        read_config(path)
    return str(told.value).removeprefix(f"{path}: ")


def test_the_config_of_the_house_reads_and_says_what_it_means() -> None:
    config = read_config(ROOT / "training" / "configs" / "churn.toml")
    assert config.label.window == LabelWindow(7, 60)
    assert (config.model, config.features, config.purpose) == ("churn", "churn", "retention")


def test_an_empty_config_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "churn.toml"
    path.write_text("")
    assert read_config(path) == ChurnConfig()


def test_a_config_survives_its_json_form(tmp_path: Path) -> None:
    path = tmp_path / "churn.toml"
    path.write_text("seed = 7\n[label]\ngap_days = 0\n[booster]\nfolds = 3\n")
    config = read_config(path)
    assert ChurnConfig(**config.model_dump(mode="json")) == config
    assert (config.seed, config.label.gap_days, config.booster.folds) == (7, 0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "sed: unknown key; did you mean seed?"),
        ("[label]\ngap_day = 1", "label.gap_day: unknown key; did you mean gap_days?"),
        ("[booster]\nnum_leavs = 9", "booster.num_leavs: unknown key; did you mean num_leaves?"),
        ("[tuning]\ntrial = 9", "tuning.trial: unknown key; did you mean trials?"),
        ("[boster]\nfolds = 3", "boster: unknown key; did you mean booster?"),
        ("[slices]\ntrain = 0", "slices.train: Input should be greater than or equal to 1, got 0."),
        (
            "[label]\nhorizon_days = 0",
            "label.horizon_days: Input should be greater than or equal to 1, got 0.",
        ),
        ("[label]\ngap_days = -1", "label.gap_days: Input should be greater than or equal to 0, got -1."),
        ('purpose = "sale"', "purpose: Input should be 'service', 'retention' or 'marketing', got 'sale'."),
        ('model = "take"', "model: Input should be 'churn', got 'take'."),
        (
            "seed = 1.5",
            "seed: Input should be a valid integer, got a number with a fractional part, got 1.5.",
        ),
        ("label = 3", "label: Input should be a valid dictionary or instance of LabelConfig, got 3."),
    ],
)
def test_a_key_that_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text) == message


def test_a_key_far_from_all_others_shows_what_there_is(tmp_path: Path) -> None:
    assert (
        refused(tmp_path, "[slices]\nxyz = 1")
        == "slices.xyz: unknown key; known: history_days, holdout, train."
    )


def test_what_is_not_toml_is_told_with_its_place(tmp_path: Path) -> None:
    assert refused(tmp_path, "seed = \n") == "Invalid value (at line 1, column 8)."
    assert "can't decode byte 0xff" in refused(tmp_path, b"\xff")


def test_a_missing_config_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such config") as told:
        read_config(tmp_path / "none.toml")
    assert str(told.value) == f"{tmp_path / 'none.toml'}: no such config."
    with pytest.raises(UsageError, match="Is a directory"):
        read_config(tmp_path)


def test_the_next_product_config_of_the_house_says_what_it_means() -> None:
    config = read_next_product_config(ROOT / "training" / "configs" / "next_product.toml")
    assert config == NextProductConfig()
    assert (config.model, config.features, config.purpose) == ("next-product", "next_product", "marketing")
    assert (config.label.window, config.tuning.trials) == (LabelWindow(7, 60), 0)


def test_a_part_of_a_table_leaves_the_rest_at_the_defaults_for_pairs(tmp_path: Path) -> None:
    path = tmp_path / "next_product.toml"
    path.write_text("[booster]\nfolds = 4\n[tuning]\nfolds = 2\n")
    config = read_next_product_config(path)
    assert config.booster == NextProductConfig().booster.model_copy(update={"folds": 4})
    assert (config.tuning.trials, config.tuning.folds) == (0, 2)
    assert NextProductConfig(**config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_row = 5000", "max_row: unknown key; did you mean max_rows?"),
        ("[booster]\nnum_leavs = 9", "booster.num_leavs: unknown key; did you mean num_leaves?"),
        ("new_product_share = 1.0", "new_product_share: Input should be less than 1, got 1.0."),
        ('model = "churn"', "model: Input should be 'next-product', got 'churn'."),
    ],
)
def test_a_wrong_key_of_the_next_product_config_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "next_product.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="next_product") as told:
        read_next_product_config(path)
    assert str(told.value).removeprefix(f"{path}: ") == message
