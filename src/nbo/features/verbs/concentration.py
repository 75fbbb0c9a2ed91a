"""concentration: the chance that two rows drawn at random have the same value (Herfindahl's index).

``calls.concentration("counterparty_id", over=days(30))`` is ``calls_counterparty_id_concentration_30d``:
three calls to a and one to b give (9 + 1) / 16 = 0.625; no calls give null.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs.meaning import Meaning, covered, values_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    squares, rows = plan.tally(leaf, "squares"), plan.tally(leaf, "rows")
    values, when = values_words(leaf), within(leaf)
    # Squares of whole numbers are divided as floats: their product may not fit an integer.
    total = f"nullif(CAST({rows} AS DOUBLE), 0)"
    return Meaning(
        expression=covered(leaf, f"CAST({squares} AS DOUBLE) / ({total} * {total})"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(f"concentration on few {values.en}{when.en}", f"{when.zh}{values.zh}的集中度"),
        null_means="no such row within the window, or its history is too short",
    )
