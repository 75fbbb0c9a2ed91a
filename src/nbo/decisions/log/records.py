"""What the log holds: a decision, and what came of it."""

from dataclasses import dataclass
from typing import Literal, get_args

OutcomeWord = Literal["accepted", "refused", "not_reached", "no_answer"]
OUTCOME_WORDS: tuple[str, ...] = get_args(OutcomeWord)


@dataclass(frozen=True)
class NewDecision:
    """A decision as it is handed to the log.

    Parameters
    ----------
    decision_id : str
        Made by who decides; no two decisions share one.
    account_id : str
        The account decided about.
    channel : str
        Where the answer goes, such as ``call_centre``.
    as_of : int
        The decision date as a day number.
    decided_at : str
        The instant, ISO 8601 in UTC with milliseconds and ``Z``.
    request_hash : str
        Digest of what was asked; under one idempotency key it must not differ.
    idempotency_key : str or None
        Given by who asks, so that asking twice decides once.
    run_id : str or None
        The batch run that decided; None for a decision made live.
    answer : str
        Canonical JSON of exactly what is answered.
    inputs : bytes or None
        What a replay needs, opaque to the log.
    versions : str
        Canonical JSON naming the bundle, catalog and rules that decided.
    """

    decision_id: str
    account_id: str
    channel: str
    as_of: int
    decided_at: str
    request_hash: str
    idempotency_key: str | None
    run_id: str | None
    answer: str
    inputs: bytes | None
    versions: str


@dataclass(frozen=True)
class LoggedDecision(NewDecision):
    """A decision that is on the disk.

    Parameters
    ----------
    seq : int
        Rises in the order of recording; it has gaps, and on PostgreSQL writers at the same time may
        commit in another order.
    """

    seq: int


@dataclass(frozen=True)
class Outcome:
    """What came of a decision; at most one a decision.

    Parameters
    ----------
    decision_id : str
        The decision.
    outcome : str
        One of :data:`OUTCOME_WORDS`.
    offer_id : str or None
        The offer meant: always with ``accepted``, perhaps with ``refused``, never with the others.
    occurred_at : str
        The instant, ISO 8601 with ``Z`` or an offset, not before the decision.
    """

    decision_id: str
    outcome: str
    offer_id: str | None
    occurred_at: str
