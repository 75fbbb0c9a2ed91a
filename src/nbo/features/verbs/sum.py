"""sum: the total of a column.

``calls.sum("minutes", over=days(30))`` is ``calls_minutes_sum_30d``: calls of 90 and 30 seconds
give 2.0 minutes, no calls give 0, and null if the data do not reach back 30 days.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered, in_unit, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    expression, sql_type, unit = in_unit(leaf, f"coalesce({plan.total(leaf, 'sum', leaf.column)}, 0)")
    words, when = total_words("sum", leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, expression),
        sql_type=sql_type,
        unit=unit,
        words=Words(words.en + when.en, when.zh + words.zh),
        null_means=NO_HISTORY,
    )
