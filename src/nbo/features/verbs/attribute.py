"""attribute: the value in the account's newest visible row.

``accounts.attribute("industry")`` is ``accounts_industry``: a value corrected later is seen only
from the day the correction had reached us.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, column_of_rows, column_words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    column = leaf.table.column(leaf.column or "")
    newest = plan.newest(leaf)
    kind = column.kind
    category = kind == "code"
    return Meaning(
        expression=f"CASE WHEN {newest} THEN 1 WHEN NOT {newest} THEN 0 END" if kind == "flag" else newest,
        sql_type="VARCHAR" if category else ("DOUBLE" if kind == "number" else "BIGINT"),
        unit="code" if category else kind,
        words=column_of_rows(leaf) if leaf.conditions else column_words(leaf),
        null_means="not known for this account",
        kind="category" if category else "number",
    )
