"""new: values that were not there in as long before the window.

``calls.distinct("counterparty_id", over=days(30)).new()`` is ``calls_counterparty_id_distinct_30d_new``:
calls to a and b after calls to b and c give 1.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, before_words, covered, values_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    values, when, before = values_words(leaf), within(leaf), before_words(leaf)
    return Meaning(
        expression=covered(leaf, f"coalesce({plan.tally(leaf, 'new')}, 0)", days=2 * (leaf.window_days or 0)),
        sql_type="BIGINT",
        unit="count",
        words=Words(f"{values.en}{when.en} but not in {before.en}", f"{when.zh}新出现的{values.zh}数"),
        null_means=NO_HISTORY,
    )
