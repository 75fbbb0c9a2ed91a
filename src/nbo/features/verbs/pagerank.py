"""pagerank: how often somebody comes to the account who follows calls from account to account.

``out.pagerank(over=days(90))``: each account passes on 85 % of what it has to those it calls, by how often it
calls them, and everyone has 0.15 to begin with. One that nobody calls has 0.15; where all call and are called
alike, everyone has nearly 1. Ten rounds.
"""

from nbo.features.declared import Feature
from nbo.features.graphs import BASE, ONE
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered, graph_of, rows_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    visits = plan.visits(graph_of(leaf))
    rows, when = rows_words(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, f"CAST(coalesce({visits}, {BASE}) AS DOUBLE) / {ONE}"),
        sql_type="DOUBLE",
        unit="index",
        words=Words(
            f"place among our accounts (PageRank) by {rows.en}{when.en}",
            f"{when.zh}按{rows.zh}计的客户网络地位(PageRank)",
        ),
        null_means=NO_HISTORY,
        idea="Brin and Page (1998), The anatomy of a large-scale hypertextual web search engine, WWW 7",
    )
