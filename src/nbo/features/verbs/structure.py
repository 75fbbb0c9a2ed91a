"""structure: which of some codes an account has at all, as one number: 1 for the first, 2, 4, 8 …, added.

``bills.count(over=days(92)).structure("family", ["voice", "data", "mobile"])``: voice and mobile bills give
1 + 4 = 5; none of the three gives 0.
"""

from nbo.errors import UsageError
from nbo.features.codes import NOTHING, Codes, Parts
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import NO_HISTORY, Meaning, covered, of_value, plural, total_words, within
from nbo.tables.contract import Words


def meaning(feature: Feature, plan: Plan) -> Meaning:
    leaf, parts = feature.leaf, feature.by
    if not isinstance(parts, Parts):
        raise UsageError("structure: expected the values of a column")
    aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
    totals = [plan.total(of_value(leaf, parts, value), aggregate, leaf.column) for value in parts.values]
    added = " + ".join(
        f"CASE WHEN {total} > 0 THEN {2**place} ELSE 0 END" for place, total in enumerate(totals)
    )
    words, when, column = (
        total_words(feature.inner or "count", leaf),
        within(leaf),
        leaf.table.column(parts.column),
    )
    return Meaning(
        expression=covered(leaf, added),
        sql_type="BIGINT",
        unit="segment",
        words=Words(
            f"combination of {plural(column.words.en)} with {words.en}{when.en}",
            f"{when.zh}有{words.zh}的{column.words.zh}组合",
        ),
        null_means=NO_HISTORY,
        idea="Product structure as a segment, of the trade",
        codes=combinations(parts.words(leaf.table)),
    )


def combinations(words: tuple[Words, ...]) -> Codes:
    """What each sum of powers of two means.

    Examples
    --------
    >>> combinations((Words("voice", "语音"), Words("data", "数据")))[3]
    (3, Words(en='voice + data', zh='语音+数据'))
    """
    meant = [(0, NOTHING)]
    for code in range(1, 2 ** len(words)):
        held = [word for place, word in enumerate(words) if code >> place & 1]
        meant.append((code, Words(" + ".join(w.en for w in held), "+".join(w.zh for w in held))))
    return tuple(meant)
