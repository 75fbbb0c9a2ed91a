"""cusum_days: days since the moment at which the course of a total broke off or set in.

The moment that :mod:`nbo.features.verbs.cusum` measures at; of two as strong the later one. Of 40, 40, 10
and 10 minutes in four weeks it was 14 days ago. An even spread, or nothing at all, has none and gives null.
"""

from nbo.features.declared import WEEK, Feature
from nbo.features.plan import Plan
from nbo.features.verbs.cusum import PAGE
from nbo.features.verbs.meaning import Meaning, covered
from nbo.features.verbs.weekly import Weeks, weekly_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    weeks, (words, when) = Weeks.of(feature, plan), weekly_words(feature)
    # The moment is carried in the last digits of the size, so that one greatest() finds both.
    n = weeks.count
    marked = [f"abs({size}) * {n} + {n - k}" for k, size in enumerate(weeks.beyond_even, 1)]
    largest = f"greatest({', '.join(marked)})"
    moment = f"CASE WHEN {largest} >= {n} THEN {WEEK} * ({n} - {largest} % {n}) END"
    return Meaning(
        expression=covered(feature.leaf, moment),
        sql_type="BIGINT",
        unit="days",
        words=Words(
            f"days since the break in the course of {words.en}{when.en}",
            f"{when.zh}{words.zh}走势突变距今天数",
        ),
        null_means="an even spread or nothing within the window, or its history is too short",
        idea=PAGE,
    )
