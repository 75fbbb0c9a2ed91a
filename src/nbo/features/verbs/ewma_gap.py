"""ewma_gap: the last week against the exponentially weighted mean of the weeks before it.

``(last - mean) / (last + mean)``: 10 after weeks of 30 gives -0.5, nothing any more gives -1, the first use
gives 1. Each week weighs 0.7 of the one after it.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered
from nbo.features.verbs.weekly import Weeks, weekly_words
from nbo.tables.contract import Words

KEEP = 0.7
"""Weight of a week against the next; the mean looks back three weeks on average."""


def meaning(feature: Feature, plan: Plan) -> Meaning:
    weeks, (words, _) = Weeks.of(feature, plan), weekly_words(feature)
    last, *before = weeks.each
    weights = [KEEP**age for age in range(len(before))]
    weighted = " + ".join(
        f"CAST({weight / sum(weights)!r} AS DOUBLE) * {week}"
        for weight, week in zip(weights, before, strict=True)
    )
    ratio = f"CASE WHEN {weeks.whole} > 0 THEN ({last} - ({weighted})) / ({last} + ({weighted})) END"
    return Meaning(
        expression=covered(feature.leaf, ratio),
        sql_type="DOUBLE",
        unit="trend",
        words=Words(
            f"change in {words.en}, the last week against the weighted mean of the weeks before",
            f"{words.zh}最近一周较此前各周加权平均的变化",
        ),
        null_means="nothing within the window, or its history is too short",
        idea="Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1",
    )
