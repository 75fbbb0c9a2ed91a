"""What a rule says, as a tree of values.

:mod:`nbo.offers.parsing` makes the tree from text, :mod:`nbo.offers.folding` puts constants in it,
:mod:`nbo.offers.expression_sql` and :mod:`nbo.offers.expression_rows` evaluate it. A node is a frozen
value: equal nodes mean the same, so that each can be computed once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Value = str | float | bool | None
"""What an expression can come to; None is null, the unknown."""

Kind = Literal["flag", "number", "text", "texts", "numbers", "null"]
"""What a node gives; ``texts`` and ``numbers`` are lists, ``null`` fits any of flag, number and text."""

Place = Literal["feature", "context", "offer", "row"]
"""Where a name is read: from the account's features, the request, the offer, the row of a table."""


@dataclass(frozen=True)
class Constant:
    """A flag, number or text that stands in the rule, or null."""

    value: Value


@dataclass(frozen=True)
class Listed:
    """A list of texts or of numbers."""

    values: tuple[str | float, ...]
    kind: Kind


@dataclass(frozen=True)
class Read:
    """A name whose value differs by account, request, offer or row."""

    place: Place
    name: str
    kind: Kind


@dataclass(frozen=True)
class Not:
    """The opposite of a flag; of null, null."""

    term: "Node"


@dataclass(frozen=True)
class Logic:
    """All (``and``) or any (``or``) of several flags, in Kleene's three-valued logic."""

    operator: Literal["and", "or"]
    terms: tuple["Node", ...]


@dataclass(frozen=True)
class Compare:
    """Two values of one kind compared; null if either is."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Member:
    """Whether a value is in a list; null is in no empty list, and else unknown."""

    item: "Node"
    among: "Node"


@dataclass(frozen=True)
class IsNull:
    """Whether a value is unknown; itself always known."""

    term: "Node"


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers reckoned in doubles; null if either is, or if the result is not finite."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Call:
    """``max``, ``min`` (null if any term is) or ``coalesce`` (the first term that is not null)."""

    function: Literal["max", "min", "coalesce"]
    terms: tuple["Node", ...]


@dataclass(frozen=True)
class AnyRow:
    """Whether the predicate is true for some row of the account in a table; never null."""

    table: str
    predicate: "Node"


Node = Constant | Listed | Read | Not | Logic | Compare | Member | IsNull | Arithmetic | Call | AnyRow

TRUE, FALSE, NULL = Constant(True), Constant(False), Constant(None)


@dataclass(frozen=True)
class Expression:
    """A parsed rule: its text and its tree."""

    text: str
    root: Node

    @property
    def features(self) -> dict[str, Kind]:
        """Features it reads, with their kinds, by name."""
        found = {n.name: n.kind for n in walk(self.root) if isinstance(n, Read) and n.place == "feature"}
        return dict(sorted(found.items()))

    @property
    def columns(self) -> dict[str, dict[str, Kind]]:
        """Columns it reads, with their kinds, by table; a table may be asked for its rows alone."""
        return columns_read(self.root)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that a node is made of, in the order of its text."""
    match node:
        case Not(term) | IsNull(term):
            return (term,)
        case Logic(_, terms) | Call(_, terms):
            return terms
        case Compare(_, left, right) | Arithmetic(_, left, right) | Member(left, right):
            return (left, right)
        case AnyRow(_, predicate):
            return (predicate,)
        case _:
            return ()


def with_children(node: Node, terms: tuple[Node, ...]) -> Node:
    """The same node made of other nodes."""
    match node:
        case Not() | IsNull():
            return replace(node, term=terms[0])
        case Logic() | Call():
            return replace(node, terms=terms)
        case Compare() | Arithmetic():
            return replace(node, left=terms[0], right=terms[1])
        case Member():
            return replace(node, item=terms[0], among=terms[1])
        case AnyRow():
            return replace(node, predicate=terms[0])
        case _:
            return node


def walk(node: Node) -> Iterator[Node]:
    """The node and everything in it, in the order of its text."""
    yield node
    for child in children(node):
        yield from walk(child)


def kind_of(node: Node) -> Kind:
    """What a node gives.

    Examples
    --------
    >>> kind_of(Compare("<", Constant(1.0), Read("feature", "lines_count_now", "number")))
    'flag'
    >>> kind_of(Call("coalesce", (NULL, Constant("A"))))
    'text'
    """
    match node:
        case Constant(value):
            return constant_kind(value)
        case Read(_, _, kind) | Listed(_, kind):
            return kind
        case Arithmetic():
            return "number"
        case Call(_, terms):
            kinds = [kind for kind in map(kind_of, terms) if kind != "null"]
            return kinds[0] if kinds else "null"
        case _:
            return "flag"


def constant_kind(value: Value) -> Kind:
    match value:
        case None:
            return "null"
        case bool():
            return "flag"
        case str():
            return "text"
        case _:
            return "number"


def columns_read(root: Node) -> dict[str, dict[str, Kind]]:
    """Columns with their kinds by table, both in the order of their names."""
    found: dict[str, dict[str, Kind]] = {}
    for term in walk(root):
        if isinstance(term, AnyRow):
            columns = found.setdefault(term.table, {})
            columns.update(
                {n.name: n.kind for n in walk(term.predicate) if isinstance(n, Read) and n.place == "row"}
            )
    return {table: dict(sorted(columns.items())) for table, columns in sorted(found.items())}


def merged(parts: Iterator[Mapping[str, Mapping[str, Kind]]]) -> dict[str, dict[str, Kind]]:
    """Columns by table of several expressions together."""
    found: dict[str, dict[str, Kind]] = {}
    for part in parts:
        for table, columns in part.items():
            found.setdefault(table, {}).update(columns)
    return {table: dict(sorted(columns.items())) for table, columns in sorted(found.items())}
