"""Peaks of calls at once, against counting by hand at every instant."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbo.asof import AsOf, days
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import feature_rows
from nbo.tables.direct import store_from_tables

NOW = 700
LINES = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}
calls = table("calls")
out = calls.where(direction="out")
PEAKS = compile_features(
    [
        FeatureSet(
            "peaks",
            Words("Peaks", "峰值"),
            [calls.peak(over=days(7, 30)), out.peak(over=days(7)), out.peak(over=days(7)).per("line_id")],
        )
    ]
)
Call = tuple[int, int, int, str, str, int]
"""Days ago, second, duration, direction, line, days until known."""


def peaks(folder: Path, facts: list[Call]) -> dict[str, object]:
    ago, second, duration, direction, line, late = (list(column) for column in zip(*facts, strict=True))
    rows = {
        "call_id": [f"c{number}" for number in range(len(facts))],
        "account_id": ["A1"] * len(facts),
        "line_id": line,
        "event_day": pa.array([NOW - days_ago for days_ago in ago], pa.int32()),
        "known_day": pa.array([NOW - one + late[n] for n, one in enumerate(ago)], pa.int32()),
        "event_second": pa.array(second, pa.int32()),
        "duration_seconds": pa.array(duration, pa.int64()),
        "direction": direction,
    }
    tables = {"calls": pa.table(rows), "lines": pa.table(LINES)}
    store = store_from_tables(folder, tables, end_day=NOW, covers_from=0)
    [row] = feature_rows(store, PEAKS, AsOf(NOW)).to_pylist()
    return row


def test_calls_overlap_until_the_second_in_which_they_end(tmp_path: Path) -> None:
    meeting = [(1, 0, 10, "out", "x", 1), (1, 10, 10, "out", "x", 1)]
    assert peaks(tmp_path / "one", meeting)["calls_peak_7d"] == 1
    assert peaks(tmp_path / "two", [*meeting, (1, 9, 2, "in", "y", 1)])["calls_peak_7d"] == 2
    midnight = [(2, 86_390, 60, "out", "x", 1), (1, 5, 60, "out", "y", 1)]
    found = peaks(tmp_path / "three", midnight)
    assert found["calls_peak_7d"] == 2 and found["calls_out_peak_7d_per_line_id"] == 1.0


def test_what_began_before_the_window_does_not_count_in_it(tmp_path: Path) -> None:
    found = peaks(tmp_path, [(8, 86_390, 60, "out", "x", 1), (7, 5, 60, "out", "x", 1)])
    assert (found["calls_peak_7d"], found["calls_peak_30d"]) == (1, 2)


def test_unanswered_calls_take_no_line(tmp_path: Path) -> None:
    found = peaks(tmp_path, [(1, 5, 0, "in", "x", 1), (1, 5, 0, "in", "x", 1)])
    assert found["calls_peak_7d"] == 0 and found["calls_out_peak_7d_per_line_id"] is None


FACT = st.tuples(
    st.sampled_from([1, 7, 8]),
    st.integers(0, 40),
    st.integers(0, 20),
    st.sampled_from(["out", "in"]),
    st.sampled_from(["x", "y"]),
    st.sampled_from([1, 1, 1, 9]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(FACT, min_size=1, max_size=25))
def test_a_peak_is_the_most_at_any_instant(
    facts: list[Call], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = peaks(tmp_path_factory.mktemp("peaks"), facts)
    for window, direction, name in ((7, "", "calls_peak_7d"), (30, "", "calls_peak_30d"), (7, "out", "")):
        seen = [
            (NOW - ago, second, second + duration, line)
            for ago, second, duration, way, line, late in facts
            if ago <= window and late - ago <= 0 and direction in ("", way)
        ]
        most = max(
            (
                sum(day == when and begins <= second < ends for when, begins, ends, _ in seen)
                for day in {day for day, *_ in seen}
                for second in range(61)
            ),
            default=0,
        )
        assert found[name or "calls_out_peak_7d"] == most
        used = len({line for *_, line in seen})
        if direction and most:
            assert found["calls_out_peak_7d_per_line_id"] == most / used
