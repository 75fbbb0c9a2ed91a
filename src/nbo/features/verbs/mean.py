"""mean: the average of a column over the rows that have it.

``calls.mean("minutes", over=days(30))`` is ``calls_minutes_mean_30d``: calls of 90 and 30 seconds
give 1.0 minutes; no calls give null, for a mean of nothing is not 0.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, column_of_rows, covered, in_unit, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    total, _, unit = in_unit(leaf, plan.total(leaf, "sum", leaf.column))
    present = plan.total(leaf, "present", leaf.column)
    words, when = column_of_rows(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, f"CAST({total} AS DOUBLE) / nullif({present}, 0)"),
        sql_type="DOUBLE",
        unit=unit,
        words=Words(f"average {words.en}{when.en}", f"{when.zh}平均{words.zh}"),
        null_means="no such row within the window, or its history is too short",
    )
