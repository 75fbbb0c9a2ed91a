"""banded: the band that a number falls into.

``lines.days_since("first", over=days(3650)).banded(TENURE)``: 200 days are from 182 on and below 365, so
band 2. Where the number is not known, nor is its band.
"""

from collections.abc import Callable, Mapping

from nbo.errors import UsageError
from nbo.features.codes import Bands
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.verbs import attribute, count, days_since, distinct, max, mean, sum
from nbo.features.verbs.meaning import Meaning
from nbo.tables.contract import Words

NUMBERS: Mapping[str, Callable[[Feature, Plan], Meaning]] = {
    "attribute": attribute.meaning,
    "count": count.meaning,
    "days_since": days_since.meaning,
    "distinct": distinct.meaning,
    "max": max.meaning,
    "mean": mean.meaning,
    "sum": sum.meaning,
}
"""Verbs that give a number to put into bands."""


def meaning(feature: Feature, plan: Plan) -> Meaning:
    bands = feature.by
    if not isinstance(bands, Bands):
        raise UsageError("banded: expected bands")
    inner = NUMBERS[feature.inner or ""](Feature(feature.inner or "", feature.leaf), plan)
    number = f"({inner.expression})"
    cases = " ".join(f"WHEN {number} < {edge} THEN {code}" for code, edge in enumerate(bands.edges))
    last = f"WHEN {number} IS NOT NULL THEN {len(bands.edges)}"
    return Meaning(
        expression=f"CASE {cases} {last} END",
        sql_type="BIGINT",
        unit="band",
        words=Words(
            f"{bands.words.en} in bands, by {inner.words.en}", f"{bands.words.zh}分档({inner.words.zh})"
        ),
        null_means=inner.null_means,
        idea=inner.idea,
        codes=bands.meant(),
    )
