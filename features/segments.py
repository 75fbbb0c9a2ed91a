"""Where an account stands: its stage of life by service, and the segments its use puts it into."""

from nbo.features import LINES_IN_USE, TENURE, FeatureSet, Words, days, table

bills = table("bills")
lines = table("lines")
out = table("calls").where(direction="out")
long_distance = out.where(destination=["national", "hkmt", "international"])
broadband = table("usage").where(service=["broadband", "mobile_data"])
billed = bills.sum("bill_amount", over=days(92))

SEGMENTS = FeatureSet(
    "segments",
    Words("Stage and segment", "阶段与细分"),
    [
        billed.stage(),
        long_distance.sum("minutes", over=days(60)).stage(),
        broadband.sum("megabytes", over=days(60)).stage(),
        billed.mix("family", ["voice", "long_distance", "data", "mobile"]),
        billed.structure("family", ["voice", "data", "mobile"]),
        out.sum("minutes", over=days(90)).mix("destination"),
        lines.days_since("first", over=days(3650)).banded(TENURE),
        lines.now.where(state="active").count().banded(LINES_IN_USE),
    ],
    idea="Lifecycle stages and segments by tenure, size and use, of the trade",
)
