"""Products and offers as values: what a rule reads of them, and the record a decision keeps."""

import json
from dataclasses import replace
from typing import Any

import pytest

from nbo.errors import DataError, UsageError
from nbo.files import canonical_json
from nbo.offers.catalog import Catalog, Offer, Product
from nbo.tables.contract import Words

PSTN = Product("pstn", "voice", "functional", Words("PSTN line", "普通电话"), 2500, 1625, 10000)
ADSL = Product(
    product_id="adsl",
    family="data",
    kind="functional",
    words=Words("ADSL broadband", "ADSL宽带"),
    monthly_fee_amount=11000,
    monthly_margin_amount=6600,
    one_off_cost_amount=20000,
    comparability=2,
    classes=("A", "B"),
    site_types=("office_tower",),
    exchange_areas=("E00001",),
    channels=("shop", "web"),
    requires=("pstn",),
    cannibalises={"pstn": 0.1, "dial_up": 1.0},
    takes_over="data",
    starts=19000,
    ends=20000,
)
TARIFF = Product("adsl_light", "data", "tariff", Words("ADSL light", "ADSL轻松版"), 6000, 3600)
PREPAID = Offer(
    offer_id="adsl_12m",
    product=ADSL,
    words=Words("ADSL for a year", "ADSL包年"),
    pitch=Words("A year online.", "全年上网。"),
    term_months=12,
    monthly_fee_amount=9900,
    monthly_margin_amount=5940,
    one_off_cost_amount=15000,
    prepaid=True,
    included_minutes=100.0,
    extra_minute_amount=0.1,
    channels=("shop",),
    starts=19500,
    ends=None,
)
CATALOG = Catalog.of("CNY", 2, [PSTN, ADSL, TARIFF], [PREPAID, Offer.of(PSTN), Offer.of(TARIFF)])


def test_a_rule_reads_an_offer_in_minor_units_and_doubles() -> None:
    assert PREPAID.attributes() == {
        "offer_id": "adsl_12m",
        "product_id": "adsl",
        "family": "data",
        "kind": "functional",
        "monthly_fee": 9900.0,
        "monthly_margin": 5940.0,
        "one_off_cost": 15000.0,
        "term_months": 12.0,
        "comparability": 2.0,
        "classes": ("A", "B"),
        "site_types": ("office_tower",),
        "exchange_areas": ("E00001",),
        "channels": ("shop",),
        "requires": ("pstn",),
        "takes_over": "data",
        "included_minutes": 100.0,
        "extra_minute": 0.1,
        "prepaid": True,
        "starts": 19500.0,
        "ends": None,
        "any_site": False,
    }
    assert {name for name, value in PREPAID.attributes().items() if type(value) is int} == set()


def test_a_product_offered_as_itself_keeps_its_terms() -> None:
    offer = Offer.of(ADSL, Words("Always online.", "时刻在线。"))
    assert (offer.offer_id, offer.product, offer.words) == ("adsl", ADSL, ADSL.words)
    assert offer.pitch == Words("Always online.", "时刻在线。")
    assert (offer.monthly_fee_amount, offer.monthly_margin_amount) == (11000, 6600)
    assert (offer.one_off_cost_amount, offer.term_months, offer.prepaid) == (20000, 0, False)
    assert (offer.channels, offer.starts, offer.ends) == (("shop", "web"), 19000, 20000)
    assert Offer.of(ADSL).pitch == ADSL.words


@pytest.mark.parametrize(
    ("sites", "areas", "anywhere"),
    [((), (), True), (("factory",), (), False), ((), ("E1",), False), (("factory",), ("E1",), False)],
)
def test_anywhere_means_no_limit_of_either_kind(
    sites: tuple[str, ...], areas: tuple[str, ...], anywhere: bool
) -> None:
    product = replace(PSTN, site_types=sites, exchange_areas=areas)
    assert product.any_site is anywhere
    assert Offer.of(product).attributes()["any_site"] is anywhere


