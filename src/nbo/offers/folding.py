"""Constants put into an expression, and everything worked out that they decide.

A rule is folded for each offer and each request: the attributes of the offer, the channel and the
day become constants, and with them whole terms go, so that what is left reads only the account. The
operations on values stand here too; :mod:`nbo.offers.expression_rows` runs the same ones.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbo.offers.expressions import (
    FALSE,
    NULL,
    TRUE,
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
    Place,
    Read,
    children,
    with_children,
)

Given = Mapping[str, str | float | bool | tuple[str, ...] | None]
"""Values by name, as :meth:`nbo.offers.catalog.Offer.attributes` gives them."""

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else math.nan,
}


def fold(node: Node, given: Mapping[Place, Given]) -> Node:
    """The same expression with names replaced by what is given, worked out as far as that goes.

    Parameters
    ----------
    node : Node
    given : mapping of place to mapping of str to value
        Which names are constants now, such as ``{"offer": offer.attributes()}``.

    Returns
    -------
    Node
        True, false or unknown for the same accounts as before.

    Examples
    --------
    >>> from nbo.offers.parsing import parse
    >>> rule = parse('offer.prepaid or any(t.product_id == offer.product_id for t in holdings)', {})
    >>> fold(rule.root, {"offer": {"prepaid": True, "product_id": "adsl"}})
    Constant(value=True)
    >>> fold(rule.root, {"offer": {"prepaid": False, "product_id": None}})
    Constant(value=False)
    """
    if isinstance(node, Read):
        return put(node, given)
    folded = with_children(node, tuple(fold(child, given) for child in children(node)))
    match folded:
        case Logic(junction, terms):
            return logic(junction, terms)
        case AnyRow(_, Constant(value)):
            return folded if value is True else FALSE
        case Call("coalesce", terms):
            return coalesced(terms)
        case Compare() | Member() | Arithmetic() | Call() | Not() | IsNull():
            return worked_out(folded)
        case _:
            return folded


def put(node: Read, given: Mapping[Place, Given]) -> Node:
    """The constant that a name stands for, or the name."""
    if node.place not in given:
        return node
    value = given[node.place][node.name]
    return Listed(value, node.kind) if isinstance(value, tuple) else Constant(value)


def logic(junction: str, terms: Sequence[Node]) -> Node:
    """``and`` without its true terms, ``or`` without its false ones; decided if one decides it."""
    decides, neutral = (FALSE, TRUE) if junction == "and" else (TRUE, FALSE)
    if decides in terms:
        return decides
    left = tuple(dict.fromkeys(term for term in terms if term != neutral))
    if not left:
        return neutral
    return left[0] if len(left) == 1 else Logic("and" if junction == "and" else "or", left)


def coalesced(terms: Sequence[Node]) -> Node:
    """``coalesce`` without nulls, and without what stands after a constant."""
    left: list[Node] = []
    for term in terms:
        if term != NULL:
            left.append(term)
        if isinstance(term, Constant) and term != NULL:
            break
    if not left:
        return NULL
    return left[0] if len(left) == 1 else Call("coalesce", tuple(left))


def worked_out(node: Node) -> Node:
    """A comparison, membership or calculation as a constant, where its parts allow."""
    parts = children(node)
    if isinstance(node, Member) and isinstance(node.among, Listed) and not node.among.values:
        return FALSE
    if NULL in parts and not isinstance(node, IsNull):
        return NULL
    if not all(isinstance(part, Constant | Listed) for part in parts):
        return node
    values: list[Any] = [part.values if isinstance(part, Listed) else value_of(part) for part in parts]
    match node:
        case Compare(sign):
            return Constant(COMPARISONS[sign](*values))
        case Member():
            return Constant(values[0] in values[1])
        case Arithmetic(sign):
            return Constant(calculated(sign, *values))
        case Call(function):
            return Constant(max(values) if function == "max" else min(values))
        case Not():
            return Constant(not values[0])
        case _:
            return Constant(values[0] is None)


def value_of(node: Node) -> Any:
    return node.value if isinstance(node, Constant) else None


def calculated(sign: str, left: float | None, right: float | None) -> float | None:
    """One arithmetic step in doubles; null if a part is, and in place of what is not finite.

    Examples
    --------
    >>> calculated("/", 1.0, 0.0), calculated("*", 1e200, 1e200), calculated("-", 3.0, None)
    (None, None, None)
    """
    if left is None or right is None:
        return None
    result = OPERATORS[sign](left, right)
    return result if math.isfinite(result) else None
