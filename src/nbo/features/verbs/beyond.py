"""beyond: the part of a total that goes beyond a base, 0 to 1.

``bills.sum("bill_amount", over=days(31)).beyond(contracts.attribute("plan_base_amount"))``: bills of 9,000
fen on a plan with a base of 6,000 give 0.333; bills of less than the base give 0.
"""

from nbo.errors import UsageError
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, column_words, covered, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, base = feature.leaf, feature.other
    if base is None:
        raise UsageError("beyond: expected an amount to go beyond")
    total, limit = plan.total(leaf, "sum", leaf.column), plan.newest(base)
    words, over, when = total_words("sum", leaf), column_words(base), within(leaf)
    rest = f"CASE WHEN {total} > {limit} THEN {total} - {limit} WHEN {total} <= {limit} THEN 0 END"
    return Meaning(
        expression=covered(leaf, f"CAST({rest} AS DOUBLE) / nullif({total}, 0)"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"part of the {words.en} beyond the {over.en}{when.en}", f"{when.zh}{words.zh}超出{over.zh}的比例"
        ),
        null_means="no such base, nothing in the window, or the history is shorter than the window",
        idea="Use outside the bundle, of the trade",
    )
