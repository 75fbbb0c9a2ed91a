"""What travels: strict requests, answers with exact numbers."""

import math
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from nbo.bundle import Overridden

from .problems import Refused

MAX_ITEMS = 1_000
MAX_BODY_BYTES = 1 << 20
MAX_FEATURES = 4_096
MAX_SHOWN = 80

AccountId = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
CategoryText = Annotated[str, msgspec.Meta(max_length=200)]
FeatureName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
FeatureValue = float | CategoryText | None
T = TypeVar("T")


MAX_CONTEXT = 100
Context = Annotated[dict[FeatureName, FeatureValue], msgspec.Meta(max_length=MAX_CONTEXT)]
"""What a channel says of features that it may know better than the data."""


class HandRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of feature values made by the caller; every feature is named, unknown ones are null."""

    features: Annotated[dict[FeatureName, FeatureValue], msgspec.Meta(max_length=MAX_FEATURES)]
    account_id: AccountId | None = None


class ScoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accounts of the snapshot, rows made by hand, or both: 1 to 1,000 items together.

    ``context`` says by account what the channel knows better; each of them must stand in ``accounts``.
    """

    accounts: Annotated[list[AccountId], msgspec.Meta(max_length=MAX_ITEMS)] = []
    rows: Annotated[list[HandRow], msgspec.Meta(max_length=MAX_ITEMS)] = []
    context: Annotated[dict[AccountId, Context], msgspec.Meta(max_length=MAX_ITEMS)] = {}
    reasons: bool = False
    language: Literal["en", "zh"] = "en"


class Reason(msgspec.Struct, frozen=True):
    """A family of features that pushes the risk up: its leading feature, its log-odds, a sentence."""

    family: str
    feature: str
    contribution: float
    text: str


class Scored(msgspec.Struct, frozen=True):
    """The answer for one item; amounts in the currency of the answer, null where unknown."""

    account_id: str | None
    p_churn: Annotated[float, msgspec.Meta(ge=0, le=1)]
    band: str
    monthly_margin_amount: Decimal | None
    margin_at_risk_amount: Decimal | None
    reasons: list[Reason]
    overridden: list[Overridden]


class ItemError(msgspec.Struct, frozen=True):
    """Why one item has no score while its neighbours have."""

    code: Literal["unknown_account"]
    detail: str


class Unscored(msgspec.Struct, frozen=True):
    """An item without a score."""

    account_id: str
    error: ItemError


class Answer(msgspec.Struct, frozen=True):
    """Scores in the order asked: accounts first, then rows."""

    as_of: str
    bundle: str
    currency: str
    results: list[Any]
    decided_at: str


class ModelCard(msgspec.Struct, frozen=True):
    """What is served now; ``context`` tells by feature the values that a channel may give it."""

    model: str
    bundle: str
    as_of: str
    feature_hash: str
    accounts: int
    trained_slices: list[str]
    holdout_slices: list[str]
    metrics: dict[str, Any]
    features: list[str]
    context: dict[str, str]


class Health(msgspec.Struct, frozen=True):
    """The answer of ``/livez`` and ``/readyz``."""

    status: Literal["alive", "ready"]


_decoder = msgspec.json.Decoder(ScoreRequest)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode_request(body: bytes) -> ScoreRequest:
    """Read a request strictly.

    Raises
    ------
    Refused
        400 for bytes that are not JSON, 422 for JSON of another shape.

    Examples
    --------
    >>> decode_request(b'{"accounts": ["A1"]}').accounts
    ['A1']
    >>> decode_request(b'{"accounts": [1]}')
    Traceback (most recent call last):
    serving.problems.Refused: Expected `str`, got `int` - at `$.accounts[0]`
    """
    return checked(decoded(body, _decoder))


def decoded(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Read a body as the decoder's type, strictly; refusals as for :func:`decode_request`."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(error, body) from None


def convert_request(value: Any) -> ScoreRequest:
    """The same rules for JSON that another layer has already parsed."""
    try:
        return checked(msgspec.convert(value, ScoreRequest, strict=True))
    except msgspec.ValidationError as error:
        raise Refused(422, "invalid-request", str(error)) from None


def checked(request: ScoreRequest) -> ScoreRequest:
    items = len(request.accounts) + len(request.rows)
    if not 1 <= items <= MAX_ITEMS:
        raise Refused(422, "invalid-request", f"accounts + rows: expected 1 to 1,000 items, got {items:,}")
    for number, row in enumerate(request.rows):
        for name, value in row.features.items():
            if isinstance(value, float) and not math.isfinite(value):
                detail = f"rows[{number}].features.{name}: expected a finite number, got {value}"
                raise Refused(422, "invalid-request", detail)
    for account in request.context:
        if account not in request.accounts:
            detail = f"context: expected accounts that stand in accounts, got {account[:MAX_SHOWN]!r}"
            raise Refused(422, "invalid-request", detail)
    return request


def refusal(error: Exception, body: bytes) -> Refused:
    """400 or 422: the decoder stops at the first wrong type, even in a body that is no JSON at all."""
    try:
        msgspec.json.decode(body)
    except RecursionError:
        return Refused(400, "malformed-json", "body: expected JSON of a few levels, got one nested too deep")
    except msgspec.ValidationError:
        pass  # JSON, but with a number that no float can hold
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        return Refused(400, "malformed-json", f"body: expected UTF-8 JSON, got: {malformed}")
    return Refused(422, "invalid-request", str(error))


def encode(value: Any) -> bytes:
    """JSON bytes; floats in their shortest exact form, decimals as numbers.

    Examples
    --------
    >>> encode({"p": 0.1 + 0.2, "amount": Decimal("120.00")})
    b'{"p":0.30000000000000004,"amount":120.00}'
    """
    return _encoder.encode(value)
