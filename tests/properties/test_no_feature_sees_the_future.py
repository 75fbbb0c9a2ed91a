"""The leak test, generated over every declared feature and over the labels."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nbo.asof import AsOf, LabelWindow
from nbo.features import CompiledFeatures, compile_features
from nbo.features.build import feature_rows
from nbo.features.leaks import leaking_features, permute_future
from nbo.labels import churn_labels
from nbo.tables.store import Store
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = Workspace.find(ROOT)
SETS = WORKSPACE.module("features.sets").SETS
MIDDLE = 160
"""Days into the random operator's life: enough before for the windows, enough after to change."""


@pytest.fixture(params=sorted(SETS))
def compiled(request: pytest.FixtureRequest) -> CompiledFeatures:
    return compile_features(WORKSPACE.feature_sets(request.param))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changing_the_whole_future_changes_no_declared_feature(
    seed: int, compiled: CompiledFeatures, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store = random_store(seed)
    as_of = store.latest.back(260 - MIDDLE - 20 * seed)
    assert feature_rows(store, compiled, as_of).num_rows > 5
    assert leaking_features(store, compiled, as_of, tmp_path / "changed", seed) == []


def test_the_change_does_reach_every_feature_that_events_can_move(
    compiled: CompiledFeatures, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    """The permutation is strong: with the rule of visibility gone, four features of five move."""
    store = random_store(1)
    as_of = store.latest.back(260 - MIDDLE)
    rule = r"\b(event_day < |valid_day < |known_day <= |outcome_known_day <= )\$as_of"
    blind = replace(compiled, sql=re.sub(rule, "TRUE", compiled.sql))
    changed = permute_future(store, tmp_path / "changed", event_cut=as_of.day, known_cut=as_of.day, seed=1)
    before, after = feature_rows(store, blind, as_of), feature_rows(changed, blind, as_of)
    joined = before.join(after, "account_id", right_suffix="_changed", join_type="inner")
    moved = [n for n in compiled.names if not joined[n].equals(joined[f"{n}_changed"])]
    assert len(moved) >= 0.8 * len(compiled.names)


EVENTS = "WHERE event_day < $as_of AND known_day <= $as_of"
LOG = "WHERE valid_day < $as_of AND known_day <= $as_of"
STATE = "\n  WHERE newest = 1 AND $accounts"

PLANTED = {
    "a call of the future": (f"FROM calls {EVENTS}", "FROM calls WHERE known_day <= $as_of + 60", "calls_"),
    "a call known late": (f"FROM calls {EVENTS}", "FROM calls WHERE event_day < $as_of", "calls_"),
    "a line's later state": (f"FROM lines {LOG}){STATE}", f"FROM lines){STATE}", "lines_"),
    "an account's later state": (f"FROM accounts {LOG}", "FROM accounts WHERE TRUE", "accounts_"),
    "an outcome known late": (
        "(outcome = 'refused') AND outcome_known_day <= $as_of",
        "(outcome = 'refused')",
        "contacts_refused",
    ),
}


@pytest.mark.parametrize(("planted", "instead", "found"), PLANTED.values(), ids=PLANTED)
def test_planted_leaks_are_caught(
    planted: str, instead: str, found: str, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    compiled = compile_features(WORKSPACE.feature_sets("churn"))
    assert planted in compiled.sql
    leaky = replace(compiled, sql=compiled.sql.replace(planted, instead))
    store = random_store(1)
    leaks = leaking_features(store, leaky, store.latest.back(100), tmp_path / "changed", 1)
    assert leaks
    assert all(found in name for name in leaks)


def test_a_leak_into_the_population_is_caught(random_store: Callable[[int], Store], tmp_path: Path) -> None:
    compiled = compile_features(WORKSPACE.feature_sets("churn"))
    leaky = replace(compiled, sql=compiled.sql.replace(f"FROM lines {LOG})", "FROM lines)", 1))
    store = random_store(1)
    assert leaking_features(store, leaky, store.latest.back(100), tmp_path / "changed", 1) == ["account_id"]


@pytest.mark.parametrize("seed", [2, 3, 6])
@pytest.mark.parametrize("known_days", [60, 75])
def test_labels_read_nothing_after_their_window_or_known_after_their_limit(
    seed: int, known_days: int, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store = random_store(seed)
    as_of, window = store.latest.back(100), LabelWindow(gap_days=5, horizon_days=50)
    known_by = AsOf(as_of.day + known_days)
    before = churn_labels(store, as_of, window, known_by)
    changed = permute_future(
        store, tmp_path / "changed", event_cut=window.bounds(as_of)[1], known_cut=known_by.day, seed=seed
    )
    after = churn_labels(changed, as_of, window, known_by)
    assert before.positives > 0
    assert before.table.equals(after.table)
    assert before.censored == after.censored
