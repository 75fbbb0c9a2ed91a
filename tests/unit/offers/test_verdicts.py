"""Verdicts account by account and block by block: what is worked out once, and what they need."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nbo.asof import AsOf
from nbo.errors import DataError
from nbo.features import compile_features
from nbo.features.build import build_features
from nbo.offers.catalog import Offer, Product
from nbo.offers.expressions import TRUE
from nbo.offers.facts import AccountFacts, read_facts
from nbo.offers.parsing import parse
from nbo.offers.readable import readable_features
from nbo.offers.rules import MAX_RULES, Rule, Rules, read_rules
from nbo.offers.verdicts import CONTEXTS, Context, Judge, Plan, block_sql, fold_offers, verdict_stream
from nbo.tables.contract import Words
from nbo.tables.store import Store
from nbo.workspace import Workspace

WORKSPACE = Workspace.find(Path(__file__).resolve().parents[3])
COMPILED = compile_features(WORKSPACE.feature_sets("offers"), "marketing")
WORDS = Words("PHS", "小灵通")
PHS = Offer.of(Product("phs", "mobile", "functional", WORDS, 2500, 1500, channels=("shop",)))
LAN = Offer.of(Product("lan", "data", "functional", WORDS, 9000, 1500, channels=("shop", "web")))
OFFERS = (PHS, LAN)
SHOP = Context("shop", AsOf(300))


def rules_of(*texts: str) -> Rules:
    known = readable_features(COMPILED)
    return Rules.of(
        tuple(Rule(f"r{n}", "eligibility", "o", parse(text, known), WORDS) for n, text in enumerate(texts))
    )


def facts(**tables: list[dict[str, str | None]]) -> AccountFacts:
    return AccountFacts({"bills_bill_amount_sum_92d": 5_000.0}, tables)


def test_the_first_rule_that_does_not_allow_is_the_verdict() -> None:
    rules = rules_of(
        "channel in offer.channels",
        "offer.monthly_fee <= bills_bill_amount_sum_92d",
        'not any(t.state == "open" for t in orders)',
    )
    judge = Judge(rules, OFFERS)
    free, busy = facts(orders=[{"state": "done"}]), facts(orders=[{"state": "done"}, {"state": "open"}])
    assert judge.verdicts(free, SHOP).tolist() == [-1, 1]
    assert judge.verdicts(busy, SHOP).tolist() == [2, 1]
    assert judge.verdicts(busy, replace(SHOP, channel="web")).tolist() == [0, 1]
    assert judge.verdicts(free, SHOP).dtype == np.int8


def test_unknown_is_no() -> None:
    judge = Judge(rules_of("bills_bill_amount_sum_92d > 0"), OFFERS)
    assert judge.verdicts(AccountFacts({"bills_bill_amount_sum_92d": None}, {}), SHOP).tolist() == [0, 0]
    assert judge.verdicts(AccountFacts({"bills_bill_amount_sum_92d": float("nan")}, {}), SHOP).tolist() == [
        0,
        0,
    ]


def test_an_any_may_compare_rows_with_the_account() -> None:
    rule = "any(t.term_months > bills_bill_amount_sum_92d for t in contracts)"
    judge = Judge(rules_of(rule), (PHS,))
    found = [
        judge.verdicts(facts(contracts=[{"term_months": months}]), SHOP).tolist()
        for months in (5_000, 5_001, None)
    ]
    assert found == [[0], [-1], [0]]


def test_what_offer_and_request_decide_is_worked_out_before_any_account() -> None:
    rules = rules_of(
        "channel in offer.channels and offer.monthly_fee > 0",
        'not any(t.state == "open" and t.product_id == offer.product_id for t in orders)',
        'not any(t.state == "open" for t in orders)',
        'offer.prepaid or not any(t.state == "open" for t in orders)',
    )
    plan = Plan.of(fold_offers(rules, OFFERS), SHOP)
    assert len(plan.terms) == 3
    assert plan.conditions[plan.places[0, 0]] == TRUE
    assert plan.places[0, 2] == plan.places[0, 3] == plan.places[1, 2] == plan.places[1, 3]
    assert plan.places[0, 1] != plan.places[1, 1]
    text = block_sql(plan, 0, 10)
    assert "FROM orders " not in text
    assert "channel" not in text


def test_a_judge_prepares_a_context_once_and_keeps_only_so_many() -> None:
    judge = Judge(rules_of("as_of < 400 and channel in offer.channels"), OFFERS)
    assert judge.prepared(SHOP) is judge.prepared(Context("shop", AsOf(300)))
    for day in range(300, 300 + 2 * CONTEXTS):
        assert judge.verdicts(facts(), Context("shop", AsOf(day))).tolist() == [-1 if day < 400 else 0] * 2
    assert len(judge._prepared) <= CONTEXTS


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (AccountFacts({}, {"orders": []}), "bills_bill_amount_sum_92d"),
        (facts(), "orders"),
        (facts(orders=[{"kind": "new"}]), "state"),
    ],
)
def test_facts_that_lack_what_the_rules_read_are_refused(given: AccountFacts, missing: str) -> None:
    judge = Judge(
        rules_of('bills_bill_amount_sum_92d > 0 and not any(t.state == "open" for t in orders)'), OFFERS
    )
    with pytest.raises(DataError, match=f"facts: expected {missing}, which the rules read, got none"):
        judge.verdicts(given, SHOP)


def test_as_many_rules_as_are_allowed_can_stop() -> None:
    rules = rules_of(*["True"] * (MAX_RULES - 1), "False")
    assert Judge(rules, OFFERS).verdicts(facts(), SHOP).tolist() == [MAX_RULES - 1] * 2


def test_without_offers_or_rules_nothing_is_stopped() -> None:
    assert Judge(rules_of("False"), ()).verdicts(facts(), SHOP).shape == (0,)
    assert Judge(rules_of(), OFFERS).verdicts(facts(), SHOP).tolist() == [-1, -1]


MIXED = rules_of(
    "channel in offer.channels",
    'accounts_account_class in ["A", "B", "C"] or accounts_kind is null',
    "offer.monthly_fee < coalesce(bills_bill_amount_sum_92d * 10, 3000)",
    'any(t.state == "closed" and t.kind != "complaint" for t in tickets)',
    "not any(t.satisfaction / 1000 > calls_out_national_hkmt_international_minutes_sum_90d for t in surveys)",
)


@pytest.mark.parametrize("rows", [1, 4, 1_000])
def test_blocks_are_those_of_the_snapshot_whatever_their_size(
    rows: int, random_store: Callable[[int], Store]
) -> None:
    store = random_store(3)
    context = Context("shop", store.latest.back(30))
    blocks = list(verdict_stream(store, MIXED, OFFERS, COMPILED, context, batch_rows=rows))
    snapshot = build_features(store, COMPILED, context.as_of)
    assert [len(accounts) for accounts, _ in blocks] == [part.num_rows for part in snapshot.batches(rows)]
    accounts = [account for names, _ in blocks for account in names]
    assert accounts == snapshot.read()["account_id"].to_pylist() == sorted(accounts)
    verdicts = np.concatenate([found for _, found in blocks])
    assert verdicts.dtype == np.int8
    assert len(np.unique(verdicts)) > 2
    index = read_facts(store, MIXED, COMPILED, context.as_of)
    judge = Judge(MIXED, OFFERS)
    recorded = [AccountFacts.from_json(json.loads(json.dumps(index.of(a).to_json()))) for a in accounts]
    assert np.array([judge.verdicts(one, context) for one in recorded]).tolist() == verdicts.tolist()


def test_a_population_of_nobody_has_no_blocks(random_store: Callable[[int], Store]) -> None:
    store = random_store(1)
    context = Context("shop", AsOf(store.first_as_of.day - 1))
    assert list(verdict_stream(store, MIXED, OFFERS, COMPILED, context)) == []
    assert len(read_facts(store, MIXED, COMPILED, context.as_of)) == 0


def test_no_offers_make_columns_of_nothing(random_store: Callable[[int], Store]) -> None:
    store = random_store(1)
    [(accounts, verdicts)] = verdict_stream(store, MIXED, (), COMPILED, Context("shop", store.latest))
    assert verdicts.shape == (len(accounts), 0)


def test_the_shipped_rules_stop_nothing_for_ever(random_store: Callable[[int], Store]) -> None:
    """Each shipped rule is undecided for some offer, or decided by the offer or the day alone."""
    rules = read_rules(WORKSPACE.rules_path, COMPILED)
    plan = Plan.of(fold_offers(rules, OFFERS), replace(SHOP, as_of=random_store(1).latest))
    constant = {rule.id for n, rule in enumerate(rules.rules) if plan.conditions[plan.places[0, n]] == TRUE}
    assert constant == {"not_on_sale", "channel", "not_deliverable", "needs_product", "dearer_for_same_use"}