@pytest.mark.parametrize(
    ("starts", "ends", "day", "offered"),
    [
        (None, None, 0, True),
        (10, None, 9, False),
        (10, None, 10, True),
        (None, 20, 19, True),
        (None, 20, 20, False),
        (10, 20, 15, True),
    ],
)
def test_a_product_is_offered_from_its_start_and_not_on_its_end(
    starts: int | None, ends: int | None, day: int, offered: bool
) -> None:
    assert replace(PSTN, starts=starts, ends=ends).is_offered(day) is offered


def test_functional_products_are_told_apart_in_the_order_of_the_file() -> None:
    assert CATALOG.functional == (PSTN, ADSL)
    assert list(CATALOG.products) == ["pstn", "adsl", "adsl_light"]


def test_an_offer_is_found_by_its_id() -> None:
    assert CATALOG.offer("adsl_12m") is PREPAID
    with pytest.raises(UsageError, match="no such offer") as told:
        CATALOG.offer("adsl_12")
    assert str(told.value) == "offer adsl_12: no such offer in the catalog; did you mean adsl_12m?"


def test_a_catalog_survives_its_record_bit_for_bit() -> None:
    record = canonical_json(CATALOG.to_json())
    read = Catalog.from_json(json.loads(record))
    assert read == CATALOG
    assert canonical_json(read.to_json()) == record
    assert list(read.products) == list(CATALOG.products)
    assert read.offers[0].product is read.products["adsl"]
    assert list(read.products["adsl"].cannibalises) == list(ADSL.cannibalises) == ["dial_up", "pstn"]


def test_the_hash_is_16_hex_digits_over_all_that_is_said() -> None:
    assert len(CATALOG.hash) == 16
    assert int(CATALOG.hash, 16) >= 0
    changed = [
        Catalog.of("EUR", 2, CATALOG.products.values(), CATALOG.offers),
        Catalog.of("CNY", 3, CATALOG.products.values(), CATALOG.offers),
        Catalog.of("CNY", 2, CATALOG.products.values(), CATALOG.offers[1:]),
        Catalog.of("CNY", 2, CATALOG.products.values(), CATALOG.offers[::-1]),
        Catalog.of("CNY", 2, [PSTN, ADSL, replace(TARIFF, ends=1)], CATALOG.offers),
        Catalog.of("CNY", 2, [ADSL, PSTN, TARIFF], CATALOG.offers),
        Catalog.of("CNY", 2, CATALOG.products.values(), [replace(PREPAID, extra_minute_amount=0.2)]),
    ]
    assert len({CATALOG.hash, *(catalog.hash for catalog in changed)}) == len(changed) + 1
    assert Catalog.of("CNY", 2, [PSTN, ADSL, TARIFF], list(CATALOG.offers)).hash == CATALOG.hash


def test_what_a_product_takes_from_others_cannot_be_changed_afterwards() -> None:
    shares = {"pstn": 0.1}
    product = replace(PSTN, cannibalises=shares)
    shares["pstn"] = 1.0
    assert product.cannibalises == {"pstn": 0.1}
    with pytest.raises(TypeError, match="does not support item assignment"):
        product.cannibalises["pstn"] = 1.0  # type: ignore[index]


def tampered(change: dict[str, Any]) -> dict[str, Any]:
    return {**json.loads(canonical_json(CATALOG.to_json())), **change}


def test_a_record_that_was_changed_is_refused() -> None:
    with pytest.raises(DataError, match="content with hash") as told:
        Catalog.from_json(tampered({"currency": "EUR"}))
    assert str(told.value).startswith(f"catalog: expected content with hash {CATALOG.hash}, got ")


@pytest.mark.parametrize(
    "change",
    [
        {"products": []},
        {"products": None},
        {"products": ["pstn"]},
        {"products": [{"product_id": "pstn"}]},
        {"products": [{"prod": "pstn"}]},
        {"offers": [{"product": "pstn", "words": {"de": "Telefon"}}]},
    ],
)
def test_a_record_that_is_none_is_told_as_such(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="catalog: expected currency, products, offers and hash, got "):
        Catalog.from_json(tampered(change))
