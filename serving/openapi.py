"""Our own OpenAPI document: schemas from the structs that travel, paths by hand."""

from typing import Any

import msgspec

import nbo

from .problems import PROBLEM_TYPE, Problem
from .wire import Answer, Health, ItemError, ModelCard, Reason, Scored, ScoreRequest, Unscored

REFERENCE = "#/components/schemas/{name}"
STRUCTS = (ScoreRequest, Scored, Unscored, ItemError, Reason, Answer, ModelCard, Health, Problem)

REFUSALS = {
    400: "The body is not JSON.",
    401: "A valid API key is needed.",
    403: "The API key's scopes do not reach this path.",
    408: "The body did not arrive in time.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not application/json.",
    422: "The JSON does not fit: wrong type, unknown field, too many items, unknown or missing feature.",
    500: "A defect of the server; its log holds the id given in `instance`.",
    503: "No release is loaded yet, or the server is draining.",
}


def reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}


def json_body(description: str, name: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": reference(name)}}}


def refusals(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": REFUSALS[status],
            "content": {PROBLEM_TYPE: {"schema": reference("Problem")}},
        }
        for status in statuses
    }


def schemas() -> dict[str, Any]:
    """JSON schemas of everything that travels."""
    _, components = msgspec.json.schema_components(STRUCTS, ref_template=REFERENCE)
    for name, schema in components.items():
        schema.pop("title", None)
        if name not in ("ScoreRequest", "HandRow"):
            # An answer's field is always there; what has a default is what a caller may leave out.
            schema["required"] = [key for key in schema["properties"] if key != "instance"]
    for name in ("monthly_margin_amount", "margin_at_risk_amount"):
        components["Scored"]["properties"][name] = {"type": ["number", "null"]}
    components["Scored"]["properties"]["band"] = {"enum": ["high", "medium", "low"]}
    components["Answer"]["properties"]["results"] = {
        "type": "array",
        "items": {"oneOf": [reference("Scored"), reference("Unscored")]},
    }
    components["Answer"]["properties"]["as_of"]["format"] = "date"
    components["Answer"]["properties"]["decided_at"]["format"] = "date-time"
    return components


def operation(name: str, summary: str, answer: dict[str, Any], *statuses: int) -> dict[str, Any]:
    """One route's method; a route that can answer 401 takes an API key."""
    keyed: dict[str, Any] = {"security": [{}, {"key": []}]} if 401 in statuses else {}
    return {
        "operationId": name,
        "summary": summary,
        **keyed,
        "responses": {"200": answer, **refusals(*statuses)},
    }


def paths() -> dict[str, Any]:
    scores = operation(
        "scores",
        "Churn scores of accounts, of rows made by hand, or both",
        json_body("Scores, one result an item, in the order asked.", "Answer"),
        *(400, 401, 403, 408, 413, 415, 422, 500, 503),
    )
    scores["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": reference("ScoreRequest")}},
    }
    model = json_body("What is served.", "ModelCard")
    exposition = {
        "description": "Text exposition.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    itself = {"description": "OpenAPI.", "content": {"application/json": {"schema": {"type": "object"}}}}
    alive, ready = json_body("It does.", "Health"), json_body("Send them.", "Health")
    return {
        "/v1/scores": {"post": scores},
        "/v1/model": {
            "get": operation("model", "The bundle and snapshot that answer now", model, 401, 403, 500, 503)
        },
        "/livez": {"get": operation("livez", "Whether the process runs", alive)},
        "/readyz": {"get": operation("readyz", "Whether to send requests here", ready, 503)},
        "/metrics": {"get": operation("metrics", "Prometheus metrics", exposition, 401, 403)},
        "/openapi.json": {"get": operation("openapi", "This document", itself)},
    }


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nbo",
            "version": nbo.__version__,
            "description": "Churn scores from the released bundle and one feature snapshot.",
        },
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
