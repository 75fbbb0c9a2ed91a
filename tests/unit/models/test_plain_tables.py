"""Files of ready columns are read to their end, in the types of all their rows, or told why not."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from nbo.errors import DataError, UsageError
from nbo.models.plain_tables import check_columns, customer_keys, read_attributes, read_table

CSV = "id,calls,town\na,1,北京\nb,,上海\nc,2.5,\n"
ROWS = {"id": ["a", "b", "c"], "calls": [1.0, None, 2.5], "town": ["北京", "上海", None]}


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_files_of_every_kind_read_alike(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"customers.{kind}"
    if kind == "csv":
        path.write_text(CSV, encoding="utf-8")
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(CSV.encode()))
    else:
        pq.write_table(pcsv.read_csv(pa.BufferReader(CSV.encode())), path)
    table = read_table(path)
    assert table.column_names == list(ROWS)
    assert table["calls"].to_pylist() == ROWS["calls"]


@pytest.mark.parametrize("late", ["none yet", "2.5", "2019-02-01"])
def test_a_type_follows_from_all_rows_wherever_they_stand(tmp_path: Path, late: str) -> None:
    """More than a megabyte of whole numbers, and one value that is none: first, or last."""
    numbers = [f"{number},1234567" for number in range(100_000)]
    first, last = tmp_path / "first.csv", tmp_path / "last.csv"
    first.write_text("\n".join(["number,value", f"100000,{late}", *numbers]) + "\n")
    last.write_text("\n".join(["number,value", *numbers, f"100000,{late}"]) + "\n")
    assert read_table(first).schema == read_table(last).schema
    assert read_table(last).sort_by("number").equals(read_table(first).sort_by("number"))


def test_a_lone_blank_is_a_missing_number(tmp_path: Path) -> None:
    path = tmp_path / "charges.csv"
    path.write_text("charges,town\n29.85, \n ,x\n")
    table = read_table(path)
    assert table.to_pydict() == {"charges": [29.85, None], "town": [None, "x"]}


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (
            "c.csv",
            b"",
            r"c\.csv: expected a whole, readable file, got an empty file\. Write the file",
        ),
        ("c.csv", b"a,b\n1\n", r"readable file, got CSV parse error: Expected 2 columns, got 1"),
        ("c.csv.gz", gzip.compress(CSV.encode())[:30], r"expected a whole, readable file, got "),
        ("c.parquet", b"PAR1 no", r"expected a whole, readable file, got "),
        (
            "c.csv",
            "a,姓\n1,2\n".encode("gbk"),
            r"c\.csv: expected UTF-8 text, got another encoding",
        ),
        ("c.csv", b"a,b\n\xd6\xd0,1\n", r"c\.csv\.a: expected UTF-8 text, got another encoding"),
        (
            "c.csv",
            b"a,b,a\n1,2,3\n",
            r"c\.csv: expected each column once, got 'a' twice\. Rename one",
        ),
    ],
    ids=["empty", "short line", "cut", "not parquet", "header", "values", "twice"],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=text):
        read_table(path)


def test_a_file_that_is_not_there_or_of_another_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: expected a file, got none\."):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"c\.txt: expected a \.csv, \.csv\.gz or \.parquet file, got '\.t"):
        read_table(tmp_path / "c.txt")


def test_an_unknown_column_is_told_with_close_ones() -> None:
    table = pa.table(ROWS)
    check_columns("--drop", ["id", "town"], table, "c.csv")
    with pytest.raises(UsageError, match=r"--drop: no column 'twon' in c\.csv; did you mean town\?"):
        check_columns("--drop", ["id", "twon"], table, "c.csv")


def test_rows_are_called_by_their_customer_or_their_number() -> None:
    table = pa.table({"id": [7, 8]})
    assert list(customer_keys(table, "id")) == ["7", "8"]
    assert list(customer_keys(table, None)) == ["row 1", "row 2"]


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (
            ["a", "b", "a"],
            r"id: expected each customer once, got .* repeat; 2 of 3 rows, e\.g\. a",
        ),
        (
            ["a", None, "b"],
            r"id: expected a customer in every row, got an empty .*; 1 of 3 rows, e\.g\. row 2",
        ),
    ],
)
def test_a_customer_that_repeats_or_lacks_is_told(ids: list[str | None], text: str) -> None:
    with pytest.raises(DataError, match=text):
        customer_keys(pa.table({"id": ids}), "id")


def test_infinite_numbers_are_missing_and_told_while_nan_is_merely_missing() -> None:
    table = pa.table(
        {"ratio": [1.0, float("inf"), float("-inf"), None], "rate": [float("nan"), 2.0, 3.0, None]}
    )
    known = read_attributes(table, ["ratio", "rate"])
    assert known.notes == ("ratio: infinite values are taken as missing; 2 of 4 rows",)
    assert known.rows.to_pydict() == {
        "attribute_0": [1.0, None, None, None],
        "attribute_1": [None, 2.0, 3.0, None],
    }


def test_without_any_attribute_the_rows_are_still_counted() -> None:
    known = read_attributes(pa.table({"list": [[1], [2]]}), ["list"])
    assert (known.features, known.rows.num_rows) == ((), 2)
    [note] = known.notes
    assert note.startswith("list was left out: expected numbers, dates or text, got list<")
