"""lost_share: which part of the values of as long before the window is in it no more, 0 to 1.

``out.distinct("line_id", over=days(30)).lost_share()`` is ``calls_out_line_id_distinct_30d_lost_share``: of
four lines that called in the 30 days before one is silent now: 0.25. No such value before gives null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, before_words, covered, values_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    kept, lost = (plan.tally(leaf, tally) for tally in ("kept", "lost"))
    values, when, before = values_words(leaf), within(leaf), before_words(leaf)
    return Meaning(
        expression=covered(
            leaf, f"CAST({lost} AS DOUBLE) / nullif({kept} + {lost}, 0)", days=2 * (leaf.window_days or 0)
        ),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"share of {values.en} in {before.en} that are not there{when.en}",
            f"此前同期的{values.zh}中{when.zh}不再出现的比例",
        ),
        null_means="no such value in as long before, or the history is too short",
    )
