"""The language of rules: what is read, what is refused and how it is told, what constants decide."""

from typing import Any

import pytest

from nbo.asof import AsOf
from nbo.engine import Embedded
from nbo.errors import LeakageError, UsageError
from nbo.offers.expression_rows import Seen, evaluator
from nbo.offers.expression_sql import expression_sql, rows_sql
from nbo.offers.expressions import (
    FALSE,
    TRUE,
    AnyRow,
    Compare,
    Constant,
    Expression,
    IsNull,
    Logic,
    Not,
    Read,
)
from nbo.offers.folding import fold
from nbo.offers.parsing import MAX_CHARACTERS, parse
from nbo.offers.readable import Readable

KNOWN = {
    "lines_count": Readable("number"),
    "minutes": Readable("number"),
    "klass": Readable("text", ("A", "B", "X")),
    "city": Readable("text"),
}
X, Y = Read("feature", "lines_count", "number"), Read("feature", "minutes", "number")


def parsed(text: str) -> Expression:
    return parse(text, KNOWN, "rules.r.allow")


def value(text: str, **features: Any) -> Any:
    """What an expression comes to for an account, all of whose other features are unknown."""
    known = {"lines_count": None, "minutes": None, "klass": None, "city": None, **features}
    return evaluator(fold(parsed(text).root, {}), {})(Seen(known))


def sql_value(text: str, **features: Any) -> Any:
    """The same by the embedded engine, nothing folded."""
    kinds = {"lines_count": "DOUBLE", "minutes": "DOUBLE", "klass": "VARCHAR", "city": "VARCHAR"}
    told = {name: "NULL" if features.get(name) is None else f"'{features[name]}'" for name in kinds}
    columns = ", ".join(f"CAST({told[name]} AS {kind}) AS f_{name}" for name, kind in kinds.items())
    with Embedded(threads=1) as engine:
        return engine.value(f"SELECT {expression_sql(parsed(text).root, {})} FROM (SELECT {columns})")


def test_a_rule_becomes_a_tree_of_values() -> None:
    text = 'lines_count > 1 and not any(t.state == "open" for t in tickets)'
    open_ticket = Compare("==", Read("row", "state", "text"), Constant("open"))
    assert parsed(text) == Expression(
        text,
        Logic("and", (Compare(">", X, Constant(1.0)), Not(AnyRow("tickets", open_ticket)))),
    )
    assert parsed(text).features == {"lines_count": "number"}
    assert parsed(text).columns == {"tickets": {"state": "text"}}


def test_a_rule_may_stand_on_several_lines() -> None:
    assert parsed("lines_count > 1\n    and minutes < 3\n") == parsed("lines_count > 1 and minutes < 3")


def test_a_chain_is_several_comparisons() -> None:
    assert parsed("0 < lines_count <= 5").root == parsed("0 < lines_count and lines_count <= 5").root


def test_the_row_may_have_any_name() -> None:
    assert (
        parsed("any(one.allowed for one in consents)").root == parsed("any(t.allowed for t in consents)").root
    )


def test_columns_are_told_by_table_and_a_table_may_be_asked_for_its_rows_alone() -> None:
    text = (
        "any(True for t in surveys) or any(t.satisfaction < minutes for t in surveys)"
        ' or any(t.product_id == "adsl" for t in holdings) or any(t.channel == channel for t in contacts)'
    )
    assert parsed(text).columns == {
        "contacts": {"channel": "text"},
        "holdings": {"product_id": "text"},
        "surveys": {"satisfaction": "number"},
    }
    assert parsed("any(True for t in surveys)").columns == {"surveys": {}}
    assert parsed(text).features == {"minutes": "number"}


