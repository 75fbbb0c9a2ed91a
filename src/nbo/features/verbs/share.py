"""share: one total as a part of another over the same window, 0 to 1.

``rivals.sum("minutes", over=days(30)).share_of(calls)``: 20 minutes with rivals of 80 in all give
0.25; where the whole is 0 the share is null, for a part of nothing is unknown.
"""

from nbo.errors import UsageError
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import Meaning, covered, rows_words, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, whole_leaf = feature.leaf, feature.other
    if whole_leaf is None or feature.inner not in ("count", "sum"):
        raise UsageError("share: expected a count or sum and what it is a share of")
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    part = plan.total(leaf, aggregate, leaf.column)
    whole = plan.total(whole_leaf, aggregate, whole_leaf.column)
    ratio = f"CAST(coalesce({part}, 0) AS DOUBLE) / nullif({whole}, 0)"
    same = whole_leaf.source == leaf.source
    words, of, when = total_words(feature.inner, leaf), rows_words(whole_leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, ratio if same else covered(whole_leaf, ratio)),
        sql_type="DOUBLE",
        unit="share",
        words=Words(f"{words.en} as a share of {of.en}{when.en}", f"{when.zh}{words.zh}占{of.zh}的比例"),
        null_means="nothing to take a share of within the window, or its history is too short",
    )
