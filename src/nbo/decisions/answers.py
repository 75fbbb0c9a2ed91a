"""The answer to a channel: what to offer and why, what else was open, what was stopped by which rule.

The text of an answer is made once and logged as it is given; :func:`read_answer` gives its content.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np

from nbo.decisions.choice import Choice
from nbo.decisions.log import NewDecision
from nbo.decisions.recommender import AccountInputs, Recommender, Request
from nbo.files import canonical_json, sha256_bytes
from nbo.models.pairs import FAMILY as PRODUCT_FAMILY
from nbo.models.pairs import pair_matrix
from nbo.models.reasons import Reason, Teller, told_reasons
from nbo.offers.catalog import Offer

TOP_REASONS, ASKED_REASONS = 2, 4
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Stamp:
    """What tells two answers to the same question apart.

    Parameters
    ----------
    decision_id : str
        32 hex digits.
    decided_at : str
        UTC instant with milliseconds, such as ``2025-03-31T09:15:00.123Z``.
    """

    decision_id: str
    decided_at: str

    @classmethod
    def now(cls) -> "Stamp":
        """A new id and the clock; the only place of the library that reads it."""
        return cls(uuid4().hex, clock())


def clock() -> str:
    """The instant now, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def request_hash(recommender: Recommender, request: Request) -> str:
    """What an idempotency key stands for: the question and its date."""
    asked = {**request.to_json(), "as_of": str(recommender.as_of)}
    return sha256_bytes(canonical_json(asked).encode())[:32]


def new_decision(
    recommender: Recommender, inputs: AccountInputs, request: Request, stamp: Stamp, key: str | None = None
) -> NewDecision:
    """Decide for one account; the decision counts once the log has it.

    Parameters
    ----------
    key : str or None
        The caller's idempotency key.
    """
    return NewDecision(
        decision_id=stamp.decision_id,
        account_id=request.account_id,
        channel=request.channel,
        as_of=recommender.as_of.day,
        decided_at=stamp.decided_at,
        request_hash=request_hash(recommender, request),
        idempotency_key=key,
        run_id=None,
        answer=answer_text(recommender, inputs, request, stamp),
        inputs=inputs.to_bytes(),
        versions=canonical_json({**recommender.versions, "request": request.to_json()}),
    )


def answer_text(recommender: Recommender, inputs: AccountInputs, request: Request, stamp: Stamp) -> str:
    """The answer as JSON; the same inputs and stamp give the same text."""
    choice = recommender.choice(inputs, request)
    order = [int(place) for place in np.argsort(choice.rank[0], kind="stable") if choice.rank[0, place] > 0]
    first = order[: recommender.settings.alternatives]
    told = offer_reasons(recommender, inputs, first, request.language)
    answer = {
        "decision_id": stamp.decision_id,
        "account_id": request.account_id,
        "channel": request.channel,
        "as_of": str(recommender.as_of),
        "decided_at": stamp.decided_at,
        "currency": recommender.catalog.currency,
        "language": request.language,
        "offers": [
            {
                **ranked(recommender, choice, 0, place),
                **described(recommender, place, request.language),
                "reasons": why,
            }
            for place, why in zip(first, told, strict=True)
        ],
        "others": [ranked(recommender, choice, 0, place) for place in order[len(first) :]],
        "stopped": stopped(recommender, choice, request.language),
        **overridden(inputs),
        "versions": recommender.versions,
    }
    return _encoder.encode(answer).decode()


def read_answer(text: str) -> dict[str, Any]:
    """The content of an answer: amounts as exact decimals, everything else as JSON has it."""
    found: dict[str, Any] = json.loads(text, object_pairs_hook=exact_amounts, parse_float=Decimal)
    return found


