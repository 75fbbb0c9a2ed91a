"""``nbo recommend``, ``nbo replay`` and the offers of the at-risk list, on a simulated operator."""

import csv
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from nbo.decisions.log import NewDecision, open_log
from nbo.offers.reading import read_catalog

Nbo = Callable[..., Any]
LATEST = ("--as-of", "latest")


def log_rows(workspace: Path) -> list[str]:
    """Ids of all decisions in the workspace's log."""
    with sqlite3.connect(workspace / "decisions.db") as database:
        return [row[0] for row in database.execute("SELECT decision_id FROM decisions ORDER BY seq")]


@pytest.fixture(scope="session")
def batch(selling: Path, store: Path, nbo: Nbo) -> Path:
    """Recommendations for everyone, in the shared selling workspace."""
    run = nbo("recommend", "--all", "--store", store, *LATEST, "--out", "runs/all", "--json", cwd=selling)
    return selling / run.result["folder"]


@pytest.fixture(scope="session")
def some_accounts(batch: Path) -> list[str]:
    """A few accounts with different numbers of open offers."""
    accounts = sorted(set(pq.read_table(batch / "stopped-00000.parquet")["account_id"].to_pylist()))
    return random.Random(4).sample(accounts, 12)


def recommended(nbo: Nbo, workspace: Path, store: Path, account: str, *more: str) -> dict[str, Any]:
    words = ("recommend", "--store", store, *LATEST, "--account", account, *more, "--json")
    return dict(nbo(*words, cwd=workspace).result)


def test_an_account_gets_up_to_three_offers_with_reasons_and_every_other_names_its_rule(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]
) -> None:
    offers = read_catalog(own_selling / "serving/offers/catalog.toml").offers
    for account in some_accounts:
        found = recommended(nbo, own_selling, store, account)
        named = [item["offer_id"] for part in ("offers", "others", "stopped") for item in found[part]]
        assert sorted(named) == sorted(offer.offer_id for offer in offers)
        assert len(found["offers"]) <= 3
        expected = [item["expected_margin_amount"] for item in found["offers"] + found["others"]]
        known = [float(amount) for amount in expected if amount is not None]
        assert known == sorted(known, reverse=True)
        assert expected[: len(known)] == [item for item in expected if item is not None]
        assert all(item["rule"] and item["owner"] and item["reason"] for item in found["stopped"])
        scored = [item for item in found["offers"] if item["p_take"] is not None]
        assert all(0 <= item["p_take"] <= 1 for item in scored)


def test_every_account_gets_alone_what_it_gets_in_the_batch(
    nbo: Nbo, own_selling: Path, store: Path, batch: Path, some_accounts: list[str]
) -> None:
    opened = pq.read_table(batch / "part-00000.parquet").to_pylist()
    stopped = pq.read_table(batch / "stopped-00000.parquet").to_pylist()
    for account in some_accounts:
        found = recommended(nbo, own_selling, store, account)
        alone = [
            (
                item["rank"],
                item["offer_id"],
                item["p_take"] and item["p_take"].hex(),
                item["expected_margin_amount"],
            )
            for item in found["offers"] + found["others"]
        ]
        together = [
            (
                row["rank"],
                row["offer_id"],
                row["p_take"] and row["p_take"].hex(),
                None if row["expected_margin_amount"] is None else str(row["expected_margin_amount"]),
            )
            for row in opened
            if row["account_id"] == account
        ]
        assert alone == together
        rules = {row["offer_id"]: row["rule"] for row in stopped if row["account_id"] == account}
        assert {item["offer_id"]: item["rule"] for item in found["stopped"]} == rules


def test_a_batch_run_again_changes_nothing_and_adds_no_decision(
    nbo: Nbo, own_selling: Path, store: Path
) -> None:
    words = ("recommend", "--all", "--store", store, *LATEST, "--out", "runs/all", "--json")
    first = nbo(*words, cwd=own_selling).result
    logged = log_rows(own_selling)
    assert first["written"] is True
    assert len(logged) == len(set(logged)) == first["accounts"]
    assert nbo(*words, cwd=own_selling).result["written"] is False
    shutil.rmtree(own_selling / first["folder"])
    again = nbo(*words, cwd=own_selling).result
    assert (again["written"], again["digest"]) == (True, first["digest"])
    assert log_rows(own_selling) == logged


