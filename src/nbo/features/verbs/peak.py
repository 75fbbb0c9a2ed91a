"""peak: the most rows that went on at the same time.

``calls.peak(over=days(30))`` is ``calls_peak_30d``: a call from 9:00 to 9:10 and another from 9:05 give 2;
from 9:10 on it would be 1. Calls that nobody answered take no time. No calls give 0.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered, rows_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    rows, when = rows_words(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, f"coalesce({plan.peak(leaf)}, 0)"),
        sql_type="BIGINT",
        unit="count",
        words=Words(f"most {rows.en} at the same time{when.en}", f"{when.zh}同时进行的{rows.zh}最大数"),
        null_means=NO_HISTORY,
        idea="Erlang (1917), Solution of some problems in the theory of probabilities of significance in "
        "automatic telephone exchanges",
    )
