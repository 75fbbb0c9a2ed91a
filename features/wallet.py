"""The wallet: what an account spends with us and with rivals, as far as our records show it."""

from nbo.features import FeatureSet, Words, days, table

calls, bills = table("calls"), table("bills")
out = calls.where(direction="out")
through_codes = out.where(counterparty="rival_access_code")
own_far = out.where(destination=["national", "hkmt", "international"], counterparty=["own", "other"])

WALLET = FeatureSet(
    "wallet",
    Words("Wallet", "钱包"),
    [
        through_codes.sum("minutes", over=days(30, 90)).priced_like(own_far),
        bills.sum("bill_amount", over=days(92)).wallet(through_codes, like=own_far),
        bills.sum("bill_amount", over=days(31, 92)).wallet_share(through_codes, like=own_far),
    ],
    idea="Wallet and its share from what is seen of both sides, of the trade",
)
