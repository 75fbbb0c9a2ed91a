"""From a public operator's raw files to a score over HTTP, by the commands of docs/real-data.md."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data") / "megaline"
STORE, SCORES, AS_OF = "runs/megaline", "runs/scores", "2019-01-01"

pytestmark = pytest.mark.needs("bench_data")
Command = Callable[..., dict[str, Any]]


def started(place: Path, *words: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NBO_")}
    return subprocess.Popen(
        [sys.executable, "-m", "nbo", *words],
        cwd=place,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("megaline") / "operator"
    made = started(folder.parent, "init", str(folder))
    _, told = made.communicate()
    assert made.returncode == 0, told
    return folder


@pytest.fixture(scope="module")
def nbo(place: Path) -> Command:
    """Run a command in the workspace; its JSON envelope."""

    def call(*words: str) -> dict[str, Any]:
        process = started(place, *words, "--json")
        out, told = process.communicate()
        assert process.returncode == 0, f"nbo {' '.join(words)}\n{out}\n{told}"
        return dict(json.loads(out))

    return call


@pytest.fixture(scope="module")
def checked(nbo: Command) -> dict[str, Any]:
    return nbo("check", "--data", str(DATA), "--mapping", "megaline", "--out", STORE)


@pytest.fixture(scope="module")
def trained(nbo: Command, checked: dict[str, Any]) -> dict[str, Any]:
    config = "training/configs/megaline.toml"
    return nbo("train", "churn", "--store", STORE, "--config", config)


@pytest.fixture(scope="module")
def scored(nbo: Command, trained: dict[str, Any]) -> dict[str, Any]:
    nbo("promote", "churn", "--bundle", trained["result"]["bundle"])
    return nbo("score", "--store", STORE, "--as-of", "latest", "--out", SCORES)


@pytest.fixture(scope="module")
def batch(place: Path, scored: dict[str, Any]) -> dict[str, float]:
    rows = pq.read_table(place / SCORES / f"as_of={AS_OF}" / "part-00000.parquet", partitioning=None)
    return dict(zip(rows["account_id"].to_pylist(), rows["p_churn"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def server(place: Path, scored: dict[str, Any]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = started(place, "serve", "--store", STORE, "--port", "0", "--drain-seconds", "2")
    assert process.stdout is not None
    greeting = process.stdout.readline()
    address = re.search(r"http://\S+", greeting)
    if address is None:
        process.kill()
        pytest.fail(f"no address in {greeting!r}\n{process.communicate()[1]}")
    yield process, address[0]
    process.kill()
    process.communicate()


def test_every_row_of_the_raw_files_is_accounted_for(checked: dict[str, Any]) -> None:
    rows = {table["table"]: table["rows"] for table in checked["result"]["tables"]}
    assert checked["ok"]
    assert rows["accounts"] == 500 and rows["lines"] == 534 and rows["calls"] == 137_735


def test_features_say_what_these_files_cannot_feed(nbo: Command, checked: dict[str, Any]) -> None:
    built = nbo("features", "build", "--store", STORE, "--as-of", "latest")
    assert built["result"]["rows"] == 466
    assert any(note.startswith("calls.direction is not in the data") for note in built["warnings"])
    seen = nbo("features", "preview", "--store", STORE, "--as-of", "latest", "--account", "1071")
    [row] = seen["result"]
    assert row["calls_count_30d"] > 0 and row["calls_out_count_30d"] is None


def test_so_few_leavers_are_told_to_prove_the_plumbing_only(nbo: Command, trained: dict[str, Any]) -> None:
    card = nbo("models", "show", "--bundle", trained["result"]["bundle"])["result"]
    assert 0 < card["positives"] < 34
    assert card["as_of_slices"]["holdout"] == ["2018-12-01"]
    assert any("a test of the plumbing, not as evidence" in note for note in trained["warnings"])


def test_the_list_is_ordered_by_risk_where_no_bill_tells_a_margin(
    nbo: Command, batch: dict[str, float]
) -> None:
    told = nbo("at-risk", "--store", STORE, "--as-of", "latest", "--out", SCORES, "--top", "10")
    rows = told["result"]["rows"]
    assert [row["p_churn"] for row in rows] == sorted(batch.values(), reverse=True)[:10]
    assert all(row["margin_at_risk_amount"] is None and row["reason_1"] for row in rows)
    assert any("margins are unknown" in note for note in told["warnings"])
    assert any("a test of the plumbing, not as evidence" in note for note in told["warnings"])


def test_a_score_over_http_is_the_score_of_the_batch_bit_for_bit(
    server: tuple[subprocess.Popen[str], str], batch: dict[str, float]
) -> None:
    answer = httpx.post(f"{server[1]}/v1/scores", json={"accounts": list(batch)}, timeout=60)
    assert answer.status_code == 200, answer.text
    live = {row["account_id"]: row["p_churn"] for row in answer.json()["results"]}
    assert len(batch) == 466
    assert {account: score.hex() for account, score in live.items()} == {
        account: score.hex() for account, score in batch.items()
    }
    assert answer.json()["as_of"] == AS_OF


def test_a_terminated_server_drains_before_it_stops(
    server: tuple[subprocess.Popen[str], str], batch: dict[str, float]
) -> None:
    process, address = server
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        while client.get("/readyz").status_code == 200:
            pass
        late = client.post("/v1/scores", json={"accounts": [next(iter(batch))]})
    assert late.status_code == 200
    assert process.wait(timeout=60) == 0
