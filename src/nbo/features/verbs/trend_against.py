"""trend_against: one trend less another: does this fall while that holds?

``far.sum("minutes", over=days(30)).trend_against(local)``: long distance from 30 to 10 minutes is -0.5, local
calls as before are 0, so -0.5: what fell went elsewhere. Where either has no trend it is null.
"""

from nbo.errors import UsageError
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs import trend
from nbo.features.verbs.meaning import Meaning, rows_words, total_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, other = feature.leaf, feature.other
    if other is None:
        raise UsageError("trend_against: expected what it is held against")
    one, than = (
        trend.meaning(Feature("trend", each, feature.inner), plan).expression for each in (leaf, other)
    )
    words, others, length = total_words(feature.inner or "count", leaf), rows_words(other), leaf.window_days
    return Meaning(
        expression=f"{one} - {than}",
        sql_type="DOUBLE",
        unit="index",
        words=Words(
            f"change in {words.en} beyond that of {others.en}, last {length} days against those before",
            f"{words.zh}近{length}天较前{length}天的变化与{others.zh}变化之差",
        ),
        null_means="nothing to compare in either window, or the history is too short",
    )
