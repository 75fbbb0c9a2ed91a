"""``nbo evaluate next-product``: the figures of all methods on a file, and every slip in one line."""

import csv
import gzip
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from nbo.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = ("P1", "P2", "P3", "P4", "P5")
HOLDINGS = ",".join(PRODUCTS)
METHODS = ("ours", "popularity", "item_knn", "implicit")
METRICS = ("hit_rate_at_1", "hit_rate_at_3", "mrr", "log_loss")


def write_customers(path: Path, count: int = 700, seed: int = 1) -> Path:
    """Customers whose holdings follow from their town and age, with every sort of attribute."""
    rng = np.random.default_rng(seed)
    lines = ["id,P1,town,joined,age,P2,P3,member,P4,note,P5"]
    for number in range(count):
        town, age = rng.integers(0, 3), rng.integers(18, 80)
        held = rng.random(5) < np.array([0.6, 0.2, 0.1, 0.1, 0.1])
        held[1 + town] |= rng.random() < 0.8
        held[4] |= bool(age > 60 and rng.random() < 0.7)
        p1, p2, p3, p4, p5 = held.astype(int)
        note = f"code {rng.integers(0, 250)}" if rng.random() < 0.7 else ""
        name = ["北京", "上海", "Wuhan"][town]
        joined = f"{rng.integers(1, 28)}/{rng.integers(1, 12)}/2019"
        lines.append(
            f"C{number},{p1},{name},{joined},{age if rng.random() < 0.9 else ''},"
            f"{p2},{p3},{str(bool(rng.random() < 0.5)).lower()},{p4},{note},{p5}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_customers(tmp_path_factory.mktemp("holdings") / "customers.csv")


def evaluate(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = run(["evaluate", "next-product", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def envelope(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    code, out, err = evaluate(capsys, *words, "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def failure(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    code, out, err = evaluate(capsys, *words)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    return line.removeprefix("nbo: ")


def test_every_method_is_told_with_intervals(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = envelope(capsys, customers, "--holdings", HOLDINGS, "--id", "id", "--seed", "3")
    assert told["ok"] is True
    assert told["warnings"] == []
    result = told["result"]
    assert set(result) == {*METHODS, "parameters", "customers"}
    assert result["customers"]["train"] == 490
    assert 180 < result["customers"]["test"] <= 210
    for method in METHODS:
        assert tuple(result[method]) == METRICS
        for metric in METRICS:
            interval = result[method][metric]
            assert set(interval) == {"value", "low", "high"}
            assert interval["low"] < interval["value"] < interval["high"], (method, metric)
        assert result[method]["hit_rate_at_1"]["value"] <= result[method]["hit_rate_at_3"]["value"] <= 1
        assert set(result["parameters"]) == set(METHODS)
    ours = result["ours"]
    for peer in METHODS[1:]:
        assert ours["hit_rate_at_1"]["low"] > result[peer]["hit_rate_at_1"]["high"], peer
        assert ours["log_loss"]["high"] < result[peer]["log_loss"]["low"], peer


def test_files_of_every_kind_give_the_same_figures(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--holdings", HOLDINGS, "--id", "id", "--test-share", "0.4")
    expected = envelope(capsys, customers, *words)
    packed, parquet = tmp_path / "c.csv.gz", tmp_path / "c.parquet"
    packed.write_bytes(gzip.compress(customers.read_bytes()))
    pq.write_table(pcsv.read_csv(customers), parquet)
    assert envelope(capsys, packed, *words) == expected
    assert envelope(capsys, parquet, *words) == expected
    assert envelope(capsys, customers, *words, "--seed", "2") != expected


def test_people_get_a_table(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = evaluate(capsys, customers, "--holdings", HOLDINGS, "--id", "id")
    assert (code, err) == (0, "")
    first, head, *rows = out.splitlines()
    assert re.fullmatch(
        r"5 products; learnt from 490 customers, one product hidden of each of \d+ others; 95 % intervals",
        first,
    )
    assert head.split() == ["method", *METRICS]
    assert [row.split()[0] for row in rows] == list(METHODS)
    assert all(len(re.findall(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", row)) == 4 for row in rows)


def test_without_implicit_it_is_null_with_a_warning(
    customers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    told = envelope(capsys, customers, "--holdings", HOLDINGS, "--id", "id")
    assert told["warnings"] == [
        "implicit is not installed: ours is not compared with it; install the extra nbo[bench]"
    ]
    assert told["result"]["implicit"] is None
    assert set(told["result"]["ours"]) == set(METRICS)
    code, out, _ = evaluate(capsys, customers, "--holdings", HOLDINGS, "--id", "id")
    assert code == 0
    assert [row.split()[0] for row in out.splitlines()[2:]] == ["ours", "popularity", "item_knn"]


def test_a_column_left_out_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_customers(tmp_path / "c.csv", count=320)
    told = envelope(capsys, path, "--holdings", HOLDINGS)
    assert told["warnings"][0] == "id was left out: its text differs in every row"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--holdings", "P1,P22", "--id", "id"),
            "--holdings: no column 'P22' in customers.csv; did you mean P2",
        ),
        (
            ("--holdings", "P1", "--id", "id"),
            "--holdings: expected at least 2 columns, such as P1,P2, got 1. ",
        ),
        (("--holdings", HOLDINGS, "--id", "customer"), "--id: no column 'customer' in customers.csv"),
        (
            ("--holdings", HOLDINGS, "--id", "town"),
            "town: expected each customer once, got customers that repeat; ",
        ),
        (("--holdings", "P1,age"), "age: expected 0 or 1 (or false or true), got "),
        (("--holdings", "P1,town"), "town: expected 0 or 1 (or false or true), got '"),
        (("--holdings", HOLDINGS, "--test-share", "0.9"), "--test-share: expected 0.1 to 0.5, got 0.9."),
        (("--holdings", HOLDINGS, "--seed", "-1"), "--seed: expected 0 or above, got -1."),
        ((), "Missing option '--holdings'."),
    ],
)
def test_a_wrong_word_is_told(
    customers: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str
) -> None:
    assert failure(capsys, customers, *words).startswith(text)


def test_a_file_that_is_missing_unreadable_or_empty_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--holdings", HOLDINGS)
    missing, empty, broken = tmp_path / "none.csv", tmp_path / "empty.csv", tmp_path / "broken.parquet"
    empty.touch()
    broken.write_bytes(b"no parquet")
    assert failure(capsys, missing, *words) == f"{missing}: expected a file, got none."
    assert failure(capsys, empty, *words) == (
        f"{empty}: expected a whole, readable file, got an empty file. Write the file again."
    )
    assert failure(capsys, broken, *words).startswith(f"{broken}: expected a whole, readable file, got ")


def test_too_few_customers_are_told_with_what_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = write_customers(tmp_path / "few.csv", count=150)
    with few.open(encoding="utf-8") as file:
        holders = sum(any(row[name] == "1" for name in PRODUCTS) for row in csv.DictReader(file))
    assert failure(capsys, few, "--holdings", HOLDINGS) == (
        f"--holdings: expected at least 200 customers that hold something, got {holders} of 150 rows. "
        "Bring more customers."
    )
    header = tmp_path / "header.csv"
    header.write_text("id,P1,P2\n", encoding="utf-8")
    assert failure(capsys, header, "--holdings", "P1,P2") == (
        "--holdings: expected at least 200 customers that hold something, got 0 of 0 rows. "
        "Bring more customers."
    )


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("0", "--holdings: expected customers that hold something, got none in 300 rows."),
        (
            "1",
            "--holdings: expected customers that lack some product, got 300 customers that hold all of them.",
        ),
    ],
)
def test_holdings_that_are_all_alike_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, text: str
) -> None:
    path = tmp_path / "alike.csv"
    path.write_text("P1,P2,age\n" + "".join(f"{flag},{flag},{n}\n" for n in range(300)), encoding="utf-8")
    assert failure(capsys, path, "--holdings", "P1,P2") == text


def test_evaluate_itself_is_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate"]) == 2
    assert capsys.readouterr().err == "nbo: Missing option '--store'.\n"
    assert run(["evaluate", "--store", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("nbo: nowhere: expected a folder with MANIFEST.json")
    assert run(["evaluate", "--store", "runs/store", "next-product", "c.csv", "--holdings", "a,b"]) == 2
    assert capsys.readouterr().err == (
        "nbo: nbo evaluate next-product: expected its options after next-product, got --store before it.\n"
    )


@pytest.mark.needs("bench_data")
def test_ours_beats_every_peer_on_an_insurers_customers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part of them, so that it takes a minute; ``make bench-next-product`` measures all."""
    folder = Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data")
    table = pcsv.read_csv(folder / "zimnat" / "Train.csv.gz").slice(0, 6_000)
    path = tmp_path / "insurer.csv"
    pcsv.write_csv(table, path)
    result = envelope(capsys, path, "--holdings", ",".join(table.column_names[8:]), "--id", "ID")["result"]
    for peer in METHODS[1:]:
        assert result["ours"]["hit_rate_at_1"]["low"] > result[peer]["hit_rate_at_1"]["high"], peer
        assert result["ours"]["log_loss"]["high"] < result[peer]["log_loss"]["low"], peer
