"""What travels about offers: questions and outcomes in, recommendations and decisions out."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from nbo.bundle import Overridden
from nbo.decisions.log import Outcome

from .wire import AccountId, Context, Reason, decoded

MAX_PRODUCTS = 200
MAX_TEXT = 200
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class RecommendationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account in one channel; ``products`` narrows the offers, ``context`` is what the channel knows."""

    account_id: AccountId
    channel: Text
    language: Literal["en", "zh"] = "en"
    products: Annotated[list[Text], msgspec.Meta(max_length=MAX_PRODUCTS)] = []
    context: Context = {}


class OutcomeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of a decision."""

    decision_id: Text
    outcome: Text
    occurred_at: Text
    offer_id: Text | None = None


class RankedOffer(msgspec.Struct, frozen=True):
    """An open offer; ``p_take`` is null where no model tells it. Amounts in the answer's currency."""

    rank: int
    offer_id: str
    product_id: str
    p_take: Share | None
    margin_amount: Decimal
    expected_margin_amount: Decimal | None


class MadeOffer(RankedOffer, frozen=True):
    """An offer to be made, with what to say of it."""

    title: str
    pitch: str
    monthly_fee_amount: Decimal
    term_months: int
    prepaid: bool
    comparability: int
    reasons: list[Reason]


class StoppedOffer(msgspec.Struct, frozen=True):
    """An offer that may not be made, the rule that says so, and whom to ask about it."""

    offer_id: str
    product_id: str
    rule: str
    layer: Literal["eligibility", "applicability", "suitability"]
    owner: str
    reason: str


class Versions(msgspec.Struct, frozen=True):
    """What a recommendation was made by."""

    bundle: str
    catalog: str
    rules: str
    statistics: str
    store: str
    horizon_months: int
    alternatives: int


class Recommendation(msgspec.Struct, frozen=True):
    """What to offer, best first; what else is open; what is stopped. Logged before it is given.

    ``overridden`` is there where the channel gave a context.
    """

    decision_id: str
    account_id: str
    channel: str
    as_of: str
    decided_at: str
    currency: str
    language: Literal["en", "zh"]
    offers: list[MadeOffer]
    others: list[RankedOffer]
    stopped: list[StoppedOffer]
    versions: Versions
    overridden: list[Overridden] | msgspec.UnsetType = msgspec.UNSET


class OutcomeNote(msgspec.Struct, frozen=True):
    """An outcome as it is attached; its instant in UTC."""

    decision_id: str
    outcome: str
    offer_id: str | None
    occurred_at: str

    @classmethod
    def of(cls, outcome: Outcome) -> "OutcomeNote":
        """The note of an outcome in the log."""
        return cls(outcome.decision_id, outcome.outcome, outcome.offer_id, outcome.occurred_at)


class Decided(msgspec.Struct, frozen=True):
    """A decision exactly as it was answered, and its outcome once there is one."""

    decision: msgspec.Raw
    outcomes: list[OutcomeNote]


_recommendation = msgspec.json.Decoder(RecommendationRequest)
_outcome = msgspec.json.Decoder(OutcomeRequest)


def decode_recommendation(body: bytes) -> RecommendationRequest:
    """Read a question strictly; :class:`Refused` as :func:`serving.wire.decoded`."""
    return decoded(body, _recommendation)


def decode_outcome(body: bytes) -> OutcomeRequest:
    """Read an outcome strictly; whether it fits its decision, the log says."""
    return decoded(body, _outcome)
