"""The verbs of the feature language, one small file each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nbo.features.plan import Plan
from nbo.features.spec import Feature
from nbo.features.verbs import (
    attribute,
    concentration,
    count,
    days_since,
    days_until,
    distinct,
    kept,
    lost,
    max,
    mean,
    new,
    share,
    sum,
    top_share,
    trend,
)
from nbo.features.verbs.meaning import Meaning

VERBS: Mapping[str, Callable[[Feature, Plan], Meaning]] = MappingProxyType(
    {
        "attribute": attribute.meaning,
        "concentration": concentration.meaning,
        "count": count.meaning,
        "days_since": days_since.meaning,
        "days_until": days_until.meaning,
        "distinct": distinct.meaning,
        "kept": kept.meaning,
        "lost": lost.meaning,
        "max": max.meaning,
        "mean": mean.meaning,
        "new": new.meaning,
        "share": share.meaning,
        "sum": sum.meaning,
        "top_share": top_share.meaning,
        "trend": trend.meaning,
    }
)
