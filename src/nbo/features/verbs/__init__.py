"""The verbs of the feature language, one small file each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs import (
    attribute,
    banded,
    burstiness,
    concentration,
    count,
    cusum,
    cusum_days,
    days_since,
    days_until,
    distinct,
    ewma_gap,
    kept,
    lost,
    max,
    mean,
    mix,
    neighbours,
    new,
    peak,
    per,
    share,
    share_beside,
    slope,
    stage,
    steepest_fall,
    structure,
    sum,
    top_share,
    trend,
    trend_against,
    year_on_year,
    zero_streak,
)
from nbo.features.verbs.meaning import Meaning

VERBS: Mapping[str, Callable[[Feature, Plan], Meaning]] = MappingProxyType(
    {
        "attribute": attribute.meaning,
        "banded": banded.meaning,
        "burstiness": burstiness.meaning,
        "concentration": concentration.meaning,
        "count": count.meaning,
        "cusum": cusum.meaning,
        "cusum_days": cusum_days.meaning,
        "days_since": days_since.meaning,
        "days_until": days_until.meaning,
        "distinct": distinct.meaning,
        "ewma_gap": ewma_gap.meaning,
        "kept": kept.meaning,
        "lost": lost.meaning,
        "max": max.meaning,
        "mean": mean.meaning,
        "mix": mix.meaning,
        "neighbours": neighbours.meaning,
        "new": new.meaning,
        "peak": peak.meaning,
        "per": per.meaning,
        "share": share.meaning,
        "share_beside": share_beside.meaning,
        "slope": slope.meaning,
        "stage": stage.meaning,
        "steepest_fall": steepest_fall.meaning,
        "structure": structure.meaning,
        "sum": sum.meaning,
        "top_share": top_share.meaning,
        "trend": trend.meaning,
        "trend_against": trend_against.meaning,
        "year_on_year": year_on_year.meaning,
        "zero_streak": zero_streak.meaning,
    }
)
