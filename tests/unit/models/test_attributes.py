"""Every type of column becomes numbers, days or categories, and dates are read as they were meant."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest

from nbo.bundle import Vocabulary
from nbo.features.compiled import CompiledFeatures
from nbo.models.attributes import attribute_column, date_format, days

DAY = date(2019, 2, 1)
DAYS = float((DAY - date(1970, 1, 1)).days)


def parsed_days(texts: pa.Array) -> pa.Array | None:
    format_ = date_format(texts.drop_null())
    return None if format_ is None else days(texts, format_)


def column(values: list[object] | pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([values if isinstance(values, pa.Array) else pa.array(values)])


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ([1, None, 3], "number", [1.0, None, 3.0]),
        ([1.5, None], "number", [1.5, None]),
        ([Decimal("1.25"), None], "number", [1.25, None]),
        ([True, False, None], "number", [1.0, 0.0, None]),
        ([None, None], "number", [None, None]),
        ([DAY, None], "days", [DAYS, None]),
        ([datetime(2019, 2, 1, 12), None], "days", [DAYS + 0.5, None]),  # noqa: DTZ001 - a time without zone
        ([datetime(2019, 2, 1, 6, tzinfo=UTC)], "days", [DAYS + 0.25]),
        ([time(1, 0), None], "number", [3600.0, None]),
        (["1/2/2019", "13/2/2019", None], "days", [DAYS, DAYS + 12, None]),
    ],
    ids=["int", "float", "decimal", "bool", "null", "date", "timestamp", "instant", "time", "text date"],
)
def test_numbers_and_dates_become_numbers(
    values: list[object], unit: str, expected: list[float | None]
) -> None:
    found = attribute_column(column(values), "a: name, with [signs]", 4)
    assert not isinstance(found, str)
    feature, numbers, _ = found
    assert (feature.name, feature.kind, feature.unit) == ("attribute_4", "number", unit)
    assert feature.words.en == "a: name, with [signs]"
    assert numbers.to_pylist() == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "b", None]),
        pa.array(["a", "b", None], pa.large_string()),
        pa.array(["a", "b", None]).dictionary_encode(),
    ],
    ids=["string", "large string", "dictionary"],
)
def test_text_becomes_a_category(values: pa.Array) -> None:
    found = attribute_column(column(values), "town", 0)
    assert not isinstance(found, str)
    feature, texts, _ = found
    assert (feature.kind, feature.sql_type) == ("category", "VARCHAR")
    compiled = CompiledFeatures.of((feature,), "", "marketing")
    rows = pa.table({feature.name: texts})
    encoded = Vocabulary.learn(rows, compiled).encode(rows, compiled)[:, 0]
    assert encoded[:2].tolist() == [0, 1]
    assert encoded[2] != encoded[2]


def test_hundreds_of_categories_are_kept_and_a_name_in_every_row_is_not() -> None:
    many = [f"code {n % 300}" for n in range(900)]
    assert not isinstance(attribute_column(column(many), "code", 0), str)
    unique = [f"name {n}" for n in range(900)]
    assert attribute_column(column(unique), "name", 0) == "its text differs in every row"
    assert not isinstance(attribute_column(column(unique[:150]), "name", 0), str)


def test_what_is_neither_number_nor_text_is_told() -> None:
    told = attribute_column(column([[1, 2], None]), "list", 0)
    assert told == "expected numbers, dates or text, got list<item: int64>"


@pytest.mark.parametrize(
    "texts",
    [
        ["1/2/2019", "13/2/2019"],
        ["2/1/2019", "2/13/2019"],
        ["1.2.2019", "13.2.2019"],
        ["2019/2/1", "2019/2/13"],
        ["2019年2月1日", "2019年2月13日"],
        ["01-Feb-2019", "13-Feb-2019"],
        ["1 Feb 2019", "13 Feb 2019"],
        ["Feb 1, 2019", "Feb 13, 2019"],
        ["01/02/2019 00:00", "13/02/2019 00:00"],
        ["2019-02-01 00:00:00", "2019-02-13 00:00:00"],
    ],
)
def test_common_formats_of_dates_are_read(texts: list[str]) -> None:
    told = parsed_days(pa.array(texts))
    assert told is not None
    assert told.to_pylist() == [DAYS, DAYS + 12]


def test_the_part_that_varies_less_is_the_day_where_both_could_be() -> None:
    first_of_month = parsed_days(pa.array([f"1/{month}/2019" for month in range(1, 13)]))
    assert first_of_month is not None
    assert first_of_month.to_pylist()[1] == DAYS
    american = parsed_days(pa.array([f"{month}/1/2019" for month in range(1, 13)]))
    assert american is not None
    assert american.to_pylist() == first_of_month.to_pylist()
    either = parsed_days(pa.array(["1/2/2019"]))
    assert either is not None
    assert either.to_pylist() == [DAYS]


@pytest.mark.parametrize(
    "texts",
    [["1/2/2019", "soon"], ["31/31/2019"], ["1/2/19"], ["x1/2/2019"], ["1/2/2019x"], ["12"], [None], []],
    ids=["a word", "no month 31", "two digits", "before", "after", "a number", "null", "empty"],
)
def test_what_is_not_always_a_date_stays_text(texts: list[str | None]) -> None:
    assert parsed_days(pa.array(texts, pa.string())) is None