def exact_amounts(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose ``*_amount`` stay decimals; other fractions become floats."""
    return {
        name: float(value) if isinstance(value, Decimal) and not name.endswith("_amount") else value
        for name, value in pairs
    }


def ranked(recommender: Recommender, choice: Choice, row: int, place: int) -> dict[str, Any]:
    """One open offer of one account with its rank and numbers."""
    offer = recommender.catalog.offers[place]
    p_take = float(choice.p_take[row, place])
    known = not np.isnan(p_take)
    return {
        "rank": int(choice.rank[row, place]),
        "offer_id": offer.offer_id,
        "product_id": offer.product.product_id,
        "p_take": p_take if known else None,
        "margin_amount": major(recommender, int(choice.margin[row, place])),
        "expected_margin_amount": major(recommender, int(choice.expected[row, place])) if known else None,
    }


def described(recommender: Recommender, place: int, language: str) -> dict[str, Any]:
    """What the person in the conversation says of an offer."""
    offer: Offer = recommender.catalog.offers[place]
    return {
        "title": offer.words.in_language(language),
        "pitch": offer.pitch.in_language(language),
        "monthly_fee_amount": major(recommender, offer.monthly_fee_amount),
        "term_months": offer.term_months,
        "prepaid": offer.prepaid,
        "comparability": offer.product.comparability,
    }


def stopped(recommender: Recommender, choice: Choice, language: str) -> list[dict[str, Any]]:
    """Every offer that was not open, with the rule that stopped it; those not asked for are left out."""
    last = len(recommender.stops) - 1
    found = []
    for offer, code in zip(recommender.catalog.offers, choice.stopped[0].tolist(), strict=True):
        if 0 <= code < last:
            stop = recommender.stops[code]
            found.append(
                {
                    "offer_id": offer.offer_id,
                    "product_id": offer.product.product_id,
                    "rule": stop.rule,
                    "layer": stop.layer,
                    "owner": stop.owner,
                    "reason": stop.reason.in_language(language),
                }
            )
    return found


def overridden(inputs: AccountInputs) -> dict[str, Any]:
    """What the channel knew better, beside what the data say; nothing where it said nothing."""
    return {"overridden": [asdict(one) for one in inputs.overridden]} if inputs.overridden else {}


def major(recommender: Recommender, minor: int) -> Decimal:
    """Minor units as an exact decimal of the catalog's currency."""
    return Decimal(minor).scaleb(-recommender.catalog.minor_digits)


def offer_reasons(
    recommender: Recommender, inputs: AccountInputs, places: list[int], language: str
) -> list[list[Mapping[str, Any]]]:
    """Why the account is likely to take each offer: families that push ``p_take`` up.

    Offers without a probability (tariffs) have no reasons of the model's.
    """
    terms, bundle = recommender.terms, recommender.bundle
    columns = [int(terms.product[place]) for place in places]
    wanted = np.zeros((1, terms.functional), dtype=bool)
    wanted[0, [column for column in columns if column < terms.functional]] = True
    if not wanted.any():
        return [[] for _ in places]
    matrix = pair_matrix(
        bundle.vocabulary,
        bundle.features,
        inputs.row[np.newaxis, :],
        recommender.held(inputs.held)[:, : terms.functional],
        recommender.products,
        recommender.statistics,
        wanted,
    )
    values = bundle.vocabulary.decode(matrix, bundle.features.columns)
    catalog = recommender.catalog
    teller = Teller(bundle.metadata.get("medians", {}), language, catalog.currency, catalog.minor_digits)
    found = [own_first(why) for why in told_reasons(bundle, matrix, values, teller, ASKED_REASONS)]
    by_product = dict(zip(np.flatnonzero(wanted[0]).tolist(), found, strict=True))
    return [[told(reason) for reason in by_product.get(column, [])] for column in columns]


def own_first(why: list[Reason]) -> list[Reason]:
    """What the account does comes before what is true of the product for everybody."""
    return sorted(why, key=lambda reason: reason.family == PRODUCT_FAMILY)[:TOP_REASONS]


def told(reason: Reason) -> Mapping[str, Any]:
    return {
        "family": reason.family,
        "feature": reason.feature,
        "contribution": reason.contribution,
        "text": reason.text,
    }
