"""mix: the one code that has more than half of a total; 0 where none has.

``out.sum("minutes", over=days(30)).mix("destination")``: of 100 minutes 60 national ones give the number of
national in the contract, 2; 50 local and 50 national are mixed, 0; no minutes give null.
"""

from nbo.errors import UsageError
from nbo.features.codes import MIXED, Parts
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import Meaning, covered, of_value, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, parts = feature.leaf, feature.by
    if not isinstance(parts, Parts):
        raise UsageError("mix: expected the values of a column")
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    whole = plan.total(leaf, aggregate, leaf.column)
    totals = [plan.total(of_value(leaf, parts, value), aggregate, leaf.column) for value in parts.values]
    cases = " ".join(f"WHEN 2 * {total} > {whole} THEN {code}" for code, total in enumerate(totals, 1))
    words, when, column = (
        total_words(feature.inner or "count", leaf),
        within(leaf),
        leaf.table.column(parts.column),
    )
    return Meaning(
        expression=covered(leaf, f"CASE {cases} WHEN {whole} > 0 THEN 0 END"),
        sql_type="BIGINT",
        unit="segment",
        words=Words(
            f"the {column.words.en} with more than half of {words.en}{when.en}",
            f"{when.zh}{words.zh}过半的{column.words.zh}",
        ),
        null_means="nothing within the window, or its history is too short",
        idea="Segments by the composition of use, of the trade",
        codes=((0, MIXED), *enumerate(parts.words(leaf.table), 1)),
    )
