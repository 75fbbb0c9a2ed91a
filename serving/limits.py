"""Who may ask, and how much: API keys, content types, counted bytes."""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Message, Receive, Scope

from nbo.errors import UsageError

from .problems import Refused
from .settings import ServeSettings
from .wire import MAX_BODY_BYTES

SCOPES = frozenset({"score", "recommend", "admin"})
OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/openapi.json"})
ADMIN_PATHS = frozenset({"/metrics"})
RECOMMEND_PATHS = ("/v1/recommendations", "/v1/outcomes", "/v1/decisions/")
"""Beginnings of the paths that need the scope ``recommend``."""
MIN_KEY_LENGTH = 24
BODY_SECONDS = 30.0
KEY_FORM = (
    "lines of `name scopes key` with scopes from score,recommend,admin and a key of 24 or more characters"
)


class ClientGone(Exception):  # noqa: N818 - a fact, not a fault
    """The caller hung up before its request was whole."""


@dataclass(frozen=True)
class ApiKey:
    """A caller's key, kept as its SHA-256."""

    name: str
    scopes: frozenset[str]
    digest: bytes


@dataclass(frozen=True)
class ApiKeys:
    """All keys; none at all means that everyone who can reach the server may ask."""

    keys: tuple[ApiKey, ...] = ()

    @classmethod
    def parse(cls, text: str, where: str) -> "ApiKeys":
        """Read lines (or ``;``-separated entries) of ``name scopes key``; ``#`` starts a comment line.

        Examples
        --------
        >>> ApiKeys.parse("crm score 0123456789abcdef01234567", "keys").keys[0].name
        'crm'
        >>> ApiKeys.parse("crm score short", "keys")
        Traceback (most recent call last):
        nbo.errors.UsageError: keys: expected lines of `name scopes key` with scopes from \
score,recommend,admin and a key of 24 or more characters, got another form in entry 1.
        """
        keys = []
        for number, line in enumerate(text.replace(";", "\n").splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            parts = line.split()
            scopes = frozenset(parts[1].split(",")) if len(parts) == 3 else frozenset()
            if not scopes or not scopes <= SCOPES or len(parts[2]) < MIN_KEY_LENGTH:
                raise UsageError(f"{where}: expected {KEY_FORM}, got another form in entry {number}")
            keys.append(ApiKey(parts[0], scopes, hashlib.sha256(parts[2].encode()).digest()))
        return cls(tuple(keys))

    def scopes_of(self, presented: str) -> frozenset[str] | None:
        """Scopes of a presented key, None if nobody's; always compares with every key."""
        digest = hashlib.sha256(presented.encode()).digest()
        found: frozenset[str] | None = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.scopes
        return found

    def authorise(self, scope: Scope) -> None:
        """Let the request pass or refuse it by its path.

        Raises
        ------
        Refused
            401 without a valid key, 403 where its scopes do not reach.
        """
        path = scope["path"]
        if not self.keys or path in OPEN_PATHS:
            return
        kind, _, presented = header(scope, b"authorization").partition(" ")
        scopes = self.scopes_of(presented.strip()) if kind.lower() == "bearer" else None
        if scopes is None:
            detail = "authorization: expected a valid API key as `Bearer KEY`, got none"
            raise Refused(401, "unauthorised", detail, {"WWW-Authenticate": "Bearer"})
        wanted = scope_for(path)
        if wanted not in scopes and "admin" not in scopes:
            raise Refused(403, "forbidden", f"API key: expected scope {wanted!r} for {path}")


def scope_for(path: str) -> str:
    """The scope that a path needs; ``admin`` reaches every one.

    Examples
    --------
    >>> scope_for("/v1/outcomes"), scope_for("/v1/scores"), scope_for("/metrics")
    ('recommend', 'score', 'admin')
    """
    if path in ADMIN_PATHS:
        return "admin"
    return "recommend" if path.startswith(RECOMMEND_PATHS) else "score"


def keys_for(settings: ServeSettings, environment: Mapping[str, str] = os.environ) -> ApiKeys:
    """The keys of a server; a reachable address without keys is refused.

    Raises
    ------
    UsageError
        If the file is unreadable or malformed, or keys are needed and there are none.
    """
    if settings.api_keys_file is not None:
        keys = ApiKeys.parse(read_text(settings.api_keys_file), str(settings.api_keys_file))
        if not keys.keys:
            raise UsageError(f"{settings.api_keys_file}: expected {KEY_FORM}, got none")
    else:
        keys = ApiKeys.parse(environment.get("NBO_API_KEYS", ""), "NBO_API_KEYS")
    if not keys.keys and not settings.loopback:
        raise UsageError(
            f"host: expected a loopback address while there are no API keys, got {settings.host!r}",
            "Give --api-keys FILE or NBO_API_KEYS, or bind 127.0.0.1",
        )
    return keys


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: expected a readable file of API keys, got {type(error).__name__}"
        ) from None


def header(scope: Scope, name: bytes) -> str:
    """The last value of a header, or an empty text."""
    value = b""
    for key, content in scope["headers"]:
        if key == name:
            value = content
    return value.decode("latin-1")


def require_json(scope: Scope) -> None:
    """Refuse (415) any body that is not plain ``application/json``."""
    given = header(scope, b"content-type")
    kind, _, parameter = (part.strip().lower() for part in given.partition(";"))
    if kind != "application/json" or parameter not in ("", "charset=utf-8", 'charset="utf-8"'):
        detail = f"content-type: expected application/json in UTF-8, got {given[:80]!r}"
        raise Refused(415, "unsupported-media-type", detail, {"Accept-Post": "application/json"})
    coding = header(scope, b"content-encoding")
    if coding not in ("", "identity"):
        raise Refused(415, "unsupported-media-type", f"content-encoding: expected none, got {coding[:80]!r}")


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body, counted as it arrives: a chunked body declares no length.

    Raises
    ------
    Refused
        413 past 1 MiB, 408 if it is not whole within 30 seconds.
    ClientGone
        If the caller hung up.
    """
    declared = header(scope, b"content-length")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise too_large()
    parts: list[bytes] = []
    total = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                total += len(part)
                if total > MAX_BODY_BYTES:
                    raise too_large()
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        detail = f"body: expected within {BODY_SECONDS:g} seconds, got {total:,} bytes"
        raise Refused(408, "timeout", detail, {"Connection": "close"}) from None


def too_large() -> Refused:
    detail = f"body: expected at most {MAX_BODY_BYTES:,} bytes, got more"
    # The rest of the body is still on its way: only a closed connection stops it.
    return Refused(413, "content-too-large", detail, {"Connection": "close"})


def replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives a body already read and counted, then the real messages."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
