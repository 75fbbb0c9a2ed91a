"""neighbours: share of the other accounts at the same place that have such a row.

``through_codes.count(over=days(30)).neighbours("building_id")``: of three other accounts in the building one
dialled through a rival's code: 0.333. An account alone at its place has null. Of the neighbours too only
what was known at the date counts; those that have left since stay neighbours.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered, rows_words, within
from nbo.tables.catalog import contract
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    place = contract("sites").column(leaf.place or "").words
    have, others = plan.neighbours(leaf)
    of, when = rows_words(leaf), within(leaf)
    return Meaning(
        expression=covered(leaf, f"CAST({have} AS DOUBLE) / nullif({others}, 0)"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"share of the other accounts in the {place.en} with {of.en}{when.en}",
            f"{when.zh}同一{place.zh}的其他客户中有{of.zh}者的比例",
        ),
        null_means="no other account at the place, no place known, or the history is too short",
        idea="Richter, Yom-Tov and Slonim (2010), Predicting customer churn in mobile networks through "
        "analysis of social groups, SDM",
    )
