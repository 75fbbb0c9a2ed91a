"""wallet: what an account spends with us and, by our prices, with rivals.

``bills.sum("bill_amount", over=days(92)).wallet(through_codes, like=own_far)``: bills of 9,000 fen and rival
minutes worth 1,000 by :mod:`priced_like <nbo.features.verbs.priced_like>` give 10,000. Only what leaves a
trace in our records is in it.
"""

from nbo.errors import UsageError
from nbo.features.declared import Feature, Leaf
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered, rows_words, total_words, within
from nbo.features.verbs.priced_like import priced
from nbo.tables.contract import Words

IDEA = (
    "Glady and Croux (2009), Predicting customer wallet without survey data, Journal of Service Research 11"
)
NULL = "no row that tells a price, or the history is too short"


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    spent, elsewhere = parts(feature, plan)
    words, others, when = total_words("sum", leaf), rows_words(rivals_of(feature)), within(leaf)
    return Meaning(
        expression=covered(leaf, covered(rivals_of(feature), f"{spent} + {elsewhere}")),
        sql_type="DOUBLE",
        unit="money",
        words=Words(
            f"wallet: {words.en} and the worth of {others.en}{when.en}",
            f"{when.zh}钱包估计（{words.zh}加{others.zh}折算金额）",
        ),
        null_means=NULL,
        idea=IDEA,
    )


def parts(feature: Feature, plan: Plan) -> tuple[str, str]:
    """SQL of what is spent with us and with rivals, in minor units."""
    if feature.like is None:
        raise UsageError(f"{feature.verb}: expected rows that tell the price")
    spent = f"coalesce({plan.total(feature.leaf, 'sum', feature.leaf.column)}, 0)"
    return spent, priced(rivals_of(feature), feature.like, plan)


def rivals_of(feature: Feature) -> Leaf:
    if feature.other is None:
        raise UsageError(f"{feature.verb}: expected rows of rivals")
    return feature.other
