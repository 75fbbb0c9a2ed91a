"""Contracts: what is left of the term, and under which terms."""

from nbo.features import FeatureSet, Words, days, table

contracts = table("contracts")

CONTRACTS = FeatureSet(
    "contracts",
    Words("Contract", "合同"),
    [
        contracts.days_until("planned_end_day"),
        contracts.attribute("term_months"),
        contracts.attribute("fee_amount"),
        contracts.attribute("plan_kind"),
        contracts.count(over=days(180)),
        contracts.days_since("last", over=days(1095)),
    ],
    idea="Exit barriers: remaining term and breadth, of the trade",
)
