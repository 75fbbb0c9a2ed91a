"""What must never matter, and what must: order, neighbours, the day a fact was known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbo.asof import AsOf
from nbo.features import CompiledFeatures, FeatureSet, Words, compile_features, days, table
from nbo.features.build import feature_rows
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
END = 19_960
Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def compiled() -> CompiledFeatures:
    return compile_features(Workspace.find(ROOT).feature_sets("churn"))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_changes_nothing(
    seed: int, compiled: CompiledFeatures, random_tables: Callable[[int], Tables], tmp_path: Path
) -> None:
    tables = random_tables(seed)
    rng = np.random.default_rng(seed)
    shuffled = {name: rows.take(pa.array(rng.permutation(len(rows)))) for name, rows in tables.items()}
    one = store_from_tables(tmp_path / "one", tables, end_day=END)
    two = store_from_tables(tmp_path / "two", shuffled, end_day=END)
    as_of = AsOf(END - 30)
    assert feature_rows(one, compiled, as_of).equals(feature_rows(two, compiled, as_of))


@pytest.mark.parametrize("seed", [1, 2])
def test_other_accounts_change_nothing(
    seed: int, compiled: CompiledFeatures, random_tables: Callable[[int], Tables], tmp_path: Path
) -> None:
    tables = random_tables(seed)
    whole = store_from_tables(tmp_path / "whole", tables, end_day=END, covers_from=19_700)
    as_of = AsOf(END - 30)
    rows = feature_rows(whole, compiled, as_of)
    kept = rows["account_id"][::2]
    fewer = {
        name: found.filter(pc.is_in(found["account_id"], value_set=pa.array(kept.to_pylist())))
        if "account_id" in found.column_names and name != "lines"
        else found
        for name, found in tables.items()
    }
    part = store_from_tables(tmp_path / "part", fewer, end_day=END, covers_from=19_700)
    expected = rows.filter(pc.is_in(rows["account_id"], value_set=pa.array(kept.to_pylist())))
    found = feature_rows(part, compiled, as_of, kept.to_pylist())
    looks_around = {"sites.site_id", "lines.number_id"}
    about = [feature.name for feature in compiled.features if looks_around & set(feature.columns)]
    alone = [name for name in found.column_names if name not in about]
    assert found.select(alone).equals(expected.select(alone))
    assert about and not found.select(about).equals(expected.select(about))


@pytest.mark.parametrize("seed", [1, 2])
def test_accounts_at_other_places_change_nothing(
    seed: int, random_tables: Callable[[int], Tables], tmp_path: Path
) -> None:
    """Features of neighbours read the accounts that share a place, and nobody else."""
    place = "building_id"
    declared = calls.count(over=days(60)).neighbours(place)
    around = compile_features([FeatureSet("around", Words("Around", "周边"), [declared])])
    tables = random_tables(seed)
    as_of = AsOf(END - 30)
    whole = store_from_tables(tmp_path / "whole", tables, end_day=END, covers_from=19_700)
    rows = feature_rows(whole, around, as_of).to_pylist()
    sites = [site for site in tables["sites"].to_pylist() if site[place] is not None]
    for row in rows[::5]:
        own = {site[place] for site in sites if site["account_id"] == row["account_id"]}
        near = {site["account_id"] for site in sites if site[place] in own} | {row["account_id"]}
        fewer = tables["calls"].filter(pc.is_in(tables["calls"]["account_id"], value_set=pa.array(near)))
        part = store_from_tables(
            tmp_path / row["account_id"], {**tables, "calls": fewer}, end_day=END, covers_from=19_700
        )
        [found] = [one for one in feature_rows(part, around, as_of).to_pylist() if one == row]
        assert found == row


@pytest.mark.parametrize("seed", [1, 2])
def test_one_account_alone_has_the_features_it_has_in_the_batch(
    seed: int, compiled: CompiledFeatures, random_store: Callable[[int], Store]
) -> None:
    store = random_store(seed)
    as_of = store.latest.back(30)
    batch = feature_rows(store, compiled, as_of)
    for number in range(0, batch.num_rows, 3):
        account = batch["account_id"][number].as_py()
        assert feature_rows(store, compiled, as_of, [account]).equals(batch.slice(number, 1))
    assert feature_rows(store, compiled, as_of, ["nobody"]).num_rows == 0


def test_compiled_features_survive_a_round_trip(compiled: CompiledFeatures) -> None:
    assert CompiledFeatures.from_json(compiled.to_json()) == compiled


calls = table("calls")
ONE = compile_features(
    [
        FeatureSet(
            "one",
            Words("One", "一"),
            [
                calls.count(over=days(7, 30, 90)),
                calls.sum("minutes", over=days(7, 30, 90)),
                calls.distinct("counterparty_id", over=days(7, 30, 90)),
                calls.max("minutes", over=days(30, 90)),
                calls.count(over=days(30)).trend(),
            ],
        )
    ]
)
LINES = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}


def store_of_calls(folder: Path, facts: list[tuple[int, int, int, str]]) -> Store:
    """One account with these calls: event day, days until known, seconds, counterparty."""
    rows = {
        "call_id": [f"c{number}" for number in range(len(facts))],
        "account_id": ["A1"] * len(facts),
        "event_day": pa.array([fact[0] for fact in facts], pa.int32()),
        "known_day": pa.array([fact[0] + fact[1] for fact in facts], pa.int32()),
        "duration_seconds": pa.array([fact[2] for fact in facts], pa.int64()),
        "counterparty_id": pa.array([fact[3] for fact in facts], pa.string()),
    }
    tables = {"calls": pa.table(rows), "lines": pa.table(LINES)}
    return store_from_tables(folder, tables, end_day=300, covers_from=0)


FACTS = st.lists(
    st.tuples(
        st.integers(100, 260),
        st.integers(1, 60),
        st.integers(0, 4_000),
        st.sampled_from(["a", "b", "c", "d"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=FACTS, day=st.integers(190, 300))
def test_windows_hold_exactly_the_visible_facts_of_their_days(
    facts: list[tuple[int, int, int, str]], day: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = store_of_calls(tmp_path_factory.mktemp("calls"), facts)
    row = feature_rows(store, ONE, AsOf(day)).to_pylist()[0]
    seen = [fact for fact in facts if AsOf(day).sees(fact[0], fact[0] + fact[1])]
    for length in (7, 30, 90):
        inside = [fact for fact in seen if fact[0] >= day - length]
        assert row[f"calls_count_{length}d"] == len(inside)
        assert row[f"calls_minutes_sum_{length}d"] == sum(fact[2] for fact in inside) / 60
        assert row[f"calls_counterparty_id_distinct_{length}d"] == len({fact[3] for fact in inside})
        if length > 7:
            longest = max((fact[2] for fact in inside), default=None)
            assert row[f"calls_minutes_max_{length}d"] == (None if longest is None else longest / 60)
    now = sum(fact[0] >= day - 30 for fact in seen)
    before = sum(day - 60 <= fact[0] < day - 30 for fact in seen)
    trend = row["calls_count_30d_trend"]
    assert trend == ((now - before) / (now + before) if now + before else None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=st.integers(100, 200), late=st.integers(1, 40))
def test_a_fact_counts_from_the_day_it_was_known_and_not_before(
    event: int, late: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = store_of_calls(tmp_path_factory.mktemp("calls"), [(event, late, 60, "a")])
    name = "calls_count_90d"
    assert feature_rows(store, ONE, AsOf(event + late - 1)).to_pylist()[0][name] == 0
    assert feature_rows(store, ONE, AsOf(event + late)).to_pylist()[0][name] == 1
