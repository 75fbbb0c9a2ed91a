"""``nbo check catalog`` tells every problem and its exit code; ``nbo check`` goes on as before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbo.offers.reading import read_catalog

Nbo = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "serving" / "offers" / "catalog.toml"
BROKEN = """
currency = "CNY"
minor_digits = 2
[products.pstn]
family = "voice"
kind = "functional"
name = { en = "PSTN line", zh = "普通电话" }
pitch = { en = "One more line.", zh = "多装一条线。" }
monthly_fee = 25.005
comparability = 1
classes = ["A"]
channels = ["shop"]
requires = ["adls"]
[products.adsl]
family = "data"
kind = "functional"
name = { en = "ADSL", zh = "宽带" }
pitch = { en = "Always online.", zh = "时刻在线。" }
monthly_fee = 110
monthly_margin = 66
comparability = 1
classes = ["A"]
channels = ["shop"]
ends = 2024-12-31
"""
PROBLEMS = [
    "products.pstn.monthly_margin: expected an amount from 0 to 1,000,000,000, got none",
    "products.pstn.requires: expected a product of this catalog, got 'adls'; did you mean adsl?",
]
ENDED = "products.adsl.ends: expected a day after 2025-02-01, the date of the check, got 2024-12-31"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN, encoding="utf-8")
    return path


def test_a_fit_catalog_is_told_in_one_line_with_its_hash(nbo: Nbo, tmp_path: Path) -> None:
    catalog = read_catalog(DEFAULT)
    told = nbo("check", "catalog", DEFAULT, cwd=tmp_path)
    assert (told.code, told.err) == (0, "")
    size = f"{len(catalog.products)} products, {len(catalog.offers)} offers"
    assert told.out == f"{size}, hash {catalog.hash}, {DEFAULT}\n"


def test_a_fit_catalog_is_told_to_machines(nbo: Nbo, tmp_path: Path) -> None:
    catalog = read_catalog(DEFAULT)
    told = nbo("check", "catalog", DEFAULT, "--as-of", "2025-02-01", "--json", cwd=tmp_path)
    assert told.envelope["as_of"] == "2025-02-01"
    assert told.result == {
        "catalog": str(DEFAULT),
        "fit": True,
        "problems": [],
        "products": len(catalog.products),
        "offers": len(catalog.offers),
        "hash": catalog.hash,
    }


def test_without_a_file_the_workspace_s_own_is_read(nbo: Nbo, new_workspace: Path, broken: Path) -> None:
    own = new_workspace / "serving" / "offers" / "catalog.toml"
    assert nbo("check", "catalog", cwd=new_workspace).out.endswith(f", {own}\n")
    settings = new_workspace / "nbo.toml"
    settings.write_text(settings.read_text().replace("[offers]\n", f'[offers]\ncatalog = "{broken}"\n'))
    told = nbo("check", "catalog", cwd=new_workspace)
    assert (told.code, told.out.splitlines()) == (1, PROBLEMS)
    elsewhere = nbo("check", "catalog", "--workspace", new_workspace, cwd=broken.parent)
    assert (elsewhere.code, elsewhere.out) == (1, told.out)


def test_problems_are_told_one_a_line_with_exit_1(nbo: Nbo, broken: Path) -> None:
    told = nbo("check", "catalog", "broken.toml", cwd=broken.parent)
    assert (told.code, told.out.splitlines(), told.err) == (1, PROBLEMS, "")
    dated = nbo("check", "catalog", "broken.toml", "--as-of", "2025-02-01", cwd=broken.parent)
    assert (dated.code, dated.out.splitlines()) == (1, [*PROBLEMS, ENDED])


def test_problems_are_told_to_machines_with_exit_1(nbo: Nbo, broken: Path) -> None:
    told = nbo("check", "catalog", "broken.toml", "--json", cwd=broken.parent)
    assert (told.code, told.envelope["ok"]) == (1, False)
    assert told.envelope["result"] == {"catalog": "broken.toml", "fit": False, "problems": PROBLEMS}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none.toml"], "none.toml: no such catalog."),
        (["."], ".: cannot be read (Is a directory)."),
        (["text"], "text: expected TOML in UTF-8, got Expected '=' after a key in a key/value pair"),
        (["bytes"], "bytes: expected TOML in UTF-8, got 'utf-8' codec can't decode byte 0xff"),
        (["broken.toml", "--as-of", "2025-2-1"], "as_of: expected a date like 2025-03-31, got '2025-2-1'."),
        (["--workspace", "none"], "--workspace none: no nbo.toml there. Run nbo init none."),
    ],
)
def test_what_cannot_be_read_is_told_with_exit_2(nbo: Nbo, broken: Path, words: list[str], line: str) -> None:
    (broken.parent / "text").write_text("not toml")
    (broken.parent / "bytes").write_bytes(b"\xff")
    told = nbo("check", "catalog", *words, cwd=broken.parent)
    assert (told.code, told.out) == (2, "")
    [first] = told.err.splitlines()
    assert first.startswith(f"nbo: {line}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "Missing option '--data'."),
        (["--out", "store"], "Missing option '--data'."),
        (["--data", "raw"], "Missing option '--out'."),
        (["catalogue"], "No such command 'catalogue'. Did you mean 'catalog'?"),
        (
            ["--out", "store", "--json", "catalog"],
            "nbo check catalog: expected its options after catalog, got --out, --json before it.",
        ),
    ],
)
def test_check_itself_still_asks_for_its_folders(
    nbo: Nbo, tmp_path: Path, words: list[str], line: str
) -> None:
    told = nbo("check", *words, cwd=tmp_path)
    assert told.code == 2
    assert told.err == f"nbo: {line}\n"
    assert list(tmp_path.iterdir()) == []
    envelope = json.loads(nbo("check", *words, "--json", cwd=tmp_path).out)
    assert (envelope["ok"], envelope["result"]) == (False, None)
