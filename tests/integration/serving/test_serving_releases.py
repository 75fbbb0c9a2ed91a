"""New releases, new snapshots, bad releases, and the way to stop: no request is lost."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from nbo.asof import AsOf
from nbo.bundle import Release, Releases
from nbo.errors import BundleError, DataError, UsageError
from nbo.features.build import build_features
from nbo.tables.store import Store
from serving.settings import ServeSettings
from serving.state import Live

LATER = AsOf.parse("2025-03-05")


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> bool:
    """Poll until something happens; False if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.05)
    return False


class Callers:
    """Threads that ask without pause over keep-alive connections and remember every answer."""

    def __init__(self, url: str, accounts: list[str], count: int = 2) -> None:
        self.url = url
        self.accounts = accounts
        self.answers: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)]

    def __enter__(self) -> "Callers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.stop.is_set():
                try:
                    response = client.post("/v1/scores", json={"accounts": self.accounts})
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                if response.status_code == 200:
                    self.answers.append(response.json())
                else:
                    self.failures.append(response.text)

    def seen(self, key: str, value: str) -> bool:
        return bool(self.answers) and self.answers[-1][key] == value


def test_promotions_under_load_lose_nothing_and_mix_nothing(operator: Any, serve: Any) -> None:
    batches = {bundle: operator.batch(bundle) for bundle in (operator.first, operator.second)}
    assert batches[operator.first] != batches[operator.second]
    accounts = list(batches[operator.first])
    with serve() as server, Callers(server.url, accounts) as callers:
        for bundle in (operator.second, operator.first):
            operator.promote(bundle)
            assert wait_for(lambda bundle=bundle: callers.seen("bundle", bundle))
    assert callers.failures == []
    assert {answer["bundle"] for answer in callers.answers} == set(batches)
    for answer in callers.answers:
        assert {r["account_id"]: r["p_churn"] for r in answer["results"]} == batches[answer["bundle"]]


def test_a_rollback_and_a_newer_snapshot_are_followed(operator: Any, serve: Any) -> None:
    operator.promote(operator.second)
    with serve() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.get("/v1/model").json()["bundle"] == operator.second
        Releases(operator.workspace).rollback("churn")
        assert wait_for(lambda: client.get("/v1/model").json()["bundle"] == operator.first)
        compiled = operator.bundle(operator.first).features
        build_features(Store.open(operator.store), compiled, LATER)
        assert wait_for(lambda: client.get("/v1/model").json()["as_of"] == "2025-03-05")
        later = operator.batch(operator.first, LATER)
        assert later != operator.batch(operator.first)
        results = client.post("/v1/scores", json={"accounts": list(later)}).json()["results"]
        assert {r["account_id"]: r["p_churn"] for r in results} == later
        assert f'bundle="{operator.first}"' in client.get("/metrics").text


def loaded_after(operator: Any, **how: Any) -> Any:
    live = Live(ServeSettings(operator.workspace, operator.store, **how))
    live.refresh()
    return live


def test_a_date_that_was_asked_for_stays(operator: Any) -> None:
    asked = loaded_after(operator, as_of="2025-03-01")
    newest = loaded_after(operator, as_of="latest")
    assert newest.require().as_of == asked.require().as_of
    build_features(Store.open(operator.store), operator.bundle(operator.first).features, LATER)
    assert asked.refresh() is False
    assert newest.refresh() is True
    assert str(asked.require().as_of) == "2025-03-01"
    assert str(newest.require().as_of) == "2025-03-05"


def test_a_release_that_cannot_be_loaded_leaves_the_former_one_answering(operator: Any, serve: Any) -> None:
    with serve() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        Releases(operator.workspace).write({"churn": Release("churn", operator.second, "0" * 64)})
        assert wait_for(lambda: "nbo_reload_failures_total 0.0" not in client.get("/metrics").text)
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/model").json()["bundle"] == operator.first
        assert "reload failed, what was loaded stays" in server.log.read_text()


