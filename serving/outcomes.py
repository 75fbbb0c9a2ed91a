"""``POST /v1/outcomes``: what came of a decision, attached once."""

from starlette.responses import Response

from nbo.decisions.log import DecisionLog, Outcome
from nbo.errors import ConflictError, DataError, UsageError

from .logbook import Logbook
from .offers_wire import OutcomeNote, OutcomeRequest
from .problems import Refused
from .wire import encode


async def attach(logbook: Logbook, asked: OutcomeRequest) -> Response:
    """201 with the outcome as attached, 200 where the same one was attached before.

    Raises
    ------
    Refused
        404 for an unknown decision, 409 where another outcome is attached, 422 for one that does not
        fit its decision, 503 where the log is away.
    """
    outcome = Outcome(asked.decision_id, asked.outcome, asked.offer_id, asked.occurred_at)
    try:
        attached, note = await logbook.ask(lambda log: attached_to(log, outcome))
    except UsageError as error:
        raise Refused(404, "unknown-decision", f"decision_id: {error}") from None
    except ConflictError as error:
        raise Refused(409, "outcome-conflict", str(error)) from None
    except DataError as error:
        raise Refused(422, "invalid-outcome", str(error)) from None
    return Response(encode(note), 201 if attached else 200, media_type="application/json")


def attached_to(log: DecisionLog, outcome: Outcome) -> tuple[bool, OutcomeNote]:
    """Whether an outcome is new to its decision, and how the log keeps it."""
    attached, _ = log.attach([outcome])
    return bool(attached), OutcomeNote.of(log.outcomes(outcome.decision_id)[0])
