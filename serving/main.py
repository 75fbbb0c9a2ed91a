"""Start a server, drain it, stop it."""

import gc
import logging
import signal
import socket
import time
from types import FrameType

import uvicorn

from nbo.errors import UsageError

from .limits import keys_for
from .settings import ServeSettings
from .state import Live

__all__ = ["ServeSettings", "run"]

GRACE_SECONDS = 30


class DrainingServer(uvicorn.Server):
    """A server that says 503 on ``/readyz`` for a while before it stops answering.

    SIGTERM drains; a second one, or SIGINT, stops at once. Requests in flight finish either way.
    """

    def __init__(self, config: uvicorn.Config, live: Live, drain_seconds: float, greeting: str) -> None:
        super().__init__(config)
        self.live = live
        self.drain_seconds = drain_seconds
        self.greeting = greeting
        self.stops_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self.greeting, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if sig == signal.SIGTERM and not self.live.draining:
            self.stops_at = time.monotonic() + self.drain_seconds
            self.live.draining = True
        else:
            self.force_exit = self.should_exit
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if self.live.draining and time.monotonic() >= self.stops_at:
            self.should_exit = True
        return await super().on_tick(counter)


def run(settings: ServeSettings) -> None:
    """Load the released bundles, their snapshots and the offers, then answer until told to stop.

    Raises
    ------
    UsageError
        If a key is needed and there is none, the address is taken, nothing is released, or the catalog
        or a rule is wrong.
    DataError
        If the store is unfit or holds no snapshot for the bundle.
    BundleError
        If a released bundle cannot be trusted.
    StorageError
        If something recommends and the decision log is away.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    keys = keys_for(settings)
    live = Live(settings)
    live.refresh()
    listener = listen(settings)
    # BentoML takes seconds to import: only now, when the server is known to start.
    from .compose import compose

    config = uvicorn.Config(
        compose(live, keys),
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = DrainingServer(config, live, settings.drain_seconds, greeting(live, listener))
    gc.collect()
    gc.freeze()
    try:
        server.run(sockets=[listener])
    finally:
        gc.unfreeze()
        live.close()


def listen(settings: ServeSettings) -> socket.socket:
    """A bound socket; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2_048)
    except OSError as error:
        raise UsageError(
            f"host, port: expected a free address, got {settings.host}:{settings.port} "
            f"({error.strerror or error})",
            "Choose another --port",
        ) from None


def greeting(live: Live, listener: socket.socket) -> str:
    """One line: what is served, of which date, where."""
    loaded = live.require()
    names = " and ".join(f"{bundle.model} {bundle.id}" for bundle, _ in loaded.served)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"nbo serves {names} as of {loaded.as_of} on http://{shown}:{port}"
