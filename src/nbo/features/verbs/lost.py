"""lost: values that were there in as long before the window, and are in it no more.

``calls.distinct("counterparty_id", over=days(30)).lost()`` is ``calls_counterparty_id_distinct_30d_lost``:
calls to a and b after calls to b, c and d give 2.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, before_words, covered, values_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    values, when, before = values_words(leaf), within(leaf), before_words(leaf)
    return Meaning(
        expression=covered(
            leaf, f"coalesce({plan.tally(leaf, 'lost')}, 0)", days=2 * (leaf.window_days or 0)
        ),
        sql_type="BIGINT",
        unit="count",
        words=Words(f"{values.en} in {before.en} but not{when.en}", f"{when.zh}不再出现的{values.zh}数"),
        null_means=NO_HISTORY,
    )
