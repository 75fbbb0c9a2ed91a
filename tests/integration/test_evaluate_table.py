"""``nbo evaluate table``: honest figures of the churn learner on a file, and every slip in one line."""

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from nbo.bundle import MAX_CODES
from nbo.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
METRICS = ("auc", "average_precision", "lift_at_10", "brier", "log_loss", "ece")
QUICK = ("--folds", "3", "--trials", "0")


def customers_table(count: int = 500, seed: int = 1) -> pa.Table:
    """Customers of whom a third leave, by their calls and town, with every sort of attribute."""
    rng = np.random.default_rng(seed)
    calls, town = rng.normal(20, 5, count), rng.integers(0, 3, count)
    log_odds = -1.2 + 0.3 * (20 - calls) + 1.0 * (town == 2)
    gone = rng.random(count) < 1 / (1 + np.exp(-log_odds))
    known = rng.random(count) < 0.9
    return pa.table(
        {
            "id": [f"C{number}" for number in range(count)],
            "churned": np.where(gone, "Yes", "No"),
            "calls": [value if ok else None for value, ok in zip(calls, known, strict=True)],
            "town": [["北京", "上海", None][number] for number in town],
            "joined": [f"{rng.integers(1, 28)}/{rng.integers(1, 12)}/2019" for _ in range(count)],
            "member": rng.random(count) < 0.5,
            "tariff": [f"tariff {number}" for number in rng.integers(0, 300, count)],
        }
    )


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labelled") / "customers.csv"
    pcsv.write_csv(customers_table(), path)
    return path


def changed(folder: Path, **columns: Any) -> Path:
    """The same customers with other values, or further columns."""
    table = customers_table()
    for name, values in columns.items():
        place = table.column_names.index(name) if name in table.column_names else None
        column = pa.chunked_array([pa.array(values)])
        table = table.append_column(name, column) if place is None else table.set_column(place, name, column)
    path = folder / "customers.parquet"
    pq.write_table(table, path)
    return path


