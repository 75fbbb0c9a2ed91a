"""What a verb makes of a feature: its SQL, unit, words, and what its absence means."""

from dataclasses import dataclass
from typing import Literal

from nbo.features.conditions import condition_columns, condition_words
from nbo.features.spec import Feature, Leaf
from nbo.tables.contract import Words

NO_HISTORY = "the data's history is shorter than the window"


@dataclass(frozen=True)
class Meaning:
    """The compiled side of one feature.

    Parameters
    ----------
    expression : str
        SQL over the plan's relations; already null where history is too short.
    sql_type : str
        Declared type of the output column.
    unit : str
        Unit of the value.
    words : Words
        Noun phrase.
    null_means : str
        Why the value can be missing.
    kind : "number" or "category"
    """

    expression: str
    sql_type: str
    unit: str
    words: Words
    null_means: str
    kind: Literal["number", "category"] = "number"


def covered(leaf: Leaf, expression: str, days: int | None = None) -> str:
    """The expression where the table's visible history spans the window, else null."""
    first = f"$first_{leaf.source}"
    length = days or leaf.window_days
    start = "$as_of" if length is None else f"$as_of - {length}"
    sign = "<" if length is None else "<="
    return f"CASE WHEN {first} {sign} {start} THEN {expression} END"


def in_unit(leaf: Leaf, expression: str) -> tuple[str, str, str]:
    """(expression, SQL type, unit) of a total of the leaf's column, in the unit people speak."""
    column = leaf.table.column(leaf.column or "")
    if column.measure and leaf.column == column.measure.name:
        return f"CAST({expression} AS DOUBLE) / {column.measure.per}", "DOUBLE", column.measure.unit
    return expression, "BIGINT", column.kind


def column_words(leaf: Leaf) -> Words:
    """The noun of the leaf's column or measure."""
    column = leaf.table.column(leaf.column or "")
    if column.measure and leaf.column == column.measure.name:
        return column.measure.words
    return column.words


def rows_words(leaf: Leaf) -> Words:
    """The rows that count, as a noun phrase."""
    return condition_words(leaf.table, leaf.conditions)


def within(leaf: Leaf) -> Words:
    """The window in words, with the leading space English needs."""
    if leaf.window_days is None:
        return Words(" now", "目前")
    return Words(f" in the last {leaf.window_days} days", f"近{leaf.window_days}天")


def total_words(verb: str, leaf: Leaf) -> Words:
    """``minutes of outgoing calls`` or ``number of outgoing calls``, without the window."""
    rows = rows_words(leaf)
    if verb == "count":
        return Words(f"number of {rows.en}", f"{rows.zh}次数")
    column = column_words(leaf)
    return Words(f"{column.en} of {rows.en}", f"{rows.zh}{column.zh}")


def leaf_name(leaf: Leaf) -> str:
    """The leaf's part of a generated name: source, conditions, column."""
    parts = [leaf.source, *(item.name for item in leaf.conditions)]
    return "_".join([*parts, leaf.column] if leaf.column else parts)


def window_name(leaf: Leaf) -> str:
    return "now" if leaf.window_days is None else f"{leaf.window_days}d"


def leaf_columns(leaf: Leaf) -> tuple[str, ...]:
    """``table.column`` of everything a leaf reads, its day of knowing included."""
    columns = [f"{leaf.source}.account_id", *condition_columns(leaf.table, leaf.conditions)]
    if leaf.column:
        columns.append(f"{leaf.source}.{leaf.table.column(leaf.column).name}")
    else:
        columns.append(f"{leaf.source}.{leaf.table.event_column}")
    return tuple(dict.fromkeys(columns))


def feature_columns(feature: Feature) -> tuple[str, ...]:
    """``table.column`` of everything a feature reads."""
    other = leaf_columns(feature.other) if feature.other else ()
    return tuple(dict.fromkeys([*leaf_columns(feature.leaf), *other]))
