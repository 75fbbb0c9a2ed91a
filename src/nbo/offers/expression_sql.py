"""Expressions as SQL, and the relations they read: what a batch over all accounts runs.

The SQL is a portable subset. What engines disagree on is spelled out: numbers are doubles, a result that
is not finite is null, and ``greatest`` and ``least`` are asked only where no term is null.
"""

from collections.abc import Iterable, Mapping

from nbo.asof import AsOf, visible_sql
from nbo.customers.holdings import HOLDINGS_SQL
from nbo.engine import literal
from nbo.features.parameters import bind
from nbo.features.relations import column_sql
from nbo.offers.expressions import (
    AnyRow,
    Arithmetic,
    Call,
    Compare,
    Constant,
    IsNull,
    Kind,
    Listed,
    Logic,
    Member,
    Node,
    Not,
    Read,
    Value,
    kind_of,
)
from nbo.offers.readable import HOLDINGS
from nbo.tables.catalog import contract

LARGEST = "CAST('1.7976931348623157e308' AS DOUBLE)"
COMPARISONS = {"==": "=", "!=": "<>"}
PREFIX = {"feature": "f_", "row": "c_"}
"""Features and columns of rows keep apart, whatever they are called."""


def expression_sql(node: Node, terms: Mapping[AnyRow, str]) -> str:
    """A folded expression as SQL.

    Parameters
    ----------
    node : Node
        Without names of the offer or the request.
    terms : mapping of AnyRow to str
        The column that holds the answer of each ``any()``.

    Examples
    --------
    >>> from nbo.offers.parsing import Readable, parse
    >>> expression_sql(parse('not x in ["a"] or x is null', {"x": Readable("text")}).root, {})
    "((NOT (f_x IN ('a'))) OR (f_x IS NULL))"
    """
    match node:
        case Constant(value):
            return constant_sql(value)
        case Read(place, name):
            return f"{PREFIX[place]}{name}"
        case AnyRow():
            return terms[node]
        case Not(term):
            return f"(NOT {expression_sql(term, terms)})"
        case IsNull(term):
            return f"({guarded(term, terms)} IS NULL)"
        case Logic(junction, parts):
            return f"({f' {junction.upper()} '.join(expression_sql(part, terms) for part in parts)})"
        case Compare(sign, left, right):
            return f"({guarded(left, terms)} {COMPARISONS.get(sign, sign)} {guarded(right, terms)})"
        case Member(item, Listed(values)):
            return f"({guarded(item, terms)} IN ({', '.join(map(constant_sql, values))}))"
        case Arithmetic(sign, left, right):
            return arithmetic_sql(sign, left, right, terms)
        case Call(function, parts):
            return call_sql(function, parts, terms)
        case _:
            raise ValueError(f"a folded expression expected, got {node}")


def constant_sql(value: Value) -> str:
    match value:
        case None:
            return "CAST(NULL AS BOOLEAN)"
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return literal(value)
        case _:
            return f"CAST('{float(value)!r}' AS DOUBLE)"


def guarded(node: Node, terms: Mapping[AnyRow, str]) -> str:
    """A value where it is looked at: null in place of a number that is not finite.

    Sums and products carry what is not finite along, so one look at the end of a chain is enough.
    """
    text = expression_sql(node, terms)
    return f"CASE WHEN {finite(text)} THEN {text} END" if isinstance(node, Arithmetic) else text


def finite(text: str) -> str:
    return f"abs({text}) <= {LARGEST}"


def arithmetic_sql(sign: str, left: Node, right: Node, terms: Mapping[AnyRow, str]) -> str:
    one = expression_sql(left, terms)
    if sign != "/":
        return f"({one} {sign} {expression_sql(right, terms)})"
    # Anything over what is not finite would be finite again.
    return f"({one} / nullif({guarded(right, terms)}, CAST(0 AS DOUBLE)))"


def call_sql(function: str, parts: tuple[Node, ...], terms: Mapping[AnyRow, str]) -> str:
    if function == "coalesce":
        return f"coalesce({', '.join(guarded(part, terms) for part in parts)})"
    texts = [expression_sql(part, terms) for part in parts]
    known = " AND ".join(
        finite(text) if isinstance(part, Arithmetic) else f"{text} IS NOT NULL"
        for part, text in zip(parts, texts, strict=True)
    )
    choose = "greatest" if function == "max" else "least"
    return f"CASE WHEN {known} THEN {choose}({', '.join(texts)}) END"


