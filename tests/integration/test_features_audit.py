"""``nbo features audit`` on a simulated operator: what is declared passes; what leaks would not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbo.features import compile_features
from nbo.features.build import feature_rows
from nbo.features.leaks import sampled_store
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

    monkeypatch.setattr("nbo.cli.data.compile_features", leaky)
    words = ("features", "audit", "--store", store, "--as-of", "2024-10-01", "--accounts", "30")
    ended = nbo(*words, cwd=ROOT)
    assert ended.code == 1
    assert "leaks: it changes with the future alone" in ended.out
    assert "features give an alarm" in ended.out


def test_some_accounts_have_the_features_they_have_among_all(store: Path, tmp_path: Path) -> None:
    whole = Store.open(store)
    some = sampled_store(whole, tmp_path / "some", 25, seed=3)
    compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
    rows = feature_rows(some, compiled, whole.latest.back(60))
    assert 5 < rows.num_rows <= 25
    assert rows.equals(feature_rows(whole, compiled, whole.latest.back(60), rows["account_id"].to_pylist()))


@pytest.mark.parametrize(("option", "value"), [("--accounts", "0"), ("--seed", "-1")])
def test_numbers_out_of_range_are_refused(
    nbo: Callable[..., Any], store: Path, option: str, value: str
) -> None:
    ended = nbo("features", "audit", "--store", store, "--as-of", "latest", option, value, cwd=ROOT)
    assert ended.code == 2 and "--accounts, --seed: expected 1 and 0 or above" in ended.err