REFUSED = {
    "an unknown feature": (
        "lines_cont > 1",
        r"a name that is known, got lines_cont; did you mean lines_count\?",
    ),
    "an unknown table": (
        "any(t.kind for t in ticket)",
        r"a table that is known, got ticket; did you mean tickets\?",
    ),
    "a table that is too big": (
        "any(t.direction for t in calls)",
        r"expected one of accounts, .*, got calls",
    ),
    "an unknown column": (
        'any(t.stat == "open" for t in tickets)',
        r"column of tickets, got stat; did you mean state\?",
    ),
    "a column of another table": (
        'any(t.state == "open" for t in holdings)',
        "column of holdings, got state",
    ),
    "an unknown attribute": ("offer.fee > 1", "an attribute of an offer, got offer.fee; known: any_site"),
    "an attribute nearly known": ("offer.montly_fee > 1", r"did you mean monthly_fee\?"),
    "an unknown function": ("abs(lines_count) > 1", r"a function that is known, got abs\(\)"),
    "a function of Python": ('__import__("os")', r"a function that is known, got __import__\(\)"),
    "an attribute of a value": ("lines_count.real > 1", r"expected offer\.NAME, got lines_count\.real"),
    "an attribute of an attribute": ("offer.kind.upper == 1", "expected literals, names"),
    "a row outside any": ('t.state == "open"', r"expected offer\.NAME, got t\.state"),
    "another row inside any": (
        'any(u.state == "open" for t in tickets)',
        r"offer\.NAME or t\.COLUMN, got u\.state",
    ),
    "the row after any": (
        "any(t.allowed for t in consents) and t.allowed",
        r"expected offer\.NAME, got t\.allowed",
    ),
    "a whole row": ("any(t for t in tickets)", r"expected t\.NAME, got t"),
    "a whole offer": ("offer", r"expected offer\.NAME, got offer"),
    "any in any": ("any(any(u.allowed for u in consents) for t in tickets)", r"no any\(\) inside another"),
    "any of a list": ("any([True])", r"expected any\(CONDITION for t in TABLE\)"),
    "any with an if": (
        "any(t.allowed for t in consents if True)",
        r"expected any\(CONDITION for t in TABLE\)",
    ),
    "any over two tables": (
        "any(t.allowed for t in consents for u in orders)",
        r"any\(CONDITION for t in TABLE\)",
    ),
    "a row named as a feature": ("any(minutes.allowed for minutes in consents)", "a name for the row"),
    "text with number": (
        'lines_count == "one"',
        r'two values of one kind, got lines_count and "one", number and text',
    ),
    "number with text": ("klass < 3", "two values of one kind"),
    "flag with number": ("offer.prepaid == 1", "two values of one kind"),
    "an order of flags": ("offer.prepaid < True", "numbers or texts around <"),
    "an order of lists": ("offer.classes < offer.channels", "numbers or texts around <"),
    "list with text": ("offer.classes == klass", "two values of one kind"),
    "in a text": ('"A" in klass', "expected in a list"),
    "in a number": ("lines_count in 3", "expected in a list"),
    "a number in texts": ("lines_count in offer.classes", "an item of the kind of the list"),
    "in nothing": ("klass in []", "a list of one or more"),
    "in a mixed list": ('klass in ["A", 1]', "a list of texts or of numbers"),
    "in a list of flags": ("offer.prepaid in [True]", "a list of texts or of numbers"),
    "in a list of names": ("klass in [city]", "a list of texts or of numbers"),
    "not of a number": ("not lines_count", "a condition that is true or false, got lines_count, a number"),
    "and of a text": ("klass and True", "a condition that is true or false, got klass, a text"),
    "a number as a rule": ("lines_count + 1", "a condition that is true or false"),
    "null as a rule": ("null", "a condition that is true or false, got null"),
    "a sum of texts": ('city + "x" == city', "a number, got city, a text"),
    "a sum of flags": ("True + True > 1", "a number, got True, a flag"),
    "minus a text": ("-city == city", "a number, got city, a text"),
    "max of texts": ("max(klass, city) == klass", "a number, got klass, a text"),
    "max of one": ("max(lines_count) > 1", "two or more values"),
    "coalesce of two kinds": ("coalesce(lines_count, klass) is null", "two or more values of one kind"),
    "coalesce of nulls": ("coalesce(null, null) is null", "two or more values of one kind"),
    "equal to null": ("klass == null", r"x is null \(nothing equals null\)"),
    "in a chain": ('klass in ["A"] == True', "in and is to stand alone"),
    "is a number": ("lines_count is 3", "x is null or x is not null"),
    "a list is null": ("offer.classes is null", "x is null or x is not null"),
    "an unknown code": (
        'any(t.state == "opne" for t in tickets)',
        r"a code of state, got 'opne'; did you mean open\?",
    ),
    "an unknown code in a list": ('klass in ["A", "C"]', "a code of klass, got 'C'"),
    "an unknown code of the offer": ('"E" in offer.classes', "a code of classes, got 'E'"),
    "an unknown channel": (
        'channel == "cal_centre"',
        r"a code of channel, got 'cal_centre'; did you mean call_centre\?",
    ),
    "a syntax error": ("lines_count > and", r"an expression, got invalid syntax at character 15"),
    "a text without end": ('klass == "A', r"unterminated string literal.* at character 10"),
    "half a rule": ("lines_count >", r"an expression, got invalid syntax at its end"),
    "nothing": ("  ", "an expression, got invalid syntax"),
    "an assignment": ("(x := 3) > 1", "expected literals, names"),
    "a statement": ("import os", "an expression, got invalid syntax"),
    "a lambda": ("lambda: True", "expected literals, names"),
    "a choice": ("True if True else False", "expected literals, names"),
    "an index": ("offer.classes[0] == klass", "expected literals, names"),
    "a power": ("lines_count ** 2 > 1", "expected literals, names"),
    "a formatted text": ('f"{klass}" == klass', "expected literals, names"),
    "bytes": ('klass == b"A"', "a finite number, a text"),
    "None": ("klass is None", "a finite number, a text, True, False or null"),
    "a number without end": ("lines_count < 1e999", "a finite number"),
    "a whole number without end": (f"lines_count < {'9' * 400}", "a finite number"),
    "a named argument": ("max(lines_count, default=1) > 1", "expected literals, names"),
    "a spread argument": ("max(*[1, 2]) > 1", "expected literals, names"),
    "a comment": ("lines_count > 1 # and\nminutes > 3", "no comments and no backslashes, got #"),
    "a backslash": (r'klass == "\x41"', "no comments and no backslashes"),
    "a rule too long": ("True and " * 300 + "True", f"at most {MAX_CHARACTERS:,} characters, got 2,704"),
    "a rule too deep": ("not " * 60 + "True", "at most 50 levels, got more"),
    "a rule far too deep": ("-" * 1990 + "1 > 0", "at most 50 levels, got more"),
    "brackets without end": ("(" * 500 + "True" + ")" * 500, "too many nested parentheses"),
    "divisors in divisors": ("1/(1/(1/(1/(1/minutes)))) > 1", "at most 4 deep in each other, got 5 levels"),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_of_the_language_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=r"^rules\.r\.allow: expected ") as refused:
        parsed(text)
    refused.match(told)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('any(t.name == "Li" for t in accounts)', "accounts.name"),
        ('any(t.contact == "Li" for t in accounts)', "accounts.contact"),
        ("any(t.logging_prob > 0 for t in contacts)", "contacts.logging_prob"),
    ],
)
def test_a_column_barred_from_marketing_is_refused_by_name(text: str, column: str) -> None:
    with pytest.raises(LeakageError, match=rf"permitted for marketing, got {column}"):
        parsed(text)


