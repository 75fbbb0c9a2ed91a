"""spread: how far the ways through the calling graph lead to accounts that have such a row, 0 to 1.

``ended.count(over=days(90)).spread(calls.graph(over=days(90)))``: where half of an account's calls with our
accounts are with one that has, and none of the others' calls are, that step counts 4 of 7: 0.5 * 4 / 7.
The second step is the same share of the partners' calls and counts 2, the third 1.
"""

from nbo.features.declared import Feature
from nbo.features.graphs import spread_whole
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import (
    Meaning,
    covered,
    graph_of,
    partners_words,
    rows_words,
    within,
)
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    graph = graph_of(leaf)
    # An account without partners is in no relation, or has ways to nowhere.
    led = f"CAST({plan.spread(leaf)} AS DOUBLE) / {spread_whole()}"
    met = f"CASE WHEN {plan.partners(graph)} > 0 THEN {led} END"
    those, of, when = partners_words(graph), rows_words(leaf), within(leaf)
    return Meaning(
        expression=covered(graph.rows, covered(leaf, met)),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"closeness, through {those.en}, to accounts with {of.en}{when.en}",
            f"经{those.zh}与{when.zh}有{of.zh}的客户的接近度",
        ),
        null_means="no account of ours at the other end, none known, or the history is too short",
        idea="Zhou et al. (2004), Learning with local and global consistency, NIPS 16; spreading activation: "
        "Dasgupta et al. (2008), EDBT",
    )
