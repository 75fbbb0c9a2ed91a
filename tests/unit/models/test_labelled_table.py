"""A labelled table is read as it is meant, whatever the file, and every slip is told by its place."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from nbo.bundle import MAX_CODES
from nbo.errors import DataError, UsageError
from nbo.models.labelled_table import LabelledTable, read_labelled_table

CSV = """id,age,gone,joined,town,member
a,30,Yes,1/2/2019,北京,true
b,,No,13/2/2019,上海,false
c,41.5,no,,,true
"""


def write(path: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def labels(tmp_path: Path, values: object, positive: str | None = None) -> LabelledTable:
    count = len(values)  # type: ignore[arg-type]
    path = write(tmp_path / "labels.parquet", {"gone": values, "age": list(range(count))})
    return read_labelled_table(path, "gone", positive=positive)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_label_ids_and_attributes_of_a_csv_file(csv_file: Path) -> None:
    table = read_labelled_table(csv_file, "gone", "id")
    assert (table.label.tolist(), table.label.dtype) == ([1, 0, 0], np.int8)
    assert table.ids.tolist() == ["a", "b", "c"]
    assert table.positive == "Yes"
    assert [feature.words.en for feature in table.features] == ["age", "joined", "town", "member"]
    assert table.rows.to_pydict() == {
        "attribute_0": [30.0, None, 41.5],
        "attribute_1": [17928.0, 17940.0, None],
        "attribute_2": ["北京", "上海", None],
        "attribute_3": [1.0, 0.0, 1.0],
    }
    assert table.notes == ()


@pytest.mark.parametrize("kind", ["csv.gz", "parquet"])
def test_other_files_read_alike(csv_file: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"c.{kind}"
    if kind == "csv.gz":
        path.write_bytes(gzip.compress(CSV.encode()))
    else:
        pq.write_table(pcsv.read_csv(csv_file), path)
    expected, found = (read_labelled_table(one, "gone", "id") for one in (csv_file, path))
    assert found.rows.select(range(2)).equals(expected.rows.select(range(2)))
    assert found.label.tolist() == expected.label.tolist()


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    count = 400
    table = pa.table(
        {
            "id": np.arange(count),
            "gone": rng.choice(["Churned", "Stayed"], count),
            "joined": [f"{rng.integers(1, 13)}/{rng.integers(1, 13)}/2019" for _ in range(count)],
            "mixed": ["12" if rng.random() < 0.99 else "a" for _ in range(count)],
            "ratio": np.where(rng.random(count) < 0.1, np.inf, rng.random(count)),
            "name": [f"n{number}" for number in rng.permutation(count)],
            "constant": [1] * count,
        }
    )
    order = rng.permutation(count)
    for ending in ("csv", "parquet"):
        paths = [tmp_path / f"{name}.{ending}" for name in ("straight", "shuffled")]
        for path, rows in zip(paths, (table, table.take(order)), strict=True):
            (pcsv.write_csv if ending == "csv" else pq.write_table)(rows, path)
        straight, shuffled = (read_labelled_table(path, "gone", "id") for path in paths)
        moved = straight.part(order)
        assert shuffled.rows.equals(moved.rows)
        assert shuffled.label.tolist() == moved.label.tolist()
        assert shuffled.ids.tolist() == moved.ids.tolist()
        assert (shuffled.features, shuffled.notes) == (straight.features, straight.notes)
        assert (shuffled.positive, straight.positive) == ("Churned", "Churned")


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ([1, 0], "1"),
        ([1.0, 0.0], "1"),
        ([True, False], "true"),
        (["TRUE", "False"], "TRUE"),
        (["yes", "no"], "yes"),
        (["Y", "N"], "Y"),
        (["Churned", "Active"], "Churned"),
        ([" yes ", "no"], "yes"),
        (pa.array(["Yes", "No"]).dictionary_encode(), "Yes"),
    ],
)
def test_two_values_that_say_which_is_1(tmp_path: Path, values: object, positive: str) -> None:
    table = labels(tmp_path, values)
    assert (table.label.tolist(), table.positive) == ([1, 0], positive)


@pytest.mark.parametrize(
    ("values", "positive", "expected", "told"),
    [
        (["Gone", "Here", "Gone"], "Gone", [1, 0, 1], "Gone"),
        (["Gone", "Here", "Gone"], "here", [0, 1, 0], "Here"),
        ([1, 0, 1], "0", [0, 1, 0], "0"),
        ([1.0, 0.0, 1.0], "1.0", [1, 0, 1], "1"),
        ([True, False, False], "True", [1, 0, 0], "true"),
        (["gold", "silver", "none"], "none", [0, 0, 1], "none"),
        (["a", "A", "b"], "a", [1, 0, 0], "a"),
        (["Yes", "yes", "no"], None, [1, 1, 0], "Yes"),
    ],
)
def test_the_value_asked_for_is_1_and_every_other_is_0(
    tmp_path: Path, values: list[object], positive: str | None, expected: list[int], told: str
) -> None:
    table = labels(tmp_path, values, positive)
    assert (table.label.tolist(), table.positive) == (expected, told)


def test_two_values_that_do_not_say_which_is_1_are_both_told(tmp_path: Path) -> None:
    text = (
        r"--label: expected two values that say which is 1 \(1/0, true/false, yes/no, y/n, churned/other\), "
        r"got 'Gone' and 'Here' in gone\. Name the one that is 1: --positive 'Gone' or --positive 'Here'\."
    )
    with pytest.raises(UsageError, match=text):
        labels(tmp_path, ["Here", "Gone", "Here"])


@pytest.mark.parametrize(
    ("values", "positive", "text"),
    [
        (
            ["c", "a", "b"],
            None,
            r"gone: expected two values, got 3, e\.g\. a, b, c\. Name the one that is 1: --positive VALUE\.",
        ),
        (list(range(10, 20)), None, r"gone: expected two values, got 10, e\.g\. 10, 11, 12, 13, 14\. Name"),
        ([0, 0, 0], None, r"gone: expected rows of both classes, got only '0' in 3 rows\. Bring rows of the"),
        (["a", "a"], "a", r"gone: expected rows of both classes, got only 'a' in 2 rows\."),
        (["Yes", "yes"], None, r"gone: expected rows of both classes, got only 'Yes' in 2 rows\."),
        (
            [1, None, 0],
            None,
            r"gone: expected a label in every row, got an empty value; 1 of 3 rows, e\.g\. row 2\. Fill them",
        ),
        ([1.0, float("nan"), 0.0], None, r"gone: expected a label in every row, got an empty value; 1 of 3"),
        (["yes", " ", "no"], None, r"gone: expected a label in every row, got an empty value; 1 of 3 rows"),
    ],
)
def test_labels_that_cannot_be_learnt_from_are_told(
    tmp_path: Path, values: list[object], positive: str | None, text: str
) -> None:
    with pytest.raises(DataError, match=text):
        labels(tmp_path, values, positive)


def test_a_value_that_is_not_there_is_told_with_close_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--positive: no value 'Churn' in gone; did you mean Churned\?"):
        labels(tmp_path, ["Churned", "Stayed"], "Churn")


def test_a_label_that_is_missing_is_told_by_its_customer(csv_file: Path) -> None:
    csv_file.write_text(CSV.replace("41.5,no", "41.5,"), encoding="utf-8")
    text = r"gone: expected a label in every row, got an empty value; 1 of 3 rows, e\.g\. c\. Fill them in"
    with pytest.raises(DataError, match=text):
        read_labelled_table(csv_file, "gone", "id")


@pytest.mark.parametrize(
    ("label", "customer", "drop", "text"),
    [
        ("gon", "id", [], r"--label: no column 'gon' in customers\.csv; did you mean gone\?"),
        ("gone", "idd", [], r"--id: no column 'idd' in customers\.csv; did you mean id\?"),
        ("gone", "id", ["ages"], r"--drop: no column 'ages' in customers\.csv; did you mean age\?"),
        ("gone", "gone", [], r"--id: expected a column beside the label, got 'gone', which is the label\."),
        (
            "gone",
            "id",
            ["gone"],
            r"--drop: expected columns beside --label and --id, got 'gone' of --label",
        ),
        ("gone", "id", ["id"], r"--drop: expected columns beside --label and --id, got 'id' of --id\."),
    ],
)
def test_a_wrong_name_is_told(csv_file: Path, label: str, customer: str, drop: list[str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read_labelled_table(csv_file, label, customer, drop=drop)


def test_a_dropped_column_is_not_learnt_from(csv_file: Path) -> None:
    table = read_labelled_table(csv_file, "gone", "id", drop=["age", " town", ""])
    assert [feature.words.en for feature in table.features] == ["joined", "member"]


def test_columns_that_cannot_tell_rows_apart_are_left_out_with_a_note(tmp_path: Path) -> None:
    count = MAX_CODES + 50
    path = write(
        tmp_path / "c.parquet",
        {
            "gone": np.arange(count) % 2,
            "note": [f"text {number}" for number in range(count)],
            "same": ["x"] * count,
            "one": [1.5] * count,
            "empty": pa.nulls(count, pa.string()),
            "nan": [float("nan")] * count,
            "sometimes": [7.0] + [None] * (count - 1),
            "ratio": [float("inf")] + [1.0] * (count - 1),
        },
    )
    table = read_labelled_table(path, "gone")
    assert [feature.words.en for feature in table.features] == ["sometimes", "ratio"]
    assert table.rows.column_names == [feature.name for feature in table.features]
    assert table.notes == (
        "note was left out: its text differs in every row",
        f"ratio: infinite values are taken as missing; 1 of {count} rows",
        "same was left out: it is the same in every row",
        "one was left out: it is the same in every row",
        "empty was left out: it is empty in every row",
        "nan was left out: it is empty in every row",
    )


def test_a_table_without_anything_to_learn_from_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", {"gone": [0, 1], "same": [1, 1]})
    text = (
        r"c\.parquet: expected a column to learn from, got none beside the label; same was left out: it is "
        r"the same in every row\. Bring attributes of the customers\."
    )
    with pytest.raises(DataError, match=text):
        read_labelled_table(path, "gone")
    with pytest.raises(DataError, match=r"got none beside the label\. Bring attributes"):
        read_labelled_table(path, "gone", drop=["same"])


def test_a_table_without_rows_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("gone,age\n")
    text = r"c\.csv: expected rows below the names of the columns, got none\. Bring rows\."
    with pytest.raises(DataError, match=text):
        read_labelled_table(path, "gone", positive="1")


def test_a_part_keeps_what_belongs_to_its_rows(csv_file: Path) -> None:
    part = read_labelled_table(csv_file, "gone", "id").part(np.array([2, 0]))
    assert (part.label.tolist(), part.ids.tolist()) == ([0, 1], ["c", "a"])
    assert part.rows["attribute_0"].to_pylist() == [41.5, 30.0]
