"""kept: how much of the values of two spans is in both (Jaccard's index).

``calls.distinct("counterparty_id", over=days(30)).kept()`` is ``calls_counterparty_id_distinct_30d_kept``:
calls to a and b after calls to b and c give 1 of 3; no calls in either span give null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, before_words, covered, values_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    kept, new, lost = (plan.tally(leaf, tally) for tally in ("kept", "new", "lost"))
    values, when, before = values_words(leaf), within(leaf), before_words(leaf)
    return Meaning(
        expression=covered(
            leaf,
            f"CAST({kept} AS DOUBLE) / nullif({kept} + {new} + {lost}, 0)",
            days=2 * (leaf.window_days or 0),
        ),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"share of {values.en} that are in both{when.en.replace(' in', '', 1)} and {before.en}",
            f"{when.zh}与此前同期共有的{values.zh}占比",
        ),
        null_means="no such value in either span, or the history is too short",
    )
