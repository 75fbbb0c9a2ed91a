"""Decision dates, windows, and the one rule of visibility."""

from datetime import date

import pytest

from nbo.asof import (
    AsOf,
    LabelWindow,
    Window,
    bucket_edges,
    bucket_sql,
    date_of,
    day_of,
    days,
    month_starts,
    visible_from,
    visible_sql,
)
from nbo.engine import Embedded
from nbo.errors import UsageError


def test_days_count_from_the_epoch_both_ways() -> None:
    assert day_of(date(1970, 1, 1)) == 0
    assert day_of(date(2024, 2, 29)) == 19782
    assert date_of(19782) == date(2024, 2, 29)
    assert AsOf.of(date(2024, 2, 29)) == AsOf(19782)


@pytest.mark.parametrize("text", ["2025-13-01", "2025-02-30", "20250301", "today", "", "2025-03-01T00:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"as_of: expected a date like 2025-03-31, got "):
        AsOf.parse(text)


@pytest.mark.parametrize(
    ("event_day", "known_day", "seen"),
    [
        (9, 10, True),
        (9, 11, False),
        (10, 10, False),
        (10, 9, False),
        (8, 9, True),
        (9, 9, True),
        (11, 12, False),
    ],
)
def test_a_fact_is_seen_iff_it_happened_before_and_was_known_by_then(
    event_day: int, known_day: int, seen: bool
) -> None:
    assert AsOf(10).sees(event_day, known_day) is seen
    assert (visible_from(event_day, known_day) <= 10) is seen
    sql = f"SELECT {visible_sql()} FROM (SELECT {event_day} AS event_day, {known_day} AS known_day)"
    with Embedded() as engine:
        assert engine.value(sql.replace("$as_of", "10")) is seen


def test_the_rule_as_sql_speaks_of_the_given_columns() -> None:
    assert visible_sql() == "event_day < $as_of AND known_day <= $as_of"
    assert visible_sql("valid_day", "told") == "valid_day < $as_of AND told <= $as_of"


def test_visible_from_is_the_first_date_that_sees_the_fact() -> None:
    for event_day in range(4):
        for known_day in range(event_day, 6):
            first = visible_from(event_day, known_day)
            assert AsOf(first).sees(event_day, known_day)
            assert not AsOf(first - 1).sees(event_day, known_day)


def test_windows_are_half_open() -> None:
    assert Window(30).bounds(AsOf(100)) == (70, 100)
    assert LabelWindow(7, 60).bounds(AsOf(100)) == (107, 167)
    assert LabelWindow(0, 1).bounds(AsOf(100)) == (100, 101)


@pytest.mark.parametrize("length", [0, -1, 1.5, True, "30"])
def test_a_window_is_a_whole_number_of_days(length: object) -> None:
    with pytest.raises(UsageError, match="window: expected a whole number of days >= 1"):
        Window(length)  # type: ignore[arg-type]


def test_days_makes_windows() -> None:
    assert days(7, 30) == (Window(7), Window(30))
    assert days(1) == (Window(1),)
    with pytest.raises(UsageError, match=r"^days\(\): expected at least one length, got none\.$"):
        days()


@pytest.mark.parametrize(("gap", "horizon", "name"), [(-1, 30, "gap_days"), (0, 0, "horizon_days")])
def test_label_windows_must_lie_ahead(gap: int, horizon: int, name: str) -> None:
    with pytest.raises(UsageError, match=rf"label\.{name}: expected >="):
        LabelWindow(gap, horizon)


def test_a_training_slice_is_purged_until_its_labels_have_closed() -> None:
    window = LabelWindow(gap_days=5, horizon_days=10)
    assert window.closed_by(AsOf(85), AsOf(100))
    assert not window.closed_by(AsOf(86), AsOf(100))


def test_buckets_are_disjoint_and_roll_up_to_the_windows() -> None:
    edges = bucket_edges([Window(30), Window(7), Window(90), Window(7)])
    assert edges == (7, 30, 90)
    sql = bucket_sql(edges).replace("$as_of", "100")
    ages = {1: 0, 7: 0, 8: 1, 30: 1, 31: 2, 90: 2}
    with Embedded() as engine:
        for age, bucket in ages.items():
            assert engine.value(f"SELECT {sql} FROM (SELECT {100 - age} AS event_day)") == bucket
    assert bucket_sql((30,)) == "0"
    assert bucket_sql((7, 30)) == "CASE WHEN event_day >= $as_of - 7 THEN 0 ELSE 1 END"


def test_month_starts_within_bounds() -> None:
    found = list(month_starts(AsOf.parse("2024-01-02"), AsOf.parse("2024-04-01")))
    assert [str(item) for item in found] == ["2024-02-01", "2024-03-01", "2024-04-01"]
    assert list(month_starts(AsOf.parse("2024-01-01"), AsOf.parse("2024-01-01"))) == [
        AsOf.parse("2024-01-01")
    ]
    short = list(month_starts(AsOf.parse("2023-02-01"), AsOf.parse("2023-03-02")))
    assert [str(item) for item in short] == ["2023-02-01", "2023-03-01"]
    crossing = list(month_starts(AsOf.parse("2023-12-01"), AsOf.parse("2024-01-31")))
    assert [str(item) for item in crossing] == ["2023-12-01", "2024-01-01"]


def test_going_back() -> None:
    assert AsOf(100).back(30) == AsOf(70)
    assert str(AsOf(0)) == "1970-01-01"
