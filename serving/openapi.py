"""Our own OpenAPI document: schemas from the structs that travel, paths by hand."""

from collections.abc import Mapping
from typing import Any

import msgspec

import nbo
from nbo.decisions.log import OUTCOME_WORDS
from nbo.tables.columns import CHANNELS

from .offers_wire import Decided, OutcomeNote, OutcomeRequest, Recommendation, RecommendationRequest
from .problems import PROBLEM_TYPE, Problem
from .wire import Answer, Health, ItemError, ModelCard, Reason, Scored, ScoreRequest, Unscored

REFERENCE = "#/components/schemas/{name}"
STRUCTS = (
    *(ScoreRequest, Scored, Unscored, ItemError, Reason, Answer, ModelCard, Health, Problem),
    *(RecommendationRequest, Recommendation, OutcomeRequest, OutcomeNote, Decided),
)
ASKED = {"ScoreRequest", "HandRow", "RecommendationRequest", "OutcomeRequest"}
"""What callers send: a field with a default may be left out."""

ABSENT = {("Problem", "instance"), ("Recommendation", "overridden")}
"""What an answer may lack."""

FORMATS = {"as_of": "date", "decided_at": "date-time", "occurred_at": "date-time"}
REFUSALS = {
    400: "The body is not JSON.",
    401: "A valid API key is needed.",
    403: "The API key's scopes do not reach this path.",
    404: "The log or the snapshot does not know it.",
    408: "The body did not arrive in time.",
    409: "It contradicts what was recorded.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not application/json.",
    422: "The JSON does not fit: wrong type, unknown field, too many items, or an unknown name.",
    500: "A defect of the server; its log holds the id given in `instance`.",
    503: "No release is loaded yet, the decision log is away, or the server is draining.",
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
        if name not in ASKED:
            # An answer's field is always there; what has a default is what a caller may leave out.
            schema["required"] = [key for key in schema["properties"] if (name, key) not in ABSENT]
        for key, told in schema["properties"].items():
            if key.endswith("_amount"):
                schema["properties"][key] = {"type": ["number", "null"] if "anyOf" in told else "number"}
            elif key in FORMATS and told.get("type") == "string":
                told["format"] = FORMATS[key]
    restate(components)
    return components


def restate(components: dict[str, Any]) -> None:
    """Say what no type of the structs says."""
    components["Scored"]["properties"]["band"] = {"enum": ["high", "medium", "low"]}
    components["Answer"]["properties"]["results"] = {
        "type": "array",
        "items": {"oneOf": [reference("Scored"), reference("Unscored")]},
    }
    components["RecommendationRequest"]["properties"]["channel"] = {"enum": list(CHANNELS)}
    for name in ("OutcomeRequest", "OutcomeNote"):
        components[name]["properties"]["outcome"] = {"enum": list(OUTCOME_WORDS)}
    components["Decided"]["properties"]["decision"] = reference("Recommendation")


def operation(name: str, summary: str, answers: Mapping[int, Any], *statuses: int) -> dict[str, Any]:
    """One route's method; a route that can answer 401 takes an API key."""
    keyed: dict[str, Any] = {"security": [{}, {"key": []}]} if 401 in statuses else {}
    told = {str(status): answer for status, answer in answers.items()}
    return {"operationId": name, "summary": summary, **keyed, "responses": {**told, **refusals(*statuses)}}


def posted(name: str, summary: str, asked: str, answers: Mapping[int, Any], *statuses: int) -> dict[str, Any]:
    """A route's POST with a JSON body, which may be refused in many ways."""
    content = {"application/json": {"schema": reference(asked)}}
    refused = sorted({400, 401, 403, 408, 413, 415, 422, 500, 503, *statuses})
    return {
        **operation(name, summary, answers, *refused),
        "requestBody": {"required": True, "content": content},
    }


def scores() -> dict[str, Any]:
    answer = json_body("Scores, one result an item, in the order asked.", "Answer")
    summary = "Churn scores of accounts, of rows made by hand, or both"
    return posted("scores", summary, "ScoreRequest", {200: answer})


def recommendations() -> dict[str, Any]:
    answer = json_body("What to offer; under a key used before, the earlier answer.", "Recommendation")
    summary = "What to offer an account through a channel, and why; logged before it is given"
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and request give the same decision again.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    }
    told = posted("recommendations", summary, "RecommendationRequest", {200: answer}, 404, 409)
    return {**told, "parameters": [key]}


def outcomes() -> dict[str, Any]:
    answers = {
        200: json_body("The same outcome was attached before.", "OutcomeNote"),
        201: json_body("It is attached now.", "OutcomeNote"),
    }
    return posted("outcomes", "What came of a decision", "OutcomeRequest", answers, 404, 409)


def decision() -> dict[str, Any]:
    answer = json_body("The decision as it was answered, and its outcome.", "Decided")
    told = operation("decision", "A decision of the log", {200: answer}, 401, 403, 404, 500, 503)
    identity = {"name": "decision_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {**told, "parameters": [identity]}


def paths() -> dict[str, Any]:
    """Every route that a caller may use."""
    model = {200: json_body("What is served.", "ModelCard")}
    text = {"text/plain": {"schema": {"type": "string"}}}
    exposition = {200: {"description": "Text exposition.", "content": text}}
    content = {"application/json": {"schema": {"type": "object"}}}
    itself = {200: {"description": "OpenAPI.", "content": content}}
    alive, ready = {200: json_body("It does.", "Health")}, {200: json_body("Send them.", "Health")}
    return {
        "/v1/scores": {"post": scores()},
        "/v1/recommendations": {"post": recommendations()},
        "/v1/outcomes": {"post": outcomes()},
        "/v1/decisions/{decision_id}": {"get": decision()},
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
            "description": "Churn scores and recommendations from released bundles and one feature snapshot.",
        },
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
