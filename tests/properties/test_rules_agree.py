"""A rule says the same as SQL over all accounts, as closures over one, and read word by word.

Expressions, offers and operators are drawn at random. The third reading is a plain walk over the tree
that folds nothing and shares no code with the other two.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbo.features import CompiledFeatures, compile_features
from nbo.offers.catalog import Offer, Product
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
)
from nbo.offers.facts import AccountFacts, read_facts
from nbo.offers.parsing import parse
from nbo.offers.readable import (
    CONTEXT,
    OFFER,
    READABLE_TABLES,
    Readable,
    readable_column,
    readable_features,
)
from nbo.offers.rules import Rule, Rules, read_rules
from nbo.offers.verdicts import Context, Judge, verdict_stream
from nbo.tables.catalog import TABLES
from nbo.tables.columns import CHANNELS, FAMILIES
from nbo.tables.contract import PURPOSES, Words
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

WORKSPACE = Workspace.find(Path(__file__).resolve().parents[2])
END = 19_960
PRODUCTS = ["adsl", "pstn", "phs", "lan", "产品"]
AREAS = ["one", "two", "nowhere"]
UNHEARD_OF = "unheard of"
"""A code that no contract names: a store of an older version may hold one."""

Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def compiled() -> CompiledFeatures:
    return compile_features(WORKSPACE.feature_sets("offers"), "marketing")


# What a rule may name, by kind: (text of the name, its codes).
Names = Mapping[str, list[tuple[str, tuple[str, ...]]]]


def names_by_kind(
    known: Mapping[str, Readable], prefix: str = ""
) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for name, readable in known.items():
        found.setdefault(readable.kind, []).append((prefix + name, readable.codes))
    return found


def together(*parts: Names) -> Names:
    kinds = dict.fromkeys(kind for part in parts for kind in part)
    return {kind: [name for part in parts for name in part.get(kind, [])] for kind in kinds}


def row_names(table: str) -> Names:
    if table == "holdings":
        return {"text": [("t.product_id", ())]}
    marketing = [column.name for column in TABLES[table].columns if PURPOSES[2] in column.purposes]
    return names_by_kind({name: readable_column(table, name, "test") for name in marketing}, "t.")


OFFER_NAMES = names_by_kind(OFFER, "offer.")
NUMBERS = ["0", "1", "-1", "3", "0.1", "30", "2500", "19900", "1e300", "1e-300", "-1e308"]
ODD = ["({0} - {0})", "({0} * 1e300 * 1e300)", "(1 / ({0} - {0}))", "(1 / (1 / ({0} * 0)))", "(0 / {0})"]
"""Zeros that no constant shows, what is divided by them, and what is no longer finite."""
TEXTS = ["A", "X", "open", "complaint", "one", "adsl", "产品", "it's $as_of", ""]


@st.composite
def number(draw: st.DrawFn, names: Names, depth: int) -> str:
    """The text of a number."""
    kinds = ["literal", "name", "name", "odd"] + (["sum", "product", "function"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "literal":
        return draw(st.sampled_from(NUMBERS))
    if kind == "name":
        return draw(st.sampled_from(names["number"]))[0]
    if kind == "odd":
        return draw(st.sampled_from(ODD)).format(draw(st.sampled_from(names["number"]))[0])
    part = number(names, depth - 1)
    if kind == "function":
        function = draw(st.sampled_from(["max", "min", "coalesce"]))
        parts = draw(st.lists(part, min_size=2, max_size=3))
        return f"{function}({', '.join([*parts, *(['null'] if function == 'coalesce' else [])])})"
    return f"({draw(part)} {draw(st.sampled_from(['+', '-', '*', '/', '/']))} {draw(part)})"


@st.composite
def condition(draw: st.DrawFn, names: Names, tables: bool, depth: int) -> str:
    """The text of a condition; with ``tables`` it may ask for rows."""
    kinds = ["numbers", "texts", "member", "null", "flag"]
    kinds += ["logic", "logic", "not", *(["any"] * 3 if tables else [])] if depth else []
    kind = draw(st.sampled_from(kinds))
    inner = condition(names, tables, depth - 1)
    if kind == "numbers":
        sign = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
        return f"{draw(number(names, depth))} {sign} {draw(number(names, depth))}"
    if kind == "texts":
        name, codes = draw(st.sampled_from(names["text"]))
        other = draw(st.sampled_from([name for name, _ in names["text"]]) | literals(codes))
        return f"{name} {draw(st.sampled_from(['==', '!=', '<', '>=']))} {other}"
    if kind == "member":
        name, codes = draw(st.sampled_from(names["text"]))
        among = st.lists(literals(codes), min_size=1, max_size=3).map(lambda listed: f"[{', '.join(listed)}]")
        lists = st.sampled_from([name for name, _ in OFFER_NAMES["texts"]])
        return f"{name} {draw(st.sampled_from(['in', 'not in']))} {draw(among | lists)}"
    if kind == "null":
        name = draw(st.sampled_from(names["text"] + names["number"]))[0]
        return f"{draw(st.sampled_from([name, f'({draw(number(names, depth))})']))} is {draw(NOTS)}null"
    if kind == "flag":
        lists = [f"{name} == []" for name, _ in OFFER_NAMES["texts"]]
        return draw(st.sampled_from(["True", "False", *lists, *(name for name, _ in names.get("flag", []))]))
    if kind == "logic":
        parts = draw(st.lists(inner, min_size=2, max_size=3))
        return f"({draw(st.sampled_from([' and ', ' or ', ' == ', ' != '])).join(f'({p})' for p in parts)})"
    if kind == "not":
        return draw(
            st.sampled_from(["not ({})", "coalesce({}, False)", "coalesce(null, ({}), True)"])
        ).format(f"({draw(inner)})")
    table = draw(st.sampled_from(READABLE_TABLES))
    within = condition(together(names, row_names(table)), False, depth)
    return f"any({draw(within)} for t in {table})"


NOTS = st.sampled_from(["", "not "])


def literals(codes: Sequence[str]) -> st.SearchStrategy[str]:
    """Texts that a name with these codes can be compared with."""
    return st.sampled_from([f'"{text}"' for text in codes or TEXTS])


def some_of(values: Sequence[str], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    if not values:
        return st.just(())
    return st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=max(3, least)).map(tuple)


@st.composite
def offers(draw: st.DrawFn, *, narrow: bool = True) -> Offer:
    """An offer on any terms; one that is not narrow is sold to all, everywhere, through every channel."""
    days = st.none() | st.integers(END - 100, END + 10) if narrow else st.none()
    least = 1 if narrow else 5
    product = Product(
        product_id=draw(st.sampled_from(PRODUCTS)),
        family=draw(st.sampled_from(list(FAMILIES))),
        kind=draw(st.sampled_from(["functional", "tariff"])),
        words=Words("product", "产品"),
        monthly_fee_amount=draw(st.integers(0, 5_000)),
        monthly_margin_amount=draw(st.integers(0, 3_000)),
        comparability=draw(st.integers(1, 4)),
        classes=draw(some_of("ABCDX", least)),
        site_types=draw(some_of(["office_tower", "factory", "residential"] if narrow else [])),
        exchange_areas=draw(some_of(AREAS if narrow else [])),
        channels=draw(some_of(list(CHANNELS), least)),
        requires=draw(some_of(PRODUCTS)),
        takes_over=draw(st.none() | st.sampled_from(list(FAMILIES))),
    )
    return Offer(
        offer_id=draw(st.sampled_from(["adsl", "adsl_12m"])),
        product=product,
        words=product.words,
        pitch=product.words,
        term_months=draw(st.integers(0, 24)),
        monthly_fee_amount=draw(st.integers(0, 5_000)),
        monthly_margin_amount=0,
        one_off_cost_amount=draw(st.integers(0, 9)),
        prepaid=draw(st.booleans()),
        included_minutes=draw(st.sampled_from([0.0, 100.0, 0.1])),
        extra_minute_amount=draw(st.sampled_from([0.0, 30.0, 0.3])),
        channels=product.channels,
        starts=draw(days),
        ends=draw(days),
    )


CHANNEL = st.sampled_from(list(CHANNELS))


# The third reading.


def read_plainly(node: Node, facts: AccountFacts, given: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
    """What a node comes to, by the book: None is unknown."""
    match node:
        case Constant(value):
            return value
        case Listed(values):
            return values
        case Read("feature", name):
            return facts.features[name]
        case Read("row", name):
            return row[name]
        case Read(place, name):
            return given[place][name]
        case AnyRow(table, predicate):
            return any(read_plainly(predicate, facts, given, row) is True for row in facts.tables[table])
    parts = [read_plainly(part, facts, given, row) for part in node_parts(node)]
    match node:
        case IsNull():
            return parts[0] is None
        case Call("coalesce"):
            return next((part for part in parts if part is not None), None)
        case Logic("and"):
            return False if False in parts else None if None in parts else True
        case Logic("or"):
            return True if True in parts else None if None in parts else False
        case Member() if parts[1] == ():
            return False
    if None in parts:
        return None
    match node:
        case Not():
            return not parts[0]
        case Member():
            return parts[0] in parts[1]
        case Call(function):
            return {"max": max, "min": min}[function](parts)
        case Compare(sign):
            one, other = parts
            return {
                "==": one == other, "!=": one != other,
                **({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}
                   if not isinstance(one, tuple) else {}),
            }[sign]  # fmt: skip
        case Arithmetic("/") if parts[1] == 0:
            return None
        case Arithmetic(sign):
            one, other = parts
            made = (
                one / other if sign == "/" else {"+": one + other, "-": one - other, "*": one * other}[sign]
            )
            return made if math.isfinite(made) else None
    raise AssertionError(node)


def node_parts(node: Node) -> Sequence[Node]:
    match node:
        case Not(term) | IsNull(term):
            return [term]
        case Logic(_, terms) | Call(_, terms):
            return terms
        case Compare(_, left, right) | Arithmetic(_, left, right) | Member(left, right):
            return [left, right]
    raise AssertionError(node)


def verdict_plainly(rules: Rules, offer: Offer, facts: AccountFacts, context: Context) -> int:
    request = {"channel": context.channel, "as_of": float(context.as_of.day)}
    given = {"offer": offer.attributes(), "context": request}
    for position, rule in enumerate(rules.rules):
        if read_plainly(rule.allow.root, facts, given, {}) is not True:
            return position
    return -1


def with_odd_values(tables: Tables, seed: int) -> Tables:
    """Few products that many hold, unknown codes, and areas that offers name."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, rows in tables.items():
        for column in TABLES[name].columns:
            if column.name == "product_id" and name != "products":
                drawn = pa.array(rng.choice(PRODUCTS, len(rows)), mask=rng.random(len(rows)) < 0.1)
            elif column.name == "exchange_area":
                drawn = pa.array(rng.choice(AREAS, len(rows)), mask=rng.random(len(rows)) < 0.2)
            elif column.codes and column.name in ("account_class", "kind", "site_type", "outcome"):
                odd = pa.array(rng.random(len(rows)) < 0.1)
                drawn = pc.if_else(odd, UNHEARD_OF, rows[column.name])
            else:
                continue
            rows = rows.set_column(rows.column_names.index(column.name), column.name, drawn)
        found[name] = rows
    return found


