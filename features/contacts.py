"""What contacts came to: how often, through which channel, how long ago, and what was answered."""

from nbo.features import FeatureSet, Words, days, table

contacts = table("contacts")
answered = contacts.where(outcome=["accepted", "refused"])
promises = table("promises")
orders = table("orders")

CONTACTS = FeatureSet(
    "contacts",
    Words("Contacts and promises", "接触与承诺"),
    [
        contacts.count(over=days(30, 180)),
        contacts.where(channel="call_centre").count(over=days(90)).context(),
        contacts.where(channel="account_manager").count(over=days(90)).context(),
        contacts.days_since("last", over=days(365)).context(),
        answered.count(over=days(180)).share_of(contacts),
        contacts.where(outcome="accepted").count(over=days(180)),
        contacts.where(outcome="accepted").days_since("last", over=days(365)),
        contacts.where(outcome="refused").days_since("last", over=days(365)).context(),
        contacts.where(outcome="not_reached").count(over=days(90)),
        promises.where(state="open").days_until("until_day"),
        promises.now.where(state="open").count().context(),
        orders.now.where(state="open").count().context(),
        orders.where(state="cancelled").count(over=days(180)),
    ],
    idea="Neslin et al. (2006), Defection detection, Journal of Marketing Research 43; contact "
    "fatigue, of the trade",
)
