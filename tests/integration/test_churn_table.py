"""``nbo train churn --table`` and ``nbo score --table``: one fit, one reading, slips in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from nbo.cli.app import run
from nbo.models.labelled_table import read_labelled_table
from nbo.models.table_card import fit_table

HELD = 150


def customers_table(count: int = 900) -> pa.Table:
    """Customers of whom some leave, by calls and plan; plans are digits or letters, days could be months."""
    rng = np.random.default_rng(1)
    calls, plan = rng.normal(20, 5, count), rng.integers(0, 3, count)
    gone = rng.random(count) < 1 / (1 + np.exp(1.2 - 0.3 * (20 - calls) - (plan == 2)))
    return pa.table(
        {
            "id": [f"C{number}" for number in range(count)],
            "churned": np.where(gone, "Yes", "No"),
            "calls": [None if number % 9 == 0 else value for number, value in enumerate(calls)],
            "plan": [["10", "20", "A"][number] for number in plan],
            "joined": [f"{rng.integers(1, 28)}/{rng.integers(1, 12)}/2019" for _ in range(count)],
            "member": rng.random(count) < 0.5,
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a table to learn from and one to score, its label and further columns left in."""
    folder = tmp_path_factory.mktemp("tables") / "operator"
    assert run(["init", str(folder)]) == 0
    table = customers_table()
    pcsv.write_csv(table.slice(HELD), folder / "past.csv")
    pcsv.write_csv(table.slice(0, HELD), folder / "now.csv")
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*map(str, words), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out)["result"])


