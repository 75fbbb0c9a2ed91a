"""``POST /v1/recommendations``: decide, log, and only then answer; and a decision looked up again."""

import asyncio
import json
import re

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from nbo.decisions.answers import Stamp, new_decision
from nbo.decisions.log import DecisionLog, NewDecision
from nbo.decisions.recommender import Request
from nbo.errors import ConflictError, DataError, StorageError, UsageError
from nbo.tables.contract import close_matches

from .loaded_offers import LoadedOffers
from .logbook import Logbook
from .offers_wire import Decided, OutcomeNote, RecommendationRequest
from .problems import Refused, damaged_rows
from .wire import encode

KEY_HEADER = b"idempotency-key"
KEY_FORM = re.compile(r"[!-~]{1,200}")


async def recommend(
    offers: LoadedOffers, logbook: Logbook, asked: RecommendationRequest, key: str | None
) -> Response:
    """The answer as it stands in the log.

    Under a key that was used before, the earlier answer is given, whatever has been loaded since.

    Parameters
    ----------
    key : str or None
        The caller's idempotency key.

    Raises
    ------
    Refused
        404 for an unknown account, 409 for a key that stands for another request, 422 for an unknown
        channel or product or an unfit context, 503 where the log is away: what cannot be logged is not given.
    """
    request = read_request(asked)
    try:
        new = await asyncio.to_thread(decide, offers, request, key)
        answer = (await logbook.record(new)).answer
    except (Refused, ConflictError) as error:
        answer = await earlier_answer(logbook, request, key, error)
    return Response(answer, media_type="application/json")


def idempotency_key(scope: Scope) -> str | None:
    """The caller's key, None where there is none.

    Raises
    ------
    Refused
        422 unless it is 1 to 200 visible ASCII characters, given once.
    """
    given: list[str] = [value.decode("latin-1") for name, value in scope["headers"] if name == KEY_HEADER]
    if not given:
        return None
    if len(given) > 1 or not KEY_FORM.fullmatch(given[0]):
        got = f"{len(given)} of them" if len(given) > 1 else f"{given[0][:80]!r}"
        detail = f"idempotency-key: expected 1 to 200 visible ASCII characters, once, got {got}"
        raise Refused(422, "invalid-request", detail)
    return given[0]


def read_request(asked: RecommendationRequest) -> Request:
    """The question in the terms of the library; 422 for an unknown channel."""
    try:
        products = tuple(asked.products)
        return Request(asked.account_id, asked.channel, asked.language, products, asked.context)
    except UsageError as error:
        raise Refused(422, "unknown-channel", str(error)) from None


def decide(offers: LoadedOffers, request: Request, key: str | None) -> NewDecision:
    """Judge, score and rank for one account; milliseconds, for a thread beside the loop."""
    recommender = offers.recommender
    for number, name in enumerate(request.products):
        if name not in recommender.catalog.products:
            close = close_matches(name, list(recommender.catalog.products))
            detail = f"products[{number}]: expected a product of the catalog, got {name!r}{close}"
            raise Refused(422, "unknown-product", detail)
    if request.account_id not in offers.rows:
        expected = f"an account with an active line at {recommender.as_of}"
        detail = f"account_id: expected {expected}, got {request.account_id!r}"
        raise Refused(404, "unknown-account", detail)
    try:
        inputs = offers.inputs(request.account_id, request.context)
    except UsageError as error:
        raise Refused(422, "invalid-context", str(error)) from None
    except StorageError as error:
        raise damaged_rows(error) from None
    return new_decision(recommender, inputs, request, Stamp.now(), key)


async def earlier_answer(
    logbook: Logbook, request: Request, key: str | None, error: Refused | ConflictError
) -> str:
    """What was answered under the key to the same question, perhaps from an earlier snapshot.

    Raises
    ------
    Refused
        There is no such answer: the error itself, or 409 where the key stands for another request.
    """
    if key is not None and not (isinstance(error, Refused) and error.status == 503):
        earlier = await logbook.ask(lambda log: log.by_key(key))
        if earlier is not None:
            if json.loads(earlier.versions).get("request") == request.to_json():
                return earlier.answer
            detail = f"idempotency-key: expected the request that {key} was first used for, got another one"
            raise Refused(409, "idempotency-conflict", f"{detail}. Use a new key.") from None
    raise error


async def look_up(logbook: Logbook, decision_id: str) -> Response:
    """A decision as it was answered, with its outcome; 404 where the log has none of this id."""
    try:
        answer = await logbook.ask(lambda log: decided(log, decision_id))
    except (UsageError, DataError) as error:  # the latter for an id that no database can hold
        raise Refused(404, "unknown-decision", str(error)) from None
    return Response(encode(answer), media_type="application/json")


def decided(log: DecisionLog, decision_id: str) -> Decided:
    """A decision and what came of it."""
    found = log.decision(decision_id)
    outcomes = [OutcomeNote.of(outcome) for outcome in log.outcomes(decision_id)]
    return Decided(msgspec.Raw(found.answer.encode()), outcomes)
