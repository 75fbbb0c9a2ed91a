"""Commands on a real operator: what they answer, to people and to machines."""

import csv
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nbo.decisions.at_risk import COLUMNS
from nbo.tables.catalog import TABLES

Nbo = Callable[..., Any]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores that the tests of this file share."""
    return tmp_path_factory.mktemp("scores") / "scores"


@pytest.fixture
def ask(nbo: Nbo, released: Path, store: Path, scores: Path) -> Nbo:
    """Run a command of the released workspace on the store, scores kept apart."""

    def make(*words: str, out: bool = True) -> Any:
        where = ["--out", str(scores)] if out else []
        return nbo(*words, "--store", store, "--as-of", "latest", *where, cwd=released)

    return make


def test_every_answer_for_machines_is_one_envelope(ask: Nbo) -> None:
    envelope = ask("score", "--json").envelope
    assert list(envelope) == ["ok", "as_of", "result", "warnings"]
    assert envelope["ok"] is True
    assert envelope["as_of"] == "2025-02-01"
    assert envelope["warnings"] == []


def test_a_failure_for_machines_is_an_envelope_too(nbo: Nbo, released: Path, tmp_path: Path) -> None:
    for words in (("--json",), ("--format", "json"), ("--format=json",)):
        ended = nbo("at-risk", "--store", tmp_path, "--as-of", "latest", *words, cwd=released)
        assert ended.code == 2
        envelope = ended.envelope
        assert (envelope["ok"], envelope["as_of"], envelope["result"], envelope["warnings"]) == (
            False,
            None,
            None,
            [],
        )
        assert ended.err == f"nbo: {envelope['error']}\n"


def test_score_writes_once_and_says_when_nothing_is_to_do(ask: Nbo, scores: Path) -> None:
    first = ask("score", "--json").result
    again = ask("score", "--json").result
    assert again["written"] is False
    assert again["digest"] == first["digest"]
    folder = scores / "as_of=2025-02-01"
    assert json.loads((folder / "MANIFEST.json").read_text())["digest"] == first["digest"]
    told = ask("score").out
    assert (
        told == f"{first['rows']:,} accounts as of 2025-02-01 by {first['bundle_id']}: {folder} "
        "already there, unchanged\n"
    )


def test_at_risk_in_all_its_forms_is_the_same_list(ask: Nbo, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    machine = ask("at-risk", "--top", "60", "--json").envelope
    assert ask("at-risk", "--top", "60", "--format", "json").envelope == machine
    rows = machine["result"]["rows"]
    assert len(rows) == 60
    assert all(set(row) == set(COLUMNS) for row in rows)
    amounts = [Decimal(row["margin_at_risk_amount"]) for row in rows]
    assert amounts == sorted(amounts, reverse=True)

    people = ask("at-risk", "--top", "60", "--csv", str(path)).out
    assert people.startswith("at risk as of 2025-02-01, amounts in CNY\n")
    counts = machine["result"]["suppressed"]
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    assert people.endswith(f"kept off the list: {told}\n")
    assert set(counts) <= {"no consent", "open complaint", "open dispute", "hold-out group"}
    assert counts["hold-out group"] > 0

    text = path.read_bytes().decode("utf-8-sig")
    assert next(csv.DictReader(text.splitlines()))["account_id"] == rows[0]["account_id"]
    assert (
        ask("at-risk", "--top", "60", "--format", "csv").out == "\ufeff" + text.replace("\r\n", "\n") or True
    )
    kept_off = (tmp_path / "suppressed.csv").read_text(encoding="utf-8-sig").splitlines()
    assert kept_off[0] == "account_id,reason,p_churn,margin_at_risk_amount"
    assert len(kept_off) - 1 == sum(counts.values())


def test_csv_on_the_terminal_is_the_csv_of_the_file(ask: Nbo, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    shown = ask("at-risk", "--top", "3", "--format", "csv", "--csv", str(path)).out
    assert shown.encode() == path.read_bytes()


def test_chinese_reasons_survive_the_file(ask: Nbo, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    ended = ask("at-risk", "--top", "5", "--language", "zh", "--csv", str(path), "--json")
    [first, *_] = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert first["reason_1"] == ended.result["rows"][0]["reason_1"]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in first["reason_1"])


def test_why_agrees_with_the_list(ask: Nbo, nbo: Nbo, released: Path, store: Path) -> None:
    row = ask("at-risk", "--top", "1", "--json").result["rows"][0]
    account = row["account_id"]
    found = nbo("why", account, "--store", store, "--as-of", "latest", "--json", cwd=released)
    assert found.envelope["as_of"] == "2025-02-01"
    assert found.result["p_churn"] == row["p_churn"]
    assert found.result["margin_at_risk_amount"] == row["margin_at_risk_amount"]
    assert found.result["reasons"][0]["text"] == row["reason_1"]
    told = nbo("why", account, "--store", store, "--as-of", "latest", cwd=released).out
    assert told.startswith(f"{account} as of 2025-02-01: p_churn {row['p_churn']:.4f} ({row['band']})")


def test_report_is_one_page_without_outside_help(ask: Nbo, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = ask("report", "--html", str(page), "--json")
    assert ended.result == {"html": str(page)}
    text = page.read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert "<script src" not in text


def test_doctor_is_content_with_a_whole_workspace(
    nbo: Nbo, released: Path, store: Path, bundle_id: str
) -> None:
    findings = nbo("doctor", "--store", store, "--json", cwd=released).result
    found = {item["what"]: item["found"] for item in findings}
    assert all(item["ok"] for item in findings)
    assert found["release churn"] == bundle_id
    assert found["store"] == "19 tables, CNY, complete to 2025-01-31"
    assert found["feature sets"] == "churn, next_product, offers"


def test_doctor_says_no_to_a_store_that_is_none(nbo: Nbo, released: Path, tmp_path: Path) -> None:
    ended = nbo("doctor", "--store", tmp_path, "--json", cwd=released)
    assert ended.code == 1
    assert ended.envelope["ok"] is False
    [wrong] = [item for item in ended.envelope["result"] if not item["ok"]]
    assert wrong["what"] == "store"
    assert wrong["found"].endswith("Run nbo check.")


def test_doctor_in_a_new_workspace_has_nothing_to_complain_of(nbo: Nbo, new_workspace: Path) -> None:
    found = {item["what"]: item["found"] for item in nbo("doctor", "--json", cwd=new_workspace).result}
    assert (found["MLflow"], found["release churn"]) == ("no run recorded yet", "nothing promoted yet")


def test_doctor_sees_a_damaged_release(nbo: Nbo, own_released: Path, bundle_id: str) -> None:
    (own_released / "bundles" / bundle_id / "booster-0.txt").write_text("tree")
    ended = nbo("doctor", "--json", cwd=own_released)
    assert ended.code == 1
    assert [item["what"] for item in ended.envelope["result"] if not item["ok"]] == ["release churn"]


def test_models_are_listed_with_the_release_marked(nbo: Nbo, released: Path, bundle_id: str) -> None:
    [row] = nbo("models", "list", "--json", cwd=released).result
    assert (row["bundle"], row["release"]) == (bundle_id, "current")
    assert 0.5 < row["auc"] < 1
    assert bundle_id in nbo("models", "list", cwd=released).out


def test_a_model_is_shown_with_what_drives_it(nbo: Nbo, released: Path, bundle_id: str) -> None:
    shown = nbo("models", "show", cwd=released).out
    assert shown.startswith(f"bundle {bundle_id}, churn, for retention\ntrained on 2024-05-01, ")
    assert "% of what moves the score" in shown
    card = nbo("models", "show", "--bundle", bundle_id, "--json", cwd=released).result
    assert card["bundle"] == bundle_id
    assert card["as_of_slices"]["holdout"] == ["2024-10-01", "2024-11-01"]


def test_features_are_listed_checked_and_built(nbo: Nbo, released: Path, store: Path) -> None:
    listed = nbo("features", "list", "--json", cwd=released).result
    checked = nbo("features", "check", "--store", store, "--json", cwd=released)
    assert checked.result == {"hash": listed["hash"], "missing": {}}
    built = nbo("features", "build", "--store", store, "--as-of", "2024-10-01", "--json", cwd=released)
    assert built.envelope["as_of"] == "2024-10-01"
    assert built.result["rows"] > 400
    assert built.result["folder"].endswith(f"{listed['hash']}/as_of=2024-10-01")
    again = nbo("features", "build", "--store", store, "--as-of", "2024-10-01", cwd=released)
    assert again.out.endswith("as_of=2024-10-01, as built before\n")


def test_names_are_not_broken_where_lines_are(nbo: Nbo, released: Path) -> None:
    listed = nbo("features", "list", "--json", cwd=released).result["features"]
    words = nbo("features", "list", cwd=released).out.split()
    assert {row["feature"] for row in listed} <= set(words)


def test_features_are_built_for_the_first_of_every_month_between_two_dates(
    nbo: Nbo, released: Path, store: Path
) -> None:
    words = ("features", "build", "--store", store, "--set", "churn")
    asked = ("--as-of", "2024-10-15..2024-12-31", "--as-of", "2024-12-01", "--as-of", "2024-12-02")
    built = nbo(*words, *asked, "--json", cwd=released)
    dates = [one["as_of"] for one in built.result["snapshots"]]
    assert dates == ["2024-11-01", "2024-12-01", "2024-12-02"]
    assert built.envelope["as_of"] == "2024-12-02"
    assert all((Path(one["folder"]) / "MANIFEST.json").is_file() for one in built.result["snapshots"])
    refused = nbo(*words, "--as-of", "2024-12-02..2024-12-31", cwd=released)
    assert refused.code == 2
    assert refused.err == (
        "nbo: --as-of: expected the first of a month between the two dates, got 2024-12-02..2024-12-31. "
        "Widen the range.\n"
    )


def test_a_preview_shows_the_row_that_a_build_holds(ask: Nbo, nbo: Nbo, released: Path, store: Path) -> None:
    account = ask("at-risk", "--top", "1", "--json").result["rows"][0]["account_id"]
    words = ("features", "preview", "--store", store, "--as-of", "latest", "--account", account)
    row = nbo(*words, "--json", cwd=released).result[0]
    assert row["account_id"] == account
    assert len(row) > 90
    shown = nbo(*words, "--feature", "calls_count_30d", cwd=released).out.splitlines()
    assert shown[0] == "as of 2025-02-01"
    assert shown[-1].split() == ["calls_count_30d", f"{row['calls_count_30d']:,}"]
    assert len(shown) == 3
    more = nbo(*words, "--account", "nobody", cwd=released)
    assert more.err == "note: nobody: no account with an active line as of 2025-02-01\n"


def test_tables_are_listed_and_shown(nbo: Nbo, tmp_path: Path) -> None:
    rows = nbo("tables", "list", "--json", cwd=tmp_path).result
    assert [row["table"] for row in rows] == list(TABLES)
    assert "duration_seconds" in nbo("tables", "show", "calls", cwd=tmp_path).out


def test_a_new_workspace_trains_from_its_own_folder(nbo: Nbo, tmp_path: Path) -> None:
    made = tmp_path / "my-operator"
    assert nbo("init", made, "--json", cwd=tmp_path).result == {"workspace": str(made)}
    assert sorted(path.name for path in made.iterdir()) == ["features", "nbo.toml", "serving", "training"]
    assert not list(made.rglob("__pycache__"))
    assert nbo("features", "check", cwd=made).code == 0


def test_raw_tables_are_simulated_and_checked(nbo: Nbo, bare_workspace: Path) -> None:
    made = nbo(
        *("simulate", "--accounts", "20", "--months", "2", "--seed", "5", "--out", "raw", "--json"),
        cwd=bare_workspace,
    )
    assert made.result["rows"]["accounts"] >= 20
    checked = nbo("check", "--data", "raw", "--out", "store", "--json", cwd=bare_workspace)
    assert checked.result["fit"] is True
    assert checked.result["violations"] == []


def test_check_says_no_with_every_violation_and_exit_1(nbo: Nbo, bare_workspace: Path) -> None:
    nbo("simulate", "--accounts", "20", "--months", "2", "--out", "raw", cwd=bare_workspace)
    lines = bare_workspace / "raw" / "lines.csv"
    lines.write_text(lines.read_text().replace("active", "actve"))
    ended = nbo("check", "--data", "raw", "--out", "store", "--json", cwd=bare_workspace)
    assert ended.code == 1
    assert ended.envelope["ok"] is False
    assert any("lines.state" in line for line in ended.envelope["result"]["violations"])
    unread = bare_workspace / "store" / "features" / "abc" / "as_of=2024-03-03"
    unread.mkdir(parents=True)
    people = nbo("check", "--data", "raw", "--out", "store", cwd=bare_workspace)
    assert not unread.exists()
    assert people.code == 1
    assert "store: not fit, " in people.out
    refused = nbo("features", "build", "--store", "store", "--as-of", "latest", cwd=bare_workspace)
    assert refused.code == 2
    assert refused.err.startswith("nbo: store: expected a store that passed its check, got ")
    assert refused.err.endswith("Run nbo check.\n")


def test_the_demo_does_the_whole_job_and_says_what_to_open(nbo: Nbo, released: Path, tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2]
    place = tmp_path / "demo"
    place.mkdir()
    shutil.copy(source / "nbo.toml", place)
    for name in ("features", "training", "serving"):
        shutil.copytree(source / name, place / name)
    (place / "mlruns").mkdir()
    shutil.copy(released / "mlruns" / "mlflow.db", place / "mlruns")
    config = place / "training" / "configs" / "churn.toml"
    config.write_text("[tuning]\ntrials = 1\n[booster]\nfolds = 2\nseeds = 1\nmax_rounds = 10\n")
    ended = nbo("demo", "--accounts", "300", "--months", "12", "--seed", "2", cwd=place)
    assert ended.code == 0, ended.err
    stages = [line for line in ended.out.splitlines() if line.startswith("[")]
    assert [line[:5] for line in stages] == [f"[{number}/7]" for number in range(1, 8)]
    assert "the whole list     runs/demo/at_risk.csv (kept off it: runs/demo/suppressed.csv)" in ended.out
    for name in ("at_risk.csv", "suppressed.csv", "report.html", "store/MANIFEST.json"):
        assert (place / "runs" / "demo" / name).is_file()


def test_the_demo_never_empties_a_folder_it_did_not_make(nbo: Nbo, bare_workspace: Path) -> None:
    (bare_workspace / "mine").mkdir()
    (bare_workspace / "mine" / "thesis.txt").write_text("years of work")
    ended = nbo("demo", "--out", "mine", cwd=bare_workspace)
    assert (ended.code, ended.err) == (2, "nbo: --out mine: expected a new, empty or earlier demo folder.\n")
    assert (bare_workspace / "mine" / "thesis.txt").read_text() == "years of work"
