"""Who left, and who took which product: the only module that reads past the decision date.

An account is in the population at ``as_of`` if at least one of its lines is active then, as
visible then. It left if all those lines have ended by the end of the label window, the last of
them inside it, by choice::

    label window = [as_of + gap, as_of + gap + horizon)

Accounts that are gone by then but lost a line not by choice, or were gone before the window opened,
are censored: they are neither leavers nor stayers, so they are in no training set. A supplied
``labels`` table overrides what the lines say; what it told already at ``as_of`` is history.

An account of the population takes a product that it does not hold at ``as_of`` if it signs a
contract on it, or a line of it becomes active for the first time, within the label window. Where
that happened earlier, in the gap or before ``as_of`` and told late, the pair is censored: nothing
can be taken twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import AsOf, LabelWindow, month_starts, visible_sql
from nbo.customers.holdings import ACQUIRED_SQL, HOLDINGS_SQL
from nbo.engine import literal
from nbo.errors import DataError
from nbo.features.parameters import bind
from nbo.features.relations import POPULATION
from nbo.tables.state_tables import INVOLUNTARY_REASONS
from nbo.tables.store import FLOW_TABLES, Store

STATES = f"""
WITH newest_then AS (
  SELECT line_id, account_id, state,
    row_number() OVER (PARTITION BY line_id ORDER BY valid_day DESC, known_day DESC) AS newest
  FROM lines WHERE {visible_sql("valid_day")}),
active AS (SELECT line_id, account_id FROM newest_then WHERE newest = 1 AND state = 'active'),
newest_after AS (
  SELECT line_id, state, reason, valid_day,
    row_number() OVER (PARTITION BY line_id ORDER BY valid_day DESC, known_day DESC) AS newest
  FROM lines WHERE valid_day < $window_end AND known_day <= $known_by),
fate AS (
  SELECT active.account_id, active.line_id,
    coalesce(newest_after.state = 'ended', FALSE) AS ended,
    newest_after.valid_day AS end_day,
    coalesce(newest_after.reason IN $involuntary, FALSE) AS involuntary
  FROM active LEFT JOIN newest_after ON newest_after.line_id = active.line_id AND newest = 1)
"""

BY_LINES = (
    STATES
    + """
SELECT account_id, CASE
    WHEN NOT bool_and(ended) THEN 'stayed'
    WHEN max(end_day) < $window_start THEN 'left before the window'
    WHEN bool_or(involuntary) THEN 'left not by choice'
    ELSE 'left' END AS outcome
FROM fate GROUP BY account_id ORDER BY account_id"""
)

BY_LABELS = (
    STATES
    + f""",
told AS (
  SELECT account_id,
    bool_or(kind = 'churn' AND event_day >= $window_start) AS churned,
    bool_or(kind = 'involuntary' AND event_day >= $window_start) AS involuntary,
    bool_or(event_day < $window_start) AS before
  FROM labels WHERE event_day < $window_end AND known_day <= $known_by AND NOT ({visible_sql()})
  GROUP BY account_id)
SELECT population.account_id, CASE
    WHEN before THEN 'left before the window'
    WHEN involuntary THEN 'left not by choice'
    WHEN churned THEN 'left'
    ELSE 'stayed' END AS outcome
FROM (SELECT DISTINCT account_id FROM active) AS population
LEFT JOIN told ON told.account_id = population.account_id ORDER BY 1"""
)

# What was visible at the date is history: of what is left, the first day decides.
TAKE_UPS = f"""
WITH population AS (
{POPULATION}),
acquired AS (
  SELECT account_id, product_id, min(day) AS first_day FROM ({ACQUIRED_SQL})
  WHERE day < $window_end AND NOT ({visible_sql("day")}) GROUP BY account_id, product_id)
SELECT acquired.account_id, acquired.product_id, first_day >= $window_start AS taken
FROM acquired JOIN population ON population.account_id = acquired.account_id
LEFT JOIN ({HOLDINGS_SQL}) AS held
  ON held.account_id = acquired.account_id AND held.product_id = acquired.product_id
