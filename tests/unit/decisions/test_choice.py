"""Ranking by hand-made catalogs: margins, cheapest terms, order, and what is stopped."""

import numpy as np
import pytest

from nbo.decisions.choice import Choice, Terms, choose, scored_products
from nbo.offers.catalog import Catalog, Offer, Product
from nbo.tables.contract import Words

RULES = 3
MONTHS = 12


def product(name: str, margin: int, kind: str = "functional", **more: object) -> Product:
    words = Words(name, name)
    return Product(name, "data", kind, words, 2 * margin, margin, **more)  # type: ignore[arg-type]


ADSL = product("adsl", 100)
FAST = product("fast", 300, one_off_cost_amount=600, cannibalises={"adsl": 0.5})
TARIFF = product("tariff", 50, kind="tariff")
LOSS = product("loss", 10, one_off_cost_amount=500)
LONG_TERM = Offer("fast_12m", FAST, FAST.words, FAST.words, 12, 400, 200, 600)


def catalog() -> Catalog:
    offers = [Offer.of(ADSL), Offer.of(FAST), LONG_TERM, Offer.of(TARIFF), Offer.of(LOSS)]
    return Catalog.of("CNY", 2, [ADSL, TARIFF, FAST, LOSS], offers)


@pytest.fixture
def terms() -> Terms:
    return Terms.of(catalog(), MONTHS)


def chosen(terms: Terms, verdicts: list[int], held: list[str], p_take: list[float]) -> Choice:
    flags = np.array([[name in held for name in terms.product_ids]])
    return choose(terms, RULES, np.array([verdicts], np.int8), flags, np.array([p_take]))


def test_functional_products_come_first(terms: Terms) -> None:
    assert terms.product_ids == ("adsl", "fast", "loss", "tariff")
    assert terms.functional == 3


def test_margin_is_over_the_horizon_less_one_off_cost_and_what_is_taken_from_held_products(
    terms: Terms,
) -> None:
    nothing = np.array([[False] * 4])
    adsl = np.array([[True, False, False, False]])
    assert terms.margins(nothing).tolist() == [[1200, 3000, 1800, 600, -380]]
    assert terms.margins(adsl).tolist() == [[1200, 2400, 1200, 600, -380]]


def test_offers_are_ranked_by_expected_margin_and_tariffs_come_last(terms: Terms) -> None:
    found = chosen(terms, [-1, 0, -1, -1, -1], [], [0.5, 0.1, 0.9])
    assert found.expected[0, [0, 2]].tolist() == [600, 180]
    assert found.rank.tolist() == [[1, 0, 2, 3, 0]]


def test_only_the_cheapest_open_terms_of_a_product_stay(terms: Terms) -> None:
    both = chosen(terms, [-1] * 5, [], [0.5, 0.5, 0.5])
    assert both.stopped.tolist() == [[-1, RULES, -1, -1, RULES + 1]]
    dear_alone = chosen(terms, [-1, -1, 2, -1, -1], [], [0.5, 0.5, 0.5])
    assert dear_alone.stopped.tolist() == [[-1, -1, 2, -1, RULES + 1]]


def test_an_offer_that_costs_more_than_it_brings_is_stopped_however_likely(terms: Terms) -> None:
    found = chosen(terms, [-1] * 5, [], [0.1, 0.1, 1.0])
    assert found.stopped[0, 4] == RULES + 1
    assert found.rank[0, 4] == 0


def test_terms_that_bring_nothing_do_not_stand_before_those_that_do() -> None:
    cheap = Offer("cheap", ADSL, ADSL.words, ADSL.words, 0, 50, -1, 0)
    fair = Offer("fair", ADSL, ADSL.words, ADSL.words, 0, 200, 100, 0)
    terms = Terms.of(Catalog.of("CNY", 2, [ADSL], [cheap, fair]), MONTHS)
    found = choose(terms, 0, np.full((1, 2), -1, np.int8), np.zeros((1, 1), bool), np.array([[0.5]]))
    assert found.stopped.tolist() == [[1, -1]]
    assert found.rank.tolist() == [[0, 1]]


def test_what_a_rule_stopped_has_no_probability(terms: Terms) -> None:
    found = chosen(terms, [1, 1, 1, 1, 1], [], [0.5, 0.5, 0.5])
    assert np.isnan(found.p_take).all()
    assert not found.rank.any()


def test_equal_margins_keep_the_order_of_the_catalog() -> None:
    one, two = product("one", 100), product("two", 100)
    terms = Terms.of(Catalog.of("CNY", 2, [two, one], [Offer.of(two), Offer.of(one)]), MONTHS)
    found = choose(terms, 0, np.full((1, 2), -1, np.int8), np.zeros((1, 2), bool), np.array([[0.5, 0.5]]))
    assert found.rank.tolist() == [[1, 2]]


def test_only_lacking_functional_products_with_an_open_offer_are_scored(terms: Terms) -> None:
    verdicts = np.array([[-1, 2, -1, -1, 0]], np.int8)
    held = np.array([[True, False, False, False]])
    assert scored_products(terms, verdicts, held).tolist() == [[False, True, False]]


def test_one_account_is_ranked_as_inside_a_batch(terms: Terms) -> None:
    rng = np.random.default_rng(5)
    n = 400
    verdicts = rng.choice(np.array([-1, -1, 0, 2], np.int8), (n, 5))
    held = rng.random((n, 4)) < 0.3
    p_take = np.where(rng.random((n, 3)) < 0.1, np.nan, rng.random((n, 3)))
    together = choose(terms, RULES, verdicts, held, p_take)
    for row in range(n):
        alone = choose(terms, RULES, verdicts[[row]], held[[row]], p_take[[row]])
        for name in ("stopped", "p_take", "margin", "expected", "rank"):
            assert np.array_equal(getattr(alone, name)[0], getattr(together, name)[row], equal_nan=True), name