def evaluate(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = run(["evaluate", "table", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def envelope(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    code, out, err = evaluate(capsys, *words, *QUICK, "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def failure(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    code, out, err = evaluate(capsys, *words)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    return line.removeprefix("nbo: ")


def test_every_metric_is_told_with_its_interval(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = envelope(capsys, customers, "--label", "churned", "--id", "id")
    assert (told["ok"], told["as_of"]) == (True, None)
    result = told["result"]
    others = ("ece_of_perfect", "calibrated", "rows", "positives", "folds", "positive")
    assert tuple(result) == (*METRICS, *others)
    for metric in METRICS:
        assert set(result[metric]) == {"value", "low", "high"}
        assert result[metric]["low"] < result[metric]["high"]
    assert 0.7 < result["auc"]["value"] < 0.9
    assert set(result["ece_of_perfect"]) == {"low", "high"}
    assert result["calibrated"] is True
    assert (result["rows"], result["folds"], result["positive"]) == (500, 3, "Yes")
    assert result["positives"] == customers_table()["churned"].to_pylist().count("Yes")


def test_files_of_every_kind_and_the_same_seed_give_the_same_figures(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--label", "churned", "--id", "id", "--seed", "4")
    expected = envelope(capsys, customers, *words)
    packed, parquet = tmp_path / "c.csv.gz", tmp_path / "c.parquet"
    packed.write_bytes(gzip.compress(customers.read_bytes()))
    pq.write_table(pcsv.read_csv(customers), parquet)
    assert envelope(capsys, packed, *words) == expected
    assert envelope(capsys, parquet, *words) == expected
    assert envelope(capsys, customers, *words[:-1], "5")["result"] != expected["result"]


def test_people_get_metric_lines(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = evaluate(capsys, customers, "--label", "churned", "--id", "id", *QUICK)
    assert (code, err) == (0, "")
    first, *lines, last = out.splitlines()
    assert re.fullmatch(r"500 rows, \d+ positives \(churned = Yes\), out of fold in 3 folds", first)
    assert [line.split()[0] for line in lines] == list(METRICS)
    assert all(re.search(r" \d\.\d{4}   95 % \[\d\.\d{4}, \d\.\d{4}\]$", line) for line in lines)
    assert re.fullmatch(
        r"ece_of_perfect +95 % \[\d\.\d{4}, \d\.\d{4}\]: "
        r"the ece is not above what a perfectly calibrated model shows by chance",
        last,
    )


def test_the_value_asked_for_is_the_positive_one(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stays = envelope(capsys, customers, "--label", "churned", "--positive", "No", "--id", "id")["result"]
    assert (stays["positive"], stays["positives"]) == (
        "No",
        customers_table()["churned"].to_pylist().count("No"),
    )


def test_what_is_left_out_or_changed_or_odd_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = customers_table()["churned"].to_pylist()
    path = changed(
        tmp_path,
        note=[f"text {number}" for number in range(500)],
        same=["x"] * 500,
        ratio=[float("inf") if number < 7 else number % 9 for number in range(500)],
        final_bill=[31.5 if one == "Yes" else None for one in gone],
        city=[f"city {number * 7 % 10_000}" for number in range(500)],
    )
    told = envelope(capsys, path, "--label", "churned", "--id", "id")
    assert MAX_CODES < 500
    assert told["warnings"] == [
        "note was left out: its text differs in every row",
        "ratio: infinite values are taken as missing; 7 of 500 rows",
        "city was left out: its text differs in every row",
        "same was left out: it is the same in every row",
        "final_bill alone orders the rows with AUC 1.000: does it hold the answer?",
    ]
    assert told["result"]["auc"]["value"] > 0.99
    without = envelope(capsys, path, "--label", "churned", "--id", "id", "--drop", "note,same,final_bill")
    assert without["result"]["auc"]["value"] < 0.9
    assert "does it hold the answer" not in str(without["warnings"])


def test_ten_thousand_categories_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2)
    path = tmp_path / "many.parquet"
    pq.write_table(
        pa.table(
            {
                "gone": rng.random(20_000) < 0.2,
                "city": [f"city {number}" for number in [*range(10_000), *range(10_000)]],
            }
        ),
        path,
    )
    told = envelope(capsys, path, "--label", "gone")
    assert told["result"]["auc"]["value"] == pytest.approx(0.5, abs=0.03)
    assert told["result"]["positive"] == "true"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--label", "churn"), "--label: no column 'churn' in customers.csv; did you mean churned?"),
        (
            ("--label", "churned", "--id", "ids"),
            "--id: no column 'ids' in customers.csv; did you mean id?",
        ),
        (
            ("--label", "churned", "--drop", "calls,twon"),
            "--drop: no column 'twon' in customers.csv; did you mean town?",
        ),
        (
            ("--label", "churned", "--positive", "yeah"),
            "--positive: no value 'yeah' in churned; known: No, Yes.",
        ),
        (
            ("--label", "churned", "--id", "churned"),
            "--id: expected a column beside the label, got 'churned', which is the label.",
        ),
        (("--label", "churned", "--folds", "1"), "--folds: expected 2 to 20, got 1."),
        (("--label", "churned", "--trials", "-1"), "--trials: expected 0 or above, got -1."),
        (("--label", "churned", "--seed", "-1"), "--seed: expected 0 or above, got -1."),
        ((), "Missing option '--label'."),
    ],
)
def test_a_wrong_word_is_told(
    customers: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str
) -> None:
    assert failure(capsys, customers, *words) == text


@pytest.mark.parametrize(
    ("columns", "words", "text"),
    [
        (
            {"churned": ["stays", "goes", "unsure", "goes", "stays"] * 100},
            (),
            "churned: expected two values, got 3, e.g. goes, stays, unsure. Name the one that is 1: "
            "--positive VALUE.",
        ),
        (
            {"churned": ["stays", "goes"] * 250},
            (),
            "--label: expected two values that say which is 1 (1/0, true/false, yes/no, y/n, churned/other), "
            "got 'goes' and 'stays' in churned. "
            "Name the one that is 1: --positive 'goes' or --positive 'stays'.",
        ),
        (
            {"churned": [0] * 500},
            (),
            "churned: expected rows of both classes, got only '0' in 500 rows. "
            "Bring rows of the other class.",
        ),
        (
            {"churned": [1, 0, None, 0, None] * 100},
            (),
            "churned: expected a label in every row, got an empty value; 200 of 500 rows, "
            "e.g. C2, C4, C7, C9, C12. Fill them in, or leave the rows out.",
        ),
        (
            {"id": [f"C{number // 2}" for number in range(500)]},
            (),
            "id: expected each customer once, got customers that repeat; 500 of 500 rows, "
            "e.g. C0, C1, C10, C100, C101. Leave one row of each customer.",
        ),
        (
            {"churned": [1] * 7 + [0] * 493},
            ("--folds", "10"),
            "--label: expected at least 10 positives, one for each of 10 folds, got 7 in 500 rows. "
            "Use fewer folds, or bring more rows.",
        ),
        (
            {},
            ("--drop", "calls,town,joined,member,tariff"),
            "customers.parquet: expected a column to learn from, got none beside the label. "
            "Bring attributes of the customers.",
        ),
    ],
    ids=["three values", "two unknown values", "one class", "missing", "repeated", "folds", "nothing left"],
)
def test_data_that_do_not_fit_are_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, Any],
    words: tuple[str, ...],
    text: str,
) -> None:
    path = changed(tmp_path, **columns)
    assert failure(capsys, path, "--label", "churned", "--id", "id", *words) == text


def test_three_rows_and_files_that_cannot_be_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, none, broken = tmp_path / "few.csv", tmp_path / "none.csv", tmp_path / "broken.parquet"
    few.write_text("gone,age\n1,30\n0,40\n1,50\n")
    broken.write_bytes(b"no parquet")
    expected = "--label: expected at least 20 rows, got 3. Bring more rows."
    assert failure(capsys, few, "--label", "gone") == expected
    assert failure(capsys, none, "--label", "gone") == f"{none}: expected a file, got none."
    assert failure(capsys, broken, "--label", "gone").startswith(
        f"{broken}: expected a whole, readable file, got "
    )
    few.write_text("gone,age\n")
    assert failure(capsys, few, "--label", "gone") == (
        "few.csv: expected rows below the names of the columns, got none. Bring rows."
    )


def test_options_of_evaluate_itself_are_refused_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--store", "runs/store", "table", "c.csv", "--label", "gone"]) == 2
    assert capsys.readouterr().err == (
        "nbo: nbo evaluate table: expected its options after table, got --store before it.\n"
    )


@pytest.mark.needs("bench_data")
def test_a_real_operators_churn_is_ranked_and_calibrated(capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 customers, half of whom left; LightGBM as it comes has an AUC of .814 here."""
    folder = Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data")
    result = envelope(capsys, folder / "sato2015" / "sato2015.csv.gz", "--label", "Class")["result"]
    assert (result["rows"], result["positives"], result["positive"]) == (2_000, 1_000, "Churned")
    assert result["auc"]["value"] > 0.80
