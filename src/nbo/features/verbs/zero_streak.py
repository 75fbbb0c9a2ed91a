"""zero_streak: weeks without any, up to the decision date.

``out.count(over=days(28)).zero_streak()``: a call 3 days ago gives 0, the last one 10 days ago gives 1, none
in four weeks gives 4.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered
from nbo.features.verbs.weekly import Weeks, weekly_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    weeks, (words, when) = Weeks.of(feature, plan), weekly_words(feature)
    cases = " ".join(f"WHEN {total} > 0 THEN {quiet}" for quiet, total in enumerate(weeks.since))
    return Meaning(
        expression=covered(feature.leaf, f"CASE {cases} ELSE {weeks.count} END"),
        sql_type="BIGINT",
        unit="count",
        words=Words(
            f"weeks up to now without {words.en}{when.en}",
            f"{when.zh}截至目前无{words.zh.removesuffix('数')}的周数",
        ),
        null_means=NO_HISTORY,
    )
