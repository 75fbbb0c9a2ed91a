"""The verbs of the feature language, one small file each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nbo.features.plan import Plan
from nbo.features.spec import Feature
from nbo.features.verbs import (
    attribute,
    count,
    days_since,
    days_until,
    distinct,
    max,
    mean,
    share,
    sum,
    trend,
)
from nbo.features.verbs.meaning import Meaning

VERBS: Mapping[str, Callable[[Feature, Plan], Meaning]] = MappingProxyType(
    {
        "attribute": attribute.meaning,
        "count": count.meaning,
        "days_since": days_since.meaning,
        "days_until": days_until.meaning,
        "distinct": distinct.meaning,
        "max": max.meaning,
        "mean": mean.meaning,
        "share": share.meaning,
        "sum": sum.meaning,
        "trend": trend.meaning,
    }
)
