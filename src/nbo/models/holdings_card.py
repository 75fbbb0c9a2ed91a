"""How well ours and its peers find hidden products on a plain table: one split, one task, one judge."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from nbo.errors import DataError
from nbo.evaluation.intervals import Interval
from nbo.evaluation.ranking import Places, evaluate_rankings, hide_one
from nbo.models import peers
from nbo.models.data import Floats
from nbo.models.holdings_model import BOOSTER, fit_holdings_model
from nbo.models.holdings_table import HoldingsTable
from nbo.models.settings import BoosterSettings

__all__ = ["FEWEST_CUSTOMERS", "OURS", "HoldingsCard", "judge_holdings"]

OURS = "ours"
FEWEST_CUSTOMERS = 200
"""Customers that hold something below which nothing is measured: intervals would span almost everything."""
NOT_INSTALLED = "implicit is not installed: ours is not compared with it; install the extra nbo[bench]"


@dataclass(frozen=True)
class HoldingsCard:
    """What a comparison gives.

    Parameters
    ----------
    metrics : dict
        By method, by metric; None for a method that could not run.
    parameters : dict
        By method: what was chosen on training customers.
    train, test : int
        Customers learnt from; customers of whom a product was hidden.
    notes : tuple of str
        What a reader must know.
    """

    metrics: dict[str, dict[str, Interval] | None]
    parameters: dict[str, dict[str, Any]]
    train: int
    test: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Metrics by method, and beside them how they came about."""
        told = {
            method: None if metrics is None else {name: one.to_json() for name, one in metrics.items()}
            for method, metrics in self.metrics.items()
        }
        return {
            **told,
            "parameters": self.parameters,
            "customers": {"train": self.train, "test": self.test},
        }


def judge_holdings(
    table: HoldingsTable,
    *,
    seed: int,
    test_share: float,
    progress: Callable[[str], None],
    booster: BoosterSettings = BOOSTER,
) -> HoldingsCard:
    """Fit every method on the same customers, judge it on the others.

    Parameters
    ----------
    table : HoldingsTable
    seed : int
        Of the split, of what is hidden, of every method and of the bootstrap.
    test_share : float
        Part of the customers that is judged by, in (0, 1).
    progress : callable
        Told before each method.
    booster : BoosterSettings
        Of ours.

    Raises
    ------
    DataError
        Too few customers hold something, or every customer holds everything.

    Notes
    -----
    Of each test customer that holds anything one held product is hidden, each with the same chance,
    and all products that are not shown are ranked. Ours and the peers turn scores into
    probabilities by the same two-parameter map, fitted on hidden products of training customers
    that the scores were not learnt from.
    """
    check_enough(table)
    train, test = split(len(table.held), test_share, seed)
    task = hide_one(table.held[test], seed)
    probabilities: dict[str, Floats] = {}
    parameters: dict[str, dict[str, Any]] = {}
    learnt, notes = part(table, train), list(table.notes)
    progress(f"{OURS}: learning from {len(train):,} customers")
    model = fit_holdings_model(learnt, seed, booster)
    probabilities[OURS] = model.probabilities(part(table, test).rows, task)
    parameters[OURS] = {"rounds": model.fitted.parameters["rounds"], "pairs_kept_share": model.kept_share}
    notes += model.fitted.cautions
    for name in peers.METHODS:
        if name == "implicit" and not peers.installed():
            notes.append(NOT_INSTALLED)
            continue
        progress(f"{name}: learning from {len(train):,} customers")
        peer = peers.fit_peer(name, learnt.held, seed)
        probabilities[name], parameters[name] = peer.probabilities(task), peer.parameters
    measured = evaluate_rankings(probabilities, task, seed=seed)
    metrics = {name: measured.get(name) for name in (OURS, *peers.METHODS)}
    return HoldingsCard(metrics, parameters, len(train), len(task.hidden), tuple(notes))


def check_enough(table: HoldingsTable) -> None:
    """Refuse a table that nothing can be learnt or measured from."""
    holders = int(table.held.any(axis=1).sum())
    if holders < FEWEST_CUSTOMERS:
        raise DataError(
            "--holdings",
            f"at least {FEWEST_CUSTOMERS} customers that hold something",
            f"{holders:,} of {len(table.held):,} rows",
            next_step="Bring more customers",
        )
    if table.held.all():
        raise DataError(
            "--holdings", "customers that lack some product", f"{holders:,} customers that hold all of them"
        )


def split(count: int, test_share: float, seed: int) -> tuple[Places, Places]:
    """Rows to learn from and rows to judge by, each in ascending order."""
    order = np.random.default_rng(seed).permutation(count)
    tested = round(count * test_share)
    return np.sort(order[tested:]), np.sort(order[:tested])


def part(table: HoldingsTable, rows: Places) -> HoldingsTable:
    """Some of the customers."""
    taken = table.rows.take(pa.array(rows))
    return HoldingsTable(table.products, table.held[rows], table.features, taken, table.notes)
