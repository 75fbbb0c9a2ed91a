"""stage: where an account is in its life with a service, by the course of a total.

Three windows, the last first. Nothing in any: prospect (0). Nothing in the last, but before: ended (5).
Something in the last alone: acquisition (1); in the last and the oldest, with nothing between: won back
(6). Something in the last two: growth (2) where it rose by more than a fifth (11/9), decline (4) where it
fell by more than that (9/11), else maturity (3). What was before the three windows is not asked.
"""

from nbo.features.codes import ACQUISITION, DECLINE, ENDED, GROWTH, MATURITY, PROSPECT, STAGES, WON_BACK
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import Meaning, covered, total_words
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    length = leaf.window_days or 0
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    one, two, three = (
        f"coalesce({plan.total(leaf, aggregate, leaf.column, days=times * length)}, 0)" for times in (1, 2, 3)
    )
    stage = (
        f"CASE WHEN {three} <= 0 THEN {PROSPECT} WHEN {one} <= 0 THEN {ENDED} "
        f"WHEN {three} <= {one} THEN {ACQUISITION} WHEN {two} <= {one} THEN {WON_BACK} "
        f"WHEN 20 * {one} > 11 * {two} THEN {GROWTH} WHEN 20 * {one} < 9 * {two} THEN {DECLINE} "
        f"ELSE {MATURITY} END"
    )
    words = total_words(feature.inner or "count", leaf)
    return Meaning(
        expression=covered(leaf, stage, days=3 * length),
        sql_type="BIGINT",
        unit="stage",
        words=Words(
            f"lifecycle stage by {words.en}, last {length} days against those before",
            f"按{words.zh}近{length}天较此前的变化划分的生命周期阶段",
        ),
        null_means="the data's history is shorter than three windows",
        idea="Stages of the customer's life, of the trade",
        codes=STAGES,
    )
