"""Stages of life on the course of three windows, each with its meaning."""

from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import feature_rows
from nbo.tables.direct import store_from_tables

NOW = 700
LINES = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}


@pytest.mark.parametrize(
    ("minutes", "stage"),
    [
        ((0, 0, 0), "prospect"),
        ((0, 0, 5), "acquisition"),
        ((0, 10, 13), "growth"),
        ((0, 90, 110), "maturity"),
        ((9, 10, 10), "maturity"),
        ((9, 110, 90), "maturity"),
        ((9, 13, 10), "decline"),
        ((0, 9, 0), "ended"),
        ((9, 0, 0), "ended"),
        ((9, 0, 1), "won back"),
    ],
)
def test_a_stage_follows_from_three_windows(
    minutes: tuple[int, int, int], stage: str, tmp_path: Path
) -> None:
    when = [(NOW - 30 * (3 - n) + 10, many) for n, many in enumerate(minutes) if many]
    calls = {
        "call_id": [f"c{day}" for day, _ in when],
        "account_id": ["A1"] * len(when),
        "event_day": pa.array([day for day, _ in when], pa.int32()),
        "known_day": pa.array([day + 1 for day, _ in when], pa.int32()),
        "duration_seconds": pa.array([60 * many for _, many in when], pa.int64()),
    }
    tables = {"calls": pa.table(calls), "lines": pa.table(LINES)}
    store = store_from_tables(tmp_path, tables, end_day=NOW, covers_from=0)
    line = table("calls").sum("minutes", over=days(30)).stage()
    compiled = compile_features([FeatureSet("life", Words("Life", "生命"), [line])])
    [row] = feature_rows(store, compiled, AsOf(NOW)).to_pylist()
    assert dict(compiled.features[0].codes)[row[compiled.names[0]]].en == stage
