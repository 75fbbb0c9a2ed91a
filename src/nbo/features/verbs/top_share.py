"""top_share: how much of the rows the most frequent value has.

``calls.top_share("counterparty_id", over=days(30))`` is ``calls_counterparty_id_top_share_30d``: three calls
to a and one to b give 0.75; no calls give null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, column_words, covered, rows_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    most, rows = plan.tally(leaf, "most"), plan.tally(leaf, "rows")
    column, of, when = column_words(leaf), rows_words(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, f"CAST({most} AS DOUBLE) / nullif({rows}, 0)"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"share of {of.en} with the most frequent {column.en}{when.en}",
            f"{when.zh}{of.zh}中最常见{column.zh}的占比",
        ),
        null_means="no such row within the window, or its history is too short",
    )
