"""steepest_fall: what the one value that fell most lost, as a share of all rows of the span before.

``calls.steepest_fall("line_id", over=days(30))``: in the 30 days before line a had 6 calls and b had 4; now a
has 1 and b has 5: a lost 5 of 10, so 0.5. Nothing fell: 0. No rows before: null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, before_words, column_words, covered, rows_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    fall, before = plan.tally(leaf, "fall"), plan.tally(leaf, "before")
    column, of, when, then = column_words(leaf), rows_words(leaf), within(leaf), before_words(leaf)
    ratio = f"CAST(greatest({fall}, 0) AS DOUBLE) / nullif({before}, 0)"
    return Meaning(
        expression=covered(leaf, ratio, days=2 * (leaf.window_days or 0)),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"steepest fall of {of.en} of any one {column.en}{when.en}, as a share of all in {then.en}",
            f"{when.zh}单个{column.zh}{of.zh}的最大降幅占{then.zh}总数的比例",
        ),
        null_means="no such row in the span before, or the history is too short",
    )