WHERE held.product_id IS NULL ORDER BY 1, 2"""


@dataclass(frozen=True)
class Labels:
    """Outcomes of one slice.

    Parameters
    ----------
    as_of : AsOf
    table : pa.Table
        ``account_id`` string, ``label`` int8 (1 left, 0 stayed), sorted by account; no censored rows.
    censored : dict of str to int
        Accounts left out, by reason.
    """

    as_of: AsOf
    table: pa.Table
    censored: dict[str, int] = field(default_factory=dict)

    @property
    def positives(self) -> int:
        """Number of accounts that left."""
        return int(pc.sum(self.table["label"]).as_py() or 0)


@dataclass(frozen=True)
class TakeUps:
    """Products taken in one slice, by accounts of its population that did not hold them.

    Parameters
    ----------
    as_of : AsOf
    taken : pa.Table
        ``account_id`` and ``product_id``, string, of the take-ups, sorted by both.
    censored : pa.Table
        The same columns: pairs that were taken before the window opened.
    """

    as_of: AsOf
    taken: pa.Table
    censored: pa.Table


def take_ups(store: Store, as_of: AsOf, window: LabelWindow, known_by: AsOf | None = None) -> TakeUps:
    """Who of the population at ``as_of`` took which product within the label window.

    Parameters
    ----------
    window : LabelWindow
        Gap and horizon in days.
    known_by : AsOf or None
        Only what had reached us by then; None = by the end of the data.

    Raises
    ------
    DataError
        The label window reaches past the newest complete day.
    """
    values = {**window_values(store, as_of, window, known_by), "accounts": "TRUE"}
    with store.connect() as engine:
        pairs = engine.query(bind(TAKE_UPS, values))
    taken = pairs["taken"]
    pairs = pairs.drop_columns(["taken"])
    return TakeUps(as_of, pairs.filter(taken), pairs.filter(pc.invert(taken)))


def churn_labels(store: Store, as_of: AsOf, window: LabelWindow, known_by: AsOf | None = None) -> Labels:
    """Who of the population at ``as_of`` left within the label window.

    Parameters
    ----------
    store : Store
    as_of : AsOf
    window : LabelWindow
        Gap and horizon in days.
    known_by : AsOf or None
        Only ends that had reached us by then; None = by the end of the data.

    Raises
    ------
    DataError
        The label window reaches past the newest complete day.
    """
    reasons = ", ".join(literal(reason) for reason in INVOLUNTARY_REASONS)
    values = {**window_values(store, as_of, window, known_by), "involuntary": f"({reasons})"}
    sql = BY_LABELS if store.has("labels") else BY_LINES
    with store.connect() as engine:
        outcomes = engine.query(bind(sql, values))
    return from_outcomes(as_of, outcomes)


def window_values(store: Store, as_of: AsOf, window: LabelWindow, known_by: AsOf | None) -> dict[str, str]:
    """The parameters that name the date, the label window, and what was known of it."""
    start, end = window.bounds(as_of)
    if end > store.end_day:
        raise DataError(
            f"label window of {as_of}",
            f"an end by {store.latest}, the end of the data",
            f"{AsOf(end)}",
            next_step=f"Choose an as_of up to {AsOf(store.end_day - window.gap_days - window.horizon_days)}",
        )
    return {
        "as_of": str(as_of.day),
        "window_start": str(start),
        "window_end": str(end),
        "known_by": str((known_by or store.latest).day),
    }


def from_outcomes(as_of: AsOf, outcomes: pa.Table) -> Labels:
    outcome = outcomes["outcome"]
    left, stayed = pc.equal(outcome, "left"), pc.equal(outcome, "stayed")
    labelled = outcomes.append_column("label", left.cast(pa.int8())).filter(pc.or_(left, stayed))
    counts = pc.value_counts(outcome.filter(pc.invert(pc.or_(left, stayed)))).to_pylist()
    return Labels(
        as_of, labelled.select(["account_id", "label"]), {item["values"]: item["counts"] for item in counts}
    )


@dataclass(frozen=True)
class SlicePlan:
    """Decision dates to learn from and to be judged on; ascending, and purged of overlap."""

    train: tuple[AsOf, ...]
    holdout: tuple[AsOf, ...]


def plan_slices(
    store: Store, window: LabelWindow, *, train: int, holdout: int, history_days: int
) -> SlicePlan:
    """Monthly slices: the last ``holdout`` are held out, up to ``train`` before them are learnt from.

    Parameters
    ----------
    train, holdout : int
        Number of slices wanted.
    history_days : int
        Days of data a slice needs behind it.

    Raises
    ------
    DataError
        Not enough data for one training and one held-out slice.

    Notes
    -----
    A training slice counts only if its label window ends at or before the first held-out date.
    """
    start = history_start(store)
    last = AsOf(store.end_day - window.gap_days - window.horizon_days)
    usable = list(month_starts(AsOf(start + history_days), last))
    held = usable[-holdout:]
    learnt: Sequence[AsOf] = [s for s in usable if not held or window.closed_by(s, held[0])]
    if not held or not learnt:
        raise DataError(
            "slices",
            f"at least one training and one held-out month with {history_days} days before and "
            f"{window.gap_days + window.horizon_days} days after, without overlap",
            f"{len(usable)} usable months between {AsOf(start)} and {store.latest}",
            next_step="Bring more months of data, or shorten label.horizon_days or slices.history_days",
        )
    return SlicePlan(tuple(learnt[-train:]), tuple(held))


def history_start(store: Store) -> int:
    """The first day on which every table of daily facts is covered."""
    firsts = [store.first_day(name, store.latest) for name in FLOW_TABLES]
    return max((day for day in firsts if day is not None), default=store.end_day)
