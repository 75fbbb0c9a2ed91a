"""priced_like: minutes of some rows at what a minute of other rows cost the account.

``through_codes.sum("minutes", over=days(90)).priced_like(own_far)``: 20 minutes through rivals' codes where
60 long-distance minutes of ours cost 3,000 fen are worth 20 · 3,000 / 60 = 1,000 fen; without any there is
nothing to price, 0; with some, but none of ours that tells a price, null.
"""

from nbo.errors import UsageError
from nbo.features.declared import CHARGE, SECONDS, Feature, Leaf
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered, rows_words, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, like = feature.leaf, feature.other
    if like is None:
        raise UsageError("priced_like: expected rows that tell the price")
    words, others, when = total_words("sum", leaf), rows_words(like), within(leaf)
    return Meaning(
        expression=covered(leaf, priced(leaf, like, plan)),
        sql_type="DOUBLE",
        unit="money",
        words=Words(
            f"worth of {words.en}{when.en}, at the price of {others.en}",
            f"{when.zh}{words.zh}按{others.zh}单价折算的金额",
        ),
        null_means="no row that tells a price, or the history is too short",
    )


def priced(leaf: Leaf, like: Leaf, plan: Plan) -> str:
    """Money in minor units: seconds of a leaf's rows at the charge for a second of others."""
    seconds = f"coalesce({plan.total(leaf, 'sum', SECONDS)}, 0)"
    charge, charged = plan.total(like, "sum", CHARGE), plan.total(like, "sum", SECONDS)
    price = f"CAST({charge} AS DOUBLE) / nullif({charged}, 0)"
    return f"CASE WHEN {seconds} = 0 THEN 0.0 ELSE {seconds} * {price} END"
