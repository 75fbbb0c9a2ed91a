"""From the text of a rule to its tree: read with Python's grammar, allowed by a list, never executed.

Names, columns, purposes, codes and kinds are checked here, so that what comes out can be evaluated
for any account and any offer without an error.
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence

from nbo.errors import UsageError
from nbo.offers.expressions import (
    NULL,
    AnyRow,
    Arithmetic,
    Call,
    Compare,
    Constant,
    Expression,
    IsNull,
    Kind,
    Listed,
    Logic,
    Member,
    Node,
    Not,
    Read,
    children,
    kind_of,
)
from nbo.offers.readable import CONTEXT, OFFER, READABLE_TABLES, Readable, readable_column
from nbo.tables.catalog import TABLES
from nbo.tables.contract import close_matches

MAX_CHARACTERS = 2_000
MAX_DEPTH = 50
MAX_NESTING = 4
"""Divisors and terms of max, min and coalesce inside each other: each doubles the text of its SQL."""

SYNTAX = (
    "literals, names, offer.NAME, and, or, not, comparisons, in, is null, + - * /, max, min, coalesce "
    "and any(... for t in TABLE)"
)
COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
OPERATORS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
FUNCTIONS = ("max", "min", "coalesce", "any")
LISTS = ("texts", "numbers")


def parse(text: str, features: Mapping[str, Readable], where: str = "rule") -> Expression:
    """Read the text of a rule.

    Parameters
    ----------
    text : str
        At most 2,000 characters, on one line or several.
    features : mapping of str to Readable
        What it may read of an account by name.
    where : str
        What errors call the rule.

    Raises
    ------
    UsageError
        Syntax, names, codes or kinds that the language does not know; it says which.
    LeakageError
        A column that is barred from marketing.

    Examples
    --------
    >>> parse('channel in offer.channels', {}).root.item
    Read(place='context', name='channel', kind='text')
    >>> parse('lines_cout > 1', {"lines_count": Readable("number")})
    Traceback (most recent call last):
    nbo.errors.UsageError: rule: expected a name that is known, got lines_cout; did you mean lines_count?
    """
    line = re.sub(r"\s*[\r\n]+\s*", " ", text.strip())
    tree = syntax_tree(line, where)
    reader = Reader(line, features, where)
    root = reader.flag(tree)
    reader.refuse_nesting(root)
    return Expression(line, root)


def syntax_tree(line: str, where: str) -> ast.expr:
    if len(line) > MAX_CHARACTERS:
        raise UsageError(f"{where}: expected at most {MAX_CHARACTERS:,} characters, got {len(line):,}")
    # A comment would end the rule where its second line begins.
    if unfit := [sign for sign in "#\\" if sign in line]:
        raise UsageError(f"{where}: expected no comments and no backslashes, got {unfit[0]}")
    try:
        line.encode()
        return ast.parse(line, mode="eval").body
    except SyntaxError as error:
        place = f"character {error.offset}" if error.offset else "its end"
        raise UsageError(f"{where}: expected an expression, got {error.msg} at {place}") from None
    except (RecursionError, MemoryError):
        raise UsageError(f"{where}: expected at most {MAX_DEPTH} levels, got more") from None
    except ValueError as error:
        raise UsageError(f"{where}: expected text, got {error}") from None


class Reader:
    """Turns a syntax tree into nodes, knowing what may be named where it stands."""

    def __init__(self, text: str, features: Mapping[str, Readable], where: str) -> None:
        self.text = text
        self.features = features
        self.where = where
        self.table: str | None = None
        self.row = ""
        self.depth = 0

    def wrong(self, expected: str, got: str, near: str = "") -> UsageError:
        return UsageError(f"{self.where}: expected {expected}, got {got}{near}")

    def shown(self, tree: ast.expr) -> str:
        """The piece of the rule that a syntax tree stands for."""
        piece = ast.get_source_segment(self.text, tree) or ""
        return piece if len(piece) <= 60 else f"{piece[:59]}…"

    def node(self, tree: ast.expr) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"at most {MAX_DEPTH} levels", "more")
        found = self.one(tree)
        self.depth -= 1
        return found

    def one(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Constant(value):
                return self.constant(value, tree)
            case ast.Name(name):
                return self.name(name)
            case ast.Attribute(ast.Name(owner), name):
                return self.attribute(owner, name)
            case ast.List(items):
                return self.listed(items, tree)
            case ast.BoolOp(operator, terms):
                return Logic("and" if isinstance(operator, ast.And) else "or", tuple(map(self.flag, terms)))
            case ast.UnaryOp(ast.Not(), term):
                return Not(self.flag(term))
            case ast.UnaryOp(ast.USub(), term):
                return self.negative(term)
            case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
                return Arithmetic(OPERATORS[type(operator)], self.number(left), self.number(right))
            case ast.Compare(left, operators, rights):
                return self.comparison(left, operators, rights)
            case ast.Call(ast.Name("any"), [ast.GeneratorExp() as rows], []):
                return self.any_row(rows)
            case ast.Call(ast.Name(function), terms, []):
                return self.call(function, terms, tree)
            case _:
                raise self.wrong(SYNTAX, self.shown(tree))

    def constant(self, value: object, tree: ast.expr) -> Constant:
        if isinstance(value, (bool, str)):
            return Constant(value)
        if isinstance(value, (int, float)):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return Constant(number)
        raise self.wrong("a finite number, a text, True, False or null", self.shown(tree))

    def name(self, name: str) -> Node:
        if name == "null":
            return NULL
        for place, known in (("context", CONTEXT), ("feature", self.features)):
            if name in known:
                return Read("context" if place == "context" else "feature", name, known[name].kind)
        if name in ("offer", self.row):
            raise self.wrong(f"{name}.NAME", name)
        names = [*self.features, *CONTEXT, "null", "True", "False"]
        raise self.wrong("a name that is known", name, close_matches(name, names))

    def attribute(self, owner: str, name: str) -> Read:
        if owner == "offer":
            if name not in OFFER:
                raise self.wrong(
                    "an attribute of an offer", f"offer.{name}", close_matches(name, list(OFFER))
                )
            return Read("offer", name, OFFER[name].kind)
        if self.table is None or owner != self.row:
            rows = f" or {self.row}.COLUMN" if self.row else ""
            raise self.wrong(f"offer.NAME{rows}", f"{owner}.{name}")
        return Read("row", name, readable_column(self.table, name, self.where).kind)

    def listed(self, items: Sequence[ast.expr], tree: ast.expr) -> Listed:
        values = []
        for item in items:
            found = self.node(item)
            if not isinstance(found, Constant) or not isinstance(found.value, (str, float)):
                raise self.wrong("a list of texts or of numbers", self.shown(tree))
            values.append(found)
        kinds = {kind_of(value) for value in values}
        if len(kinds) > 1 or "flag" in kinds:
            raise self.wrong("a list of texts or of numbers", self.shown(tree))
        kept = tuple(value.value for value in values if isinstance(value.value, (str, float)))
        return Listed(kept, "numbers" if "number" in kinds else "texts")

    def negative(self, term: ast.expr) -> Node:
        found = self.number(term)
        if isinstance(found, Constant) and isinstance(found.value, float):
            return Constant(-found.value)
        return Arithmetic("-", Constant(0.0), found)

    def flag(self, tree: ast.expr) -> Node:
        return self.of_kind(tree, "flag", "a condition that is true or false")

    def number(self, tree: ast.expr) -> Node:
        return self.of_kind(tree, "number", "a number")

    def of_kind(self, tree: ast.expr, kind: Kind, words: str) -> Node:
        found = self.node(tree)
        if kind_of(found) != kind:
            raise self.wrong(words, f"{self.shown(tree)}, a {kind_words(found)}")
        return found

    def comparison(self, left: ast.expr, operators: list[ast.cmpop], rights: list[ast.expr]) -> Node:
        """One comparison, or several in a chain: ``0 < x <= 5`` is ``0 < x and x <= 5``."""
        if len(operators) > 1 and any(type(operator) not in COMPARISONS for operator in operators):
            raise self.wrong("in and is to stand alone, joined by and", self.shown(left) + " ...")
        pairs = zip([left, *rights], operators, rights, strict=False)
        found = [self.pair(one, operator, other) for one, operator, other in pairs]
        return found[0] if len(found) == 1 else Logic("and", tuple(found))

    def pair(self, one: ast.expr, operator: ast.cmpop, other: ast.expr) -> Node:
        left, right = self.node(one), self.node(other)
        told = f"{self.shown(one)} and {self.shown(other)}"
        if isinstance(operator, (ast.Is, ast.IsNot)):
            if right != NULL or kind_of(left) in LISTS:
                raise self.wrong("x is null or x is not null", told)
            found: Node = IsNull(left)
            return Not(found) if isinstance(operator, ast.IsNot) else found
        if NULL in (left, right):
            raise self.wrong("x is null (nothing equals null)", told)
        if isinstance(operator, (ast.In, ast.NotIn)):
            found = self.member(left, right, told)
            return Not(found) if isinstance(operator, ast.NotIn) else found
        return self.compared(COMPARISONS[type(operator)], left, right, told)

    def member(self, item: Node, among: Node, told: str) -> Member:
        if not isinstance(among, (Listed, Read)) or kind_of(among) not in LISTS:
            raise self.wrong("in a list", f"{told}, a {kind_words(among)}")
        if isinstance(among, Listed) and not among.values:
            raise self.wrong("in a list of one or more", told)
        if f"{kind_of(item)}s" != kind_of(among):
            raise self.wrong(
                "an item of the kind of the list", f"{told}, {kind_words(item)} in {kind_words(among)}"
            )
        self.check_codes(item, among)
        self.check_codes(among, item)
        return Member(item, among)

    def compared(self, operator: str, left: Node, right: Node, told: str) -> Compare:
        if kind_of(left) != kind_of(right):
            raise self.wrong("two values of one kind", f"{told}, {kind_words(left)} and {kind_words(right)}")
        if operator not in ("==", "!=") and kind_of(left) not in ("number", "text"):
            raise self.wrong(f"numbers or texts around {operator}", f"{told}, a {kind_words(left)}")
        self.check_codes(left, right)
        self.check_codes(right, left)
        return Compare(operator, left, right)

    def check_codes(self, read: Node, said: Node) -> None:
        """Refuse a code that the name can never have: the rule would stop, or allow, for ever."""
        if not isinstance(read, Read):
            return
        codes = self.readable(read).codes
        values = (said.value,) if isinstance(said, Constant) else getattr(said, "values", ())
        for value in values:
            if codes and value not in codes:
                raise self.wrong(f"a code of {read.name}", repr(value), close_matches(str(value), codes))

    def readable(self, read: Read) -> Readable:
        if read.place == "row" and self.table is not None:
            return readable_column(self.table, read.name, self.where)
        return {"feature": self.features, "context": CONTEXT, "offer": OFFER}[read.place][read.name]

    def call(self, function: str, terms: Sequence[ast.expr], tree: ast.expr) -> Call:
        match function:
            case "max" | "min":
                found = tuple(map(self.number, terms))
            case "coalesce":
                found = tuple(map(self.node, terms))
            case "any":
                raise self.wrong("any(CONDITION for t in TABLE)", self.shown(tree))
            case _:
                raise self.wrong(
                    "a function that is known", f"{function}()", close_matches(function, FUNCTIONS)
                )
        kinds = {kind_of(term) for term in found} - {"null"}
        if len(found) < 2 or len(kinds) != 1 or kinds & set(LISTS):
            raise self.wrong(f"two or more values of one kind in {function}()", self.shown(tree))
        return Call(function, found)

    def any_row(self, tree: ast.GeneratorExp) -> AnyRow:
        shown = f"any({self.shown(tree).strip('()')})"
        if self.table is not None:
            raise self.wrong("no any() inside another", shown)
        match tree.generators:
            case [ast.comprehension(ast.Name(row), ast.Name(table), [], 0)]:
                pass
            case _:
                raise self.wrong("any(CONDITION for t in TABLE)", shown)
        if row in (*CONTEXT, *self.features, "offer", "null"):
            raise self.wrong("a name for the row that means nothing else", row)
        if table not in READABLE_TABLES:
            if table in TABLES:
                raise self.wrong(
                    f"one of {', '.join(READABLE_TABLES)} in any()", f"{table} (declare a feature)"
                )
            raise self.wrong("a table that is known", table, close_matches(table, READABLE_TABLES))
        self.table, self.row = table, row
        predicate = self.flag(tree.elt)
        self.table, self.row = None, ""
        return AnyRow(table, predicate)

    def refuse_nesting(self, root: Node) -> None:
        if nesting(root) > MAX_NESTING:
            expected = f"divisors, max, min and coalesce at most {MAX_NESTING} deep in each other"
            raise self.wrong(expected, f"{nesting(root)} levels")


def nesting(node: Node) -> int:
    """How deep divisors and terms of functions stand inside each other."""
    below = [nesting(child) for child in children(node)]
    if isinstance(node, Arithmetic) and node.operator == "/":
        below[1] += 1
    return max(below, default=0) + isinstance(node, Call)


def kind_words(node: Node) -> str:
    """The kind of a node as errors say it."""
    return {"texts": "list of texts", "numbers": "list of numbers"}.get(kind_of(node), kind_of(node))
