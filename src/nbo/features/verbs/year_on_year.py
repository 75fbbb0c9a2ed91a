"""year_on_year: a total against the same days a year before, so that a season is no change.

``(now - then) / (now + then)``: 10 after 30 a year ago gives -0.5. The days a year ago are those 364 days
before, which are the same days of the week.
"""

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import Meaning, covered, total_words
from nbo.tables.contract import Words

YEAR = 364


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf = feature.leaf
    length = leaf.window_days or 0
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    now, since, before = (
        f"coalesce({plan.total(leaf, aggregate, leaf.column, days=days)}, 0)"
        for days in (length, YEAR, YEAR + length)
    )
    then = f"({before} - {since})"
    words = total_words(feature.inner or "count", leaf)
    return Meaning(
        expression=covered(
            leaf, f"CAST({now} - {then} AS DOUBLE) / nullif({now} + {then}, 0)", days=YEAR + length
        ),
        sql_type="DOUBLE",
        unit="trend",
        words=Words(
            f"change in {words.en}, last {length} days against the same days a year before",
            f"{words.zh}近{length}天较去年同期的变化",
        ),
        null_means="nothing then and now, or less than a year of history",
    )
