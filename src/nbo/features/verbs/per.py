"""per: a peak for each different value of a column.

``calls.peak(over=days(30)).per("line_id")``: three calls at once over two lines in use give 1.5. Calls
without a line give null.
"""

from dataclasses import replace

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs import peak
from nbo.features.verbs.meaning import Meaning, column_words, covered
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    whole = peak.meaning(Feature("peak", replace(leaf, column=None)), plan)
    column = column_words(leaf)
    ratio = f"CAST({plan.peak(leaf)} AS DOUBLE) / nullif({plan.tally(leaf)}, 0)"
    return Meaning(
        expression=covered(leaf, ratio),
        sql_type="DOUBLE",
        unit="count",
        words=Words(f"{whole.words.en}, for each {column.en} used", f"{whole.words.zh}(平均每{column.zh})"),
        null_means="no such row with a value within the window, or its history is too short",
        idea=whole.idea,
    )
