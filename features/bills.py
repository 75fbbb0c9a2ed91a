"""Bills and payments: what is owed, how it moves, how it is paid."""

from nbo.features import FeatureSet, Words, days, table

bills = table("bills")
long_distance = bills.where(family="long_distance")
data = bills.where(family="data")
payments = table("payments")

BILLS = FeatureSet(
    "bills",
    Words("Bills and payments", "账单与缴费"),
    [
        bills.sum("bill_amount", over=days(31, 92)),
        bills.sum("bill_amount", over=days(31)).trend(),
        bills.max("bill_amount", over=days(92)),
        bills.mean("bill_amount", over=days(92)),
        long_distance.sum("bill_amount", over=days(31)).trend(),
        long_distance.sum("bill_amount", over=days(92)).share_of(bills),
        data.sum("bill_amount", over=days(92)).share_of(bills),
        payments.max("days_late", over=days(92)),
        payments.mean("days_late", over=days(92)),
        payments.days_since("last", over=days(92)),
        bills.sum("bill_amount", over=days(31)).year_on_year(),
        bills.sum("bill_amount", over=days(31)).beyond(table("contracts").attribute("plan_base_amount")),
        bills.where(family="voice").sum("bill_amount", over=days(31)).trend(),
        bills.distinct("family", over=days(92)),
    ],
    idea="Verbeke et al. (2012), New insights into churn prediction in the telecommunication sector, "
    "European Journal of Operational Research 218",
)
