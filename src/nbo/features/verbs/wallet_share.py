"""wallet_share: our part of what an account spends with us and, by our prices, with rivals, 0 to 1.

``bills.sum("bill_amount", over=days(92)).wallet_share(through_codes, like=own_far)``: bills of 9,000 fen of a
:mod:`wallet <nbo.features.verbs.wallet>` of 10,000 give 0.9; an empty wallet gives null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered, rows_words, total_words, within
from nbo.features.verbs.wallet import IDEA, NULL, parts, rivals_of
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    spent, elsewhere = parts(feature, plan)
    words, others, when = total_words("sum", leaf), rows_words(rivals_of(feature)), within(leaf)
    share = f"CAST({spent} AS DOUBLE) / nullif({spent} + {elsewhere}, 0)"
    return Meaning(
        expression=covered(leaf, covered(rivals_of(feature), share)),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"share of wallet: {words.en} beside the worth of {others.en}{when.en}",
            f"{when.zh}钱包份额（{words.zh}占其与{others.zh}折算金额之和）",
        ),
        null_means=f"nothing spent, {NULL}",
        idea=IDEA,
    )
