"""``nbo evaluate --price-of-compliance`` on a simulated operator: two models, the same rows, nothing kept."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbo.bundle import load_bundle
from nbo.keys import bundle_key

Nbo = Callable[..., Any]
FIGURES = ("auc", "average_precision", "lift_at_10")
TRACES = ("bundles", "mlruns", "releases", "runs")


@pytest.fixture(scope="module")
def priced(
    nbo: Nbo, store: Path, trained: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A workspace where nothing was trained, and what the command told in it."""
    workspace = tmp_path_factory.mktemp("priced") / "workspace"
    shutil.copytree(trained[0], workspace, ignore=shutil.ignore_patterns(*TRACES))
    words = ("evaluate", "--store", store, "--price-of-compliance", "--json")
    return workspace, nbo(*words, cwd=workspace)


def test_the_model_of_all_features_is_the_one_that_training_makes(
    priced: tuple[Path, Any], trained: tuple[Path, Any], bundle_id: str
) -> None:
    found = priced[1].result
    bundle = load_bundle(trained[0] / "bundles" / bundle_id, bundle_key(trained[0]))
    held_out = bundle.metadata["metrics"]["holdout"]
    assert {name: found["price"]["all"][name] for name in FIGURES} == {
        name: held_out[name] for name in FIGURES
    }
    assert found["holdout"] == bundle.metadata["as_of_slices"]["holdout"]
    assert found["features"] == len(bundle.features.names)


def test_the_difference_is_that_of_the_two_with_an_interval(priced: tuple[Path, Any]) -> None:
    price = priced[1].result["price"]
    for name in (*FIGURES, "found_margin_amount"):
        gap = price["difference"][name]
        assert gap["value"] == pytest.approx(price["all"][name]["value"] - price["permitted"][name]["value"])
        assert gap["low"] <= gap["value"] <= gap["high"] and gap["low"] < gap["high"]
    assert 0.55 < price["permitted"]["auc"]["value"] < 0.95
    assert price["all"]["found_margin_amount"]["value"] > 0 and 0.9 < price["known_margins"] <= 1


def test_the_barred_are_named_and_only_they_are_left_out(priced: tuple[Path, Any]) -> None:
    found = priced[1].result
    assert found["purpose"] == "marketing" and found["features"] == found["permitted"] + len(found["barred"])
    assert found["barred"] and all(name.startswith("interconnect_") for name in found["barred"])


def test_neither_model_is_kept_published_or_promoted(priced: tuple[Path, Any], nbo: Nbo, store: Path) -> None:
    workspace, _ = priced
    assert [name for name in TRACES if (workspace / name).exists()] == []
    ended = nbo("evaluate", "--store", store, cwd=workspace)
    assert ended.code == 2, "nothing is in use after it"


def test_where_something_is_in_use_it_stays_in_use(own_released: Path, nbo: Nbo, store: Path) -> None:
    def state() -> dict[str, bytes]:
        kept = (
            p for name in ("bundles", "releases") for p in (own_released / name).rglob("*") if p.is_file()
        )
        return {str(path): path.read_bytes() for path in kept}

    before, runs = state(), nbo("models", "list", "--json", cwd=own_released).result
    ended = nbo("evaluate", "--store", store, "--price-of-compliance", cwd=own_released)
    assert ended.code == 0, ended.err
    assert before and state() == before
    assert nbo("models", "list", "--json", cwd=own_released).result == runs
    told = ended.out.splitlines()
    assert told[-1] == "neither model was kept"
    assert [line.split("  ")[0] for line in told[2:6]] == [*FIGURES, "margin of leavers on the list"]
    assert "features against the" in told[0] and "permitted for marketing" in told[0]


def test_where_nothing_is_barred_nothing_is_fitted(new_workspace: Path, nbo: Nbo, store: Path) -> None:
    words = ("evaluate", "--store", store, "--price-of-compliance", "--purpose", "retention")
    ended = nbo(*words, cwd=new_workspace)
    assert ended.code == 0 and ended.out.endswith(
        "features are permitted for retention: nothing is left out\n"
    )


def test_a_config_for_marketing_is_priced_against_all_features_too(
    new_workspace: Path, nbo: Nbo, store: Path
) -> None:
    config = new_workspace / "training" / "configs" / "churn.toml"
    config.write_text('purpose = "marketing"\n' + config.read_text())
    found = nbo("evaluate", "--store", store, "--price-of-compliance", "--json", cwd=new_workspace).result
    assert found["barred"] and found["price"]["difference"]["auc"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--price-of-compliance", "--bundle", "x"), "--bundle: not used with --price-of-compliance"),
        (
            ("--price-of-compliance", "--purpose", "sales"),
            "purpose: expected one of service, retention, marketing",
        ),
        (("--purpose", "marketing"), "--purpose: expected --price-of-compliance beside it"),
        (("--config", "x.toml"), "--config: expected --price-of-compliance beside it"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: tuple[str, ...], told: str, nbo: Nbo, store: Path, new_workspace: Path
) -> None:
    ended = nbo("evaluate", "--store", store, *words, cwd=new_workspace)
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
