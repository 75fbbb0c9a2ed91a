"""``nbo features lineage``: from a feature to its columns, as people and machines read it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbo.features import compile_features
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
Nbo = Callable[..., Any]


def test_the_way_from_a_feature_to_its_columns_is_told(nbo: Nbo) -> None:
    ended = nbo("features", "lineage", "interconnect_minutes_sum_60d", cwd=ROOT)
    assert ended.code == 0, ended.err
    first, purposes, verb, _, *rows = ended.out.splitlines()
    assert first.startswith(
        "interconnect_minutes_sum_60d (minutes): minutes of settlement records in the last 60"
    )
    assert purposes == "for retention, service; family settlement, in churn"
    assert verb == "verb sum of interconnect_minutes over 60 days"
    told = [" ".join(row.split()) for row in rows]
    assert (
        "interconnect_totals interconnect.duration_seconds seconds settlement with other carriers "
        "retention, service" in told
    )


def test_machines_read_columns_with_unit_provenance_and_purposes(nbo: Nbo) -> None:
    name = "calls_out_rival_minutes_sum_30d_share_of_out"
    [one] = nbo("features", "lineage", name, "--json", cwd=ROOT).result
    assert one["feature"] == name and one["unit"] == "share" and set(one["sets"]) == {"churn", "next_product"}
    assert one["verb"] == "sum, share of calls_out_rival_minutes and calls_out_minutes over 30 days"
    columns = {row["column"]: row for row in one["columns"]}
    assert columns["calls.duration_seconds"] == {
        "relation": "calls_totals",
        "column": "calls.duration_seconds",
        "kind": "seconds",
        "unit": "seconds",
        "provenance": "call records of our own exchanges",
        "purposes": ["marketing", "retention", "service"],
        "barred": [],
    }
    assert {"access_codes.network_id", "networks.kind"} <= set(columns)
    assert one["provenance"] == ["call records of our own exchanges", "numbering tables of the exchanges"]


def test_a_pattern_names_many_and_every_declared_feature_has_a_lineage(nbo: Nbo) -> None:
    every = nbo("features", "lineage", "*", "--json", cwd=ROOT).result
    names = {one["feature"] for one in every}
    workspace = Workspace.find(ROOT)
    for key in workspace.declared_sets():
        assert set(compile_features(workspace.feature_sets(key)).names) <= names
    assert all(one["columns"] and one["purposes"] and one["provenance"] for one in every)
    some = nbo("features", "lineage", "interconnect_*", "--json", cwd=ROOT).result
    assert some and all(row["barred"] == ["marketing"] for one in some for row in one["columns"][:1])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("calls_count_8d", "calls_count_8d: no such feature; did you mean calls_count_7d"),
        ("zzz*", "zzz*: no such feature; known: "),
    ],
)
def test_an_unknown_name_is_told_with_near_ones(nbo: Nbo, name: str, told: str) -> None:
    ended = nbo("features", "lineage", name, cwd=ROOT)
    assert ended.code == 2 and ended.out == ""
    assert ended.err.startswith(f"nbo: {told}") and ended.err.count("\n") == 1


def test_the_list_tells_machines_purposes_and_provenance(nbo: Nbo) -> None:
    told = {row["feature"]: row for row in nbo("features", "list", "--json", cwd=ROOT).result["features"]}
    one = told["interconnect_minutes_sum_60d"]
    assert one["purposes"] == ["retention", "service"]
    assert one["provenance"] == ["settlement with other carriers"]


def test_a_family_declared_for_more_than_its_columns_allow_stops_every_command(
    nbo: Nbo, new_workspace: Path
) -> None:
    file = new_workspace / "features" / "rivals.py"
    declared = 'purposes=["service", "retention"]'
    assert declared in file.read_text()
    file.write_text(file.read_text().replace(declared, 'purposes=["service", "marketing"]'))
    ended = nbo("features", "check", cwd=new_workspace)
    assert ended.code == 2 and ended.err.startswith(
        "nbo: interconnect.account_id: expected a column permitted for marketing, for which the family"
    )
    assert ended.err.count("\n") == 1


def test_building_for_a_purpose_that_is_barred_is_refused_by_name(nbo: Nbo, store: Path) -> None:
    words = ("features", "build", "--store", store, "--as-of", "latest", "--purpose", "marketing")
    before = set((store / "features").glob("*")) if (store / "features").is_dir() else set()
    ended = nbo(*words, cwd=ROOT)
    assert (
        ended.code == 2 and "interconnect.account_id: expected a column permitted for marketing" in ended.err
    )
    assert "interconnect_minutes_sum_60d" in ended.err and ended.err.count("\n") == 1
    assert (set((store / "features").glob("*")) if (store / "features").is_dir() else set()) == before
