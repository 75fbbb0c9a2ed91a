"""The ASGI app that answers: a table of routes, and around it keys, limits, metrics, problems."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import ApiKeys, ClientGone, read_body, replayed, require_json
from .metrics import CONTENT_TYPE, Metrics
from .offers_wire import decode_outcome, decode_recommendation
from .openapi import document
from .outcomes import attach
from .problems import Refused, defect_response
from .recommending import idempotency_key, look_up, recommend
from .scoring import respond
from .state import Live
from .wire import Health, ModelCard, decode_request, encode

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>nbo</title></head>
<body><h1>nbo</h1>
<ul><li><a href="/openapi.json">API description</a></li><li><a href="/v1/model">Model</a></li>
<li><a href="/metrics">Metrics</a></li><li><a href="/readyz">Readiness</a></li></ul></body></html>
"""
DECISIONS = "/v1/decisions/"
DECISION = DECISIONS + "{decision_id}"
NOTHING: Mapping[str, str] = MappingProxyType({})
PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'"}

Handler = Callable[[Scope, Receive], Awaitable[ASGIApp]]
"""Reads the request and gives what will send the answer: a response, or the app behind."""


@dataclass
class Sent:
    """How far an answer has got: its status once it began."""

    status: int | None = None


class App:
    """The front of the server.

    Parameters
    ----------
    live : Live
        What is loaded; swapped under the app's feet at a new release.
    keys : ApiKeys
        Who may ask.
    metrics : Metrics
        Where answers are counted.
    behind : ASGI app or None
        Answers ``behind_routes``; every other unknown path is a 404 problem.
    behind_routes : mapping of path to method
        What is passed on to it.
    """

    def __init__(
        self,
        live: Live,
        keys: ApiKeys,
        metrics: Metrics,
        behind: ASGIApp | None = None,
        behind_routes: Mapping[str, str] = NOTHING,
    ) -> None:
        self.live = live
        self.keys = keys
        self.metrics = metrics
        self.behind = behind
        self.document = msgspec.json.encode(document())
        self.routes: Mapping[str, Mapping[str, Handler]] = {
            "/v1/scores": {"POST": self.scores},
            "/v1/recommendations": {"POST": self.recommendations},
            "/v1/outcomes": {"POST": self.outcomes},
            DECISION: {"GET": self.decision},
            "/v1/model": {"GET": self.model},
            "/livez": {"GET": self.livez},
            "/readyz": {"GET": self.readyz},
            "/metrics": {"GET": self.exposition},
            "/openapi.json": {"GET": self.openapi},
            "/": {"GET": self.page},
            **{path: {method: self.pass_on} for path, method in behind_routes.items()},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; nothing that happens inside reaches the next one."""
        if scope["type"] != "http":
            return
        begun = time.perf_counter()
        sent = Sent()
        try:
            await self.answer(scope, receive, self.watched(send, sent))
        except ClientGone:
            sent.status = 499
        except Exception as error:  # noqa: BLE001 - the one place where a defect becomes a 500
            await self.tell_defect(error, scope, receive, send, sent)
        self.metrics.observe(
            self.route_of(scope["path"]),
            scope["method"],
            sent.status or 500,
            time.perf_counter() - begun,
        )

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.keys.authorise(scope)
            sender = await self.handler(scope)(scope, receive)
        except Refused as refused:
            sender = refused.response()
        await sender(scope, receive, send)

    def handler(self, scope: Scope) -> Handler:
        methods = self.routes.get(self.route_of(scope["path"]))
        if methods is None:
            raise Refused(404, "unknown-route", "path: expected a route of /openapi.json, got another")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            detail = f"method: expected {allowed} on {scope['path']}, got {method[:20]}"
            raise Refused(405, "wrong-method", detail, {"Allow": allowed})
        return methods[method]

    def watched(self, send: Send, sent: Sent) -> Send:
        """A ``send`` that remembers the status and, while draining, asks the client to reconnect."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.status = message["status"]
                if self.live.draining:
                    message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        return watched

    async def tell_defect(
        self, error: Exception, scope: Scope, receive: Receive, send: Send, sent: Sent
    ) -> None:
        response = defect_response(error, scope["path"])
        if sent.status is None:
            sent.status = 500
            await response(scope, receive, send)

    def route_of(self, path: str) -> str:
        """The route that a path belongs to, ids left out; ``unknown`` for none."""
        if path in self.routes:
            return path
        return DECISION if path.startswith(DECISIONS) and path != DECISIONS else "unknown"

    async def pass_on(self, scope: Scope, receive: Receive) -> ASGIApp:
        """Let the app behind answer, from a body that we have counted."""
        body = b""
        if scope["method"] == "POST":
            require_json(scope)
            body = await read_body(scope, receive)

        async def sender(scope: Scope, receive: Receive, send: Send) -> None:
            if self.behind is not None:
                await self.behind(scope, replayed(body, receive), send)

        return sender

    async def scores(self, scope: Scope, receive: Receive) -> Response:
        require_json(scope)
        body = await read_body(scope, receive)
        return await respond(self.live, lambda: decode_request(body))

    async def recommendations(self, scope: Scope, receive: Receive) -> Response:
        require_json(scope)
        body = await read_body(scope, receive)
        key, asked = idempotency_key(scope), decode_recommendation(body)
        return await recommend(self.live.require_offers(), self.live.require_log(), asked, key)

    async def outcomes(self, scope: Scope, receive: Receive) -> Response:
        require_json(scope)
        body = await read_body(scope, receive)
        return await attach(self.live.require_log(), decode_outcome(body))

    async def decision(self, scope: Scope, _receive: Receive) -> Response:
        return await look_up(self.live.require_log(), scope["path"].removeprefix(DECISIONS))

    async def model(self, _scope: Scope, _receive: Receive) -> Response:
        loaded = self.live.require()
        metadata = loaded.bundle.metadata
        slices = metadata.get("as_of_slices", {})
        card = ModelCard(
            model=loaded.bundle.model,
            bundle=loaded.bundle.id,
            as_of=str(loaded.as_of),
            feature_hash=loaded.bundle.features.hash,
            accounts=len(loaded.rows),
            trained_slices=list(slices.get("train", [])),
            holdout_slices=list(slices.get("holdout", [])),
            metrics=dict(metadata.get("metrics", {})),
            features=list(loaded.bundle.features.names),
            context={one.name: one.context.words for one in loaded.bundle.features.features if one.context},
        )
        return Response(encode(card), media_type="application/json")

    async def livez(self, _scope: Scope, _receive: Receive) -> Response:
        return Response(encode(Health("alive")), media_type="application/json")

    async def readyz(self, _scope: Scope, _receive: Receive) -> Response:
        if self.live.draining:
            raise Refused(503, "draining", "The server is about to stop. Send requests elsewhere.")
        self.live.require()
        return Response(encode(Health("ready")), media_type="application/json")

    async def exposition(self, _scope: Scope, _receive: Receive) -> Response:
        self.metrics.ready.set(float(self.live.loaded is not None and not self.live.draining))
        return Response(self.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, _scope: Scope, _receive: Receive) -> Response:
        return Response(self.document, media_type="application/json")

    async def page(self, _scope: Scope, _receive: Receive) -> Response:
        return HTMLResponse(PAGE, headers=PAGE_HEADERS)
