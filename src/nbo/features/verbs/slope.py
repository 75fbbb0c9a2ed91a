"""slope: how much a week has more or less than the one before, as a share of a mean week.

The least-squares line through the weeks' totals: ``out.sum("minutes", over=days(28)).slope()`` of 40, 30, 20
and 10 minutes, the last week having 10, is -10 / 25 = -0.4; no minutes at all give null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered
from nbo.features.verbs.weekly import Weeks, weekly_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    weeks, (words, when) = Weeks.of(feature, plan), weekly_words(feature)
    n = weeks.count
    # With ages 0 to n - 1 the sum of (n - 1 - 2 * age) * total is this; it is 0 for an even spread.
    moment = f"(2 * ({' + '.join(weeks.since[:-1])}) - {n - 1} * {weeks.whole})"
    scale = f"{n * n - 1} * nullif(CAST({weeks.whole} AS DOUBLE), 0)"
    return Meaning(
        expression=covered(feature.leaf, f"6 * CAST({moment} AS DOUBLE) / ({scale})"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(f"change from week to week in {words.en}{when.en}", f"{when.zh}{words.zh}的每周变化"),
        null_means="nothing within the window, or its history is too short",
    )
