"""The next-product run end to end: what is written, recorded, told and released; same inputs, same bundle."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbo.asof import AsOf
from nbo.bundle import Bundle, load_bundle
from nbo.customers.holdings import held_matrix, holdings
from nbo.features.build import build_features
from nbo.keys import bundle_key
from nbo.labels import take_ups
from nbo.models import reasons
from nbo.models.config import NextProductConfig
from nbo.models.pairs import ProductTable, pair_rows, product_statistics, score_pairs
from nbo.offers.products import product_table
from nbo.offers.reading import read_catalog
from nbo.tables.store import Store
from nbo.tracking import RunRecord, open_tracking
from nbo.workspace import Workspace

Nbo = Callable[..., Any]
ORDER = {"auc", "average_precision", "hit_rate_at_1", "hit_rate_at_3"}
CONFIG = """
seed = 1
[booster]
max_rounds = 40
folds = 2
"""


def configured(workspace: Path, text: str = CONFIG) -> Path:
    (workspace / "training" / "configs" / "next_product.toml").write_text(text)
    return workspace


@pytest.fixture(scope="module")
def learnt(trained: Any, store: Path, nbo: Nbo, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A workspace with a next-product bundle that is not released, and what the training said."""
    workspace = tmp_path_factory.mktemp("learnt") / "workspace"
    configured(Path(shutil.copytree(trained[0], workspace)))
    return workspace, nbo("train", "next-product", "--store", store, "--json", cwd=workspace)


@pytest.fixture(scope="module")
def bundle(learnt: tuple[Path, Any]) -> Bundle:
    workspace, ended = learnt
    return load_bundle(workspace / "bundles" / ended.result["bundle"], bundle_key(workspace))


@pytest.fixture(scope="module")
def record(learnt: tuple[Path, Any]) -> RunRecord:
    workspace, ended = learnt
    return open_tracking(workspace, create=False).record(ended.result["run"])


@pytest.fixture
def own(learnt: tuple[Path, Any], tmp_path: Path) -> Path:
    """A workspace of one's own with the trained bundle, nothing released."""
    return Path(shutil.copytree(learnt[0], tmp_path / "own"))


# The bundle


def test_a_bundle_of_all_products_is_written_and_loads(bundle: Bundle, learnt: tuple[Path, Any]) -> None:
    assert (bundle.model, bundle.features.purpose) == ("next-product", "marketing")
    catalog = read_catalog(Workspace.find(learnt[0]).catalog_path)
    told = bundle.metadata["products"]
    assert told["catalog_hash"] == catalog.hash
    assert ProductTable.from_json(told).to_json() == product_table(catalog).to_json()
    assert bundle.vocabulary.codes["product_id"] == tuple(
        product.product_id for product in catalog.functional
    )


def test_rows_and_take_ups_are_those_of_the_labels(bundle: Bundle, store: Path) -> None:
    opened, config = Store.open(store), NextProductConfig(**bundle.metadata["config"])
    slices = bundle.metadata["as_of_slices"]
    known_by = AsOf.parse(slices["holdout"][0])
    ids = bundle.metadata["products"]["product_ids"]
    positives = 0
    for date in slices["train"]:
        found = take_ups(opened, AsOf.parse(date), config.label.window, known_by)
        positives += int(np.isin(found.taken["product_id"].to_pylist(), ids).sum())
        assert bundle.metadata["censored"][date] == {"taken before the window": found.censored.num_rows}
    assert bundle.metadata["positives"] == positives > 20
    assert slices["holdout"] == ["2024-10-01", "2024-11-01"]


def test_the_card_tells_the_model_beside_plain_rules(bundle: Bundle) -> None:
    metrics = bundle.metadata["metrics"]
    assert set(metrics["holdout"]) == ORDER | {"brier", "log_loss", "ece"}
    assert set(metrics["popularity"]) == ORDER
    for name in ORDER:
        told = metrics["holdout"][name]
        assert 0 <= told["low"] <= told["value"] <= told["high"] <= 1
    assert metrics["holdout"]["auc"]["value"] > 0.65
    assert set(metrics["products"]) == set(bundle.metadata["products"]["product_ids"])
    assert set(metrics["train_out_of_fold"]) == {"auc", "average_precision"}
    assert bundle.metadata["champion"] is None


def test_probabilities_of_held_out_months_are_honest(bundle: Bundle) -> None:
    base = bundle.metadata["base_rate"]["holdout"]
    ece = bundle.metadata["metrics"]["holdout"]["ece"]["value"]
    assert 0 < base < 0.05
    assert ece < base


