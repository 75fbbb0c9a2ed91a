"""days_since: days from the last (or first) row within the window to the decision date.

``rivals.days_since("last", over=days(90))`` is ``calls_rival_days_since_last_90d``: a call the day
before the decision date gives 1; no such row within 90 days gives null.
"""

from nbo.features.plan import Plan
from nbo.features.spec import Feature
from nbo.features.verbs.meaning import Meaning, rows_words
from nbo.tables.contract import Words

ZH = {"last": "最近一次", "first": "首次"}


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    which = leaf.which or "last"
    day = plan.total(leaf, "max" if which == "last" else "min", leaf.table.event_column)
    rows = rows_words(leaf)
    limit = Words(f" within {leaf.window_days} days", f"({leaf.window_days}天内)")
    return Meaning(
        expression=f"$as_of - {day}",
        sql_type="BIGINT",
        unit="days",
        words=Words(
            f"days since the {which} of the {rows.en}{limit.en}", f"距{ZH[which]}{rows.zh}的天数{limit.zh}"
        ),
        null_means="no such row within the window",
    )
