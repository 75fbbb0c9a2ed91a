"""Scores over real HTTP: equal to batch bit for bit, hand-made rows, strangers, money, reasons."""

import json
import subprocess
import sys
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from nbo.models.reasons import reasons
from serving.app import App
from serving.limits import ApiKeys
from serving.metrics import Metrics
from serving.settings import ServeSettings
from serving.state import Live

ROOT = Path(__file__).resolve().parents[3]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(server: Any) -> Any:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def ask(client: httpx.Client, body: Any) -> Any:
    response = client.post("/v1/scores", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def hand_row(rows: Any, number: int) -> dict[str, Any]:
    row = rows.slice(number, 1).to_pylist()[0]
    del row["account_id"]
    return row


def test_the_address_line_tells_bundle_date_and_place(server: Any, built: Any) -> None:
    assert server.greeting.startswith(f"nbo serves churn {built.first} as of 2025-03-01 on http://127.0.0.1:")


def test_live_scores_equal_batch_scores_bit_for_bit(client: httpx.Client, built: Any) -> None:
    batch = built.batch(built.first)
    assert len(batch) == 60
    assert len(set(batch.values())) > 10
    together = ask(client, {"accounts": list(batch)})
    assert {r["account_id"]: r["p_churn"] for r in together["results"]} == batch
    alone = {a: ask(client, {"accounts": [a]})["results"][0]["p_churn"] for a in batch}
    assert alone == batch


def test_results_stand_in_the_order_asked_with_accounts_before_rows(client: httpx.Client, built: Any) -> None:
    row = {"account_id": "A001", "features": hand_row(built.rows(), 5)}
    answer = ask(client, {"accounts": ["A007", "nobody", "A003", "A007"], "rows": [row]})
    assert [r["account_id"] for r in answer["results"]] == ["A007", "nobody", "A003", "A007", "A001"]
    assert answer["results"][0] == answer["results"][3]


def test_an_unknown_account_is_told_beside_its_neighbours(client: httpx.Client) -> None:
    results = ask(client, {"accounts": ["A001", "nobody"]})["results"]
    assert 0 < results[0]["p_churn"] < 1
    assert results[1] == {
        "account_id": "nobody",
        "error": {
            "code": "unknown_account",
            "detail": "accounts: expected an account with an active line at 2025-03-01, got 'nobody'",
        },
    }


def test_only_strangers_are_still_an_answer(client: httpx.Client) -> None:
    results = ask(client, {"accounts": ["x", "y"], "reasons": True})["results"]
    assert [r["error"]["code"] for r in results] == ["unknown_account"] * 2


def test_a_hand_made_row_scores_like_the_snapshot_row_it_copies(client: httpx.Client, built: Any) -> None:
    rows, batch = built.rows(), built.batch(built.first)
    body = {"rows": [{"features": hand_row(rows, n)} for n in range(rows.num_rows)]}
    answer = ask(client, body)
    assert [r["p_churn"] for r in answer["results"]] == [batch[a] for a in rows["account_id"].to_pylist()]
    assert {(r["account_id"], r["monthly_margin_amount"]) for r in answer["results"]} == {(None, None)}


def test_a_null_and_an_unseen_category_are_values(client: httpx.Client, built: Any) -> None:
    features = dict.fromkeys(built.bundle(built.first).features.names)
    name = next(n for n in features if n.startswith("accounts"))
    unseen = {**features, name: "circus"}
    answer = ask(client, {"rows": [{"features": features}, {"features": unseen}]})
    assert all(0 < r["p_churn"] < 1 for r in answer["results"])


def test_money_and_bands_are_those_of_the_batch_too(client: httpx.Client, built: Any, tmp_path: Path) -> None:
    batch = built.batch_rows(built.first, tmp_path / "scores")
    accounts = [row["account_id"] for row in batch]
    text = client.post("/v1/scores", json={"accounts": accounts}).text
    answer = json.loads(text, parse_float=Decimal)
    assert answer["currency"] == "CNY"
    exact = {r["account_id"]: r["p_churn"] for r in json.loads(text)["results"]}
    for live, row in zip(answer["results"], batch, strict=True):
        assert {**{name: live[name] for name in row}, "p_churn": exact[row["account_id"]]} == row
    assert answer["results"][0]["margin_at_risk_amount"] is None
    assert answer["results"][1]["margin_at_risk_amount"].as_tuple().exponent == -2


def test_a_hand_made_row_of_a_known_account_is_worth_what_the_account_is(
    client: httpx.Client, built: Any
) -> None:
    row = {"account_id": "A002", "features": hand_row(built.rows(), 2)}
    answer = ask(client, {"accounts": ["A002"], "rows": [row]})
    assert answer["results"][0] == answer["results"][1]
    assert answer["results"][1]["monthly_margin_amount"] is not None


def test_bands_follow_the_edges_of_the_bundle(client: httpx.Client, built: Any) -> None:
    results = ask(client, {"accounts": list(built.batch(built.first))})["results"]
    for result in results:
        p = result["p_churn"]
        assert result["band"] == ("high" if p >= 0.6 else "medium" if p >= 0.3 else "low")
    assert {r["band"] for r in results} == {"high", "medium", "low"}


def test_reasons_come_on_request_in_the_language_asked(client: httpx.Client, built: Any) -> None:
    accounts = ["A040", "A002", "nobody", "A017"]
    body = {"accounts": accounts, "rows": [{"features": hand_row(built.rows(), 2)}]}
    plain = ask(client, body)["results"]
    assert all(r["reasons"] == [] for r in plain if "error" not in r)
    bundle, rows = built.bundle(built.first), built.rows()
    for language in ("en", "zh"):
        told = ask(client, {**body, "reasons": True, "language": language})["results"]
        expected = dict(
            zip(
                rows["account_id"].to_pylist(),
                reasons(bundle, bundle.encode(rows), rows, language, "CNY", 2),
                strict=True,
            )
        )
        for result, account in zip(told, [*accounts, "A002"], strict=True):
            if account != "nobody":
                assert result["reasons"] == [asdict(reason) for reason in expected[account]]
        assert [r.get("p_churn") for r in told] == [r.get("p_churn") for r in plain]
    assert any(expected[account] for account in accounts if account != "nobody")


def test_the_answer_names_date_bundle_and_clock(client: httpx.Client, built: Any) -> None:
    answer = ask(client, {"accounts": ["A001"]})
    assert (answer["as_of"], answer["bundle"]) == ("2025-03-01", built.first)
    assert answer["decided_at"].endswith("Z")


def test_the_model_page_tells_what_is_served(client: httpx.Client, built: Any) -> None:
    card = client.get("/v1/model").json()
    features = built.bundle(built.first).features
    assert (card["bundle"], card["feature_hash"], card["accounts"]) == (built.first, features.hash, 60)
    assert card["features"] == list(features.names)
    assert card["trained_slices"] == ["2025-01-01"]
    assert card["metrics"]["auc"]["value"] == 0.7


def test_real_answers_fit_the_published_schemas(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    request = {"accounts": ["A000", "A001", "nobody"], "reasons": True}
    answers = {
        ("/v1/scores", "post", 200): client.post("/v1/scores", json=request),
        ("/v1/scores", "post", 400): client.post("/v1/scores", content=b"{", headers=JSON),
        ("/v1/scores", "post", 415): client.post("/v1/scores", content=b"{}"),
        ("/v1/scores", "post", 422): client.post("/v1/scores", json={}),
        ("/v1/scores", "post", 413): client.post("/v1/scores", content=b" " * 1_100_000, headers=JSON),
        ("/v1/model", "get", 200): client.get("/v1/model"),
        ("/livez", "get", 200): client.get("/livez"),
        ("/readyz", "get", 200): client.get("/readyz"),
        ("/openapi.json", "get", 200): client.get("/openapi.json"),
    }
    for (path, method, status), response in answers.items():
        assert response.status_code == status, path
        told = document["paths"][path][method]["responses"][str(status)]["content"]
        kind = response.headers["content-type"]
        schema = {**told[kind]["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(response.json())
    body = document["paths"]["/v1/scores"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**body, "components": document["components"]})
    validator.validate(request)
    assert not validator.is_valid({"accounts": [1]})
    assert not validator.is_valid({"account": ["A000"]})


def test_a_wrong_answer_would_not_fit_its_schema(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/Answer", "components": document["components"]}
    answer = ask(client, {"accounts": ["A001"]})
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(answer)
    del answer["results"][0]["band"]
    assert not validator.is_valid(answer)


def test_the_document_names_the_routes_that_answer(client: httpx.Client) -> None:
    routes = App(Live(ServeSettings(Path(), Path())), ApiKeys(), Metrics()).routes
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == set(routes) - {"/"}
    assert all({m.lower() for m in routes[path]} == set(paths[path]) for path in paths)


def test_metrics_count_by_route_and_status(client: httpx.Client, built: Any) -> None:
    client.get("/no/such/route")
    client.post("/v1/scores", json={"accounts": ["A001"]})
    text = client.get("/metrics").text
    assert 'nbo_http_requests_total{method="POST",route="/v1/scores",status="200"}' in text
    assert 'nbo_http_requests_total{method="GET",route="unknown",status="404"}' in text
    assert 'nbo_http_request_seconds_bucket{le="0.005",route="/v1/scores"}' in text
    assert f'bundle="{built.first}"' in text
    assert "nbo_ready 1.0" in text


def test_the_first_page_is_ours_and_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "//" not in page.text
    assert page.headers["content-security-policy"] == "default-src 'none'"


def test_the_server_process_never_imports_mlflow() -> None:
    code = (
        "import sys; from nbo.workspace import Workspace; from pathlib import Path; "
        "w = Workspace.at(Path.cwd()); w.module('serving.main'); w.module('serving.compose'); "
        "print('mlflow' in sys.modules, 'bentoml' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "True"]
