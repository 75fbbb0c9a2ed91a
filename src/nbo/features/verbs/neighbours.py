"""neighbours: share of the other accounts at the same place that have such a row.

``through_codes.count(over=days(30)).neighbours("building_id")``: of three other accounts in the building one
dialled through a rival's code: 0.333. An account alone at its place has null. With
``calls.graph(over=days(90))`` in place of the building, its neighbours are those it talks with. Of the
neighbours too only what was known at the date counts; those that have left since stay neighbours.
"""

from nbo.features.declared import Feature, Graph, Leaf
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import (
    Meaning,
    covered,
    partners_words,
    rows_words,
    within,
)
from nbo.tables.catalog import contract
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    have, others = plan.neighbours(leaf)
    those, of, when = others_words(leaf), rows_words(leaf), within(leaf)
    expression = covered(leaf, f"CAST({have} AS DOUBLE) / nullif({others}, 0)")
    return Meaning(
        expression=covered(leaf.place.rows, expression) if isinstance(leaf.place, Graph) else expression,
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"share of {those.en} with {of.en}{when.en}",
            f"{those.zh}中{when.zh}有{of.zh}者的比例",
        ),
        null_means="no other account there, none known, or the history is too short",
        idea="Richter, Yom-Tov and Slonim (2010), Predicting customer churn in mobile networks through "
        "analysis of social groups, SDM",
    )


def others_words(leaf: Leaf) -> Words:
    """The accounts that are asked about."""
    if isinstance(leaf.place, Graph):
        words = partners_words(leaf.place)
        return Words(f"the {words.en}", words.zh)
    place = contract("sites").column(leaf.place or "").words
    return Words(f"the other accounts in the {place.en}", f"同一{place.zh}的其他客户")
