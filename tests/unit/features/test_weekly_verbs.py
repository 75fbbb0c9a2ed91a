"""The verbs that look at the course of weeks, on the weeks that the documentation tells of."""

from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import feature_rows
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

NOW = 700
LINES = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}


def store_of_weeks(folder: Path, minutes: list[int]) -> Store:
    """One account that called so many minutes in each of the last weeks, the last week last."""
    weeks = [(NOW - 7 * (len(minutes) - n) + 3, many) for n, many in enumerate(minutes) if many]
    calls = {
        "call_id": [f"c{day}" for day, _ in weeks],
        "account_id": ["A1"] * len(weeks),
        "event_day": pa.array([day for day, _ in weeks], pa.int32()),
        "known_day": pa.array([day + 1 for day, _ in weeks], pa.int32()),
        "duration_seconds": pa.array([60 * many for _, many in weeks], pa.int64()),
    }
    tables = {"calls": pa.table(calls), "lines": pa.table(LINES)}
    return store_from_tables(folder, tables, end_day=NOW, covers_from=0)


def told(store: Store, window: int = 28) -> dict[str, object]:
    """Each verb's value by its name."""
    minutes = table("calls").sum("minutes", over=days(window))
    verbs = ("slope", "cusum", "cusum_days", "ewma_gap", "zero_streak", "burstiness")
    lines = [getattr(minutes, verb)() for verb in verbs]
    compiled = compile_features([FeatureSet("weeks", Words("Weeks", "周"), lines)])
    [row] = feature_rows(store, compiled, AsOf(NOW)).to_pylist()
    return dict(zip(verbs, list(row.values())[1:], strict=True))


def test_a_use_that_breaks_off(tmp_path: Path) -> None:
    found = told(store_of_weeks(tmp_path, [40, 40, 10, 10]))
    assert found["slope"] == pytest.approx(-0.48)
    assert found["cusum"] == pytest.approx(-0.3)
    assert (found["cusum_days"], found["zero_streak"]) == (14, 0)
    assert found["ewma_gap"] == pytest.approx(-0.449, abs=5e-4)
    assert found["burstiness"] == pytest.approx(-0.25)


def test_a_use_that_sets_in(tmp_path: Path) -> None:
    found = told(store_of_weeks(tmp_path, [0, 0, 0, 30]))
    assert found["cusum"] == pytest.approx(1 - 1 / 4)
    assert (found["cusum_days"], found["zero_streak"], found["ewma_gap"]) == (7, 0, 1.0)


def test_an_even_use_has_no_break(tmp_path: Path) -> None:
    found = told(store_of_weeks(tmp_path, [20, 20, 20, 20]))
    expected = {"slope": 0.0, "cusum": 0.0, "cusum_days": None, "zero_streak": 0, "burstiness": -1.0}
    assert {name: found[name] for name in expected} == expected
    assert found["ewma_gap"] == pytest.approx(0, abs=1e-12)


def test_nothing_at_all_is_a_streak_and_else_null(tmp_path: Path) -> None:
    store = store_of_weeks(tmp_path, [5, 0, 0, 0, 0])
    assert told(store) == dict.fromkeys(told(store), None) | {"zero_streak": 4}


def test_a_fall_that_comes_back_every_year_is_no_change_on_the_year(tmp_path: Path) -> None:
    weeks = [10] * 100
    for ago in (1, 2, 53, 54):
        weeks[-ago] = 4
    store = store_of_weeks(tmp_path, weeks)
    minutes = table("calls").sum("minutes", over=days(14))
    compiled = compile_features(
        [FeatureSet("x", Words("X", "某"), [minutes.trend(), minutes.year_on_year()])]
    )
    [row] = feature_rows(store, compiled, AsOf(NOW)).to_pylist()
    assert row["calls_minutes_sum_14d_trend"] == pytest.approx((8 - 20) / 28)
    assert row["calls_minutes_sum_14d_year_on_year"] == 0.0


def test_a_year_on_year_needs_more_than_a_year(tmp_path: Path) -> None:
    store = store_of_weeks(tmp_path, [10] * 54)
    minutes = table("calls").sum("minutes", over=days(14))
    compiled = compile_features([FeatureSet("x", Words("X", "某"), [minutes.year_on_year()])])
    assert feature_rows(store, compiled, AsOf(376))["calls_minutes_sum_14d_year_on_year"].to_pylist() == [
        None
    ]
