"""Instants to days: rounding up, offsets, and days of 23 and 25 hours."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbo.asof import AsOf

BERLIN = "Europe/Berlin"


def day(text: str) -> int:
    return AsOf.parse(text).day


def call(event: str, known: str, number: int = 1) -> str:
    return f"T{number},A1,L1,{event},{known},out,13800000001,N1,60,0.30"


def put_calls(operator, *rows: str) -> None:
    header = (operator.data / "calls.csv").read_text().splitlines()[0]
    operator.put("calls", "\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024-03-05 00:00:00", "2024-03-05"),
        ("2024-03-05T00:00:00.000001", "2024-03-06"),
        ("2024-03-05 23:59:59", "2024-03-06"),
        ("2024-03-04T16:00:00Z", "2024-03-05"),
        ("2024-03-04T16:00:01Z", "2024-03-06"),
        ("2024-03-05T00:00:00+08:00", "2024-03-05"),
        ("2024-03-04T11:00:00-05:00", "2024-03-05"),
        ("2024-03-04 11:00:01-05", "2024-03-06"),
    ],
)
def test_known_instants_are_rounded_up_to_a_midnight_of_the_zone(operator, known, expected):
    put_calls(operator, call("2024-03-01 10:00:00", known))
    operator.store()
    assert operator.rows("calls", "known_day") == [(day(expected),)]


@pytest.mark.parametrize(
    ("event", "expected_day", "expected_second"),
    [
        ("2024-03-31 00:00:00", "2024-03-31", 0),
        ("2024-03-31 01:59:59", "2024-03-31", 7_199),
        ("2024-03-31 03:00:00", "2024-03-31", 7_200),
        ("2024-03-31 23:59:59", "2024-03-31", 23 * 3600 - 1),
        ("2024-10-27 01:00:00", "2024-10-27", 3_600),
        ("2024-10-27T00:30:00Z", "2024-10-27", 9_000),
        ("2024-10-27T01:30:00Z", "2024-10-27", 12_600),
        ("2024-10-27 23:59:59", "2024-10-27", 25 * 3600 - 1),
        ("2024-10-26T22:00:00Z", "2024-10-27", 0),
        ("2024-07-01 12:00:00", "2024-07-01", 43_200),
    ],
)
def test_seconds_are_those_elapsed_since_the_days_midnight(operator, event, expected_day, expected_second):
    put_calls(operator, call(event, "2024-12-01"))
    operator.store(zone=BERLIN)
    assert operator.rows("calls", "event_day", "event_second") == [(day(expected_day), expected_second)]


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe"]
)
def test_every_hour_of_a_year_agrees_with_the_standard_library(operator, zone):
    place = ZoneInfo(zone)
    hours = [datetime(2024, 1, 2, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(2 * 24 * 365)]
    rows = {
        "call_id": [f"H{n:05d}" for n in range(len(hours))],
        "account_id": ["A1"] * len(hours),
        "event_time": pa.array(hours, pa.timestamp("us", tz="UTC")),
        "known_time": pa.array(hours, pa.timestamp("us", tz="UTC")),
        "duration_seconds": [1] * len(hours),
    }
    (operator.data / "calls.csv").unlink()
    (operator.data / "calls").mkdir()
    pq.write_table(pa.table(rows), operator.data / "calls" / "a.parquet")
    operator.store(zone=zone)
    found = sorted(operator.rows("calls", "call_id", "event_day", "event_second", "known_day"))
    for n, (_, event_day, second, known_day) in enumerate(found):
        local = hours[n].astimezone(place)
        midnight = datetime(local.year, local.month, local.day, tzinfo=place).astimezone(UTC)
        elapsed = int((hours[n] - midnight).total_seconds())
        assert (event_day, second) == (day(local.date().isoformat()), elapsed), local
        assert known_day == event_day + (1 if elapsed else 0), local


@pytest.mark.parametrize(
    ("latency", "event", "expected"),
    [
        (0, "2024-03-01", "2024-03-02"),
        (2, "2024-03-01", "2024-03-04"),
        (0, "2024-03-01 00:00:00", "2024-03-01"),
        (0, "2024-03-01 10:00:00", "2024-03-02"),
        (30, "2024-03-01 10:00:00", "2024-04-01"),
    ],
)
def test_a_latency_counts_from_the_event_and_a_mere_date_ends_with_its_day(
    operator, latency, event, expected
):
    operator.map(
        f"""extends = "canonical"
[[tables.calls.sources]]
files = "calls.csv"
latency_days = {latency}
[tables.calls.sources.columns]
call_id = "call_id"
account_id = "account_id"
event_day = "event_time"
event_second = "event_time"
duration_seconds = "duration_seconds"
"""
    )
    put_calls(operator, call(event, ""))
    operator.store()
    [(known, second)] = operator.rows("calls", "known_day", "event_second")
    assert known == day(expected)
    assert (second is None) == (len(event) == 10)


def test_the_staircase_uses_only_rows_visible_at_each_date(operator):
    put_calls(
        operator,
        call("2024-03-10 10:00:00", "2024-03-11", 1),
        call("2024-03-12 10:00:00", "2024-03-13", 2),
        call("2024-02-01 10:00:00", "2024-03-20", 3),
        call("2024-02-15 10:00:00", "2024-03-20", 4),
    )
    store = operator.store()
    seen = {
        text: store.first_day("calls", AsOf.parse(text))
        for text in ("2024-03-10", "2024-03-11", "2024-03-19")
    }
    assert seen == {"2024-03-10": None, "2024-03-11": day("2024-03-10"), "2024-03-19": day("2024-03-10")}
    assert store.first_day("calls", AsOf.parse("2024-03-20")) == day("2024-02-01")
    assert store.manifest["tables"]["calls"]["first_visible"] == [
        [day("2024-03-11"), day("2024-03-10")],
        [day("2024-03-20"), day("2024-02-01")],
    ]
    assert store.manifest["tables"]["networks"]["first_visible"] == []


def test_what_the_mapping_declares_covered_is_covered_from_then_on(operator):
    operator.map(
        'extends = "canonical"\ncovers_from = 2024-02-01\n[tables.calls]\ncovers_from = 2024-02-10\n'
    )
    store = operator.store()
    assert store.first_day("calls", AsOf.parse("2024-02-11")) == day("2024-02-10")
    assert store.first_day("calls", AsOf.parse("2024-02-10")) is None
    assert store.first_day("lines", AsOf.parse("2024-02-11")) == day("2024-02-01")
    assert store.first_day("bills", AsOf.parse("2024-02-11")) is None
