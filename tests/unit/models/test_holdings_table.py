"""A table of holdings is read as it is meant, whatever the file, and every slip is told by its place."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from nbo.errors import DataError, UsageError
from nbo.models.holdings_table import HoldingsTable, read_holdings_table

CSV = """id,voice,adsl,joined,age,town,trunk
a,1,0,1/2/2019,30,北京,0
b,0,0,13/2/2019,,上海,1
c,1,1,,41.5,,0
"""
PRODUCTS = ["voice", "adsl", "trunk"]
HELD = [[True, False, False], [False, False, True], [True, True, False]]


def read(path: Path, products: list[str] | None = None, customer: str | None = "id") -> HoldingsTable:
    return read_holdings_table(path, products or PRODUCTS, customer)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_holdings_and_attributes_of_a_csv_file(csv_file: Path) -> None:
    table = read(csv_file)
    assert table.products == ("voice", "adsl", "trunk")
    assert table.held.tolist() == HELD
    assert [feature.words.en for feature in table.features] == ["joined", "age", "town"]
    assert table.rows.to_pydict() == {
        "attribute_0": [17928.0, 17940.0, None],
        "attribute_1": [30.0, None, 41.5],
        "attribute_2": ["北京", "上海", None],
    }
    assert table.notes == ()


@pytest.mark.parametrize("kind", ["csv.gz", "with a mark", "parquet", "flags", "text flags", "decimals"])
def test_other_files_read_alike(csv_file: Path, tmp_path: Path, kind: str) -> None:
    expected = read(csv_file)
    path = tmp_path / {"csv.gz": "c.csv.gz", "parquet": "c.parquet"}.get(kind, "c.csv")
    if kind == "csv.gz":
        path.write_bytes(gzip.compress(CSV.encode()))
    elif kind == "with a mark":
        path.write_bytes(b"\xef\xbb\xbf" + CSV.encode())
    elif kind == "parquet":
        pq.write_table(pcsv.read_csv(csv_file), path)
    else:
        words = {"flags": ("true", "False"), "text flags": ("1", "FALSE"), "decimals": ("1.0", "0.0")}[kind]
        lines = [line.split(",") for line in CSV.splitlines()]
        for cells in lines[1:]:
            for place in (1, 2, 6):
                cells[place] = words[0] if cells[place] == "1" else words[1]
        path.write_text("\n".join(",".join(cells) for cells in lines) + "\n", encoding="utf-8")
    found = read(path)
    assert found.held.tolist() == HELD
    assert found.rows.select(["attribute_0", "attribute_1"]) == expected.rows.select(
        ["attribute_0", "attribute_1"]
    )


def test_without_an_id_the_id_is_an_attribute(csv_file: Path) -> None:
    assert [feature.words.en for feature in read(csv_file, customer=None).features] == [
        "id",
        "joined",
        "age",
        "town",
    ]


def test_a_table_of_holdings_alone_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("a,b\n1,0\n0,1\n", encoding="utf-8")
    table = read(path, ["a", "b"], None)
    assert (table.features, table.rows.num_rows, table.held.shape) == ((), 2, (2, 2))


def test_a_column_that_is_left_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "names.parquet"
    count = 300
    flags = np.arange(count) % 2
    names = [f"name {n}" for n in range(count)]
    pq.write_table(pa.table({"a": flags, "b": 1 - flags, "name": names, "list": [[1]] * count}), path)
    table = read(path, ["a", "b"], None)
    assert table.features == ()
    first, second = table.notes
    assert first == "name was left out: its text differs in every row"
    assert second.startswith("list was left out: expected numbers, dates or text, got list<")


@pytest.mark.parametrize(
    ("products", "customer", "text"),
    [
        (["voice", "adls"], "id", r"--holdings: no column 'adls' in customers\.csv; did you mean adsl\?"),
        (["voice", "adsl"], "idd", r"--id: no column 'idd' in customers\.csv; did you mean id\?"),
        (["voice"], "id", r"--holdings: expected at least 2 columns, such as P1,P2, got 1\."),
        ([""], "id", r"--holdings: expected at least 2 columns, such as P1,P2, got 0\."),
        (["voice", "adsl", "voice"], "id", r"--holdings: expected each column once, got 'voice' twice\."),
        (
            ["voice", "id"],
            "id",
            r"--id: expected a column beside the holdings, got 'id', which is one of them\.",
        ),
    ],
)
def test_a_wrong_name_is_told(csv_file: Path, products: list[str], customer: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read(csv_file, products, customer)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("c,1,1,", "c,2,1,", r"voice: expected 0 or 1 \(or false or true\), got 2; 1 of 3 rows, e\.g\. c\."),
        (
            "b,0,",
            "b,,",
            r"voice: expected 0 or 1 \(or false or true\), got an empty value; 1 of 3 rows, e\.g\. b\.",
        ),
        (
            "b,0,",
            "b,yes,",
            r"voice: expected 0 or 1 \(or false or true\), got 'yes'; 1 of 3 rows, e\.g\. b\.",
        ),
        (
            "b,0,",
            "a,0,",
            r"id: expected each customer once, got customers that repeat; 2 of 3 rows, e\.g\. a\.",
        ),
        (
            "b,0,",
            ",0,",
            r"id: expected a customer in every row, got an empty value; 1 of 3 rows, e\.g\. row 2\.",
        ),
        (
            "age",
            "town",
            r"customers\.csv: expected each column once, got 'town' twice\. Rename one of them\.",
        ),
    ],
)
def test_a_wrong_value_is_told(csv_file: Path, old: str, new: str, text: str) -> None:
    assert old in CSV
    csv_file.write_text(CSV.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=text):
        read(csv_file)


def test_a_table_in_which_nobody_holds_anything_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text("id,a,b\n1,0,0\n2,0,0\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"--holdings: expected customers that hold something, got none in 2 rows\."
    ):
        read(path, ["a", "b"])


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (
            "c.csv",
            b"",
            r"c\.csv: expected a whole, readable file, got an empty file\. Write the file again\.",
        ),
        (
            "c.csv",
            b"id,a,b\n1,0\n",
            r"expected a whole, readable file, got CSV parse error: Expected 3 columns, got 2",
        ),
        ("c.csv.gz", gzip.compress(CSV.encode())[:60], r"expected a whole, readable file, got "),
        ("c.csv.gz", b"no gzip", r"expected a whole, readable file, got Not a gzipped file"),
        ("c.parquet", b"PAR1 no", r"expected a whole, readable file, got "),
        (
            "c.csv",
            "id,a,姓\n1,0,1\n".encode("gbk"),
            r"c\.csv: expected UTF-8 text, got another encoding\. Convert",
        ),
        (
            "c.csv",
            b"id,a,b\n\xd6\xd0,0,1\n",
            r"c\.csv\.id: expected UTF-8 text, got another encoding\. Convert",
        ),
    ],
    ids=["empty", "short line", "cut", "not gzip", "not parquet", "header", "values"],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=text):
        read(path, ["a", "b"])


def test_a_file_that_is_not_there_or_of_another_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: expected a file, got none\."):
        read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=r"folder\.csv: expected a file, got a folder\."):
        read(tmp_path / "folder.csv")
    with pytest.raises(
        UsageError, match=r"c\.xlsx: expected a \.csv, \.csv\.gz or \.parquet file, got '\.xlsx'\."
    ):
        read(tmp_path / "c.xlsx")
