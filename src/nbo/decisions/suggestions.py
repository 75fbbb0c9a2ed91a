"""The first suitable offer for each account of a list, decided and logged for all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from nbo.decisions.answers import Stamp, clock, new_decision, read_answer
from nbo.decisions.loading import OfferFiles, account_inputs
from nbo.decisions.log import DecisionLog
from nbo.decisions.recommender import Recommender, Request
from nbo.files import canonical_json, sha256_bytes
from nbo.tables.store import Store


@dataclass(frozen=True)
class Suggestion:
    """What to offer first; None where nothing may be offered.

    Parameters
    ----------
    offer : str or None
        Its name in the reader's language.
    expected_margin_amount : Decimal or None
        In the currency of the catalog.
    decision_id : str
        Under which the outcome is reported.
    """

    offer: str | None
    expected_margin_amount: Decimal | None
    decision_id: str


def suggestions(
    store: Store,
    recommender: Recommender,
    files: OfferFiles,
    accounts: Sequence[str],
    channel: str,
    language: str,
    log: DecisionLog,
) -> dict[str, Suggestion]:
    """The first offer of every account of a list.

    The same list made again, from the same data by the same model and rules, finds its decisions in
    the log and adds none.
    """
    question = {**recommender.versions, "as_of": str(recommender.as_of), "channel": channel}
    made_for = canonical_json({**question, "language": language, "list": "at risk"})
    decided_at = clock()
    decisions = []
    for account, inputs in account_inputs(store, recommender, files, accounts).items():
        request = Request(account, channel, language)
        identity = sha256_bytes(f"{made_for}:{account}".encode())[:32]
        decisions.append(new_decision(recommender, inputs, request, Stamp(identity, decided_at)))
    log.keep(recommender.artifacts)
    log.record_many(decisions)
    return {decision.account_id: suggestion(decision.answer) for decision in decisions}


def suggestion(answer: str) -> Suggestion:
    """The first offer of an answer."""
    told = read_answer(answer)
    first = told["offers"][0] if told["offers"] else {}
    return Suggestion(first.get("title"), first.get("expected_margin_amount"), told["decision_id"])
