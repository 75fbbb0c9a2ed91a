"""What an account calls: volume, direction, distance, circle, and how these move."""

from nbo.features import FeatureSet, Words, days, table

calls = table("calls")
out = calls.where(direction="out")
into = calls.where(direction="in")
local = out.where(destination="local")
long_distance = out.where(destination=["national", "hkmt", "international"])
abroad = out.where(destination=["hkmt", "international"])

CALLS = FeatureSet(
    "calls",
    Words("Calls", "通话"),
    [
        calls.count(over=days(7, 30, 90)),
        calls.sum("minutes", over=days(30, 90)),
        calls.sum("minutes", over=days(30)).trend(),
        out.count(over=days(7, 30, 90)),
        out.count(over=days(7, 30)).trend(),
        out.sum("minutes", over=days(7, 30, 90)),
        out.sum("minutes", over=days(30)).trend(),
        into.count(over=days(30, 90)),
        into.count(over=days(30)).trend(),
        local.sum("minutes", over=days(30, 90)),
        local.sum("minutes", over=days(30)).trend(),
        long_distance.sum("minutes", over=days(30, 90)),
        long_distance.sum("minutes", over=days(14, 30)).trend(),
        long_distance.sum("minutes", over=days(30, 90)).share_of(out),
        abroad.sum("minutes", over=days(90)),
        out.mean("minutes", over=days(30)),
        out.max("minutes", over=days(90)),
        calls.distinct("counterparty_id", over=days(30, 90)),
        out.distinct("counterparty_id", over=days(30, 90)),
        out.distinct("counterparty_id", over=days(30)).new(),
        out.distinct("counterparty_id", over=days(30)).lost(),
        out.distinct("counterparty_id", over=days(30)).kept(),
        out.concentration("counterparty_id", over=days(30, 90)),
        out.entropy("counterparty_id", over=days(30)),
        out.top_share("counterparty_id", over=days(30)),
        calls.distinct("line_id", over=days(30)),
        calls.peak(over=days(30)),
        calls.peak(over=days(30)).per("line_id"),
        out.days_since("last", over=days(90)),
        into.where(length="failed").count(over=days(30)).share_of(into),
        out.where(length="failed").count(over=days(30)).share_of(out),
        out.where(length="short").count(over=days(30)).share_of(out),
        out.where(length="long").count(over=days(30)).share_of(out),
        out.where(time="office_hours").count(over=days(30)).share_of(out),
        out.where(time=["evening", "night"]).count(over=days(30)).trend(),
        out.where(time="weekend").count(over=days(30)).share_of(out),
        calls.where(counterparty="own").count(over=days(30)).share_of(calls),
    ],
    idea="Wei and Chiu (2002), Turning telecommunications call details to churn prediction, Expert Systems "
    "with Applications 23; circles of calling: Dasgupta et al. (2008), EDBT",
)
