"""The course of use over twelve weeks: does it fall, break off, fall silent, come in bursts?"""

from nbo.features import FeatureSet, Words, days, table

calls = table("calls")
out = calls.where(direction="out")
local = out.where(destination="local")
long_distance = out.where(destination=["national", "hkmt", "international"])
through_codes = out.where(counterparty="rival_access_code")
broadband = table("usage").where(service=["broadband", "mobile_data"])
weeks = days(84)

SHAPE = FeatureSet(
    "shape",
    Words("Course of use", "使用走势"),
    [
        out.sum("minutes", over=weeks).slope(),
        out.sum("minutes", over=weeks).cusum(),
        out.sum("minutes", over=weeks).cusum_days(),
        out.sum("minutes", over=weeks).burstiness(),
        out.sum("minutes", over=weeks).ewma_gap(),
        out.sum("minutes", over=weeks).zero_streak(),
        long_distance.sum("minutes", over=weeks).slope(),
        long_distance.sum("minutes", over=weeks).cusum(),
        long_distance.sum("minutes", over=weeks).cusum_days(),
        long_distance.sum("minutes", over=weeks).zero_streak(),
        long_distance.sum("minutes", over=days(30)).trend_against(local),
        through_codes.sum("minutes", over=weeks).slope(),
        through_codes.sum("minutes", over=weeks).cusum(),
        through_codes.sum("minutes", over=weeks).cusum_days(),
        broadband.sum("megabytes", over=weeks).slope(),
        broadband.sum("megabytes", over=weeks).cusum(),
        broadband.sum("megabytes", over=weeks).zero_streak(),
        calls.steepest_fall("line_id", over=days(30)),
        out.distinct("line_id", over=days(30)).lost(),
        out.distinct("line_id", over=days(30)).lost_share(),
    ],
    idea="Wei and Chiu (2002), Turning telecommunications call details to churn prediction, Expert Systems "
    "with Applications 23",
)
