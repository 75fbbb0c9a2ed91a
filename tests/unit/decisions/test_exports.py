"""The list in a spreadsheet: Chinese text whole, formulas harmless, numbers untouched."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from nbo.decisions.exports import csv_text, json_ready, safe_cell, write_csv


def read_back(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠"])
def test_a_text_that_a_spreadsheet_would_run_gets_a_quote(start: str) -> None:
    assert safe_cell(f"{start}SUM(A1)") == f"'{start}SUM(A1)"


@pytest.mark.parametrize("text", ["", "龙华", "a=b", "1-2", "'=x", " x", "A001"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("number", [-3, -0.25, Decimal("-1.50"), 7, None])
def test_numbers_stay_numbers_even_negative_ones(number: object) -> None:
    assert safe_cell(number) is number


def test_a_row_of_every_kind_reads_back() -> None:
    row = {
        "owner": "李明, “经理”",
        "note": 'says "no",\nthen calls back',
        "site": "=1+1",
        "p_churn_change": -0.0123456789,
        "margin": Decimal("-1234.50"),
        "rank": 1,
        "none": None,
    }
    columns = list(row)
    header, cells = read_back(csv_text([row], columns))
    assert header == columns
    assert dict(zip(columns, cells, strict=True)) == {
        "owner": "李明, “经理”",
        "note": 'says "no",\nthen calls back',
        "site": "'=1+1",
        "p_churn_change": "-0.012346",
        "margin": "-1234.50",
        "rank": "1",
        "none": "",
    }


def test_no_rows_still_have_a_header() -> None:
    assert csv_text([], ["rank", "account_id"]) == "\ufeffrank,account_id\r\n"


def test_a_file_is_utf8_with_a_mark_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "list.csv"
    write_csv(path, [{"owner": "陈"}], ["owner"])
    assert path.read_bytes() == b"\xef\xbb\xbfowner\r\n\xe9\x99\x88\r\n"
    write_csv(path, [], ["owner"])
    assert path.read_bytes() == b"\xef\xbb\xbfowner\r\n"
    assert [found.name for found in path.parent.iterdir()] == ["list.csv"]


def test_amounts_become_exact_text_in_json() -> None:
    value = {"rows": [{"amount": Decimal("-1.50"), "p": 0.5}], "pair": (Decimal("2"), None)}
    assert json_ready(value) == {"rows": [{"amount": "-1.50", "p": 0.5}], "pair": ["2", None]}
