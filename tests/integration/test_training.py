"""The churn run end to end: what is written, recorded and told; same inputs, same bundle."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbo.asof import AsOf
from nbo.bundle import Bundle, load_bundle
from nbo.errors import UsageError
from nbo.files import MANIFEST
from nbo.keys import bundle_key
from nbo.labels import churn_labels
from nbo.models.config import ChurnConfig, read_config
from nbo.models.slices import labelled_rows
from nbo.tables.store import Store
from nbo.tracking import RunRecord, open_tracking
from nbo.workspace import Workspace

Nbo = Callable[..., Any]
METRICS = {"auc", "average_precision", "brier", "ece", "lift_at_10", "log_loss"}


def bundle_in(workspace: Path, bundle_id: str) -> Bundle:
    return load_bundle(workspace / "bundles" / bundle_id, bundle_key(workspace))


@pytest.fixture(scope="module")
def bundle(trained: Any, bundle_id: str) -> Bundle:
    return bundle_in(trained[0], bundle_id)


@pytest.fixture(scope="module")
def record(trained: Any) -> RunRecord:
    workspace, ended = trained
    return open_tracking(workspace, create=False).record(ended.result["run"])


# The bundle


def test_a_bundle_is_written_and_loads(bundle: Bundle, bundle_id: str) -> None:
    assert (bundle.id, bundle.model) == (bundle_id, "churn")
    assert len(bundle.features.names) > 90


def test_the_months_are_purged_and_held_out_ones_are_the_newest(bundle: Bundle) -> None:
    slices = bundle.metadata["as_of_slices"]
    assert slices == {
        "train": ["2024-05-01", "2024-06-01", "2024-07-01"],
        "holdout": ["2024-10-01", "2024-11-01"],
    }


def test_rows_and_leavers_are_those_of_the_labels(bundle: Bundle, store: Path) -> None:
    opened, config = Store.open(store), ChurnConfig(**bundle.metadata["config"])
    known_by = AsOf.parse("2024-10-01")
    labels = [
        churn_labels(opened, AsOf.parse(date), config.label.window, known_by)
        for date in bundle.metadata["as_of_slices"]["train"]
    ]
    assert bundle.metadata["rows"] == sum(found.table.num_rows for found in labels)
    assert bundle.metadata["positives"] == sum(found.positives for found in labels) >= 100
    assert bundle.metadata["censored"]["2024-05-01"] == labels[0].censored


def test_enough_leavers_are_tuned_for(bundle: Bundle) -> None:
    assert bundle.metadata["tuned"] is True
    assert not [note for note in bundle.metadata["notes"] if "not tuned" in note]


def test_the_model_orders_held_out_accounts_better_than_chance(bundle: Bundle) -> None:
    auc = bundle.metadata["metrics"]["holdout"]["auc"]
    assert 0.55 < auc["value"] < 0.95
    assert auc["low"] < auc["value"] < auc["high"]


def test_out_of_fold_only_the_order_is_measured(bundle: Bundle) -> None:
    assert set(bundle.metadata["metrics"]["train_out_of_fold"]) == {"auc", "average_precision", "lift_at_10"}


def test_the_first_bundle_has_no_champion(bundle: Bundle) -> None:
    assert bundle.metadata["champion"] is None


def test_bands_are_those_of_the_held_out_scores(bundle: Bundle, store: Path) -> None:
    config = ChurnConfig(**bundle.metadata["config"])
    opened = Store.open(store)
    dates = [AsOf.parse(date) for date in bundle.metadata["as_of_slices"]["holdout"]]
    labelled = [(date, churn_labels(opened, date, config.label.window).table) for date in dates]
    rows = labelled_rows(opened, bundle.features, labelled)
    p_churn = bundle.score(bundle.encode(rows.rows))
    assert bundle.metadata["band_edges"]["high"] == np.quantile(p_churn, 0.95)


# The record


def test_the_record_holds_the_config_as_it_was_resolved(record: RunRecord, bundle: Bundle) -> None:
    assert record.status == "finished"
    assert record.params["tuning.trials"] == "3"
    assert record.params["label.horizon_days"] == "60"  # a default that the file does not name
    kept = json.loads((artifacts(record) / "config.json").read_text())
    assert kept == bundle.metadata["config"]


def test_the_record_names_data_features_and_bundle(record: RunRecord, bundle: Bundle, store: Path) -> None:
    assert record.tags["store_id"] == Store.open(store).store_id
    assert record.tags["feature_hash"] == bundle.features.hash
    assert record.tags["bundle_id"] == bundle.id
    assert record.tags["purpose"] == "retention"
    assert record.tags["tuned"] == "True"


def test_the_record_holds_metrics_of_every_held_out_month_with_intervals(
    record: RunRecord, bundle: Bundle
) -> None:
    for name in METRICS:
        for place in ("", "/2024-10-01", "/2024-11-01"):
            low, value, high = (
                record.metrics[f"holdout_{name}{end}{place}"] for end in ("_low", "", "_high")
            )
            assert low <= high
            if not place:
                assert value == bundle.metadata["metrics"]["holdout"][name]["value"]


def artifacts(record: RunRecord) -> Path:
    return Path(record.artifacts.removeprefix("file://"))


def test_the_record_holds_charts_and_the_bundle(record: RunRecord, bundle: Bundle, trained: Any) -> None:
    charts = sorted(path.name for path in (artifacts(record) / "charts").iterdir())
    assert charts
    assert all((artifacts(record) / "charts" / name).read_text().startswith("<svg") for name in charts)
    kept = artifacts(record) / "bundle" / MANIFEST
    assert kept.read_bytes() == (trained[0] / "bundles" / bundle.id / MANIFEST).read_bytes()


def test_artifacts_lie_under_the_workspace(record: RunRecord, trained: Any) -> None:
    assert artifacts(record).is_relative_to(trained[0] / "mlruns" / "artifacts")


# Again


def test_the_same_seed_gives_the_same_bundle(
    bare_workspace: Path, store: Path, nbo: Nbo, bundle_id: str
) -> None:
    again = nbo("train", "churn", "--store", store, "--json", cwd=bare_workspace)
    assert again.result["bundle"] == bundle_id


def test_evaluate_gives_the_recorded_metrics_to_the_last_bit(
    released: Path, store: Path, nbo: Nbo, bundle: Bundle
) -> None:
    card = nbo("evaluate", "--store", store, "--json", cwd=released).result
    recorded = json.loads(json.dumps(bundle.metadata))
    assert card["metrics"]["holdout"] == recorded["metrics"]["holdout"]
    assert card["metrics"]["slices"] == recorded["metrics"]["slices"]
    assert card["holdout"] == recorded["as_of_slices"]["holdout"]


def tuned_file(folder: Path, **parameters: Any) -> Path:
    path = folder / "tuned.json"
    path.write_text(json.dumps({"parameters": parameters}))
    return path


def test_tuned_parameters_of_a_file_are_used_and_a_release_is_compared_with(
    own_released: Path, store: Path, nbo: Nbo, bundle_id: str, tmp_path: Path
) -> None:
    tuned = tuned_file(tmp_path, num_leaves=5, learning_rate=0.1, rounds=12)
    ended = nbo("train", "churn", "--store", store, "--tuned", tuned, "--json", cwd=own_released)
    challenger = bundle_in(own_released, ended.result["bundle"])
    assert challenger.id != bundle_id
    used = challenger.metadata["parameters"]
    assert (used["num_leaves"], used["learning_rate"], used["rounds"]) == (5, 0.1, 12)
    champion = challenger.metadata["champion"]
    assert champion["bundle_id"] == bundle_id
    gain = champion["difference"]["average_precision"]
    assert gain["low"] <= gain["value"] <= gain["high"]

    compared = nbo(
        "models", "compare", challenger.id, bundle_id, "--store", store, "--json", cwd=own_released
    ).result
    assert compared["difference"]["average_precision"] == gain

    promoted = nbo("promote", "churn", "--bundle", challenger.id, cwd=own_released)
    assert promoted.code == (0 if gain["high"] >= 0 else 2), promoted.err
    forced = nbo(
        *("promote", "churn", "--bundle", challenger.id, "--force", "--reason", "a test"), cwd=own_released
    )
    assert forced.code == 0, forced.err
    back = nbo("rollback", "churn", "--json", cwd=own_released)
    assert back.result["bundle"] == bundle_id


def test_a_file_that_tune_did_not_write_is_refused_before_anything_is_made(
    new_workspace: Path, store: Path, nbo: Nbo, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    ended = nbo("train", "churn", "--store", store, "--tuned", wrong, cwd=new_workspace)
    assert ended.code == 2
    assert ended.err == f"nbo: --tuned {wrong}: expected a file written by nbo tune churn.\n"
    assert not (new_workspace / "mlruns").exists()


def test_tune_writes_parameters_that_train_reads(bare_workspace: Path, store: Path, nbo: Nbo) -> None:
    ended = nbo(
        *("tune", "churn", "--store", store, "--trials", "1", "--out", "tuned.json", "--json"),
        cwd=bare_workspace,
    )
    written = json.loads((bare_workspace / "tuned.json").read_text())
    assert written == ended.result
    assert {"num_leaves", "learning_rate", "rounds"} <= set(written["parameters"])
    assert ended.envelope["warnings"] == []


# Few leavers


@pytest.fixture
def scarce(bare_workspace: Path) -> Path:
    """A workspace that learns from one month only: fewer than 100 leavers."""
    config = bare_workspace / "training" / "configs" / "churn.toml"
    config.write_text(config.read_text().replace("train = 6", "train = 1"))
    return bare_workspace


def test_below_a_hundred_leavers_it_says_so_and_does_not_tune(
    scarce: Path, store: Path, nbo: Nbo, tmp_path: Path
) -> None:
    tuned = tuned_file(tmp_path, num_leaves=63, rounds=200)
    ended = nbo("train", "churn", "--store", store, "--tuned", tuned, "--json", cwd=scarce)
    bundle = bundle_in(scarce, ended.result["bundle"])
    assert 0 < bundle.metadata["positives"] < 100
    assert bundle.metadata["tuned"] is False
    assert bundle.metadata["parameters"]["num_leaves"] == 4
    assert ended.envelope["warnings"][0] == (
        f"only {bundle.metadata['positives']} leavers to learn from: parameters were not tuned; "
        "treat the ranking as a test of the plumbing, not as evidence"
    )
    found = nbo("tune", "churn", "--store", store, "--out", "tuned.json", "--json", cwd=scarce)
    assert found.result["parameters"] == {}
    assert found.envelope["warnings"] == [f"{bundle.metadata['positives']} leavers: nothing was tuned"]


def test_a_held_out_month_without_leavers_has_a_note(trained: Any, bundle: Bundle, store: Path) -> None:
    opened = Store.open(store)
    config = ChurnConfig(**bundle.metadata["config"])
    place = Workspace.at(trained[0])
    training = place.module("training.churn")
    months = training.held_out_months(bundle, config, opened)
    label = months.rows.label.copy()
    label[months.rows.of_slice(AsOf.parse("2024-11-01"))] = 0
    card = training.held_out_card(bundle, replace(months.rows, label=label), bundle.metadata["medians"], 1)
    assert list(card["metrics"]["slices"]) == ["2024-10-01"]
    [note] = card["notes"]
    assert note.startswith("no metrics of the held-out month 2024-11-01: 0 of ")


def test_a_feature_set_that_is_not_declared_is_refused(trained: Any, tmp_path: Path) -> None:
    config = tmp_path / "churn.toml"
    config.write_text('features = "chrun"\n')
    with pytest.raises(UsageError, match="features chrun: no such name"):
        Workspace.at(trained[0]).feature_sets(read_config(config).features)


def test_a_config_may_ask_for_derived_columns(bare_workspace: Path, store: Path, nbo: Nbo) -> None:
    path = bare_workspace / "training" / "configs" / "churn.toml"
    path.write_text(f"{path.read_text()}derive = true\n".replace("trials = 3", "trials = 0"))
    told = nbo("train", "churn", "--store", store, "--json", cwd=bare_workspace).result
    found = bundle_in(bare_workspace, told["bundle"])
    width = len(found.features.columns) + len(found.derivation.derived)
    assert [booster.num_feature() for booster in found.boosters] == [width] * len(found.boosters)
    assert nbo("promote", "churn", "--bundle", found.id, cwd=bare_workspace).code == 0
    scored = nbo("score", "--store", store, "--as-of", "latest", "--out", "runs/scores", cwd=bare_workspace)
    assert scored.code == 0, scored.err