def assert_one_verdict(
    store: Store, rules: Rules, asked: Sequence[Offer], compiled: CompiledFeatures, context: Context
) -> set[int]:
    """Compare the three readings for every account and offer; the verdicts that came up."""
    index = read_facts(store, rules, compiled, context.as_of)
    judge = Judge(rules, tuple(asked))
    met: set[int] = set()
    count = 0
    for accounts, by_sql in verdict_stream(store, rules, tuple(asked), compiled, context, batch_rows=7):
        for account, verdicts in zip(accounts, by_sql.tolist(), strict=True):
            facts = index.of(account)
            by_row = judge.verdicts(facts, context).tolist()
            plainly = [verdict_plainly(rules, offer, facts, context) for offer in asked]
            assert by_row == plainly, (account, facts, [rule.allow.text for rule in rules.rules])
            assert verdicts == plainly, (account, facts, [rule.allow.text for rule in rules.rules])
            met.update(verdicts)
        count += len(accounts)
    assert count == len(index) > 5
    return met


def rules_of(texts: Sequence[str], known: Mapping[str, Readable]) -> Rules:
    """Each text as a rule, and its opposite: together they tell true, false and unknown apart.

    A rule concerns the offers with its own number of months alone, so that none hides another.
    """
    both = [asked for text in texts for asked in (f"({text})", f"not ({text})")]
    numbered = [f"offer.term_months != {number} or {asked}" for number, asked in enumerate(both)]
    return Rules.of(
        tuple(
            Rule(f"rule_{number}", "eligibility", "tests", parse(text, known), Words("no", "否"))
            for number, text in enumerate(numbered)
        )
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_readings_of_a_rule_give_one_verdict(
    seed: int, compiled: CompiledFeatures, random_tables: Callable[[int], Tables], tmp_path: Path
) -> None:
    store = store_from_tables(tmp_path / "store", with_odd_values(random_tables(seed), seed), end_day=END)
    known = readable_features(compiled)
    names = together(names_by_kind(known), names_by_kind(CONTEXT), OFFER_NAMES)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        texts=st.lists(condition(names, True, 2), min_size=1, max_size=6),
        asked=st.lists(offers(), min_size=1, max_size=3),
        channel=CHANNEL,
        back=st.integers(0, 120),
    )
    def agree(texts: list[str], asked: list[Offer], channel: str, back: int) -> None:
        context = Context(channel, store.latest.back(back))
        rules = rules_of(texts, known)
        assert Rules.from_json(rules.to_json()) == rules
        shown = [replace(offer, term_months=n) for offer in asked for n in range(len(rules.rules))]
        assert_one_verdict(store, rules, shown, compiled, context)

    agree()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_shipped_rules_give_one_verdict(
    seed: int, compiled: CompiledFeatures, random_tables: Callable[[int], Tables], tmp_path: Path
) -> None:
    store = store_from_tables(tmp_path / "store", with_odd_values(random_tables(seed), seed), end_day=END)
    rules = read_rules(WORKSPACE.rules_path, compiled)
    met: set[int] = set()

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(asked=st.lists(offers() | offers(narrow=False), min_size=5, max_size=9), channel=CHANNEL)
    def agree(asked: list[Offer], channel: str) -> None:
        context = Context(channel, store.latest.back(40))
        met.update(assert_one_verdict(store, rules, asked, compiled, context))

    agree()
    assert len(met) > 6, met
