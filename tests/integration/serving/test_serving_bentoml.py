"""BentoML's own app gives the same answers as ours, alone and behind it."""

import asyncio
import os
from typing import Any

import httpx
import pytest

import serving
from nbo.errors import UsageError
from serving.service import service
from serving.settings import ServeSettings


def without_clock(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "decided_at"}


def bodies(built: Any) -> list[dict[str, Any]]:
    row = built.rows().slice(3, 1).to_pylist()[0]
    account = row.pop("account_id")
    return [
        {"accounts": list(built.batch(built.first))},
        {"accounts": ["A001", "nobody"], "reasons": True, "language": "zh"},
        {"rows": [{"account_id": account, "features": row}]},
        {},
        {"accounts": [1]},
        {"accounts": ["A001"], "more": 1},
        {"rows": [{"features": {"a": True}}]},
        {"rows": [{"features": {"nonsense": 1.0}}]},
    ]


async def asked_alone(app: Any, questions: list[dict[str, Any]]) -> list[httpx.Response]:
    """Answers of BentoML's app by itself, as ``bentoml serve`` runs it."""
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bentoml") as client,
    ):
        return [await client.post("/score", json=question) for question in questions]


def test_bentoml_alone_and_behind_answers_as_we_do(server: Any, built: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("NBO_BUNDLE_KEY", "k" * 32)
    monkeypatch.setenv("NBO_WORKSPACE", str(built.workspace))
    monkeypatch.setenv("NBO_STORE", str(built.store))
    questions = bodies(built)
    alone = asyncio.run(asked_alone(service.to_asgi(), questions))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        ours = [client.post("/v1/scores", json=question) for question in questions]
        behind = [client.post("/score", json=question) for question in questions]
    assert [r.status_code for r in ours] == [200, 200, 200, 422, 422, 422, 422, 422]
    for mine, other, theirs in zip(ours, behind, alone, strict=True):
        assert [other.status_code, theirs.status_code] == [mine.status_code] * 2
        if mine.status_code == 200:
            assert without_clock(other.json()) == without_clock(theirs.json()) == without_clock(mine.json())
        else:
            assert other.json()["type"] == theirs.json()["type"] == mine.json()["type"]
            assert other.headers["content-type"] == "application/problem+json"


def test_not_a_number_cannot_slip_in_through_another_parser(server: Any, built: Any) -> None:
    name = next(f.name for f in built.bundle(built.first).features.features if f.kind == "number")
    features = dict.fromkeys(built.bundle(built.first).features.names)
    text = httpx.Request("POST", server.url, json={"rows": [{"features": features}]}).content.decode()
    for word in ("NaN", "Infinity"):
        body = text.replace(f'"{name}":null', f'"{name}":{word}')
        assert word in body
        headers = {"Content-Type": "application/json"}
        told = httpx.post(f"{server.url}/score", content=body, headers=headers, timeout=60)
        assert told.status_code == 422
        assert f"{name}: expected a finite number" in told.json()["detail"]


def test_our_routes_win_over_those_of_bentoml(server: Any) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.get("/livez").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}
        assert "nbo_http_requests_total" in client.get("/metrics").text
        assert "googletagmanager" not in client.get("/").text
        assert "score" in client.get("/schema.json").text


def test_bentoml_serve_needs_to_be_told_what_to_load() -> None:
    with pytest.raises(UsageError, match="NBO_WORKSPACE, NBO_STORE: expected a folder in the environment"):
        ServeSettings.from_environment({})
    with pytest.raises(UsageError, match="NBO_STORE: expected a folder"):
        ServeSettings.from_environment({"NBO_WORKSPACE": "w"})
    settings = ServeSettings.from_environment(
        {"NBO_WORKSPACE": "w", "NBO_STORE": "s", "NBO_AS_OF": "2025-03-01"}
    )
    assert (str(settings.workspace), settings.as_of) == ("w", "2025-03-01")


def test_bentoml_never_phones_home() -> None:
    assert serving.__name__ == "serving"
    assert os.environ["BENTOML_DO_NOT_TRACK"] == "true"
