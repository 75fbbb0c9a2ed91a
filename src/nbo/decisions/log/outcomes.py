"""Whether an outcome fits its decision; writing it beside the decision."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, select

from nbo.decisions.log.records import OUTCOME_WORDS, Outcome
from nbo.decisions.log.schema import decisions, outcomes
from nbo.errors import ConflictError, DataError, NboError, UsageError

Kind = Literal["unknown", "invalid", "conflict"]
MOST_PROBLEMS = 1_000
UNKNOWN_STEP = "Ask the log that recorded it"


@dataclass(frozen=True)
class OutcomeProblem:
    """Why one outcome cannot be attached.

    Parameters
    ----------
    position : int
        Its place among the outcomes given, from 0.
    decision_id : str
        The decision it names.
    kind : str
        ``unknown`` decision, ``invalid`` for it, or in ``conflict`` with what is attached already.
    expected, got : str
        The rule and what was found.
    """

    position: int
    decision_id: str
    kind: Kind
    expected: str
    got: str

    @property
    def text(self) -> str:
        """For people, without the decision."""
        return f"expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Attachment:
    """What became of outcomes that were to be attached.

    Parameters
    ----------
    attached : int
        Newly attached; 0 where any was refused.
    present : int
        Attached before; 0 where any was refused.
    refused : int
        Outcomes that do not fit. If there is one, none of all was attached.
    total : int
        Outcomes looked at.
    problems : tuple of OutcomeProblem
        Why, for the first :data:`MOST_PROBLEMS` refused.
    """

    attached: int
    present: int
    refused: int
    total: int
    problems: tuple[OutcomeProblem, ...]


@dataclass(frozen=True)
class Decided:
    """What an outcome is held against: when it was decided and what was offered."""

    decided_at: datetime
    offers: tuple[str, ...]


class Unfit(Exception):  # noqa: N818 - an answer, not an accident
    """An outcome that does not fit; carries the kind, the rule and what was found."""

    def __init__(self, kind: Kind, expected: str, got: str) -> None:
        super().__init__(kind, expected, got)
        self.kind, self.expected, self.got = kind, expected, got


def instant(text: str) -> datetime:
    """An instant in UTC; :class:`ValueError` where the zone is not said.

    Examples
    --------
    >>> instant("2024-06-03T10:00:00.123456+08:00").isoformat()
    '2024-06-03T02:00:00.123456+00:00'
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(text)
    return read.astimezone(UTC)


