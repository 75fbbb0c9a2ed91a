"""cusum: how far the total of the weeks since one moment is from an even spread, as a share of the total.

Of all moments between two weeks that one counts at which it is farthest: the cumulative sum of deviations
from the mean. ``out.sum("minutes", over=days(28)).cusum()`` of 40, 40, 10 and 10 minutes, 10 the last week,
is 20 / 100 - 2 / 4 = -0.3: the use broke off. Nothing at all gives null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered
from nbo.features.verbs.weekly import Weeks, weekly_words
from nbo.tables.contract import Words

PAGE = "Page (1954), Continuous inspection schemes, Biometrika 41"


def meaning(feature: Feature, plan: Plan) -> Meaning:
    weeks, (words, when) = Weeks.of(feature, plan), weekly_words(feature)
    beyond = ", ".join(weeks.beyond_even)
    farthest = (
        f"CASE WHEN greatest({beyond}) >= -least({beyond}) THEN greatest({beyond}) ELSE least({beyond}) END"
    )
    whole = f"({weeks.count} * nullif(CAST({weeks.whole} AS DOUBLE), 0))"
    return Meaning(
        expression=covered(feature.leaf, f"CAST({farthest} AS DOUBLE) / {whole}"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"break in the course of {words.en}{when.en}, as a share of all",
            f"{when.zh}{words.zh}走势突变的幅度",
        ),
        null_means="nothing within the window, or its history is too short",
        idea=PAGE,
    )