def test_a_batch_killed_anywhere_is_completed_by_a_rerun_with_the_same_digest(
    nbo: Nbo, own_selling: Path, store: Path, batch: Path
) -> None:
    digest = json.loads((batch / "MANIFEST.json").read_text())["digest"]
    words = ["recommend", "--all", "--store", str(store), *LATEST, "--out", "runs/killed", "--json"]
    moments = random.Random(7)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-m", "nbo", *words],
            cwd=own_selling,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(1.0, 5.0))
        child.send_signal(signal.SIGKILL)
        child.wait()
    done = nbo(*words, cwd=own_selling).result
    logged = log_rows(own_selling)
    assert done["digest"] == digest
    assert len(logged) == len(set(logged)) == done["accounts"]


def test_a_decision_is_made_again_bit_for_bit(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]
) -> None:
    found = recommended(nbo, own_selling, store, some_accounts[0], "--channel", "shop", "--language", "zh")
    catalog = own_selling / "serving/offers/catalog.toml"
    catalog.write_text(catalog.read_text().replace("[products.", "# changed since\n[products.", 1))
    (own_selling / "serving/offers/rules.toml").unlink()
    again = nbo("replay", found["decision_id"], "--json", cwd=own_selling)
    assert again.result["equal"] is True
    assert again.result["decision"] == found


def test_a_decision_of_a_batch_is_made_again_from_the_store(
    nbo: Nbo, selling: Path, store: Path, batch: Path
) -> None:
    opened = pq.read_table(batch / "part-00000.parquet")
    decision = opened["decision_id"][0].as_py()
    alone = nbo("replay", decision, cwd=selling)
    assert alone.code == 2
    assert "--store" in alone.err
    again = nbo("replay", decision, "--store", store, "--json", cwd=selling)
    assert again.result["equal"] is True
    assert again.result["decision"]["account_id"] == opened["account_id"][0].as_py()


def test_a_decision_that_would_be_another_today_is_told(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]
) -> None:
    found = recommended(nbo, own_selling, store, some_accounts[0])
    with closing(open_log(f"sqlite:///{own_selling / 'decisions.db'}")) as log:
        logged = log.decision(found["decision_id"])
        forged = {**json.loads(logged.answer), "decision_id": "f" * 32, "offers": []}
        content = {field.name: getattr(logged, field.name) for field in fields(NewDecision)}
        log.record(NewDecision(**{**content, "decision_id": "f" * 32, "answer": json.dumps(forged)}))
    told = nbo("replay", "f" * 32, "--json", cwd=own_selling)
    assert told.code == 1
    assert told.envelope["result"]["differences"] == ["offers"]


def test_one_key_is_one_decision(nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]) -> None:
    one, two = some_accounts[:2]
    first = recommended(nbo, own_selling, store, one, "--idempotency-key", "call-17")
    assert recommended(nbo, own_selling, store, one, "--idempotency-key", "call-17") == first
    assert len(log_rows(own_selling)) == 1
    words = ("recommend", "--store", store, *LATEST, "--account", two, "--idempotency-key", "call-17")
    other = nbo(*words, cwd=own_selling)
    assert other.code == 2
    assert "call-17" in other.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--account", "A9999999"), "A9999999: no such account"),
        (("--account", "{account}", "--channel", "call_center"), "did you mean call_centre?"),
        (("--account", "{account}", "--product", "adls"), "product adls: no such product in the catalog"),
        (("--account", "{account}", "--all"), "expected either --account ID or --all"),
        ((), "expected either --account ID or --all"),
        (("--all", "--product", "adsl"), "--all: expected no --product"),
        (("--account", "{account}", "--language", "fr"), "expected en or zh"),
    ],
)
def test_a_wrong_question_is_told_in_one_line_and_logs_nothing(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str], words: tuple[str, ...], told: str
) -> None:
    asked = [word.format(account=some_accounts[0]) for word in words]
    found = nbo("recommend", "--store", store, *LATEST, *asked, cwd=own_selling)
    assert found.code == 2
    assert found.out == ""
    [line] = found.err.splitlines()
    assert told in line
    assert not (own_selling / "decisions.db").exists() or log_rows(own_selling) == []


