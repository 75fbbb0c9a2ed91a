import numpy as np
import pyarrow as pa
import pytest

from nbo.bundle import MAX_CODES, Vocabulary
from nbo.errors import BundleError
from nbo.features.compiled import CompiledFeatures


def test_codes_are_ordered_by_frequency_then_name(compiled: CompiledFeatures, rows: pa.Table) -> None:
    grades = pa.array(["b", "a", "c", "c", None])
    learned = Vocabulary.learn(rows.slice(0, 5).set_column(4, "grade", grades), compiled)
    assert learned.codes == {"grade": ("c", "a", "b")}


def test_only_the_most_frequent_codes_are_kept(compiled: CompiledFeatures, rows: pa.Table) -> None:
    grades = pa.array([f"g{k:03}" for k in range(250)] + ["g240"])
    learned = Vocabulary.learn(rows.slice(0, 251).set_column(4, "grade", grades), compiled)
    assert len(learned.codes["grade"]) == MAX_CODES
    assert learned.codes["grade"][:2] == ("g240", "g000")


def test_null_is_nan_and_an_unseen_code_is_other(compiled: CompiledFeatures, rows: pa.Table) -> None:
    vocabulary = Vocabulary({"grade": ("gold", "iron")})
    few = rows.slice(0, 4).set_column(4, "grade", pa.array(["iron", None, "platinum", "gold"]))
    np.testing.assert_array_equal(vocabulary.encode(few, compiled)[:, 4], [1.0, np.nan, 2.0, 0.0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None, 2**60 + 1]), [1.0, np.nan, float(2**60)]),
        (pa.array([True, False, None]), [1.0, 0.0, np.nan]),
        (pa.array([0.5, -0.0, None], pa.float32()), [0.5, -0.0, np.nan]),
        (pa.nulls(3), [np.nan] * 3),
    ],
)
def test_numbers_of_any_width_become_doubles(
    compiled: CompiledFeatures, rows: pa.Table, values: pa.Array, expected: list[float]
) -> None:
    few = rows.slice(0, 3).set_column(0, "calls", values)
    matrix = Vocabulary({"grade": ()}).encode(few, compiled)
    np.testing.assert_array_equal(matrix[:, 0], expected)


def test_columns_are_found_by_name_whatever_their_order(compiled: CompiledFeatures, rows: pa.Table) -> None:
    vocabulary = Vocabulary.learn(rows, compiled)
    swapped = rows.select(list(reversed(rows.column_names))).append_column("extra", pa.nulls(len(rows)))
    np.testing.assert_array_equal(vocabulary.encode(swapped, compiled), vocabulary.encode(rows, compiled))


def test_chunks_and_dictionaries_change_nothing(compiled: CompiledFeatures, rows: pa.Table) -> None:
    vocabulary = Vocabulary.learn(rows, compiled)
    chunked = pa.concat_tables([rows.slice(0, 700), rows.slice(700)])
    packed = chunked.set_column(4, "grade", chunked.column("grade").dictionary_encode())
    np.testing.assert_array_equal(vocabulary.encode(packed, compiled), vocabulary.encode(rows, compiled))


def test_no_rows_give_an_empty_matrix(compiled: CompiledFeatures, rows: pa.Table) -> None:
    assert Vocabulary.learn(rows, compiled).encode(rows.slice(0, 0), compiled).shape == (0, 5)


def test_a_missing_column_is_named_with_close_matches(compiled: CompiledFeatures, rows: pa.Table) -> None:
    renamed = rows.rename_columns(["calls", "minute", "spend", "days", "grade"])
    with pytest.raises(BundleError, match=r"minutes: expected one column .* got none; did you mean minute\?"):
        Vocabulary({"grade": ()}).encode(renamed, compiled)


def test_two_columns_of_one_name_are_refused(compiled: CompiledFeatures, rows: pa.Table) -> None:
    doubled = rows.append_column("calls", rows.column("days"))
    with pytest.raises(BundleError, match="calls: expected one column with this feature, got 2"):
        Vocabulary({"grade": ()}).encode(doubled, compiled)


@pytest.mark.parametrize(
    ("position", "name", "match"),
    [(0, "calls", "calls: expected numbers, got string"), (4, "grade", "grade: expected text .* got double")],
)
def test_values_of_the_wrong_type_are_refused(
    compiled: CompiledFeatures, rows: pa.Table, position: int, name: str, match: str
) -> None:
    other = rows.column(4 - position).slice(0, 3)
    few = rows.slice(0, 3).set_column(position, name, other)
    with pytest.raises(BundleError, match=match):
        Vocabulary({"grade": ()}).encode(few, compiled)


def test_a_vocabulary_survives_json() -> None:
    vocabulary = Vocabulary({"grade": ("金", "iron")})
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"grade": "gold"}, "expected a list of codes for grade"),
        ({"grade": [1]}, "expected a list of codes for grade"),
        ({"grade": ["a", "a"]}, "expected unlike codes for grade"),
    ],
)
def test_other_json_is_refused(value: dict[str, object], match: str) -> None:
    with pytest.raises(BundleError, match=match):
        Vocabulary.from_json(value)