def feature_sql(name: str, kind: Kind) -> str:
    """A column of a snapshot as rules read it: a finite double, or text."""
    return f"{typed(name, kind)} AS {PREFIX['feature']}{name}"


def typed(text: str, kind: Kind) -> str:
    if kind != "number":
        return text
    number = f"CAST({text} AS DOUBLE)"
    return f"CASE WHEN {finite(number)} THEN {number} END"


def rows_sql(table: str, columns: Mapping[str, Kind], as_of: AsOf) -> str:
    """account_id and columns of every row that rules see of a table, as visible at the date.

    Of a change log the newest row of each key, of an event table every row. A row is the account's that
    its newest entry names, so the newest is sought among the rows of all accounts.
    """
    if table == HOLDINGS:
        names = ", ".join(["account_id", *(f"{name} AS {PREFIX['row']}{name}" for name in columns)])
        held = bind(HOLDINGS_SQL, {"as_of": str(as_of.day), "accounts": "TRUE"})
        return f"SELECT {names} FROM ({held})"
    found = contract(table)
    visible = {name: column_sql(found.column(name)) for name in columns}
    taken = [f"{typed(visible[name], kind)} AS {PREFIX['row']}{name}" for name, kind in columns.items()]
    chosen = ", ".join(["account_id", *taken])
    if found.shape == "events":
        return on_day(f"SELECT {chosen} FROM {table} WHERE {visible_sql()}", as_of)
    order = f"PARTITION BY {', '.join(found.key)} ORDER BY valid_day DESC, known_day DESC"
    needed = dict.fromkeys(["account_id", *stored(found.name, columns)])
    return on_day(
        f"SELECT {chosen} FROM (SELECT {', '.join(needed)}, row_number() OVER ({order}) AS newest "
        f"FROM {table} WHERE {visible_sql('valid_day')}) WHERE newest = 1",
        as_of,
    )


def stored(table: str, columns: Iterable[str]) -> list[str]:
    """The columns, and the days from which they are known."""
    found = [contract(table).column(name) for name in columns]
    return [*(column.name for column in found), *(column.known_by for column in found if column.known_by)]


def on_day(sql: str, as_of: AsOf) -> str:
    return bind(sql, {"as_of": str(as_of.day)})


def answers_sql(terms: Mapping[AnyRow, str], relation: str) -> str:
    """position and the answer of each ``any()`` over one table, of the accounts that have a row in it."""
    answers = [
        f"bool_or(coalesce({expression_sql(term.predicate, {})}, FALSE)) AS {name}"
        for term, name in terms.items()
    ]
    return f"SELECT position, {', '.join(answers)} FROM ({relation}) GROUP BY position"


def verdict_sql(places: Iterable[int], columns: Mapping[int, str]) -> str:
    """The position of the first rule that does not allow, -1 if all do.

    Parameters
    ----------
    places : iterable of int
        The expression of each rule, in the order of the rules.
    columns : mapping of int to str
        The column that holds each expression's flag, never null; ``TRUE`` and ``FALSE`` as such.

    Examples
    --------
    >>> verdict_sql([0, 1, 2], {0: "TRUE", 1: "e1", 2: "e2"})
    'CASE WHEN NOT e1 THEN 1 WHEN NOT e2 THEN 2 ELSE -1 END'
    """
    cases, last = [], "-1"
    for position, place in enumerate(places):
        if columns[place] == "FALSE":
            last = str(position)
            break
        if columns[place] != "TRUE":
            cases.append(f"WHEN NOT {columns[place]} THEN {position}")
    return f"CASE {' '.join(cases)} ELSE {last} END" if cases else last


def allows_sql(node: Node, terms: Mapping[AnyRow, str]) -> str:
    """Whether an expression allows, as SQL that is never null."""
    if isinstance(node, Constant):
        return "TRUE" if node.value is True else "FALSE"
    if isinstance(node, AnyRow | IsNull):
        return expression_sql(node, terms)
    if kind_of(node) != "flag":
        raise ValueError(f"a condition expected, got {node}")
    return f"coalesce({expression_sql(node, terms)}, FALSE)"
