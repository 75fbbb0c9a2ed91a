"""Our app in front, BentoML's behind: one ASGI app with one lifespan."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .app import App
from .limits import ApiKeys
from .metrics import Metrics
from .service import churn_service
from .state import Live

logger = logging.getLogger("nbo.serving")

BEHIND = {"/score": "POST", "/schema.json": "GET", "/healthz": "GET"}
"""Routes that BentoML's app answers. Its page loads a script of a third party, and its API
description differs from its answers: neither is passed on."""
POLL_SECONDS = 1.0
RETRY_SECONDS = 10.0


def compose(live: Live, keys: ApiKeys) -> ASGIApp:
    """The app that ``nbo serve`` runs."""
    metrics = Metrics()
    behind: Any = churn_service(lambda: live).to_asgi()
    front = App(live, keys, metrics, behind, BEHIND)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with behind.router.lifespan_context(behind):
            watcher = asyncio.create_task(watch(live, metrics))
            try:
                yield
            finally:
                watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watcher

    router = Router(lifespan=lifespan)

    async def composed(scope: Scope, receive: Receive, send: Send) -> None:
        await (router if scope["type"] == "lifespan" else front)(scope, receive, send)

    return composed


async def watch(live: Live, metrics: Metrics) -> None:
    """Follow releases, snapshots, catalog and rules; a failure leaves what is loaded and is told once."""
    told = ""
    while True:
        # gather hands back whatever the loading raised, so that a defect in it cannot end the watch.
        (outcome,) = await asyncio.gather(asyncio.to_thread(live.refresh), return_exceptions=True)
        if live.loaded is not None:
            metrics.serving(live.loaded.served)
        if isinstance(outcome, BaseException):
            metrics.reload_failures.inc()
            if str(outcome) != told:
                logger.error("reload failed, what was loaded stays: %s", outcome)
            told = str(outcome)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            told = ""
            await asyncio.sleep(POLL_SECONDS)
