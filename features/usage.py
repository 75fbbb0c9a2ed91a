"""Data use: broadband, dial-up, mobile data and messages, day by day on each line."""

from nbo.features import FeatureSet, Words, days, table

usage = table("usage")
broadband = usage.where(service=["broadband", "mobile_data"])
dial_up = usage.where(service="dial_up")
messages = usage.where(service="message")

USAGE = FeatureSet(
    "usage",
    Words("Data use", "数据使用"),
    [
        broadband.sum("megabytes", over=days(7, 30, 90)),
        broadband.sum("megabytes", over=days(30)).trend(),
        broadband.sum("sessions_count", over=days(30)),
        broadband.count(over=days(30)),
        broadband.days_since("last", over=days(90)),
        dial_up.sum("minutes", over=days(30)),
        dial_up.sum("minutes", over=days(30)).trend(),
        messages.sum("sessions_count", over=days(30, 90)),
        messages.sum("sessions_count", over=days(30)).trend(),
        usage.distinct("line_id", over=days(30)),
    ],
    idea="Use of data services: Verbeke et al. (2012), European Journal of Operational Research 218",
)
