"""The benchmark's 57 features as one declares them with ``nbo``."""

from nbo.asof import days
from nbo.features import FeatureSet, Words, table

calls = table("calls")
out = calls.where(direction="out")
rival = out.where(counterparty="rival")
SUBJECTS = (
    out,
    calls.where(direction="in"),
    out.where(destination="local"),
    out.where(destination=["national", "international", "hkmt"]),
    rival,
    calls.where(counterparty="rival_access_code"),
)
OVER = days(7, 30, 90)
BENCHMARK = FeatureSet(
    "benchmark",
    Words("Calls", "通话"),
    [
        calls.count(over=OVER),
        *(subject.count(over=OVER) for subject in SUBJECTS),
        *(subject.sum("minutes", over=OVER) for subject in SUBJECTS),
        out.mean("minutes", over=OVER),
        out.max("minutes", over=OVER),
        calls.distinct("counterparty_id", over=OVER),
        out.distinct("counterparty_id", over=OVER),
        rival.distinct("counterparty_id", over=OVER),
        rival.days_since("last", over=days(90)),
        out.sum("minutes", over=days(30)).share_of(calls),
        out.sum("minutes", over=days(30)).trend(),
    ],
)
