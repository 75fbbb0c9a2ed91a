"""Expressions as closures over the facts of one account: what a live request runs.

Nothing here can fail for facts that hold what the rules read: kinds were checked when the rule was read.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from nbo.offers.expressions import (
    AnyRow,
    Arithmetic,
    Call,
    Compare,
    Constant,
    IsNull,
    Listed,
    Logic,
    Member,
    Node,
    Not,
    Read,
    Value,
)
from nbo.offers.folding import COMPARISONS, calculated

Row = Mapping[str, Value]
Rows = Mapping[str, Sequence[Row]]
EMPTY: Row = {}


class Seen(NamedTuple):
    """What an expression is evaluated over.

    Parameters
    ----------
    features : mapping of str to value
        Of the account.
    answers : sequence of bool
        Of each ``any()``, by its number.
    row : mapping of str to value
        The row at hand inside ``any()``.
    """

    features: Row
    answers: Sequence[bool] = ()
    row: Row = EMPTY


Evaluate = Callable[[Seen], Any]


def evaluator(node: Node, terms: Mapping[AnyRow, int]) -> Evaluate:
    """A closure that evaluates a folded expression.

    Parameters
    ----------
    node : Node
        Without names of the offer or the request: :func:`nbo.offers.folding.fold` has put them in.
    terms : mapping of AnyRow to int
        Number of each ``any()``.

    Examples
    --------
    >>> from nbo.offers.parsing import Readable, parse
    >>> rule = parse("1 / x > 2", {"x": Readable("number")})
    >>> run = evaluator(rule.root, {})
    >>> [run(Seen({"x": x})) for x in (0.25, 1.0, 0.0, None)]
    [True, False, None, None]
    """
    match node:
        case Constant(value):
            return lambda _: value
        case Read("feature", name, kind):
            return number_of(lambda seen: seen.features[name], kind)
        case Read("row", name, kind):
            return number_of(lambda seen: seen.row[name], kind)
        case AnyRow():
            place = terms[node]
            return lambda seen: seen.answers[place]
        case Not(term):
            return opposite(evaluator(term, terms))
        case IsNull(term):
            return unknown(evaluator(term, terms))
        case Logic(junction, parts):
            return several(junction, [evaluator(part, terms) for part in parts])
        case Compare(sign, left, right):
            return comparison(COMPARISONS[sign], evaluator(left, terms), evaluator(right, terms))
        case Member(item, Listed(values)):
            return membership(evaluator(item, terms), frozenset(values))
        case Arithmetic(sign, left, right):
            return calculation(sign, evaluator(left, terms), evaluator(right, terms))
        case Call(function, parts):
            return call(function, [evaluator(part, terms) for part in parts])
        case _:
            raise ValueError(f"a folded expression expected, got {node}")


def row_finder(term: AnyRow) -> Callable[[Row, Rows], bool]:
    """Whether some row of the account makes the predicate of an ``any()`` true."""
    table, holds = term.table, evaluator(term.predicate, {})
    return lambda features, tables: any(holds(Seen(features, (), row)) is True for row in tables[table])


def number_of(value: Evaluate, kind: str) -> Evaluate:
    """The same value, a number as a double; null for what is not finite."""
    if kind != "number":
        return value

    def run(seen: Seen) -> float | None:
        found = value(seen)
        if found is None:
            return None
        number = float(found)
        return number if math.isfinite(number) else None

    return run


def opposite(term: Evaluate) -> Evaluate:
    def run(seen: Seen) -> bool | None:
        value = term(seen)
        return None if value is None else not value

    return run


def unknown(term: Evaluate) -> Evaluate:
    return lambda seen: term(seen) is None


def several(junction: str, parts: Sequence[Evaluate]) -> Evaluate:
    """``and`` or ``or``; parts after a deciding one are not evaluated."""
    decides = junction == "or"

    def run(seen: Seen) -> bool | None:
        found: bool | None = not decides
        for part in parts:
            value = part(seen)
            if value is None:
                found = None
            elif value == decides:
                return value is True
        return found

    return run


def comparison(compare: Callable[[Any, Any], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    def run(seen: Seen) -> bool | None:
        one, other = left(seen), right(seen)
        return None if one is None or other is None else compare(one, other)

    return run


def membership(item: Evaluate, values: frozenset[str | float]) -> Evaluate:
    def run(seen: Seen) -> bool | None:
        value = item(seen)
        return None if value is None else value in values

    return run


def calculation(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda seen: calculated(sign, left(seen), right(seen))


def call(function: str, parts: Sequence[Evaluate]) -> Evaluate:
    if function == "coalesce":
        return first_known(parts)
    choose = max if function == "max" else min

    def run(seen: Seen) -> float | None:
        values = [part(seen) for part in parts]
        return None if None in values else choose(values)

    return run


def first_known(parts: Sequence[Evaluate]) -> Evaluate:
    def run(seen: Seen) -> Value:
        for part in parts:
            value: Value = part(seen)
            if value is not None:
                return value
        return None

    return run
