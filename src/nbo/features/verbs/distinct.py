"""distinct: how many different values, exact at any date.

``calls.distinct("counterparty_id", over=days(30))`` is ``calls_counterparty_id_distinct_30d``:
calls to a, b and a again give 2; no calls give 0.
"""

from nbo.features.plan import Plan
from nbo.features.spec import Feature
from nbo.features.verbs.meaning import (
    NO_HISTORY,
    Meaning,
    column_words,
    covered,
    plural,
    rows_words,
    within,
)
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    column, rows, when = column_words(leaf), rows_words(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, f"coalesce({plan.distinct(leaf)}, 0)"),
        sql_type="BIGINT",
        unit="count",
        words=Words(
            f"different {plural(column.en)} {'of' if ' ' in column.en else 'with'} {rows.en}{when.en}",
            f"{when.zh}{rows.zh}的不同{column.zh}数",
        ),
        null_means=NO_HISTORY,
    )
