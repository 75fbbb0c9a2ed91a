"""What came of a decision, attached once; a decision looked up again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import jsonschema
import pytest

PLACE = "/v1/outcomes"


@pytest.fixture
def client(shop: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=60) as client:
        yield client


@pytest.fixture
def decision(client: httpx.Client, sold: Any) -> Any:
    """A new decision that makes at least one offer."""
    for account in sold.accounts:
        answer = client.post("/v1/recommendations", json={"account_id": account, "channel": "shop"}).json()
        if answer["offers"]:
            return answer
    raise AssertionError("no account has an offer")


def later(decision: Any, seconds: float = 60) -> str:
    return (datetime.fromisoformat(decision["decided_at"]) + timedelta(seconds=seconds)).isoformat()


def outcome(decision: Any, **changes: Any) -> dict[str, Any]:
    """The first offer accepted a minute later."""
    told = {
        "decision_id": decision["decision_id"],
        "outcome": "accepted",
        "offer_id": decision["offers"][0]["offer_id"],
        "occurred_at": later(decision),
    }
    return {**told, **changes}


def problem(response: httpx.Response) -> tuple[int, str, str]:
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == response.status_code
    return response.status_code, told["type"].removeprefix("urn:nbo:problem:"), told["detail"]


def test_an_outcome_is_attached_once_however_often_it_is_told(
    client: httpx.Client, decision: Any, sold: Any, nbo: Any
) -> None:
    told = [client.post(PLACE, json=outcome(decision)) for _ in range(3)]
    assert [response.status_code for response in told] == [201, 200, 200]
    assert len({response.content for response in told}) == 1
    note = told[0].json()
    assert note == {**outcome(decision), "occurred_at": note["occurred_at"]}
    assert note["occurred_at"].endswith("Z")
    assert datetime.fromisoformat(note["occurred_at"]) == datetime.fromisoformat(later(decision))
    again = nbo("replay", decision["decision_id"], "--json", cwd=sold.workspace)
    assert again.result["outcomes"] == [note]


def test_a_decision_is_given_back_as_it_was_with_its_outcome(client: httpx.Client, sold: Any) -> None:
    response = client.post(
        "/v1/recommendations", json={"account_id": sold.accounts[0], "channel": "web", "language": "zh"}
    )
    place = f"/v1/decisions/{response.json()['decision_id']}"
    found = client.get(place)
    assert found.status_code == 200
    assert found.content == b'{"decision":' + response.content + b',"outcomes":[]}'
    told = {
        "decision_id": response.json()["decision_id"],
        "outcome": "no_answer",
        "occurred_at": later(response.json()),
    }
    note = client.post(PLACE, json=told)
    assert note.status_code == 201
    assert (
        client.get(place).content
        == b'{"decision":' + response.content + b',"outcomes":[' + note.content + b"]}"
    )
    head = client.head(place)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("identity", ["0" * 32, "none", "a/b", "%00", "%F0%9F%93%9E", "x" * 5_000])
def test_an_unknown_decision_is_a_404(client: httpx.Client, identity: str) -> None:
    assert problem(client.get(f"/v1/decisions/{identity}"))[:2] == (404, "unknown-decision")
    assert problem(client.get("/v1/decisions/"))[:2] == (404, "unknown-route")


def test_an_outcome_of_an_unknown_decision_is_a_404(client: httpx.Client, decision: Any) -> None:
    told = problem(client.post(PLACE, json=outcome(decision, decision_id="0" * 32)))
    assert told[:2] == (404, "unknown-decision")
    assert "0" * 32 in told[2]


def test_another_outcome_of_the_same_decision_is_a_conflict(client: httpx.Client, decision: Any) -> None:
    assert client.post(PLACE, json=outcome(decision)).status_code == 201
    for other in (
        outcome(decision, outcome="refused"),
        outcome(decision, outcome="refused", offer_id=None),
        outcome(decision, occurred_at=later(decision, 61)),
    ):
        assert problem(client.post(PLACE, json=other))[:2] == (409, "outcome-conflict")
    found = client.get(f"/v1/decisions/{decision['decision_id']}").json()
    assert [one["outcome"] for one in found["outcomes"]] == ["accepted"]


UNFIT = {
    "a word of its own": ({"outcome": "maybe"}, "expected an outcome of accepted, refused"),
    "earlier than its decision": ({"occurred_at": "2001-01-01T00:00:00Z"}, "expected a time not before"),
    "an offer that was not made": ({"offer_id": "the_moon"}, "expected an offer that was made"),
    "accepted without an offer": ({"offer_id": None}, "expected the offer that was accepted"),
    "no zone": ({"occurred_at": "2999-01-01T00:00:00"}, "expected an instant with Z or an offset"),
    "no instant": ({"occurred_at": "tomorrow"}, "expected an instant with Z or an offset"),
    "an offer nobody heard of": ({"outcome": "not_reached"}, "expected no offer_id with not_reached"),
}


@pytest.mark.parametrize(("changes", "text"), UNFIT.values(), ids=UNFIT)
def test_an_outcome_that_does_not_fit_its_decision_is_refused(
    client: httpx.Client, decision: Any, changes: dict[str, Any], text: str
) -> None:
    status, code, detail = problem(client.post(PLACE, json=outcome(decision, **changes)))
    assert (status, code) == (422, "invalid-outcome")
    assert text in detail
    assert client.get(f"/v1/decisions/{decision['decision_id']}").json()["outcomes"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed-json"),
        (b"{}", 422, "invalid-request"),
        (b'{"decision_id": "d", "outcome": "refused"}', 422, "invalid-request"),
        (b'{"decision_id": "d", "outcome": 1, "occurred_at": "x"}', 422, "invalid-request"),
        (
            b'{"decision_id": "d", "outcome": "refused", "occurred_at": "x", "note": ""}',
            422,
            "invalid-request",
        ),
    ],
)
def test_a_body_that_does_not_fit_is_refused(
    client: httpx.Client, body: bytes, status: int, code: str
) -> None:
    response = client.post(PLACE, content=body, headers={"Content-Type": "application/json"})
    assert problem(response)[:2] == (status, code)


def test_methods_are_kept_apart(client: httpx.Client) -> None:
    assert client.get(PLACE).headers["allow"] == "POST"
    response = client.post("/v1/decisions/d", json={})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert problem(client.post(PLACE, content=b"{}"))[:2] == (415, "unsupported-media-type")


def test_real_answers_fit_the_published_schemas(client: httpx.Client, decision: Any) -> None:
    document = client.get("/openapi.json").json()
    place = f"/v1/decisions/{decision['decision_id']}"
    answers = [
        (PLACE, "post", client.post(PLACE, json=outcome(decision))),
        (PLACE, "post", client.post(PLACE, json=outcome(decision))),
        (PLACE, "post", client.post(PLACE, json=outcome(decision, outcome="refused"))),
        (PLACE, "post", client.post(PLACE, json=outcome(decision, decision_id="none"))),
        (PLACE, "post", client.post(PLACE, json={})),
        ("/v1/decisions/{decision_id}", "get", client.get(place)),
        ("/v1/decisions/{decision_id}", "get", client.get("/v1/decisions/none")),
    ]
    assert [response.status_code for _, _, response in answers] == [201, 200, 409, 404, 422, 200, 404]
    for path, method, response in answers:
        told = document["paths"][path][method]["responses"][str(response.status_code)]["content"]
        schema = {**told[response.headers["content-type"]]["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(response.json())