def as_kept(outcome: Outcome) -> Outcome:
    """The outcome as the log keeps it: its instant in UTC, cut to milliseconds, with ``Z``.

    Examples
    --------
    >>> as_kept(Outcome("d1", "refused", None, "2024-06-03T10:00:00.123456+08:00")).occurred_at
    '2024-06-03T02:00:00.123Z'
    """
    text = instant(outcome.occurred_at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Outcome(outcome.decision_id, outcome.outcome, outcome.offer_id, text)


class Attaching:
    """Outcomes written beside their decisions within one transaction, a chunk at a time.

    Outcomes that fit are written even after one was refused, so that a later one which contradicts
    them is seen; the caller undoes it all.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    adding : Insert
        Leaves a row as it is that is there already.
    """

    def __init__(self, connection: Connection, adding: Any) -> None:
        self.connection = connection
        self.adding = adding
        self.added = self.refused = self.total = 0
        self.problems: list[OutcomeProblem] = []

    def add(self, chunk: Sequence[Outcome]) -> None:
        """Check a chunk and write what fits."""
        unfit = self.unfit(chunk, range(self.total, self.total + len(chunk)))
        fitting = [place for place in range(len(chunk)) if self.total + place not in unfit]
        kept = [as_kept(chunk[place]) for place in fitting]
        if kept:
            added = self.connection.execute(self.adding, [vars(outcome) for outcome in kept]).rowcount
            if added < len(kept):  # some were there: attached before, or within this chunk, or this moment
                unfit |= self.unfit(kept, [self.total + place for place in fitting])
            self.added += added
        self.refused += len(unfit)
        self.total += len(chunk)

    def unfit(self, told: Sequence[Outcome], positions: Sequence[int]) -> set[int]:
        """Positions of the outcomes that do not fit, which are noted with their reason."""
        ids = {outcome.decision_id for outcome in told}
        known, attached = decided(self.connection, ids), attached_outcomes(self.connection, ids)
        found = set()
        for position, outcome in zip(positions, told, strict=True):
            try:
                check_words(outcome)
                check_against(outcome, known.get(outcome.decision_id))
                kept = as_kept(outcome)
                check_same(kept, attached.get(outcome.decision_id, kept))
            except Unfit as unfit:
                found.add(position)
                if len(self.problems) < MOST_PROBLEMS:
                    reason = unfit.kind, unfit.expected, unfit.got
                    self.problems.append(OutcomeProblem(position, outcome.decision_id, *reason))
        return found

    def result(self) -> Attachment:
        """What the caller may say once the transaction has ended."""
        if self.refused:
            return Attachment(0, 0, self.refused, self.total, tuple(self.problems))
        return Attachment(self.added, self.total - self.added, 0, self.total, ())


def decided(connection: Connection, ids: set[str]) -> dict[str, Decided]:
    """What was decided, by id."""
    columns = decisions.c.decision_id, decisions.c.decided_at, decisions.c.answer
    rows = connection.execute(select(*columns).where(decisions.c.decision_id.in_(ids)))
    return {row.decision_id: Decided(instant(row.decided_at), offered(row.answer)) for row in rows}


def offered(answer: str) -> tuple[str, ...]:
    """The offers of an answer, in order of rank."""
    return tuple(offer["offer_id"] for offer in json.loads(answer).get("offers", ()))


def attached_outcomes(connection: Connection, ids: set[str]) -> dict[str, Outcome]:
    """The outcomes that decisions have already, by decision."""
    columns = [column for column in outcomes.c if column is not outcomes.c.seq]
    rows = connection.execute(select(*columns).where(outcomes.c.decision_id.in_(ids)))
    return {row.decision_id: Outcome(**row._mapping) for row in rows}


def check_words(outcome: Outcome) -> None:
    """The outcome's word, and whether it may, must or must not name an offer."""
    word, offer = outcome.outcome, outcome.offer_id
    if word not in OUTCOME_WORDS:
        raise Unfit("invalid", f"an outcome of {', '.join(OUTCOME_WORDS)}", word or "nothing")
    if word == "accepted" and offer is None:
        raise Unfit("invalid", "the offer that was accepted", "no offer_id")
    if word in ("not_reached", "no_answer") and offer is not None:
        raise Unfit("invalid", f"no offer_id with {word}", offer)


def check_against(outcome: Outcome, decision: Decided | None) -> None:
    """The outcome against its decision: known, offered, not earlier."""
    if decision is None:
        raise Unfit("unknown", "a decision of this log", "an unknown one")
    if outcome.offer_id is not None and outcome.offer_id not in decision.offers:
        made = ", ".join(decision.offers) or "none"
        raise Unfit("invalid", f"an offer that was made ({made})", outcome.offer_id)
    try:
        occurred = instant(outcome.occurred_at)
    except (ValueError, OverflowError):
        told = outcome.occurred_at or "nothing"
        raise Unfit("invalid", "an instant with Z or an offset, as 2024-06-03T10:00:00Z", told) from None
    if occurred < decision.decided_at:
        when = decision.decided_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise Unfit("invalid", f"a time not before the decision ({when})", outcome.occurred_at)


def check_same(outcome: Outcome, attached: Outcome) -> None:
    """A decision has one outcome; the same one again is welcome."""
    if outcome != attached:
        raise Unfit("conflict", f"the outcome attached already ({said(attached)})", said(outcome))


def said(outcome: Outcome) -> str:
    """An outcome in words.

    Examples
    --------
    >>> said(Outcome("d1", "accepted", "adsl_light", "2024-06-03T02:00:00.000Z"))
    'accepted adsl_light at 2024-06-03T02:00:00.000Z'
    """
    offer = f" {outcome.offer_id}" if outcome.offer_id else ""
    return f"{outcome.outcome}{offer} at {outcome.occurred_at}"


def refusal(attachment: Attachment) -> NboError:
    """One error for all that was refused, of the first problem's kind."""
    first, total = attachment.problems[0], attachment.total
    facts: dict[str, Any] = {}
    if total > 1:
        ids = [problem.decision_id for problem in attachment.problems]
        facts = {"count": attachment.refused, "total": total, "examples": ids}
    if first.kind == "unknown":
        tail = f"; {attachment.refused:,} of {total:,} outcomes do not fit" if facts else ""
        return UsageError(f"unknown decision {first.decision_id}{tail}", UNKNOWN_STEP)
    error = ConflictError if first.kind == "conflict" else DataError
    return error(f"outcome of {first.decision_id}", first.expected, first.got, **facts)
