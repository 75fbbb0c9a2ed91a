"""What a verb makes of a feature: its SQL, unit, words, and what its absence means."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from nbo.features.codes import Codes, Parts
from nbo.features.conditions import condition, condition_columns, condition_words
from nbo.features.declared import SECONDS, TIMED, Feature, Graph, Leaf
from nbo.features.rates import DESTINATION, Rates
from nbo.tables.contract import Words

OF_GRAPHS = ("degree", "pagerank")
"""Verbs that tell of the graph that their own rows make."""
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
    idea : str
        The method's source in the literature, where it has one of its own.
    codes : tuple of (int, Words)
        What each value means where the values are codes; empty = they are amounts.
    """

    expression: str
    sql_type: str
    unit: str
    words: Words
    null_means: str
    kind: Literal["number", "category"] = "number"
    idea: str = ""
    codes: Codes = ()


def covered(leaf: Leaf, expression: str, days: int | None = None) -> str:
    """The expression where the table's visible history spans the window, else null."""
    first = f"$first_{leaf.source}"
    length = days or leaf.window_days
    start = "$as_of" if length is None else f"$as_of - {length}"
    sign = "<" if length is None else "<="
    return f"CASE WHEN {first} {sign} {start} THEN {expression} END"


def of_value(leaf: Leaf, parts: Parts, value: str) -> Leaf:
    """The leaf's rows that have one value of a column."""
    return replace(leaf, conditions=(*leaf.conditions, condition(leaf.table, parts.column, value)))


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


def rows_words(leaf: Leaf, *, one: bool = False) -> Words:
    """The rows that count, as a noun phrase; ``one``: a single one of them."""
    return condition_words(leaf.table, leaf.conditions, one=one)


def column_of_rows(leaf: Leaf) -> Words:
    """``minutes of outgoing calls`` and ``amount billed on data bills``."""
    column, rows, noun = column_words(leaf), rows_words(leaf), leaf.table.words.zh
    measured = column is not leaf.table.column(leaf.column or "").words
    link = Words("of", "") if measured else Words("on", "的")
    if column.zh.startswith(noun):
        return Words(f"{column.en} {link.en} {rows.en}", rows.zh.removesuffix(noun) + column.zh)
    return Words(f"{column.en} {link.en} {rows.en}", f"{rows.zh}{link.zh}{column.zh}")


def plural(noun: str) -> str:
    """The plural of a contract's noun phrase, whose first words carry the ending.

    Examples
    --------
    >>> plural("number at the other end"), plural("product family")
    ('numbers at the other end', 'product families')
    """
    head, *tail = re.split(r"(?= (?:at|of|in|to|dialled)\b)", noun, maxsplit=1)
    rest = "".join(tail)
    if head.endswith("y"):
        return f"{head[:-1]}ies{rest}"
    return f"{head}{'es' if head.endswith('s') else 's'}{rest}"


def values_words(leaf: Leaf) -> Words:
    """The different values of the leaf's column: ``different numbers at the other end of outgoing calls``."""
    column, rows = column_words(leaf), rows_words(leaf)
    link = "of" if " " in column.en else "with"
    return Words(f"different {plural(column.en)} {link} {rows.en}", f"{rows.zh}的不同{column.zh}")


def before_words(leaf: Leaf) -> Words:
    """The span as long as the window, just before it."""
    return Words(f"the {leaf.window_days} days before", f"此前{leaf.window_days}天")


def within(leaf: Leaf) -> Words:
    """The window in words, with the leading space English needs."""
    if leaf.window_days is None:
        return Words(" now", "目前")
    return Words(f" in the last {leaf.window_days} days", f"近{leaf.window_days}天")


def graph_of(leaf: Leaf) -> Graph:
    """The graph that a leaf's rows make, or that it looks around in."""
    return leaf.place if isinstance(leaf.place, Graph) else Graph(leaf)


def partners_words(graph: Graph) -> Words:
    """The accounts that one talks with."""
    rows, length = rows_words(graph.rows), graph.rows.window_days
    return Words(
        f"other accounts in touch by {rows.en} within {length} days", f"{length}天内有{rows.zh}往来的其他客户"
    )


def total_words(verb: str, leaf: Leaf) -> Words:
    """``minutes of outgoing calls`` or ``outgoing calls``, without the window.

    A table of daily totals has a row for each line and day, and is counted as such.
    """
    if verb != "count":
        return column_of_rows(leaf)
    rows = rows_words(leaf)
    if "event_day" in leaf.table.key:
        return Words(f"line days with {rows.en}", f"有{rows.zh}的线路天数")
    return Words(rows.en, f"{rows.zh}数")


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
    if isinstance(leaf.place, Graph):
        columns += graph_columns(leaf.place)
    elif leaf.place:
        columns += [f"sites.{name}" for name in ("account_id", "site_id", leaf.place)]
    return tuple(dict.fromkeys(columns))


def feature_columns(feature: Feature) -> tuple[str, ...]:
    """``table.column`` of everything a feature reads."""
    other = [name for leaf in (feature.other, feature.like) if leaf for name in leaf_columns(leaf)]
    timed = [f"{feature.leaf.source}.{c}" for c in TIMED if "peak" in (feature.verb, feature.inner)]
    by = (f"{feature.leaf.source}.{feature.by.column}",) if isinstance(feature.by, Parts) else ()
    priced = rate_columns(feature) if isinstance(feature.by, Rates) else ()
    joined = graph_columns(graph_of(feature.leaf)) if feature.verb in OF_GRAPHS else ()
    return tuple(dict.fromkeys([*leaf_columns(feature.leaf), *other, *by, *priced, *timed, *joined]))


def graph_columns(graph: Graph) -> tuple[str, ...]:
    """``table.column`` of what tells who talks with whom."""
    made = leaf_columns(replace(graph.rows, column="counterparty_id"))
    return (*made, *(f"lines.{name}" for name in ("account_id", "line_id", "number_id")))


def rate_columns(feature: Feature) -> tuple[str, ...]:
    """``table.column`` of what is rated and of the prices."""
    rated = [f"{feature.leaf.source}.{name}" for name in (SECONDS, DESTINATION)]
    prices = [f"tariffs.{name}" for name in ("network_id", "destination", "minute_amount")]
    return (*rated, *prices, "networks.kind")
