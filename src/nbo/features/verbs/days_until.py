"""days_until: days from the decision date to a day that the newest visible row names.

``contracts.days_until("planned_end_day")``: an end planned 10 days after the decision date gives
10, one that has passed gives a negative number, no contract gives null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, column_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    column = column_words(leaf)
    return Meaning(
        expression=f"{plan.newest(leaf)} - $as_of",
        sql_type="BIGINT",
        unit="days",
        words=Words(f"days until the {column.en}", f"距{column.zh}的天数"),
        null_means="no such day is known",
    )