def test_texts_may_hold_anything_that_is_no_escape() -> None:
    text = """city == "it's $as_of; DROP TABLE lines --" or city == '产"品' """
    assert value(text, city="it's $as_of; DROP TABLE lines --") is True
    assert sql_value(text, city='产"品') is True


MEANINGS: list[tuple[str, dict[str, Any], Any]] = [
    ("lines_count > 1 and minutes > 1", {"lines_count": 0}, False),
    ("lines_count > 1 and minutes > 1", {"lines_count": 2}, None),
    ("lines_count > 1 or minutes > 1", {"lines_count": 2}, True),
    ("lines_count > 1 or minutes > 1", {"lines_count": 0}, None),
    ("not lines_count > 1", {}, None),
    ("not lines_count > 1", {"lines_count": 1}, True),
    ('klass in ["A", "B"]', {"klass": "B"}, True),
    ('klass in ["A", "B"]', {"klass": "unheard of"}, False),
    ('klass in ["A", "B"]', {}, None),
    ('klass not in ["A", "B"]', {"klass": "X"}, True),
    ("lines_count in [1, -2]", {"lines_count": -2}, True),
    ("klass is null", {}, True),
    ("klass is not null", {"klass": "A"}, True),
    ('city == "a"', {"city": "A"}, False),
    ('city < "b"', {"city": "Z"}, True),
    ('city > "z"', {"city": "é"}, True),
    ("lines_count / minutes > 0", {"lines_count": 1, "minutes": 0}, None),
    ("lines_count / minutes > 0", {"lines_count": 0, "minutes": 0}, None),
    ("1 / (lines_count / minutes) == 0", {"lines_count": 1, "minutes": 0}, None),
    ("1 / (lines_count * minutes) == 0", {"lines_count": 1e300, "minutes": 1e300}, None),
    ("lines_count * minutes > 0", {"lines_count": 1e300, "minutes": 1e300}, None),
    ("lines_count * minutes - lines_count * minutes is null", {"lines_count": 1e300, "minutes": 1e300}, True),
    ("lines_count / 3 == 0.1 / 3", {"lines_count": 0.1}, True),
    ("0.1 + 0.2 == 0.3", {}, False),
    ("max(lines_count, minutes) == 2", {"lines_count": 2, "minutes": 1}, True),
    ("max(lines_count, minutes) == 2", {"lines_count": 2}, None),
    ("min(lines_count, minutes, 0) == 0", {"lines_count": 2, "minutes": 1}, True),
    ("min(lines_count, minutes, 0) is null", {"lines_count": 2}, True),
    ("max(lines_count * minutes, 1) is null", {"lines_count": 1e300, "minutes": 1e300}, True),
    ("coalesce(lines_count, minutes, 7) == 7", {}, True),
    ("coalesce(lines_count / 0, 7) == 7", {"lines_count": 1}, True),
    ('coalesce(klass == "A", False)', {}, False),
    ("-lines_count == 3", {"lines_count": -3}, True),
    ("1 < lines_count < 3", {"lines_count": 3}, False),
    ("(lines_count > 1) == (minutes > 1)", {"lines_count": 0, "minutes": 0}, True),
    ("(lines_count > 1) != (minutes > 1)", {"lines_count": 0}, None),
]


