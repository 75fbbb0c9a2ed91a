"""Replay: make a logged answer again from what was logged with it, and compare every byte."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbo.asof import AsOf
from nbo.bundle import load_bundle
from nbo.decisions.answers import Stamp, answer_text, read_answer
from nbo.decisions.log import DecisionLog, LoggedDecision
from nbo.decisions.recommend_all import Block, batch_answer
from nbo.decisions.recommender import AccountInputs, Recommender, Request
from nbo.decisions.settings import OffersSettings
from nbo.errors import UsageError
from nbo.models.pairs import ProductStatistics
from nbo.offers.catalog import Catalog
from nbo.offers.rules import Rules

Rebuild = Callable[[Recommender, str], AccountInputs]
"""Computes the inputs of an account from the store, as of the recommender's date."""


@dataclass(frozen=True)
class Replay:
    """A logged decision and the same decision made again.

    Parameters
    ----------
    decision : LoggedDecision
        With the answer as it was given.
    again : str
        The answer made now.
    recommender : Recommender
        As it was then.
    """

    decision: LoggedDecision
    again: str
    recommender: Recommender

    @property
    def equal(self) -> bool:
        """Whether every byte is the same."""
        return self.decision.answer == self.again

    @property
    def differences(self) -> list[str]:
        """Top-level parts of the two answers that are not the same."""
        if self.equal:
            return []
        one, two = read_answer(self.decision.answer), read_answer(self.again)
        return [name for name in {**one, **two} if one.get(name) != two.get(name)] or ["the order"]


def replay(
    log: DecisionLog, decision_id: str, bundles: Path, key: bytes, rebuild: Rebuild | None = None
) -> Replay:
    """Make a logged decision again.

    Parameters
    ----------
    log : DecisionLog
    decision_id : str
    bundles : Path
        Folder of the workspace's bundles; the decision names the one it was made by.
    key : bytes
        The key of the workspace.
    rebuild : callable or None
        Needed for a decision of a batch run, whose inputs are in the store.

    Raises
    ------
    UsageError
        Unknown decision, or one of a batch run without ``rebuild``.
    BundleError
        The bundle is not there any more, or not as it was.
    """
    decision = log.decision(decision_id)
    versions: dict[str, Any] = json.loads(decision.versions)
    if decision.inputs is not None:
        recommender = as_then(log, versions, AsOf(decision.as_of), bundles, key)
        request = Request.from_json(versions["request"])
        stamp = Stamp(decision.decision_id, decision.decided_at)
        inputs = AccountInputs.from_bytes(decision.inputs)
        return Replay(decision, answer_text(recommender, inputs, request, stamp), recommender)
    if rebuild is None:
        raise UsageError(
            f"decision {decision_id}: expected one with its inputs in the log, got one of the batch run "
            f"{decision.run_id}",
            "Name the store it was made from with --store",
        )
    run = json.loads(log.artifact(versions["run"]))
    recommender = as_then(log, run["versions"], AsOf(decision.as_of), bundles, key)
    return Replay(decision, batch_again(recommender, decision, rebuild), recommender)


def batch_again(recommender: Recommender, decision: LoggedDecision, rebuild: Rebuild) -> str:
    """The answer of a batch run for one account, made alone."""
    inputs = rebuild(recommender, decision.account_id)
    choice = recommender.choice(inputs, Request(decision.account_id, decision.channel))
    block = Block([decision.account_id], [decision.decision_id], choice)
    run_id = str(decision.run_id)
    return batch_answer(recommender, run_id, block, 0, decision.channel, decision.decided_at)


def as_then(
    log: DecisionLog, versions: Mapping[str, Any], as_of: AsOf, bundles: Path, key: bytes
) -> Recommender:
    """The recommender of these versions."""
    catalog, rules, statistics = (
        json.loads(log.artifact(versions[name])) for name in ("catalog", "rules", "statistics")
    )
    return Recommender(
        bundle=load_bundle(bundles / versions["bundle"], key),
        catalog=Catalog.from_json(catalog),
        rules=Rules.from_json(rules),
        statistics=ProductStatistics.from_json(statistics),
        as_of=as_of,
        store_id=versions["store"],
        settings=OffersSettings(
            horizon_months=versions["horizon_months"], alternatives=versions["alternatives"]
        ),
    )
