"""What a channel knows better than the snapshot, over real HTTP; and rows that are mapped, not loaded."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.decisions.answers import read_answer
from nbo.features.build import build_features
from nbo.features.online import ONLINE
from nbo.tables.store import Store
from serving.settings import ServeSettings
from serving.state import Live

ROOT = Path(__file__).resolve().parents[3]
CONTEXT = {"calls_count_7d": 0, "accounts_kind": "sole_trader"}
SOLD = {"tickets_open_count_now": 2, "tickets_open_complaint_days_since_last_180d": 0}


@pytest.fixture
def client(server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture
def seller_client(shop: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=60) as client:
        yield client


def ask(client: httpx.Client, body: Any, path: str = "/v1/scores") -> Any:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return read_answer(response.text)


def problem(response: httpx.Response) -> tuple[int, str, str]:
    told = response.json()
    return response.status_code, told["type"].removeprefix("urn:nbo:problem:"), told["detail"]


def changed_rows(rows: pa.Table) -> pa.Table:
    """The snapshot as it would be if every account were as the channel says."""
    for name, value in CONTEXT.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pa.array([value] * len(rows), rows[name].type))
    return rows


@pytest.mark.parametrize("path", ["/v1/scores", "/score"])
def test_the_score_is_that_of_a_batch_that_knew_it(client: httpx.Client, built: Any, path: str) -> None:
    rows = built.rows()
    accounts = rows["account_id"].to_pylist()
    bundle = built.bundle(built.first)
    knew = bundle.score(bundle.encode(changed_rows(rows))).tolist()
    asked = {"accounts": accounts, "context": dict.fromkeys(accounts[::2], CONTEXT)}
    results = ask(client, asked, path)["results"]
    batch = built.batch(built.first)
    assert [one["p_churn"] for one in results[::2]] == knew[::2]
    assert [one["p_churn"] for one in results[1::2]] == [batch[account] for account in accounts[1::2]]
    assert knew != list(batch.values())
    before = rows.to_pylist()
    for result, row in zip(results[::2], before[::2], strict=True):
        told = {one["feature"]: (one["value"], one["instead_of"]) for one in result["overridden"]}
        assert told == {name: (value, row[name]) for name, value in CONTEXT.items()}
    assert all(one["overridden"] == [] for one in results[1::2])


def test_reasons_tell_what_the_channel_said(client: httpx.Client, built: Any) -> None:
    asked = {"accounts": ["A001"], "context": {"A001": {"calls_count_7d": 0}}, "reasons": True}
    for reason in ask(client, asked)["results"][0]["reasons"]:
        assert reason["feature"] != "calls_count_7d" or ": 0 (typically 1)" in reason["text"]
    told = set()
    for account in built.batch(built.first):
        body = {**asked, "accounts": [account], "context": {account: {"calls_count_7d": 0}}}
        told |= {reason["feature"] for reason in ask(client, body)["results"][0]["reasons"]}
    assert "calls_count_7d" in told


REFUSALS = {
    "an unknown name": (
        {"calls_count_8d": 1},
        "calls_count_8d: expected a context feature, got no such name; did you mean calls_count_7d",
    ),
    "a feature that only the data tell": (
        {"calls_out_minutes_sum_30d": 1},
        "calls_out_minutes_sum_30d: expected a context feature, got one that only the data tell. Context "
        "features are calls_count_7d, calls_count_30d, accounts_kind.",
    ),
    "a text for a number": (
        {"calls_count_7d": "1"},
        "calls_count_7d: expected a whole number from 0 to 1000 (count), got '1'.",
    ),
    "null where it cannot be": (
        {"calls_count_7d": None},
        "calls_count_7d: expected a whole number from 0 to 1000 (count), got None.",
    ),
    "a fraction": ({"calls_count_7d": 0.5}, "calls_count_7d: expected a whole number from 0 to 1000"),
    "below the range": ({"calls_count_7d": -1}, "expected a whole number from 0 to 1000 (count), got -1.0."),
    "above the range": (
        {"calls_count_7d": 1001},
        "expected a whole number from 0 to 1000 (count), got 1001.0",
    ),
    "an unknown code": ({"accounts_kind": "ship"}, "accounts_kind: expected one of company, "),
    "a number for a code": ({"accounts_kind": 1}, "accounts_kind: expected one of company, "),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_channel_may_not_say_is_one_error(client: httpx.Client, case: str) -> None:
    said, expected = REFUSALS[case]
    response = client.post("/v1/scores", json={"accounts": ["A001"], "context": {"A001": said}})
    status, code, detail = problem(response)
    assert (status, code) == (422, "invalid-context")
    assert detail.startswith("context of 'A001': context.")
    assert expected in detail


@pytest.mark.parametrize("said", [{"A001": {"calls_count_7d": True}}, {"A001": [1]}, [], {"A001": None}])
def test_a_context_of_another_shape_is_refused(client: httpx.Client, said: Any) -> None:
    response = client.post("/v1/scores", json={"accounts": ["A001"], "context": said})
    assert problem(response)[:2] == (422, "invalid-request")


def test_context_of_an_account_that_is_not_asked_about_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/scores", json={"accounts": ["A001"], "context": {"A002": {}}})
    expected = "context: expected accounts that stand in accounts, got 'A002'"
    assert problem(response) == (422, "invalid-request", expected)


def test_the_model_page_tells_what_may_be_said(client: httpx.Client) -> None:
    told = client.get("/v1/model").json()["context"]
    assert list(told) == ["calls_count_7d", "calls_count_30d", "accounts_kind"]
    assert told["calls_count_7d"] == "a whole number from 0 to 1000"


def test_a_recommendation_records_what_was_overridden(
    seller_client: httpx.Client, sold: Any, nbo: Any
) -> None:
    body = {"account_id": sold.accounts[0], "channel": "shop", "context": SOLD}
    answer = ask(seller_client, body, "/v1/recommendations")
    assert {one["feature"]: one["value"] for one in answer["overridden"]} == SOLD
    with sold.log() as log:
        logged = log.decision(answer["decision_id"])
    assert read_answer(logged.answer) == answer
    assert json.loads(logged.versions)["request"]["context"] == SOLD
    assert nbo("replay", answer["decision_id"], "--json", cwd=sold.workspace).result["equal"] is True
    again = seller_client.get(f"/v1/decisions/{answer['decision_id']}")
    assert json.loads(again.text)["decision"]["overridden"] == answer["overridden"]
    plain = ask(seller_client, {**body, "context": {}}, "/v1/recommendations")
    assert "overridden" not in plain


def test_the_command_line_knows_it_too(seller_client: httpx.Client, sold: Any, nbo: Any) -> None:
    account = sold.accounts[3]
    words = [word for name, value in SOLD.items() for word in ("--context", f"{name}={value}")]
    told = nbo(
        "recommend", "--store", sold.store, "--as-of", sold.as_of, "--account", account, "--channel", "shop",
        *words, "--json", cwd=sold.workspace,
    )  # fmt: skip
    with sold.log() as log:
        logged = read_answer(log.decision(told.result["decision_id"]).answer)
    live = ask(
        seller_client, {"account_id": account, "channel": "shop", "context": SOLD}, "/v1/recommendations"
    )
    for answer in (logged, live):
        del answer["decision_id"], answer["decided_at"]
    assert logged == live


def test_another_context_under_one_key_is_another_question(seller_client: httpx.Client, sold: Any) -> None:
    body = {"account_id": sold.accounts[1], "channel": "shop"}
    headers = {"Idempotency-Key": "context-1"}
    first = seller_client.post("/v1/recommendations", json={**body, "context": SOLD}, headers=headers)
    again = seller_client.post("/v1/recommendations", json={**body, "context": SOLD}, headers=headers)
    assert first.status_code == 200
    assert again.content == first.content
    other = seller_client.post("/v1/recommendations", json=body, headers=headers)
    assert problem(other)[:2] == (409, "idempotency-conflict")


def test_a_recommendation_refuses_what_a_channel_may_not_say(seller_client: httpx.Client, sold: Any) -> None:
    body = {"account_id": sold.accounts[0], "channel": "shop", "context": {"calls_count_7d": 1}}
    status, code, detail = problem(seller_client.post("/v1/recommendations", json=body))
    assert (status, code) == (422, "invalid-context")
    assert detail.startswith("context.calls_count_7d: expected a context feature, got one that only the data")


def test_answers_with_context_fit_the_published_schemas(
    client: httpx.Client, seller_client: httpx.Client, sold: Any
) -> None:
    document = client.get("/openapi.json").json()
    scored = {"accounts": ["A001"], "context": {"A001": CONTEXT}}
    recommended = {"account_id": sold.accounts[0], "channel": "shop", "context": SOLD}
    for path, asker, body in (
        ("/v1/scores", client, scored),
        ("/v1/recommendations", seller_client, recommended),
    ):
        told = document["paths"][path]["post"]
        for schema, value in (
            (told["requestBody"]["content"]["application/json"]["schema"], body),
            (
                told["responses"]["200"]["content"]["application/json"]["schema"],
                asker.post(path, json=body).json(),
            ),
        ):
            whole = {**schema, "components": document["components"]}
            jsonschema.Draft202012Validator(whole).validate(value)


def test_a_server_starts_from_the_mapped_rows_alone(operator: Any, serve: Any) -> None:
    with serve():
        pass
    folder = next((operator.store / "features").glob(f"*/as_of=2025-03-01/{ONLINE}")).parent
    batch = operator.batch(operator.first)
    (folder / "part-00000.parquet").unlink()
    with serve() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        found = ask(client, {"accounts": list(batch), "reasons": True})["results"]
    assert {one["account_id"]: one["p_churn"] for one in found} == batch


def test_a_cut_off_file_is_one_line_at_the_start(operator: Any, serve: Any, refused_start: Any) -> None:
    with serve():
        pass
    path = next((operator.store / "features").glob(f"*/as_of=2025-03-01/{ONLINE}"))
    path.write_bytes(path.read_bytes()[:-8])
    stopped = refused_start()
    assert stopped.returncode == 2
    assert stopped.stderr.count("\n") == 1
    assert f"{ONLINE}: expected " in stopped.stderr


def test_a_damaged_row_is_refused_and_its_neighbours_are_not(operator: Any, serve: Any) -> None:
    with serve():
        pass
    path = next((operator.store / "features").glob(f"*/as_of=2025-03-01/{ONLINE}"))
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with serve() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        last, first = sorted(operator.batch(operator.first))[-1], "A000"
        response = client.post("/v1/scores", json={"accounts": [last]})
        assert problem(response)[:2] == (503, "rows-damaged")
        assert len(ask(client, {"accounts": [first]})["results"]) == 1
        assert f"{ONLINE}: row 59 differs from its check word" in server.log.read_text()


def test_a_newer_snapshot_is_followed_while_the_old_one_answers(operator: Any) -> None:
    live = Live(ServeSettings(operator.workspace, operator.store))
    live.refresh()
    before = live.require()
    accounts = list(operator.batch(operator.first))
    kept = before.rows.matrix(accounts)
    later = AsOf.parse("2025-03-05")
    build_features(Store.open(operator.store), before.bundle.features, later)
    time.sleep(0.01)
    assert live.refresh()
    assert (str(before.as_of), str(live.require().as_of)) == ("2025-03-01", "2025-03-05")
    assert np.array_equal(before.rows.matrix(accounts), kept, equal_nan=True)
    expected = before.bundle.encode(operator.rows(later))
    assert live.require().rows.matrix(accounts).tobytes() == expected.tobytes()


def test_the_command_that_builds_can_write_the_rows(operator: Any, nbo: Any) -> None:
    words = ("--store", operator.store, "--as-of", "2025-03-01", "--online", "--json")
    built = nbo("features", "build", *words, cwd=ROOT)
    assert (Path(built.result["folder"]) / ONLINE).is_file()