def test_a_product_asked_for_is_judged_alone(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]
) -> None:
    found = recommended(nbo, own_selling, store, some_accounts[0], "--product", "adsl", "--product", "lan")
    named = {item["product_id"] for part in ("offers", "others", "stopped") for item in found[part]}
    assert named == {"adsl", "lan"}


def test_a_decision_that_cannot_be_logged_is_not_given(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBO_LOG_URL", "postgresql+psycopg://nobody@127.0.0.1:9/nowhere")
    alone = nbo("recommend", "--store", store, *LATEST, "--account", some_accounts[0], cwd=own_selling)
    together = nbo("recommend", "--store", store, *LATEST, "--all", "--out", "runs/all", cwd=own_selling)
    for found in (alone, together):
        assert found.code == 2
        assert found.out == ""
        assert len(found.err.splitlines()) == 1
    assert not list((own_selling / "runs").glob("all/as_of=*"))


def test_a_store_of_another_currency_is_refused(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]
) -> None:
    catalog = own_selling / "serving/offers/catalog.toml"
    catalog.write_text(catalog.read_text().replace('currency = "CNY"', 'currency = "EUR"'))
    found = nbo("recommend", "--store", store, *LATEST, "--account", some_accounts[0], cwd=own_selling)
    assert found.code == 2
    assert "catalog.currency: expected CNY" in found.err


def test_a_rule_on_an_unknown_feature_is_refused_by_name(
    nbo: Nbo, own_selling: Path, store: Path, some_accounts: list[str]
) -> None:
    rules = own_selling / "serving/offers/rules.toml"
    rules.write_text(rules.read_text().replace("accounts_account_class", "accounts_account_clas"))
    found = nbo("recommend", "--store", store, *LATEST, "--account", some_accounts[0], cwd=own_selling)
    assert found.code == 2
    assert "did you mean accounts_account_class" in found.err


def test_without_a_model_in_use_the_command_says_what_to_do(
    nbo: Nbo, own_released: Path, store: Path
) -> None:
    found = nbo("recommend", "--store", store, *LATEST, "--all", cwd=own_released)
    assert found.code == 2
    assert "next-product" in found.err


def test_the_at_risk_list_names_an_offer_whose_outcome_can_be_reported(
    nbo: Nbo, own_selling: Path, store: Path
) -> None:
    words = ("at-risk", "--store", store, *LATEST, "--top", "8", "--csv", "list.csv", "--json")
    rows = nbo(*words, cwd=own_selling).result["rows"]
    assert nbo(*words, cwd=own_selling).result["rows"] == rows
    logged = log_rows(own_selling)
    assert sorted(logged) == sorted(row["decision_id"] for row in rows)
    with (own_selling / "list.csv").open(encoding="utf-8-sig") as file:
        assert [row["offer"] for row in csv.DictReader(file)] == [row["offer"] or "" for row in rows]
    offered = next(row for row in rows if row["offer"])
    decision = nbo("replay", offered["decision_id"], "--json", cwd=own_selling).result["decision"]
    assert decision["offers"][0]["title"] == offered["offer"]
    report = f"decision_id,outcome,offer_id,occurred_at\n{offered['decision_id']},accepted,"
    report += f"{decision['offers'][0]['offer_id']},2099-01-01T10:00:00+08:00\n"
    (own_selling / "outcomes.csv").write_text(report)
    assert nbo("outcomes", "import", "outcomes.csv", cwd=own_selling).code == 0
    again = nbo("replay", offered["decision_id"], "--json", cwd=own_selling).result
    assert [item["outcome"] for item in again["outcomes"]] == ["accepted"]


def test_without_a_next_product_model_the_list_says_that_it_names_no_offers(
    nbo: Nbo, own_released: Path, store: Path
) -> None:
    found = nbo("at-risk", "--store", store, *LATEST, "--top", "3", "--json", cwd=own_released)
    assert [row["offer"] for row in found.result["rows"]] == [None] * 3
    assert any("next-product" in warning for warning in found.envelope["warnings"])
