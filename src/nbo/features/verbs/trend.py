"""trend: a total against the same length just before it.

``(now - before) / (now + before)``: 10 minutes after 30 give -0.5, all gone gives -1, new gives 1,
nothing in both gives null. Bounded, so that one quiet month does not dwarf a year.
"""

from nbo.errors import UsageError
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import Meaning, covered, total_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    if leaf.window_days is None or feature.inner not in ("count", "sum"):
        raise UsageError("trend: expected a count or sum over a window")
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    length = leaf.window_days
    now = plan.total(leaf, aggregate, leaf.column)
    both = plan.total(leaf, aggregate, leaf.column, days=2 * length)
    ratio = f"CAST(2 * coalesce({now}, 0) - {both} AS DOUBLE) / nullif({both}, 0)"
    words = total_words(feature.inner, leaf)
    return Meaning(
        expression=covered(leaf, ratio, days=2 * length),
        sql_type="DOUBLE",
        unit="trend",
        words=Words(
            f"change in {words.en}, last {length} days against the {length} before",
            f"{words.zh}近{length}天较前{length}天的变化",
        ),
        null_means="nothing in either window, or the history is too short",
    )
