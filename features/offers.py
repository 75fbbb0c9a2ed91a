"""What the rules of serving/offers/rules.toml read of an account: its class, its bill, its use."""

from nbo.features import FeatureSet, Words, days, table

accounts = table("accounts")
bills = table("bills")
long_distance_calls = table("calls").where(direction="out", destination=["national", "hkmt", "international"])

OFFERS = FeatureSet(
    "offers",
    Words("Fit for an offer", "适配条件"),
    [
        accounts.attribute("account_class"),
        accounts.attribute("kind"),
        bills.sum("bill_amount", over=days(92)),
        bills.where(family="voice").sum("bill_amount", over=days(92)),
        bills.where(family="long_distance").sum("bill_amount", over=days(92)),
        bills.where(family="data").sum("bill_amount", over=days(92)),
        bills.where(family="mobile").sum("bill_amount", over=days(92)),
        long_distance_calls.sum("minutes", over=days(90)),
    ],
    idea="What conditions of tariffs and offers ask for, of the trade",
)