def test_one_account_scores_alone_as_among_all_and_its_reasons_are_told(bundle: Bundle, store: Path) -> None:
    opened = Store.open(store)
    products = ProductTable.from_json(bundle.metadata["products"])
    rows = build_features(opened, bundle.features, opened.latest).read()
    held = held_matrix(holdings(opened, opened.latest), rows["account_id"].to_pylist(), products.product_ids)
    statistics = product_statistics(opened, opened.latest, products.product_ids)
    encoded = bundle.vocabulary.matrix(rows, bundle.features.features)
    p_take = score_pairs(bundle, encoded, held, products, statistics, ~held, threads=2)
    assert ((p_take[~held] > 0) & (p_take[~held] < 1)).all()
    for account in (0, 100, len(rows) - 1):
        one = slice(account, account + 1)
        alone = score_pairs(bundle, encoded[one], held[one], products, statistics, ~held[one])
        assert [p.hex() for p in alone[0]] == [p.hex() for p in p_take[account]]
    best = [(account, int(np.nanargmax(p_take[account]))) for account in (0, 100)]
    raw = pair_rows(rows, held, products, statistics, best)
    matrix = bundle.encode(raw)
    assert [p.hex() for p in bundle.score(matrix)] == [p_take[pair].hex() for pair in best]
    told = reasons(bundle, matrix, raw, "zh", opened.currency, opened.minor_digits)
    assert all(reason.text for row in told for reason in row)


# The record and the answer


def test_the_record_holds_config_hashes_metrics_and_charts(record: RunRecord, bundle: Bundle) -> None:
    assert (record.status, record.experiment) == ("finished", "next-product")
    assert record.params["booster.max_rounds"] == "40"
    assert record.params["new_product_share"] == "0.15"
    assert (record.tags["bundle_id"], record.tags["purpose"]) == (bundle.id, "marketing")
    for name in ORDER:
        assert record.metrics[f"holdout_{name}"] == bundle.metadata["metrics"]["holdout"][name]["value"]
        assert f"holdout_{name}/2024-10-01" in record.metrics
    charts = Path(record.artifacts.removeprefix("file://")) / "charts"
    assert "Share that was taken" in (charts / "calibration.svg").read_text()


def test_what_it_says_goes_from_pairs_to_the_next_step(own: Path, store: Path, nbo: Nbo) -> None:
    """The same inputs give the same bundle, whatever was there before."""
    again = nbo("train", "next-product", "--store", store, cwd=own)
    [bundle_id] = re.findall(r"^next: nbo promote next-product --bundle ([0-9a-f]{16})$", again.out, re.M)
    assert (own / "bundles" / bundle_id).is_dir()
    assert re.match(rf"bundle {bundle_id}: [\d,]+ rows, [\d,]+ take-ups, 3 training months\nauc ", again.out)
    assert "beside popularity:\n  auc " in again.out
    assert "hit_rate_at_3" in again.out


def test_the_same_seed_gives_the_same_bundle(own: Path, store: Path, nbo: Nbo, bundle: Bundle) -> None:
    assert nbo("train", "next-product", "--store", store, "--json", cwd=own).result["bundle"] == bundle.id


# Releases


def test_both_models_are_released_listed_shown_and_rolled_back(
    own: Path, store: Path, nbo: Nbo, bundle: Bundle, bundle_id: str
) -> None:
    for model, one in (("churn", bundle_id), ("next-product", bundle.id)):
        assert nbo("promote", model, "--bundle", one, cwd=own).out == f"{model}: {one} is in use\n"
    rows = nbo("models", "list", "--json", cwd=own).result
    assert {(row["model"], row["bundle"], row["release"]) for row in rows} == {
        ("churn", bundle_id, "current"),
        ("next-product", bundle.id, "current"),
    }
    shown = nbo("models", "show", "--model", "next-product", cwd=own).out
    assert shown.startswith(f"bundle {bundle.id}, next-product, for marketing\n")
    assert " take-ups, " in shown and "beside popularity:" in shown
    assert nbo("models", "show", cwd=own).out.startswith(f"bundle {bundle_id}, churn, ")

    configured(own, CONFIG.replace("40", "6"))
    ended = nbo("train", "next-product", "--store", store, "--json", cwd=own)
    challenger = load_bundle(own / "bundles" / ended.result["bundle"], bundle_key(own))
    champion = challenger.metadata["champion"]
    assert champion["bundle_id"] == bundle.id
    gain = champion["difference"]["average_precision"]
    compared = nbo("models", "compare", challenger.id, bundle.id, "--store", store, "--json", cwd=own).result
    assert compared["difference"]["average_precision"] == gain
    promoted = nbo("promote", "next-product", "--bundle", challenger.id, cwd=own)
    assert promoted.code == (0 if gain["high"] >= 0 else 2), promoted.err
    forced = ("--force", "--reason", "a test")
    assert nbo("promote", "next-product", "--bundle", challenger.id, *forced, cwd=own).code == 0
    assert nbo("rollback", "next-product", "--json", cwd=own).result["bundle"] == bundle.id
    releases = json.loads((own / "releases" / "current.json").read_text())["models"]
    assert {model: entry["bundle_id"] for model, entry in releases.items()} == {
        "churn": bundle_id,
        "next-product": bundle.id,
    }