def test_refreshing_without_news_keeps_the_very_same_state(operator: Any) -> None:
    live = loaded_after(operator)
    state = live.require()
    assert live.refresh() is False
    assert live.require() is state
    operator.promote(operator.second)
    assert live.refresh() is True
    assert live.require().bundle.id == operator.second
    assert state.bundle.id == operator.first


def test_a_damaged_release_keeps_what_is_loaded(operator: Any) -> None:
    live = loaded_after(operator)
    operator.promote(operator.second)
    booster = operator.workspace / "bundles" / operator.second / "booster-0.txt"
    booster.write_bytes(booster.read_bytes()[:-10])
    with pytest.raises(BundleError, match=operator.second):
        live.refresh()
    assert live.require().bundle.id == operator.first


def test_without_a_release_a_snapshot_or_a_store_nothing_starts(operator: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a feature snapshot as of 2025-02-01 .* got 2025-03-01"):
        loaded_after(operator, as_of="2025-02-01")
    with pytest.raises(UsageError, match="expected a date like"):
        loaded_after(operator, as_of="yesterday")
    manifest = operator.store / "MANIFEST.json"
    store_id = Store.open(operator.store).store_id
    changed = manifest.read_text().replace('"currency": "CNY"', '"currency": "HKD"')
    manifest.write_text(changed.replace(store_id, "0" * len(store_id)))
    with pytest.raises(
        DataError, match="expected a feature snapshot of this store, got one of another store"
    ):
        loaded_after(operator)
    (operator.workspace / "releases" / "current.json").unlink()
    with pytest.raises(UsageError, match=r"expected a released bundle, got none\. Run nbo promote churn"):
        loaded_after(operator)


def test_a_snapshot_of_yesterdays_store_is_served_while_it_stands(operator: Any) -> None:
    manifest = operator.store / "MANIFEST.json"
    store_id = Store.open(operator.store).store_id
    before = loaded_after(operator).require()
    manifest.write_text(manifest.read_text().replace(store_id, "0" * len(store_id)))
    live = loaded_after(operator)
    after = live.require()
    assert live.refresh() is False
    assert after.as_of == before.as_of
    account = next(iter(operator.batch(operator.first)))
    assert after.rows.row(account).tolist() == before.rows.row(account).tolist()


def test_a_server_without_a_release_exits_with_one_line(operator: Any, refused_start: Any) -> None:
    (operator.workspace / "releases" / "current.json").unlink()
    told = refused_start()
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.strip().count("\n") == 0
    assert "expected a released bundle, got none" in told.stderr


def test_a_terminated_server_drains_first_and_loses_nothing(operator: Any, serve: Any) -> None:
    accounts = list(operator.batch(operator.first))
    with serve(drain=3.0) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        with Callers(server.url, accounts) as callers:
            assert wait_for(lambda: len(callers.answers) > 20)
            server.process.send_signal(signal.SIGTERM)
            assert wait_for(lambda: client.get("/readyz").status_code == 503)
            told = client.get("/readyz")
            assert told.json()["type"] == "urn:nbo:problem:draining"
            assert told.headers["connection"] == "close"
            before = len(callers.answers)
            # Still answering, as a load balancer needs time to look at /readyz.
            assert wait_for(lambda: len(callers.answers) > before + 20)
        assert server.process.wait(60) == 0
        assert callers.failures == []
    assert "Traceback" not in server.log.read_text()


def test_a_request_in_flight_finishes_while_the_server_stops(operator: Any, serve: Any) -> None:
    accounts = list(operator.batch(operator.first)) * 16
    answers: list[httpx.Response] = []
    with serve() as server:
        body = {"accounts": accounts, "reasons": True}
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{server.url}/v1/scores", json=body, timeout=120))
        )
        asking.start()
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        asking.join()
        assert server.process.wait(60) == 0
    assert answers[0].status_code == 200
    assert len(answers[0].json()["results"]) == len(accounts)


def test_a_second_signal_stops_a_draining_server_at_once(serve: Any) -> None:
    with serve(drain=3_000.0) as server:
        server.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
