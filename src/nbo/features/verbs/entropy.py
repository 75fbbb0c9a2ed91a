"""entropy: how evenly the rows are spread over values, in nats (Shannon's entropy).

``calls.entropy("counterparty_id", over=days(30))`` is ``calls_counterparty_id_entropy_30d``: 0 where all
calls go to one number, ln n where n numbers get as many each, to 1e-9; no calls give null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import ENTROPY_SCALE
from nbo.features.verbs.meaning import Meaning, covered, values_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    logs, rows = plan.tally(leaf, "logs"), plan.tally(leaf, "rows")
    values, when = values_words(leaf), within(leaf)
    total = f"nullif(CAST({rows} AS DOUBLE), 0)"
    return Meaning(
        # The scaled logarithms are rounded, and must not tell of less than one value.
        expression=covered(leaf, f"greatest(ln({total}) - {logs} / ({total} * {ENTROPY_SCALE}), 0.0)"),
        sql_type="DOUBLE",
        unit="nats",
        words=Words(f"entropy of {values.en}{when.en}", f"{when.zh}{values.zh}的分布熵"),
        null_means="no such row within the window, or its history is too short",
        idea="Shannon (1948), A mathematical theory of communication",
    )
