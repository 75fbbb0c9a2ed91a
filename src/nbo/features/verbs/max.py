"""max: the largest value of a column.

``bills.max("bill_amount", over=days(90))`` is ``bills_bill_amount_max_90d``: bills of 300 and 120
give 300; no bills give null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, column_of_rows, covered, in_unit, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    expression, sql_type, unit = in_unit(leaf, plan.total(leaf, "max", leaf.column))
    words, when = column_of_rows(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, expression),
        sql_type=sql_type,
        unit=unit,
        words=Words(f"highest {words.en}{when.en}", f"{when.zh}最高{words.zh}"),
        null_means="no such row within the window, or its history is too short",
    )
