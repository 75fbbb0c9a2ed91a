"""distinct: how many different values, exact at any date.

``calls.distinct("counterparty_id", over=days(30))`` is ``calls_counterparty_id_distinct_30d``:
calls to a, b and a again give 2; no calls give 0.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import (
    NO_HISTORY,
    Meaning,
    covered,
    values_words,
    within,
)
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    values, when = values_words(leaf), within(leaf)
    state = leaf.window_days is None
    total = plan.total(leaf, "distinct", leaf.column) if state else plan.tally(leaf)
    return Meaning(
        expression=covered(leaf, f"coalesce({total}, 0)"),
        sql_type="BIGINT",
        unit="count",
        words=Words(f"{values.en}{when.en}", f"{when.zh}{values.zh}数"),
        null_means=NO_HISTORY,
    )
