"""burstiness: how unevenly a total is spread over the weeks, -1 (even) to nearly 1 (all in one week).

``(s - m) / (s + m)`` with the mean m and the standard deviation s of the weeks' totals: 10, 10, 10 and 10
give -1; 40, 0, 0 and 0 give 0.27; nothing at all gives null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered
from nbo.features.verbs.weekly import Weeks, weekly_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    weeks, (words, when) = Weeks.of(feature, plan), weekly_words(feature)
    n, whole = weeks.count, f"CAST({weeks.whole} AS DOUBLE)"
    squares = " + ".join(f"CAST({week} AS DOUBLE) * {week}" for week in weeks.each)
    # n times the standard deviation; a rounding error below zero is an even spread.
    spread = f"sqrt(greatest({n} * ({squares}) - {whole} * {whole}, 0))"
    return Meaning(
        expression=covered(feature.leaf, f"({spread} - {whole}) / nullif({spread} + {whole}, 0)"),
        sql_type="DOUBLE",
        unit="index",
        words=Words(
            f"unevenness from week to week of {words.en}{when.en}", f"{when.zh}{words.zh}各周的不均匀度"
        ),
        null_means="nothing within the window, or its history is too short",
        idea="Goh and Barabasi (2008), Burstiness and memory in complex systems, EPL 81",
    )
