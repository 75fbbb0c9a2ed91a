"""degree: how many other accounts of ours are at the other end.

``calls.degree(over=days(90))`` is ``calls_degree_90d``: calls with two lines of one account and a line of
another give 2; numbers that are no line of ours, and the account's own lines, count nothing.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered, graph_of, partners_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    graph = graph_of(feature.leaf)
    words = partners_words(graph)
    return Meaning(
        expression=covered(feature.leaf, f"coalesce({plan.partners(graph)}, 0)"),
        sql_type="BIGINT",
        unit="count",
        words=Words(words.en, f"{words.zh}数"),
        null_means=NO_HISTORY,
    )