@pytest.mark.parametrize(("text", "features", "expected"), MEANINGS)
def test_an_expression_means_the_same_in_both_evaluations(
    text: str, features: dict[str, Any], expected: Any
) -> None:
    assert value(text, **features) is expected
    assert sql_value(text, **features) is expected


FOLDED = [
    ("offer.prepaid or lines_count > 1", TRUE),
    ("not offer.prepaid and lines_count > 1", FALSE),
    ("offer.prepaid and lines_count > 1", Compare(">", X, Constant(1.0))),
    ("offer.starts is null or lines_count > 1", TRUE),
    ("lines_count < offer.starts", Constant(None)),
    ("lines_count < offer.monthly_fee / 2 + 1", Compare("<", X, Constant(51.0))),
    ("lines_count < offer.monthly_fee / 0", Constant(None)),
    ("coalesce(offer.starts, lines_count, 3, minutes) > 1", None),
    ("max(offer.monthly_fee, 3) == 100", TRUE),
    ('"adsl" in offer.requires', TRUE),
    ("klass in offer.site_types", FALSE),
    ("offer.site_types == []", TRUE),
    ("offer.requires != []", TRUE),
    ("offer.takes_over is not null", TRUE),
    ("any(t.product_id == offer.takes_over for t in holdings) and offer.any_site", FALSE),
    ("any(t.satisfaction > offer.starts for t in surveys)", FALSE),
    ("any(offer.any_site for t in surveys)", FALSE),
    ("any(offer.prepaid for t in surveys)", AnyRow("surveys", TRUE)),
    ("any(offer.prepaid and t.satisfaction is null for t in surveys)",
     AnyRow("surveys", IsNull(Read("row", "satisfaction", "number")))),
    ("lines_count > 1 and (offer.prepaid and lines_count > 1)", Compare(">", X, Constant(1.0))),
]  # fmt: skip
OFFER = {
    "prepaid": True, "starts": None, "monthly_fee": 100.0, "requires": ("adsl", "lan"), "site_types": (),
    "takes_over": "data", "any_site": False,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FOLDED)
def test_what_the_offer_decides_is_gone(text: str, expected: Any) -> None:
    found = fold(parsed(text).root, {"offer": OFFER})
    if expected is None:
        assert found == parsed("coalesce(lines_count, 3) > 1").root
    else:
        assert found == expected


def test_what_is_not_given_stays() -> None:
    root = parsed("channel in offer.channels and as_of > 3").root
    assert fold(root, {"offer": {"channels": ("web",)}}) == parsed('channel in ["web"] and as_of > 3').root
    assert (
        fold(fold(root, {"offer": {"channels": ("web",)}}), {"context": {"channel": "web", "as_of": 4.0}})
        == TRUE
    )


def test_only_a_folded_expression_is_evaluated() -> None:
    root = parsed("offer.prepaid").root
    with pytest.raises(ValueError, match="a folded expression expected"):
        evaluator(root, {})
    with pytest.raises(KeyError, match="offer"):
        expression_sql(root, {})
    with pytest.raises(ValueError, match="a folded expression expected"):
        expression_sql(parsed("klass in offer.classes").root, {})


def test_rows_are_those_visible_at_the_date() -> None:
    sql = rows_sql("contacts", {"outcome": "text"}, AsOf(100))
    assert "event_day < 100 AND known_day <= 100" in sql
    assert "CASE WHEN outcome_known_day <= 100 THEN outcome END AS c_outcome" in sql
    assert "$" not in sql
