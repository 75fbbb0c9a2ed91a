"""A released model, an edited catalog, a broken rule: followed, or left out and told once."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

PLACE = "/v1/recommendations"


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> bool:
    """Poll until something happens; False if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.05)
    return False


def ask(client: httpx.Client, account: str, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(PLACE, json={"account_id": account, "channel": "shop"}, headers=headers)


def catalog_of(client: httpx.Client, account: str) -> str:
    return str(ask(client, account).json()["versions"]["catalog"])


def edited(path: Path, old: str, new: str) -> str:
    """Replace a text that stands in a file; the former content."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return text


def test_an_edited_catalog_is_followed_under_load_and_a_broken_one_is_not(sell: Any, seller: Any) -> None:
    catalog = seller.workspace / "serving" / "offers" / "catalog.toml"
    account = seller.accounts[0]
    statuses: set[int] = set()
    stop = threading.Event()

    def load(url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                statuses.add(ask(client, account).status_code)

    with sell() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        first = ask(client, account, "visit")
        former = catalog_of(client, account)
        caller = threading.Thread(target=load, args=(server.url,))
        caller.start()
        original = edited(catalog, "one_off_cost = 100\n", "one_off_cost = 101\n")
        assert wait_for(lambda: catalog_of(client, account) != former)
        stop.set()
        caller.join()
        assert statuses == {200}
        # The key outlives what it was answered from.
        assert ask(client, account).json()["versions"] != first.json()["versions"]
        assert ask(client, account, "visit").content == first.content
        present = catalog_of(client, account)
        edited(catalog, 'currency = "CNY"', 'curency = "CNY"')
        assert wait_for(lambda: "reload failed" in server.log.read_text())
        assert catalog_of(client, account) == present
        # Tried again, and still told once.
        assert wait_for(lambda: "nbo_reload_failures_total 2.0" in client.get("/metrics").text)
        assert server.log.read_text().count("reload failed") == 1
        catalog.write_text(original)
        assert wait_for(lambda: catalog_of(client, account) == former)


def test_a_model_released_later_is_followed_and_opens_the_log(sell: Any, seller: Any) -> None:
    pointer = seller.workspace / "releases" / "current.json"
    whole = pointer.read_text()
    told = json.loads(whole)
    del told["models"]["next-product"]
    pointer.write_text(json.dumps(told))
    with sell() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert server.greeting.startswith("nbo serves churn")
        assert "next-product" not in server.greeting
        assert ask(client, seller.accounts[0]).status_code == 503
        assert not (seller.workspace / "decisions.db").exists()
        pointer.write_text(whole)
        assert wait_for(lambda: ask(client, seller.accounts[0]).status_code == 200)
        assert (seller.workspace / "decisions.db").exists()


def test_a_key_outlives_its_snapshot_and_its_account(
    sell: Any, seller: Any, nbo: Any, tmp_path: Path
) -> None:
    former = "2025-01-01"
    scored = nbo(
        "score", "--store", seller.store, "--as-of", former, "--out", tmp_path, "--json",
        cwd=seller.workspace,
    )  # fmt: skip
    part = Path(scored.result["folder"]) / "part-00000.parquet"
    then = pq.read_table(part, columns=["account_id"], partitioning=None)["account_id"].to_pylist()
    stayed = next(account for account in then if account in seller.accounts)
    left = next(account for account in then if account not in seller.accounts)
    with sell(as_of=former) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        answers = {account: ask(client, account, f"of-{account}") for account in (stayed, left)}
        assert {answer.json()["as_of"] for answer in answers.values()} == {former}
    with sell(as_of=seller.as_of) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert ask(client, stayed).json()["as_of"] == seller.as_of
        assert ask(client, left).status_code == 404
        for account, answer in answers.items():
            assert ask(client, account, f"of-{account}").content == answer.content
        other = client.post(
            PLACE,
            json={"account_id": left, "channel": "web"},
            headers={"Idempotency-Key": f"of-{left}"},
        )
        assert other.status_code == 409
        assert ask(client, left, "another-key").status_code == 404


def test_a_broken_catalog_or_rule_at_the_start_is_one_line(seller: Any, refused_seller: Any) -> None:
    for name in ("catalog.toml", "rules.toml"):
        path = seller.workspace / "serving" / "offers" / name
        whole = path.read_text()
        path.write_text(whole + "\nnonsense = 1\n")
        told = refused_seller()
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.strip().count("\n") == 0
        assert name in told.stderr
        path.write_text(whole)
