"""price_gap: what rows would cost less by the tariffs of others, as a share of what they were charged.

``out.sum("charge_amount", over=days(90)).price_gap("unicom")``: national calls charged 900 fen, of 20 minutes
begun, at 18 fen a minute give 1 - 360 / 900 = 0.6; dearer ones give less than 0. Calls to a destination for
which no price is known count on neither side; nothing charged to the others gives null.
"""

from nbo.errors import UsageError
from nbo.features.codes import Parts
from nbo.features.declared import CHARGE, SECONDS, Feature
from nbo.features.plan import Plan
from nbo.features.rates import DESTINATION, Rates
from nbo.features.verbs.meaning import Meaning, covered, of_value, rows_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, rates = feature.leaf, feature.by
    if not isinstance(rates, Rates):
        raise UsageError("price_gap: expected the name of a network")
    charged, rated = [], []
    for destination in rates.destinations:
        part = of_value(leaf, Parts(DESTINATION, rates.destinations), destination)
        price = plan.price(rates.parameter(destination))
        charge, begun = plan.total(part, "sum", CHARGE), plan.total(part, "begun", SECONDS)
        charged.append(f"CASE WHEN {price} IS NULL THEN 0 ELSE coalesce({charge}, 0) END")
        rated.append(f"coalesce({begun} * {price}, 0)")
    whole = f"nullif({' + '.join(charged)}, 0)"
    rows, of, when = rows_words(leaf), rates.words(), within(leaf)
    return Meaning(
        expression=covered(leaf, f"1.0 - CAST({' + '.join(rated)} AS DOUBLE) / 60 / {whole}"),
        sql_type="DOUBLE",
        unit="share",
        words=Words(
            f"part of the charge on {rows.en} that {of.en} would save{when.en}",
            f"{when.zh}{rows.zh}按{of.zh}计价可省的比例",
        ),
        null_means="nothing charged for which such a tariff is known, or the history is too short",
        idea="A customer's use rated by rivals' tariffs, of the trade",
    )
