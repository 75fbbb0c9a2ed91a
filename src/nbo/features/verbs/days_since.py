"""days_since: days from the last (or first) row within the window to the decision date.

``rivals.days_since("last", over=days(90))`` is ``calls_rival_days_since_last_90d``: a call the day
before the decision date gives 1; no such row within 90 days gives null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, rows_words, within
from nbo.tables.contract import Words

ZH = {"last": "最近一次", "first": "首次"}


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    which = leaf.which or "last"
    day = plan.total(leaf, "max" if which == "last" else "min", leaf.table.event_column)
    rows, when = rows_words(leaf, one=True), within(leaf)
    return Meaning(
        expression=f"$as_of - {day}",
        sql_type="BIGINT",
        unit="days",
        words=Words(f"days since the {which} {rows.en}{when.en}", f"{when.zh}{ZH[which]}{rows.zh}距今天数"),
        null_means="no such row within the window",
    )
