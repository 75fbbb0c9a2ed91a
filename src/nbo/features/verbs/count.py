"""count: how many rows.

``calls.where(direction="out").count(over=days(30))`` is ``calls_out_count_30d``: three calls out
in the last 30 days give 3, none give 0, and null if the data do not reach back 30 days.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    total = f"coalesce({plan.total(leaf, 'count')}, 0)"
    words, when = total_words("count", leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, total),
        sql_type="BIGINT",
        unit="count",
        words=Words(words.en + when.en, when.zh + words.zh),
        null_means=NO_HISTORY,
    )
