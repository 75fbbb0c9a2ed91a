"""Rival traffic: the traces that leakage leaves in our own call records and in settlements."""

from nbo.features import FeatureSet, Words, days, table

calls = table("calls")
out = calls.where(direction="out")
with_rivals = calls.where(counterparty="rival")
to_rivals = out.where(counterparty="rival")
from_rivals = calls.where(direction="in", counterparty="rival")
through_codes = out.where(counterparty="rival_access_code")
from_sales_lines = calls.where(direction="in", counterparty="rival_sales_line")
own_far = out.where(destination=["national", "hkmt", "international"], counterparty=["own", "other"])
settled = table("interconnect")

RIVALS = FeatureSet(
    "rivals",
    Words("Rival traffic", "竞争对手话务"),
    [
        with_rivals.count(over=days(30, 90)),
        to_rivals.sum("minutes", over=days(30, 90)),
        to_rivals.sum("minutes", over=days(30)).trend(),
        to_rivals.sum("minutes", over=days(30, 90)).share_of(out),
        from_rivals.count(over=days(30, 90)),
        from_rivals.count(over=days(30)).trend(),
        through_codes.count(over=days(7, 30, 90)),
        through_codes.sum("minutes", over=days(30, 90)),
        through_codes.sum("minutes", over=days(30)).trend(),
        through_codes.sum("minutes", over=days(30, 90)).share_of(out),
        through_codes.days_since("last", over=days(90)),
        through_codes.days_since("first", over=days(90)),
        with_rivals.distinct("network_id", over=days(90)),
        through_codes.sum("minutes", over=days(30, 90)).share_beside(own_far),
        own_far.sum("charge_amount", over=days(30, 90)).price_gap("rival"),
        through_codes.distinct("counterparty_id", over=days(30)),
        from_sales_lines.count(over=days(30, 90)),
        from_sales_lines.days_since("last", over=days(90)),
    ],
    idea="Traces of leakage in the call records, of the trade; partial defection: Ahn, Han and Lee (2006), "
    "Telecommunications Policy 30",
)

SETTLEMENT = FeatureSet(
    "settlement",
    Words("Settled rival traffic", "网间结算话务"),
    [
        settled.sum("minutes", over=days(60, 120)),
        settled.sum("minutes", over=days(60)).trend(),
        settled.sum("settlement_amount", over=days(60)),
        settled.distinct("network_id", over=days(120)),
    ],
    idea="Rivals' traffic in settlement records, of the trade",
    purposes=["service", "retention"],  # other carriers' records: not for selling
)
