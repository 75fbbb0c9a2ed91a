"""Recommendations over HTTP: those of the command line and the batch, logged before they are given."""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pyarrow.parquet as pq
import pytest

from nbo.decisions.answers import read_answer
from serving.service import from_environment

JSON = {"Content-Type": "application/json"}
PLACE = "/v1/recommendations"


@pytest.fixture
def client(shop: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=60) as client:
        yield client


def ask(client: httpx.Client, account: str, key: str | None = None, **more: Any) -> httpx.Response:
    body = {"account_id": account, "channel": "shop", **more}
    return client.post(PLACE, json=body, headers={} if key is None else {"Idempotency-Key": key})


def given(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return read_answer(response.text)


def problem(response: httpx.Response) -> tuple[int, str, str]:
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == response.status_code
    return response.status_code, told["type"].removeprefix("urn:nbo:problem:"), told["detail"]


def unstamped(text: str) -> str:
    """An answer without what tells two of them apart."""
    text, ids = re.subn(r'"decision_id":"[0-9a-f]{32}"', '"decision_id":""', text)
    text, clocks = re.subn(r'"decided_at":"[^"]*Z"', '"decided_at":""', text)
    assert (ids, clocks) == (1, 1)
    return text


def test_the_address_line_names_both_models(shop: Any, sold: Any) -> None:
    form = rf"nbo serves churn [0-9a-f]{{16}} and next-product [0-9a-f]{{16}} as of {sold.as_of} on http://"
    assert re.match(form, shop.greeting)


@pytest.mark.parametrize(
    ("channel", "language", "products"),
    [("shop", "en", []), ("call_centre", "zh", []), ("web", "en", ["adsl", "phs", "growth_plan"])],
)
def test_the_answer_is_that_of_the_command_line_byte_for_byte(
    client: httpx.Client, sold: Any, nbo: Any, channel: str, language: str, products: list[str]
) -> None:
    narrowed = [word for name in products for word in ("--product", name)]
    for account in sold.accounts[::200]:
        told = nbo(
            "recommend", "--store", sold.store, "--as-of", sold.as_of, "--account", account,
            "--channel", channel, "--language", language, *narrowed, "--json", cwd=sold.workspace,
        )  # fmt: skip
        with sold.log() as log:
            logged = log.decision(told.result["decision_id"]).answer
        response = ask(client, account, channel=channel, language=language, products=products)
        assert response.status_code == 200
        assert unstamped(response.text) == unstamped(logged)


def test_live_numbers_are_those_of_the_batch(
    client: httpx.Client, sold: Any, nbo: Any, tmp_path: Path
) -> None:
    run = nbo(
        "recommend", "--store", sold.store, "--as-of", sold.as_of, "--all", "--channel", "shop",
        "--out", tmp_path, "--json", cwd=sold.workspace,
    )  # fmt: skip
    folder = Path(run.result["folder"])
    opened = pq.read_table(folder / "part-00000.parquet", partitioning=None).to_pylist()
    stopped = pq.read_table(folder / "stopped-00000.parquet", partitioning=None).to_pylist()
    assert len({row["account_id"] for row in opened}) > 10
    for account in sold.accounts[::40]:
        answer = given(ask(client, account))
        live = [*answer["offers"], *answer["others"]]
        batch = [row for row in opened if row["account_id"] == account]
        for offer, row in zip(live, batch, strict=True):
            assert {name: row[name] for name in NUMBERS} == {name: offer[name] for name in NUMBERS}
        rules = {row["offer_id"]: row["rule"] for row in stopped if row["account_id"] == account}
        assert {one["offer_id"]: one["rule"] for one in answer["stopped"]} == rules


NUMBERS = ("rank", "offer_id", "product_id", "p_take", "margin_amount", "expected_margin_amount")


def test_what_is_given_is_what_is_logged_and_replays_bit_for_bit(
    client: httpx.Client, sold: Any, nbo: Any
) -> None:
    for account in sold.accounts[:3]:
        response = ask(client, account)
        identity = given(response)["decision_id"]
        with sold.log() as log:
            logged = log.decision(identity)
        assert response.text == logged.answer
        assert (logged.account_id, logged.channel, logged.run_id) == (account, "shop", None)
        again = nbo("replay", identity, "--json", cwd=sold.workspace)
        assert again.result["equal"] is True


def test_two_questions_without_a_key_are_two_decisions(client: httpx.Client, sold: Any) -> None:
    one, two = (ask(client, sold.accounts[0]) for _ in range(2))
    assert given(one)["decision_id"] != given(two)["decision_id"]
    assert unstamped(one.text) == unstamped(two.text)


def test_the_same_key_gives_the_same_bytes_and_one_decision(client: httpx.Client, sold: Any) -> None:
    first = ask(client, sold.accounts[1], "visit-1")
    assert given(first)["account_id"] == sold.accounts[1]
    assert {ask(client, sold.accounts[1], "visit-1").content for _ in range(3)} == {first.content}
    with sold.log() as log:
        earlier = log.by_key("visit-1")
    assert earlier is not None
    assert earlier.answer.encode() == first.content


@pytest.mark.parametrize(
    "other", [{"account_id": "?"}, {"channel": "web"}, {"language": "zh"}, {"products": ["adsl"]}]
)
def test_a_key_of_another_request_is_a_conflict(
    client: httpx.Client, sold: Any, other: dict[str, Any]
) -> None:
    assert ask(client, sold.accounts[2], "visit-2").status_code == 200
    account = sold.accounts[3] if "account_id" in other else sold.accounts[2]
    more = {name: value for name, value in other.items() if name != "account_id"}
    status, code, detail = problem(ask(client, account, "visit-2", **more))
    assert (status, code) == (409, "idempotency-conflict")
    assert "visit-2" in detail


def test_two_requests_that_race_with_one_key_give_one_decision(shop: Any, sold: Any) -> None:
    together = threading.Barrier(4)

    def asked(key: str) -> bytes:
        with httpx.Client(base_url=shop.url, timeout=60) as client:
            client.get("/livez")
            together.wait()
            response = ask(client, sold.accounts[4], key)
            assert response.status_code == 200
            return response.content

    for turn in range(5):
        with ThreadPoolExecutor(4) as pool:
            answers = set(pool.map(asked, [f"race-{turn}"] * 4))
        assert len(answers) == 1
        with sqlite3.connect(sold.workspace / "decisions.db") as database:
            query = "SELECT count(*) FROM decisions WHERE idempotency_key = ?"
            assert database.execute(query, (f"race-{turn}",)).fetchone() == (1,)


@pytest.mark.parametrize("key", ["", "two words", "k" * 201, "schlüssel".encode()])
def test_a_key_of_another_form_is_refused(client: httpx.Client, sold: Any, key: str | bytes) -> None:
    body = {"account_id": sold.accounts[0], "channel": "shop"}
    response = client.post(PLACE, json=body, headers=[(b"Idempotency-Key", key)])  # type: ignore[list-item]
    status, code, detail = problem(response)
    assert (status, code) == (422, "invalid-request")
    assert detail.startswith("idempotency-key: expected 1 to 200 visible ASCII characters, once, got")


def test_a_key_is_given_once_and_may_be_long(client: httpx.Client, sold: Any) -> None:
    body = {"account_id": sold.accounts[0], "channel": "shop"}
    twice = client.post(PLACE, json=body, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")])
    assert "got 2 of them" in problem(twice)[2]
    assert ask(client, sold.accounts[0], "!" + "~" * 199).status_code == 200


def test_an_unknown_account_is_a_404(client: httpx.Client, sold: Any) -> None:
    status, code, detail = problem(ask(client, "nobody"))
    assert (status, code) == (404, "unknown-account")
    assert detail == f"account_id: expected an account with an active line at {sold.as_of}, got 'nobody'"


def test_unknown_names_get_close_matches(client: httpx.Client, sold: Any) -> None:
    told = problem(ask(client, sold.accounts[0], channel="call_center"))
    assert told[:2] == (422, "unknown-channel")
    assert "did you mean call_centre?" in told[2]
    told = problem(ask(client, sold.accounts[0], products=["phs", "adls"]))
    assert told[:2] == (422, "unknown-product")
    assert told[2].startswith("products[1]: expected a product of the catalog, got 'adls'; did you mean")
    assert "adsl" in told[2]


BODIES = {
    "half a body": (b'{"account_id": "A', 400, "malformed-json", "expected UTF-8 JSON"),
    "deep arrays": (b"[" * 200_000, 400, "malformed-json", "nested too deep"),
    "a lone surrogate": (b'{"account_id": "\\ud800"}', 400, "malformed-json", "expected UTF-8 JSON"),
    "nothing": (b"{}", 422, "invalid-request", "missing required field `account_id`"),
    "no channel": (b'{"account_id": "A"}', 422, "invalid-request", "missing required field `channel`"),
    "a number": (b'{"account_id": 1, "channel": "shop"}', 422, "invalid-request", "Expected `str`"),
    "empty": (b'{"account_id": "", "channel": "shop"}', 422, "invalid-request", "length >= 1"),
    "a language": (
        b'{"account_id": "A", "channel": "shop", "language": "fr"}',
        422,
        "invalid-request",
        "Invalid enum",
    ),
    "an unknown field": (
        b'{"account_id": "A", "channel": "shop", "product": "phs"}',
        422,
        "invalid-request",
        "unknown field `product`",
    ),
    "too many products": (
        json.dumps({"account_id": "A", "channel": "shop", "products": ["phs"] * 201}).encode(),
        422,
        "invalid-request",
        "length <= 200",
    ),
}


@pytest.mark.parametrize(("body", "status", "code", "text"), BODIES.values(), ids=BODIES)
def test_a_body_that_does_not_fit_is_told_why(
    client: httpx.Client, body: bytes, status: int, code: str, text: str
) -> None:
    told = problem(client.post(PLACE, content=body, headers=JSON))
    assert told[:2] == (status, code)
    assert text in told[2]


def test_the_limits_of_scores_hold_here_too(client: httpx.Client) -> None:
    assert problem(client.post(PLACE, content=b"{}"))[:2] == (415, "unsupported-media-type")
    assert problem(client.post(PLACE, content=b" " * 1_100_000, headers=JSON))[0] == 413
    for method in ("GET", "HEAD", "PUT"):
        response = client.request(method, PLACE)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_only_asked_products_are_offered_and_the_others_are_no_longer_told(
    client: httpx.Client, sold: Any
) -> None:
    seen = set()
    for account in sold.accounts[:20]:
        whole, narrow = given(ask(client, account)), given(ask(client, account, products=["adsl", "phs"]))
        for part in ("offers", "others", "stopped"):
            assert {offer["product_id"] for offer in narrow[part]} <= {"adsl", "phs"}
        numbers = {o["offer_id"]: o["p_take"] for o in [*whole["offers"], *whole["others"]]}
        for offer in [*narrow["offers"], *narrow["others"]]:
            assert offer["p_take"] == numbers[offer["offer_id"]]
            seen.add(offer["offer_id"])
    assert seen


def test_titles_and_reasons_come_in_the_language_asked(client: httpx.Client, sold: Any) -> None:
    texts: dict[str, str] = {"en": "", "zh": ""}
    for account in sold.accounts[:10]:
        for language in texts:
            answer = given(ask(client, account, language=language))
            assert answer["language"] == language
            texts[language] += json.dumps(
                [answer["offers"], answer["stopped"]], default=str, ensure_ascii=False
            )
    assert re.search("[一-鿿]", texts["zh"])
    assert not re.search("[一-鿿]", texts["en"])


def test_real_answers_fit_the_published_schemas(client: httpx.Client, sold: Any) -> None:
    document = client.get("/openapi.json").json()
    asked = {"account_id": sold.accounts[0], "channel": "shop"}
    answers = {
        200: [client.post(PLACE, json={**asked, "account_id": a}) for a in sold.accounts[:30]],
        404: [ask(client, "nobody")],
        415: [client.post(PLACE, content=b"{}")],
        422: [ask(client, "nobody", channel="?")],
    }
    told = document["paths"][PLACE]["post"]
    for status, responses in answers.items():
        for response in responses:
            assert response.status_code == status
            content = told["responses"][str(status)]["content"][response.headers["content-type"]]
            schema = {**content["schema"], "components": document["components"]}
            jsonschema.Draft202012Validator(schema).validate(response.json())
    body = told["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**body, "components": document["components"]})
    validator.validate(asked)
    assert not validator.is_valid({**asked, "channel": "smoke signals"})
    answer = answers[200][0].json()
    schema = {"$ref": "#/components/schemas/Recommendation", "components": document["components"]}
    del answer["stopped"]
    assert not jsonschema.Draft202012Validator(schema).is_valid(answer)


def test_metrics_name_the_route_and_both_models(client: httpx.Client, sold: Any) -> None:
    identity = given(ask(client, sold.accounts[0]))["decision_id"]
    client.get(f"/v1/decisions/{identity}")
    text = client.get("/metrics").text
    assert f'nbo_http_requests_total{{method="POST",route="{PLACE}",status="200"}}' in text
    assert 'route="/v1/decisions/{decision_id}",status="200"' in text
    assert identity not in text
    assert 'model="churn"' in text
    assert 'model="next-product"' in text


def test_the_scope_recommend_reaches_these_routes_and_no_other(
    sell: Any, seller: Any, tmp_path: Path
) -> None:
    names = {"score": "s" * 24, "recommend": "r" * 24, "admin": "a" * 24}
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{name} {name} {key}\n" for name, key in names.items()))
    questions = {
        PLACE: {"account_id": seller.accounts[0], "channel": "shop"},
        "/v1/outcomes": {"decision_id": "?", "outcome": "refused", "occurred_at": "2030-01-01T00:00:00Z"},
        "/v1/decisions/none": None,
        "/v1/scores": {"accounts": [seller.accounts[0]]},
    }
    reached: dict[str, list[int]] = {}
    with sell(keys=str(keys)) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        for name, key in names.items():
            headers = {"Authorization": f"Bearer {key}"}
            for path, body in questions.items():
                method = "GET" if body is None else "POST"
                response = client.request(method, path, json=body, headers=headers)
                reached.setdefault(name, []).append(response.status_code)
        assert client.post(PLACE, json=questions[PLACE]).status_code == 401
    assert reached == {
        "score": [403, 403, 403, 200],
        "recommend": [200, 404, 404, 403],
        "admin": [200, 404, 404, 200],
    }


def test_without_a_released_model_these_routes_say_what_to_do(server: Any, built: Any) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        outcome = {"decision_id": "d", "outcome": "refused", "occurred_at": "2030-01-01T00:00:00Z"}
        for response in (
            ask(client, "A001"),
            client.post("/v1/outcomes", json=outcome),
            client.get("/v1/decisions/d"),
        ):
            status, code, detail = problem(response)
            assert (status, code) == (503, "not-loaded")
            assert "Run nbo promote next-product" in detail
            assert response.headers["retry-after"] == "10"
        assert client.post("/v1/scores", json={"accounts": ["A001"]}).status_code == 200
    assert not list(built.workspace.glob("decisions.db*"))


def test_bentoml_alone_serves_scores_and_opens_no_log(seller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_WORKSPACE", str(seller.workspace))
    monkeypatch.setenv("NBO_STORE", str(seller.store))
    live = from_environment()
    assert live.require().offers is None
    assert live.logbook is None
    assert live.refresh() is False
    assert not list(seller.workspace.glob("decisions.db*"))