def test_a_worse_model_is_not_promoted(own: Path, store: Path, nbo: Nbo, bundle: Bundle) -> None:
    """One tree of two leaves against forty of seven."""
    assert nbo("promote", "next-product", "--bundle", bundle.id, cwd=own).code == 0
    configured(own, "[booster]\nmax_rounds = 1\nnum_leaves = 2\nfolds = 2\n")
    ended = nbo("train", "next-product", "--store", store, "--json", cwd=own)
    worse = load_bundle(own / "bundles" / ended.result["bundle"], bundle_key(own))
    gain = worse.metadata["champion"]["difference"]["average_precision"]
    assert gain["value"] < 0
    refused = nbo("promote", "next-product", "--bundle", worse.id, cwd=own)
    assert refused.code == (0 if gain["high"] >= 0 else 2)
    assert gain["high"] < 0, "the operator of the tests has too few take-ups to tell the two apart"
    assert "expected to be no worse than the release" in refused.err


# What cannot be


def one_line(ended: Any) -> str:
    assert ended.code == 2, ended.err
    [line] = [line for line in ended.err.splitlines() if not line.startswith("note: ")]
    return str(line).removeprefix("nbo: ")


def test_a_bundle_of_the_other_model_is_refused(
    own: Path, store: Path, nbo: Nbo, bundle: Bundle, bundle_id: str
) -> None:
    expected = f"--bundle: expected a churn bundle, got {bundle.id} of next-product."
    for words in (
        ("evaluate", "--store", store, "--bundle", bundle.id),
        ("score", "--store", store, "--as-of", "latest", "--bundle", bundle.id),
        ("models", "compare", bundle_id, bundle.id, "--store", store),
    ):
        assert one_line(nbo(*words, cwd=own)) == expected
    line = one_line(nbo("promote", "churn", "--bundle", bundle.id, cwd=own))
    assert line == f"--bundle: expected a churn bundle, got {bundle.id} of next-product."


@pytest.mark.parametrize(
    "words",
    [
        ("promote", "chrun", "--bundle", "0" * 16),
        ("rollback", "chrun"),
        ("models", "show", "--model", "chrun"),
    ],
)
def test_an_unknown_model_shows_close_matches(own: Path, nbo: Nbo, words: tuple[str, ...]) -> None:
    assert one_line(nbo(*words, cwd=own)) == "model chrun: no such model; did you mean churn?"


CATALOG = """
currency = "CNY"
minor_digits = 2
[products.satellite]
family = "data"
kind = "functional"
name = { en = "satellite", zh = "卫星" }
pitch = { en = "Everywhere.", zh = "无处不在。" }
monthly_fee = 100
monthly_margin = 50
comparability = 1
classes = ["A"]
channels = ["shop"]
"""


def test_a_catalog_whose_products_nobody_takes_is_told(own: Path, store: Path, nbo: Nbo) -> None:
    (own / "serving" / "offers" / "catalog.toml").write_text(CATALOG)
    assert one_line(nbo("train", "next-product", "--store", store, cwd=own)) == (
        "take-ups: expected at least one product taken in the label windows of the training months, got none "
        "in 0 pairs of account and product. Bring contracts and lines of more months, name their products as "
        "the catalog does, or lengthen label.horizon_days."
    )


def test_a_catalog_in_other_money_is_refused(own: Path, store: Path, nbo: Nbo) -> None:
    path = own / "serving" / "offers" / "catalog.toml"
    path.write_text(CATALOG.replace("CNY", "EUR"))
    line = one_line(nbo("train", "next-product", "--store", store, cwd=own))
    assert line.endswith(
        "catalog.currency: expected CNY with 2 decimals, as in the store, got EUR with 2. "
        "Correct the catalog, or the mapping of the store."
    )