def refusal(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert run([*map(str, words)]) == 2
    return capsys.readouterr().err.strip()


@pytest.fixture(scope="module")
def bundle(place: Path) -> str:
    words = ["train", "churn", "--table", place / "past.csv", "--label", "churned", "--id", "id"]
    assert run([*map(str, words), "--workspace", str(place)]) == 0
    [found] = (place / "bundles").glob("*/")
    return found.name


def scores(capsys: pytest.CaptureFixture[str], place: Path, bundle: str, file: Path, *more: str) -> pa.Table:
    out = file.with_suffix(".scores.parquet")
    words = ("score", "--table", file, "--bundle", bundle, "--out", out, "--workspace", place, *more)
    said(capsys, *words)
    return pq.read_table(out)


def test_a_held_file_scores_as_by_a_refit_bit_for_bit(
    place: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refit = fit_table(
        read_labelled_table(place / "past.csv", "churned", "id"), trials=0, seed=1, progress=lambda _: None
    )
    whole = place / "whole.csv"
    pcsv.write_csv(customers_table(), whole)
    held = read_labelled_table(whole, "churned", "id").part(np.arange(HELD))
    found = scores(capsys, place, bundle, place / "now.csv", "--id", "id")
    assert found["id"].to_pylist() == held.ids.tolist()
    assert found["p_churn"].to_numpy().tobytes() == refit.score(held.rows).tobytes()


def test_what_evaluate_judges_is_what_train_leaves(place: Path, bundle: str) -> None:
    """The order of the held rows is about what the bundle says of its own, out of fold."""
    metadata = json.loads((place / "bundles" / bundle / "metadata.json").read_text())
    assert metadata["rows"] == 750
    assert set(metadata["metrics"]["train_out_of_fold"]) == {"auc", "average_precision", "lift_at_10"}
    assert metadata["metrics"]["holdout"] == {}
    assert metadata["table"]["file"] == "past.csv"
    assert list(metadata["date_formats"].values()) == ["%d/%m/%Y"]


def test_csv_and_parquet_with_other_orders_and_types_score_alike(
    place: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = scores(capsys, place, bundle, place / "now.csv")
    assert expected["row"].to_pylist() == list(range(1, HELD + 1))
    table = customers_table().slice(0, HELD).drop_columns("churned")
    table = table.select(sorted(table.column_names, reverse=True))
    place_of_plan = table.column_names.index("plan")
    turned = table.set_column(place_of_plan, "plan", table["plan"].dictionary_encode())
    pq.write_table(turned, place / "turned.parquet")
    assert scores(capsys, place, bundle, place / "turned.parquet")["p_churn"] == expected["p_churn"]


def test_one_row_scores_as_in_the_file(place: Path, bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone, a day such as 3/4/2019 could be read either way, and a code of digits as a number."""
    expected = scores(capsys, place, bundle, place / "now.csv")["p_churn"].to_pylist()
    for row in (0, 1, 2, 77):
        alone = place / f"row{row}.csv"
        pcsv.write_csv(customers_table().slice(row, 1), alone)
        assert scores(capsys, place, bundle, alone)["p_churn"].to_pylist() == [expected[row]]


def test_scores_as_csv_are_as_exact(place: Path, bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = place / "scores.csv"
    words = ("score", "--table", place / "now.csv", "--id", "id", "--bundle", bundle, "--workspace", place)
    assert said(capsys, *words, "--out", out) == {"file": str(out), "rows": HELD, "bundle": bundle}
    expected = scores(capsys, place, bundle, place / "now.csv")
    assert pcsv.read_csv(out)["p_churn"].to_pylist() == expected["p_churn"].to_pylist()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"calls": None}, "expected every column that the model learnt from, got 1 of 4 missing"),
        (
            {"calls": ["many"] * HELD},
            "calls: expected numbers, as the model learnt from, got text, e.g. many",
        ),
        ({"joined": ["soon"] * HELD}, "joined: expected dates like %d/%m/%Y, as the model learnt from, got"),
        ({"plan": [0.5] * HELD}, "plan: expected text, as the model learnt from, got double"),
        ({"calls": [[1.0]] * HELD}, "calls: expected numbers, as the model learnt from, got list"),
    ],
    ids=["missing", "words for numbers", "words for dates", "numbers for words", "lists"],
)
def test_a_file_of_another_kind_is_refused(
    changed: dict[str, list[Any] | None],
    text: str,
    place: Path,
    bundle: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = customers_table().slice(0, HELD)
    for name, values in changed.items():
        table = table.drop_columns(name)
        if values is not None:
            table = table.append_column(name, pa.array(values))
    pq.write_table(table, tmp_path / "now.parquet")
    out = tmp_path / "scores.csv"
    words = ("score", "--table", tmp_path / "now.parquet", "--bundle", bundle, "--workspace", place)
    assert text in refusal(capsys, *words, "--out", out)
    assert not out.exists()


def test_options_that_do_not_go_together_are_told(
    place: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    past, at = place / "past.csv", ("--workspace", place)
    train, score = ("train", "churn", *at), ("score", *at)
    assert refusal(capsys, *train) == "nbo: Missing option '--store'."
    assert refusal(capsys, *train, "--table", past) == "nbo: Missing option '--label'."
    told = refusal(capsys, *train, "--table", past, "--label", "churned", "--store", place)
    assert told == "nbo: --store: not used with --table; leave one of them out."
    told = refusal(capsys, *train, "--store", place, "--label", "churned")
    assert told == "nbo: --label: not used with --store; leave one of them out."
    assert refusal(capsys, *score, "--table", past) == "nbo: Missing option '--bundle'."
    told = refusal(capsys, *score, "--table", past, "--bundle", bundle, "--out", place / "folder")
    assert "--out: expected a .csv or .parquet file with --table" in told
    told = refusal(capsys, *score, "--table", past, "--bundle", bundle, "--out", "x.csv", "--as-of", "latest")
    assert told == "nbo: --as-of: not used with --table; leave one of them out."


def test_a_bundle_of_a_table_does_not_answer_for_a_store(
    place: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(capsys, "promote", "churn", "--bundle", bundle, "--workspace", place)
    assert told == f"nbo: --bundle: expected a churn bundle, got {bundle} of churn-table."


def test_it_is_listed_and_shown(place: Path, bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["models", "list", "--workspace", str(place)]) == 0
    assert bundle in capsys.readouterr().out
    assert run(["models", "show", "--bundle", bundle, "--workspace", str(place)]) == 0
    told = capsys.readouterr().out
    assert "trained on every row of past.csv, its order judged out of fold" in told
    assert "750 rows" in told


def test_too_few_rows_are_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pcsv.write_csv(customers_table().slice(0, 15), tmp_path / "few.csv")
    words = ("train", "churn", "--table", tmp_path / "few.csv", "--label", "churned", "--workspace", place)
    assert refusal(capsys, *words) == "nbo: --label: expected at least 20 rows, got 15. Bring more rows."
