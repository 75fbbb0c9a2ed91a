"""share_beside: one total as a part of itself and another, whose rows are others, 0 to 1.

``through_codes.sum("minutes", over=days(30)).share_beside(own_far)``: 20 minutes through rival codes beside
60 long-distance minutes of ours give 0.25; nothing on either side gives null.
"""

from nbo.errors import UsageError
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import Meaning, covered, rows_words, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, other = feature.leaf, feature.other
    if other is None:
        raise UsageError("share_beside: expected what it stands beside")
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    part, beside = (f"coalesce({plan.total(one, aggregate, one.column)}, 0)" for one in (leaf, other))
    ratio = f"CAST({part} AS DOUBLE) / nullif({part} + {beside}, 0)"
    words, others, when = total_words(feature.inner or "count", leaf), rows_words(other), within(leaf)
    return Meaning(
        expression=covered(leaf, ratio if other.source == leaf.source else covered(other, ratio)),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"{words.en} as a share of these and {others.en}{when.en}",
            f"{when.zh}{words.zh}占其与{others.zh}之和的比例",
        ),
        null_means="nothing on either side within the window, or its history is too short",
    )
