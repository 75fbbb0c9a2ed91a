"""``nbo features audit`` on a simulated operator: what is declared passes; what leaks would not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nbo.features import compile_features
from nbo.features.build import feature_rows
from nbo.features.leaks import rewritten, sampled_store
from nbo.labels import churn_labels, plan_slices
from nbo.models.config import read_config
from nbo.tables.direct import read_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def test_the_declared_features_give_no_alarm(nbo: Callable[..., Any], store: Path, tmp_path: Path) -> None:
    ended = nbo(
        "features", "audit", "--store", store, "--as-of", "2024-10-01", "--accounts", "60", "--json", cwd=ROOT
    )
    assert ended.code == 0, ended.out
    result = ended.envelope["result"]
    assert result["alarms"] == 0 and result["rows"] > 1000 and len(result["features"]) > 100
    first, *others = result["features"]
    assert 0.5 < first["auc"] <= 0.9 and all(first["auc"] >= one["auc"] for one in others)


def test_a_feature_that_leaks_fails_the_audit(
    nbo: Callable[..., Any], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The language cannot say a leak, so one is planted under it: the rule of visibility is taken away."""
    honest = compile_features

    def leaky(*arguments: Any) -> Any:
        from dataclasses import replace

        compiled = honest(*arguments)
        return replace(
            compiled, sql=compiled.sql.replace("event_day < $as_of AND known_day <= $as_of", "TRUE")
        )

    monkeypatch.setattr("nbo.cli.features.compile_features", leaky)
    words = ("features", "audit", "--store", store, "--as-of", "2024-10-01", "--accounts", "30")
    ended = nbo(*words, cwd=ROOT)
    assert ended.code == 1
    assert "leaks: it changes with the future alone" in ended.out
    assert "features give an alarm" in ended.out


def told_beforehand(store: Store, out: Path) -> Store:
    """The same operator with the answer in ``accounts.industry``, written after the event, dated before."""
    config = read_config(Workspace.find(ROOT).config_path("churn"))
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    tables = read_tables(store)
    accounts = tables["accounts"]
    newest = accounts.sort_by([("valid_day", "ascending")]).group_by("account_id", use_threads=False)
    rows = newest.aggregate([(n, "last") for n in accounts.column_names if n != "account_id"])
    rows = rows.rename_columns([name.removesuffix("_last") for name in rows.column_names])
    added = []
    for as_of in plan.train:
        labels = churn_labels(store, as_of, config.label.window).table
        left = pc.is_in(rows["account_id"], labels.filter(pc.equal(labels["label"], 1))["account_id"])
        day = pa.array([as_of.day - 1] * rows.num_rows, pa.int32())
        columns = {
            **{name: rows[name] for name in accounts.column_names},
            "valid_day": day,
            "known_day": pc.add(day, pa.scalar(1, pa.int32())),
            "industry": pc.if_else(left, "going", "staying"),
        }
        added.append(pa.table(columns, schema=accounts.schema))
    return rewritten(store, out, {**tables, "accounts": pa.concat_tables([accounts, *added])})


def test_a_column_that_holds_the_answer_fails_the_audit(
    nbo: Callable[..., Any], store: Path, tmp_path: Path
) -> None:
    planted = told_beforehand(Store.open(store), tmp_path / "planted")
    words = ("features", "audit", "--store", planted.root, "--as-of", "2024-10-01", "--accounts", "30")
    ended = nbo(*words, cwd=ROOT)
    assert ended.code == 1, ended.err
    head, first, second, *_ = ended.out.splitlines()
    assert head.split("  ")[0] == "feature" and "AUC alone" in head and head.endswith("alarm")
    assert first.startswith("accounts_industry ") and "too good: AUC" in first
    assert float(first.split()[1]) > 0.99
    assert second.rstrip().endswith("-"), "the planted column alone gives an alarm"
    assert ended.out.rstrip().endswith("features give an alarm") and ": 1 of " in ended.out


def test_some_accounts_have_the_features_they_have_among_all(store: Path, tmp_path: Path) -> None:
    whole = Store.open(store)
    some = sampled_store(whole, tmp_path / "some", 60, seed=3)
    compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
    rows = feature_rows(some, compiled, whole.latest.back(60))
    assert 20 < rows.num_rows <= 60
    # The others are those around them, so that what looks at others has some to look at.
    assert pc.sum(pc.greater(rows["calls_degree_90d"], 0)).as_py() > 3
    among_all = feature_rows(whole, compiled, whole.latest.back(60), rows["account_id"].to_pylist())
    around = {"sites.site_id", "lines.number_id"}
    own = [feature.name for feature in compiled.features if not around & set(feature.columns)]
    assert len(own) > 150 and rows.select(own).equals(among_all.select(own))


@pytest.mark.parametrize(("option", "value"), [("--accounts", "0"), ("--seed", "-1")])
def test_numbers_out_of_range_are_refused(
    nbo: Callable[..., Any], store: Path, option: str, value: str
) -> None:
    ended = nbo("features", "audit", "--store", store, "--as-of", "latest", option, value, cwd=ROOT)
    assert ended.code == 2 and "--accounts, --seed: expected 1 and 0 or above" in ended.err
