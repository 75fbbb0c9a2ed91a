"""The catalog file: read whole with exact amounts, or every mistake told with its place."""

import doctest
import re
import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from nbo.asof import AsOf, day_of
from nbo.decisions.settings import offers_settings
from nbo.errors import UsageError
from nbo.offers.catalog import Catalog
from nbo.offers.entries import OfferEntry, ProductEntry
from nbo.offers.reading import catalog_problems, read_catalog
from nbo.tables.contract import Words
from nbo.world import catalog as world

ROOT = Path(__file__).resolve().parents[3]
DEFAULT = ROOT / "serving" / "offers" / "catalog.toml"
COST_SHARE = dict(zip(world.BILL_FAMILIES, world.COST_SHARE, strict=True))
CATALOG = """
currency = "CNY"
minor_digits = 2

[products.pstn]
family = "voice"
kind = "functional"
name = { en = "PSTN line", zh = "普通电话" }
pitch = { en = "One more line.", zh = "多装一条线。" }
monthly_fee = 25
monthly_margin = 16.25
comparability = 1
classes = ["A", "B"]
channels = ["shop", "web"]

[products.adsl]
family = "data"
kind = "functional"
name = { en = "ADSL", zh = "宽带" }
pitch = { en = "Always online.", zh = "时刻在线。" }
monthly_fee = 110.10
monthly_margin = 66
one_off_cost = 200
comparability = 2
classes = ["A"]
site_types = ["factory"]
exchange_areas = ["E00001"]
channels = ["shop"]
requires = ["pstn"]
cannibalises = { pstn = 0.25 }
takes_over = "data"
starts = 2024-01-01
ends = 2026-01-01

[offers.adsl_12m]
product = "adsl"
name = { en = "ADSL for a year", zh = "宽带包年" }
monthly_fee = 99
monthly_margin = 55.05
term_months = 12
prepaid = true
included_minutes = 10.5
extra_minute = 0.105
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "catalog.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def changed(old: str, new: str) -> str:
    """The catalog with its only ``old`` replaced."""
    assert CATALOG.count(old) == 1, old
    return CATALOG.replace(old, new)


def key(name: str, value: str, section: str = "products.pstn") -> str:
    """The catalog with one line of one entry replaced or added; an empty value leaves it out."""
    head, entry = CATALOG.split(f"[{section}]\n")
    lines, mark, rest = entry.partition("\n\n")
    kept = [line for line in lines.splitlines() if not line.startswith(f"{name} =")]
    added = [f"{name} = {value}"] if value else []
    return f"{head}[{section}]\n" + "\n".join(kept + added) + mark + rest


def test_amounts_become_minor_units_without_rounding(tmp_path: Path) -> None:
    catalog = read_catalog(written(tmp_path, CATALOG))
    adsl, offer = catalog.products["adsl"], catalog.offer("adsl_12m")
    assert (catalog.currency, catalog.minor_digits) == ("CNY", 2)
    assert (adsl.monthly_fee_amount, adsl.monthly_margin_amount, adsl.one_off_cost_amount) == (
        11010,
        6600,
        20000,
    )
    assert (offer.monthly_fee_amount, offer.monthly_margin_amount) == (9900, 5505)
    assert (offer.included_minutes, offer.extra_minute_amount) == (10.5, 10.5)
    assert type(adsl.monthly_fee_amount) is int


@pytest.mark.parametrize(
    ("digits", "fee", "minor"),
    [(2, "1.15", 115), (2, "2.675e1", 2675), (0, "7", 7), (4, "0.0001", 1), (2, "999999999.99", 99999999999)],
)
def test_an_amount_is_exact_in_any_currency(tmp_path: Path, digits: int, fee: str, minor: int) -> None:
    text = key("monthly_fee", fee).replace("minor_digits = 2", f"minor_digits = {digits}")
    text = text.replace("monthly_margin = 16.25", "monthly_margin = 0").partition("[products.adsl]")[0]
    assert read_catalog(written(tmp_path, text)).products["pstn"].monthly_fee_amount == minor


def test_the_rest_of_an_entry_is_read_as_it_stands(tmp_path: Path) -> None:
    catalog = read_catalog(written(tmp_path, CATALOG))
    adsl, offer = catalog.products["adsl"], catalog.offer("adsl_12m")
    assert (adsl.product_id, adsl.family, adsl.kind, adsl.comparability) == ("adsl", "data", "functional", 2)
    assert (adsl.words, adsl.classes, adsl.site_types) == (Words("ADSL", "宽带"), ("A",), ("factory",))
    assert (adsl.exchange_areas, adsl.channels, adsl.requires) == (("E00001",), ("shop",), ("pstn",))
    assert (adsl.cannibalises, adsl.takes_over) == ({"pstn": 0.25}, "data")
    assert (adsl.starts, adsl.ends) == (day_of(date(2024, 1, 1)), day_of(date(2026, 1, 1)))
    assert (offer.product, offer.words) == (adsl, Words("ADSL for a year", "宽带包年"))
    assert (offer.term_months, offer.prepaid) == (12, True)
    pstn = catalog.products["pstn"]
    assert (pstn.site_types, pstn.exchange_areas, pstn.requires, pstn.cannibalises) == ((), (), (), {})
    assert (pstn.takes_over, pstn.starts, pstn.ends, pstn.one_off_cost_amount) == (None, None, None, 0)


def test_an_offer_inherits_what_it_leaves_out(tmp_path: Path) -> None:
    offer = read_catalog(written(tmp_path, CATALOG)).offer("adsl_12m")
    assert offer.pitch == Words("Always online.", "时刻在线。")
    assert (offer.one_off_cost_amount, offer.channels) == (20000, ("shop",))
    assert (offer.starts, offer.ends) == (offer.product.starts, offer.product.ends)


def test_an_offer_has_its_own_terms_where_it_names_them(tmp_path: Path) -> None:
    own = (
        'pitch = { en = "A year.", zh = "一年。" }\none_off_cost = 0\nchannels = ["web"]\n'
        "starts = 2024-02-01\nends = 2025-01-01\n"
    )
    offer = read_catalog(written(tmp_path, CATALOG + own)).offer("adsl_12m")
    assert offer.pitch == Words("A year.", "一年。")
    assert (offer.one_off_cost_amount, offer.channels) == (0, ("web",))
    assert (offer.starts, offer.ends) == (day_of(date(2024, 2, 1)), day_of(date(2025, 1, 1)))


def test_only_products_without_an_offer_are_offered_as_themselves(tmp_path: Path) -> None:
    catalog = read_catalog(written(tmp_path, CATALOG))
    assert [offer.offer_id for offer in catalog.offers] == ["adsl_12m", "pstn"]
    assert catalog.offer("pstn").pitch == Words("One more line.", "多装一条线。")


def test_an_offer_may_have_the_id_of_its_own_product(tmp_path: Path) -> None:
    path = written(tmp_path, changed("[offers.adsl_12m]", "[offers.adsl]"))
    assert catalog_problems(path) == []
    assert [offer.offer_id for offer in read_catalog(path).offers] == ["adsl", "pstn"]


AMOUNT = "an amount from 0 to 1,000,000,000"
KEYS = [
    ("monthly_margin", "", f"expected {AMOUNT}, got none"),
    ("monthly_fee", "", f"expected {AMOUNT}, got none"),
    ("monthly_fee", "-1", f"expected {AMOUNT}, got -1"),
    ("monthly_fee", "-0.01", f"expected {AMOUNT}, got -0.01"),
    ("monthly_fee", "1000000000.01", f"expected {AMOUNT}, got 1000000000.01"),
    ("monthly_fee", '"25"', f"expected {AMOUNT}, got '25'"),
    ("monthly_fee", "true", f"expected {AMOUNT}, got true"),
    ("monthly_fee", "nan", f"expected {AMOUNT}, got NaN"),
    ("monthly_fee", "inf", f"expected {AMOUNT}, got Infinity"),
    ("monthly_fee", "25.005", f"expected {AMOUNT} with at most 2 decimals (CNY), got 25.005"),
    ("one_off_cost", "1e-400", f"expected {AMOUNT} with at most 2 decimals (CNY), got 1E-400"),
    ("one_off_cost", "0.001", f"expected {AMOUNT} with at most 2 decimals (CNY), got 0.001"),
    (
        "monthly_margin",
        "25.01",
        "expected at most the monthly fee of 25 (or a fee of 0, billed by use), got 25.01",
    ),
    ("family", '"voise"', "expected a product family, got 'voise'; did you mean voice?"),
    ("family", "3", "expected a product family, got 3"),
    ("kind", '"tarif"', "expected functional or tariff, got 'tarif'; did you mean tariff?"),
    ("name", '"PSTN"', 'expected a text in two languages, { en = "…", zh = "…" }, got \'PSTN\''),
    ("pitch", "", 'expected a text in two languages, { en = "…", zh = "…" }, got none'),
    (
        "comparability",
        "5",
        "expected 1 (single product), 2 (product line), 3 (bundle) or 4 (solution), got 5",
    ),
    (
        "comparability",
        "0",
        "expected 1 (single product), 2 (product line), 3 (bundle) or 4 (solution), got 0",
    ),
    (
        "comparability",
        "1.5",
        "expected 1 (single product), 2 (product line), 3 (bundle) or 4 (solution), got 1.5",
    ),
    (
        "classes",
        '["A", "E"]',
        "expected a list of one or more different customer classes, got ['A', 'E']; known: A, B, C, D, X",
    ),
    ("classes", "[]", "expected a list of one or more different customer classes, got []"),
    ("classes", '["A", "A"]', "expected a list of one or more different customer classes, got ['A', 'A']"),
    (
        "site_types",
        '["tower"]',
        "expected a list of different site types, got ['tower']; known: business_park, factory, "
        "office_tower, residential, shop_street",
    ),
    (
        "channels",
        '["shop", "wob"]',
        "expected a list of one or more different channels, got ['shop', 'wob']; did you mean web?",
    ),
    ("channels", '"shop"', "expected a list of one or more different channels, got 'shop'"),
    ("exchange_areas", "[1]", "expected a list of different texts, got [1]"),
    ("requires", '["asdl"]', "expected a product of this catalog, got 'asdl'; did you mean adsl?"),
    (
        "cannibalises",
        "{ asdl = 0.5 }",
        "expected a product of this catalog, got 'asdl'; did you mean adsl?",
    ),
    (
        "cannibalises",
        "{ adsl = 1.01 }",
        "expected a table of products with shares from 0 to 1, got { adsl = 1.01 }",
    ),
    (
        "cannibalises",
        "{ adsl = -0.1 }",
        "expected a table of products with shares from 0 to 1, got { adsl = -0.1 }",
    ),
    ("cannibalises", '["adsl"]', "expected a table of products with shares from 0 to 1, got ['adsl']"),
    ("takes_over", '"dat"', "expected a product family, got 'dat'; did you mean data?"),
    ("starts", '"2024-01-01"', "expected a date like 2025-03-31, got '2024-01-01'"),
    ("ends", "2024-01-01T00:00:00", "expected a date like 2025-03-31, got 2024-01-01 00:00:00"),
    ("montly_fee", "25", "unknown key; did you mean monthly_fee?"),
]


@pytest.mark.parametrize(("name", "value", "text"), KEYS)
def test_a_wrong_key_of_a_product_is_told_with_its_place(
    tmp_path: Path, name: str, value: str, text: str
) -> None:
    [told] = catalog_problems(written(tmp_path, key(name, value)))
    assert told == f"products.pstn.{name}: {text}"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("monthly_margin", "", f"expected {AMOUNT}, got none"),
        ("monthly_fee", "", f"expected {AMOUNT}, got none"),
        ("monthly_fee", "99.999", f"expected {AMOUNT} with at most 2 decimals (CNY), got 99.999"),
        (
            "monthly_margin",
            "99.01",
            "expected at most the monthly fee of 99 (or a fee of 0, billed by use), got 99.01",
        ),
        ("extra_minute", "0.10555", f"expected {AMOUNT} with at most 4 decimals (CNY), got 0.10555"),
        ("product", '"asdl"', "expected a product of this catalog, got 'asdl'; did you mean adsl?"),
        ("product", "", "expected a text, got none"),
        ("term_months", "", "expected a term of 1 month or more where prepaid = true, got 0"),
        ("term_months", "121", "expected whole months from 0 to 120, got 121"),
        ("term_months", "12.0", "expected whole months from 0 to 120, got 12.0"),
        ("prepaid", "1", "expected true or false, got 1"),
        ("included_minutes", "-1", "expected minutes a month, 0 or more, got -1"),
        ("channels", "[]", "expected a list of one or more different channels, got []"),
        (
            "starts",
            "2023-12-31",
            "expected no day before its product's start on 2024-01-01, got 2023-12-31",
        ),
        ("ends", "2026-01-02", "expected no day after its product's end on 2026-01-01, got 2026-01-02"),
        ("ends", "2024-01-01", "expected a day after its start on 2024-01-01, got 2024-01-01"),
        ("family", '"data"', "unknown key; known: channels, ends, extra_minute, included_minutes, "),
    ],
)
def test_a_wrong_key_of_an_offer_is_told_with_its_place(
    tmp_path: Path, name: str, value: str, text: str
) -> None:
    [told] = catalog_problems(written(tmp_path, key(name, value, "offers.adsl_12m")))
    assert told.startswith(f"offers.adsl_12m.{name}: {text}")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            'name = { en = "PSTN line", zh = "普通电话" }',
            'name = { en = "PSTN line" }',
            "products.pstn.name.zh: expected a text, got none",
        ),
        (
            'pitch = { en = "One more line.", zh = "多装一条线。" }',
            'pitch = { en = " ", zh = "多装一条线。" }',
            "products.pstn.pitch.en: expected a text, got ' '",
        ),
        (
            'name = { en = "ADSL for a year", zh = "宽带包年" }',
            'name = { en = "ADSL for a year", zh = "宽带包年", fr = "ADSL" }',
            "offers.adsl_12m.name.fr: unknown key; known: en, zh",
        ),
        (
            'name = { en = "ADSL for a year", zh = "宽带包年" }',
            'name = { zh = "宽带包年" }',
            "offers.adsl_12m.name.en: expected a text, got none",
        ),
        ("ends = 2026-01-01", "ends = 2024-01-01", "products.adsl.ends: expected a day after its start on "),
        ('currency = "CNY"', 'currency = "yuan"', "currency: expected an ISO 4217 code such as CNY, got "),
        ('currency = "CNY"\n', "", "currency: expected an ISO 4217 code such as CNY, got none"),
        ("minor_digits = 2", "minor_digits = 5", "minor_digits: expected a whole number from 0 to 4, got 5"),
        ("minor_digits = 2", "digits = 2\nminor_digits = 2", "digits: unknown key; did you mean minor_digit"),
        (
            "[offers.adsl_12m]",
            "[offers.pstn]",
            "offers.pstn.product: expected pstn, since a product has this id, got 'adsl'",
        ),
        (
            "[offers.adsl_12m]",
            "[offers.ADSL]",
            "offers.ADSL: expected an id that differs from adsl by more than case, got ADSL",
        ),
        (
            "[offers.adsl_12m]",
            '[offers."adsl 12m"]',
            "offers.adsl 12m: expected an id of at most 64 letters, digits, _ - and ., the first a letter, "
            "digit or _, got 'adsl 12m'",
        ),
        ("[offers.adsl_12m]", '[offers."=1+1"]', "offers.=1+1: expected an id of at most 64 letters, "),
        ("[offers.adsl_12m]", "[ofers.adsl_12m]", "ofers: unknown key; did you mean offers?"),
    ],
)
def test_what_is_wrong_elsewhere_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, text: str
) -> None:
    [told] = catalog_problems(written(tmp_path, changed(old, new)))
    assert told.startswith(text)


def test_ids_that_only_their_case_tells_apart_are_told(tmp_path: Path) -> None:
    again = CATALOG[CATALOG.index("[offers.") :].replace("adsl_12m", "Adsl_12M")
    assert catalog_problems(written(tmp_path, CATALOG + again)) == [
        "offers.Adsl_12M: expected an id that differs from adsl_12m by more than case, got Adsl_12M"
    ]


def test_tables_of_the_wrong_kind_are_told(tmp_path: Path) -> None:
    head = 'currency = "CNY"\nminor_digits = 2\n'
    assert catalog_problems(written(tmp_path, head)) == [
        "products: expected at least one product, [products.ID], got none"
    ]
    assert catalog_problems(written(tmp_path, head + "products = {}\n")) == [
        "products: expected at least one product, [products.ID], got none"
    ]
    assert catalog_problems(written(tmp_path, head + "products = 3\noffers = [1]\n")) == [
        "products: expected a table [products.ID] for each, got 3",
        "offers: expected a table [offers.ID] for each, got [1]",
    ]
    assert catalog_problems(written(tmp_path, head + 'products = { pstn = "line" }\n')) == [
        "products.pstn: expected a table of keys, got 'line'"
    ]


@pytest.mark.parametrize(
    ("name", "value", "section"),
    [
        ("monthly_margin", "25", "products.pstn"),
        ("monthly_margin", "0", "products.pstn"),
        ("cannibalises", "{ adsl = 1 }", "products.pstn"),
        ("cannibalises", "{ adsl = 0.0 }", "products.pstn"),
        ("exchange_areas", "[]", "products.pstn"),
        ("starts", "2024-01-01", "offers.adsl_12m"),
        ("ends", "2026-01-01", "offers.adsl_12m"),
        ("term_months", "120", "offers.adsl_12m"),
        ("term_months", "1", "offers.adsl_12m"),
        ("extra_minute", "0.1055", "offers.adsl_12m"),
    ],
)
def test_a_value_at_its_limit_is_none_too_many(tmp_path: Path, name: str, value: str, section: str) -> None:
    text = key(name, value, section)
    if name == "cannibalises":
        text = text.replace("cannibalises = { pstn = 0.25 }\n", "")  # else they take from each other
    assert catalog_problems(written(tmp_path, text)) == []


def test_a_term_of_0_may_be_written_down(tmp_path: Path) -> None:
    text = key("term_months", "0", "offers.adsl_12m").replace("prepaid = true", "prepaid = false")
    assert read_catalog(written(tmp_path, text)).offer("adsl_12m").term_months == 0


def test_an_id_has_at_most_64_characters(tmp_path: Path) -> None:
    assert catalog_problems(written(tmp_path, changed("[offers.adsl_12m]", f"[offers.{'a' * 64}]"))) == []
    [told] = catalog_problems(written(tmp_path, changed("[offers.adsl_12m]", f"[offers.{'a' * 65}]")))
    assert told.startswith(f"offers.{'a' * 65}: expected an id of at most 64 letters, ")


def test_a_long_value_is_shown_shortened(tmp_path: Path) -> None:
    [told] = catalog_problems(written(tmp_path, key("kind", f'"{"x" * 70}"')))
    assert told.startswith(f"products.pstn.kind: expected functional or tariff, got '{'x' * 58}…")


def test_a_fee_of_0_is_billed_by_use_and_may_have_any_margin(tmp_path: Path) -> None:
    assert catalog_problems(written(tmp_path, key("monthly_fee", "0"))) == []


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = (
        changed("monthly_margin = 66\n", "")
        .replace('requires = ["pstn"]', 'requires = ["psnt"]')
        .replace("monthly_fee = 25\n", "monthly_fee = 25.001\n")
        .replace("term_months = 12\n", "")
    )
    assert catalog_problems(written(tmp_path, text)) == [
        f"products.adsl.monthly_margin: expected {AMOUNT}, got none",
        "products.adsl.requires: expected a product of this catalog, got 'psnt'; did you mean pstn?",
        f"products.pstn.monthly_fee: expected {AMOUNT} with at most 2 decimals (CNY), got 25.001",
        "offers.adsl_12m.term_months: expected a term of 1 month or more where prepaid = true, got 0",
    ]


def entries(
    requires: dict[str, list[str]] | None = None, takes: dict[str, dict[str, float]] | None = None
) -> str:
    """A catalog of copies of the first product with these relations between them."""
    product = CATALOG[CATALOG.index("[products.pstn]") : CATALOG.index("[products.adsl]")].strip()
    text = 'currency = "CNY"\nminor_digits = 2\n'
    for name in {**(requires or {}), **(takes or {})}:
        text += "\n" + product.replace("products.pstn", f"products.{name}") + "\n"
        text += f"requires = {(requires or {}).get(name, [])}\n"
        shares = ", ".join(f"{other} = {share}" for other, share in (takes or {}).get(name, {}).items())
        text += f"cannibalises = {{ {shares} }}\n"
    return text


@pytest.mark.parametrize(
    ("requires", "told"),
    [
        ({"a": ["a"]}, ["a requires a"]),
        ({"a": ["b"], "b": ["a"]}, ["a requires b requires a"]),
        ({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}, ["a requires b requires c requires a"]),
        (
            {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]},
            ["a requires b requires a", "c requires d requires c"],
        ),
    ],
)
def test_a_product_that_only_its_holders_can_have_is_told(
    tmp_path: Path, requires: dict[str, list[str]], told: list[str]
) -> None:
    problems = catalog_problems(written(tmp_path, entries(requires)))
    assert [text.split(": ", 1)[0] for text in problems] == [
        f"products.{cycle[0]}.requires" for cycle in told
    ]
    assert [text.split("got the cycle ")[1] for text in problems] == told
    assert all("expected a product that can be had first" in text for text in problems)


@pytest.mark.parametrize(
    "requires",
    [
        {"a": [], "b": ["a"], "c": ["b"]},
        {"a": ["a", "b"], "b": []},
        {"a": ["b"], "b": ["a", "c"], "c": []},
    ],
)
def test_one_way_in_is_enough(tmp_path: Path, requires: dict[str, list[str]]) -> None:
    assert catalog_problems(written(tmp_path, entries(requires))) == []


def test_products_that_take_from_each_other_are_told(tmp_path: Path) -> None:
    takes = {"a": {"b": 0.5}, "b": {"c": 1.0}, "c": {"a": 0.1}, "d": {"a": 1.0}}
    assert catalog_problems(written(tmp_path, entries(takes=takes))) == [
        "products.a.cannibalises: expected no cycle, got a takes from b takes from c takes from a"
    ]
    assert catalog_problems(written(tmp_path, entries(takes={"a": {"a": 0.5}}))) == [
        "products.a.cannibalises: expected no cycle, got a takes from a"
    ]
    chain = {"a": {"b": 0.5, "c": 0.5}, "b": {"c": 1.0}, "c": {}}
    assert catalog_problems(written(tmp_path, entries(takes=chain))) == []


def test_a_long_chain_is_read(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(2000)]
    requires = {name: [other] for name, other in pairwise(names)}
    assert catalog_problems(written(tmp_path, entries({**requires, names[-1]: []}))) == []


def test_what_has_ended_is_told_at_a_date_only(tmp_path: Path) -> None:
    path = written(tmp_path, CATALOG + "ends = 2025-02-01\n")
    assert catalog_problems(path) == []
    assert catalog_problems(path, AsOf.parse("2025-01-31")) == []
    assert catalog_problems(path, AsOf.parse("2025-02-01")) == [
        "offers.adsl_12m.ends: expected a day after 2025-02-01, the date of the check, got 2025-02-01"
    ]
    assert len(catalog_problems(path, AsOf.parse("2026-01-01"))) == 2
    assert read_catalog(path).offer("adsl_12m").ends == day_of(date(2025, 2, 1))


def test_a_catalog_with_problems_is_refused_with_the_first(tmp_path: Path) -> None:
    path = written(tmp_path, changed("monthly_fee = 99\n", "monthly_fee = 99.999\n").replace("16.25", "26"))
    with pytest.raises(UsageError, match="and 1 more") as told:
        read_catalog(path)
    assert str(told.value) == (
        f"{path}: products.pstn.monthly_margin: expected at most the monthly fee of 25 (or a fee of 0, "
        "billed by use), got 26 (and 1 more). Run nbo check catalog for all of it."
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[products.pstn\n", "expected TOML in UTF-8, got "),
        ('currency = "\xff"\n'.encode("latin-1"), "expected TOML in UTF-8, got 'utf-8' codec can't decode"),
        (CATALOG.encode("utf-16"), "expected TOML in UTF-8, got 'utf-8' codec can't decode"),
        (f"{CATALOG}[products.pstn]\n".encode(), "expected TOML in UTF-8, got Cannot declare ('products', "),
        (f'{CATALOG}product = "pstn"\n'.encode(), "expected TOML in UTF-8, got Cannot overwrite a value"),
        (b"a = 1e99999999999999999999\n", "expected TOML in UTF-8, got a number out of range, 1e9999"),
        (b"a = " + b"[" * 100_000, "expected TOML in UTF-8, got "),
    ],
)
def test_what_is_no_toml_is_told(tmp_path: Path, content: bytes, text: str) -> None:
    path = written(tmp_path, content)
    for read in (read_catalog, catalog_problems):
        with pytest.raises(UsageError, match="expected TOML in UTF-8") as told:
            read(path)
        assert str(told.value).startswith(f"{path}: {text}")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for read in (read_catalog, catalog_problems):
        with pytest.raises(UsageError, match="no such catalog") as told:
            read(tmp_path / "none.toml")
        assert str(told.value) == f"{tmp_path / 'none.toml'}: no such catalog."
        with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\)"):
            read(tmp_path)


# The page about it

PAGE = (ROOT / "docs" / "offers.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## The catalog") : PAGE.index("## The rules")]


def test_the_page_names_every_key_and_no_other() -> None:
    tables = SECTION.split("| key of an offer |")
    for text, entry in zip(tables, (ProductEntry, OfferEntry), strict=True):
        rows = re.findall(r"^\| (`[^|]+) \|", text, flags=re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(entry.model_fields)


def test_the_examples_of_the_page_are_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [settings, catalog] = re.findall(r"^```toml\n(.*?)^```", SECTION, flags=re.DOTALL | re.MULTILINE)
    alone = re.sub(r"^(requires|cannibalises) = .*\n", "", catalog, flags=re.MULTILINE)
    assert catalog_problems(written(tmp_path, alone)) == []
    assert offers_settings(tomllib.loads(settings)).catalog == "terms/catalog.toml"
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(ROOT / "docs" / "offers.md"), module_relative=False, encoding="utf-8")
    assert (result.attempted >= 5, result.failed) == (True, 0)


# The catalog of the house


@pytest.fixture(scope="module")
def house() -> Catalog:
    return read_catalog(DEFAULT)


PRODUCTS = [
    "pstn", "isdn", "aps", "city_mobility", "np", "stock_link", "change_at_will", "centrex",
    "business_link", "toll_free_800", "conference", "video", "phs", "group_mobile", "trunk", "ip_17909",
    "card_96872", "long_time_space", "hk_time_space", "prepaid", "volume_agreement", "dial_up", "adsl",
    "lan", "wlan_adsl", "business_adsl", "business_lan", "sky_wing", "broadband_trader", "leased",
    "adsl_light", "adsl_classic", "adsl_free", "growth_plan", "merchant_home",
]  # fmt: skip


def test_a_product_that_comes_with_another_is_held_and_not_offered(house: Catalog) -> None:
    assert {"trunk", "dial_up"} <= set(house.products)
    assert not {"trunk", "dial_up"} & {offer.product.product_id for offer in house.offers}


def test_the_catalog_of_the_house_has_every_product_and_no_problem(house: Catalog) -> None:
    assert catalog_problems(DEFAULT, AsOf.parse("2025-02-01")) == []
    assert sorted(house.products) == sorted(PRODUCTS)
    assert {offer.product.product_id for offer in house.offers} == set(PRODUCTS) - {"trunk", "dial_up"}
    assert 40 <= len(house.offers) <= 60


def test_classes_are_those_of_the_matrix(house: Catalog) -> None:
    matrix = {
        "ABCDX": "pstn isdn aps city_mobility np stock_link change_at_will",
        "ABCX": "centrex business_link",
        "ABX": "toll_free_800 conference",
        "AX": "video group_mobile",
    }
    told = {name: classes for classes, names in matrix.items() for name in names.split()}
    assert {name: "".join(product.classes) for name, product in house.products.items()} == {
        name: told.get(name, "ABCDX") for name in PRODUCTS
    }


def test_tiers_are_as_many_as_the_domain_says(house: Catalog) -> None:
    tiers = {"long_time_space": 10, "hk_time_space": 5, "prepaid": 4, "growth_plan": 3, "leased": 4}
    assert {name: sum(offer.product.product_id == name for offer in house.offers) for name in tiers} == tiers
    leased = [offer.monthly_fee_amount for offer in house.offers if offer.product.product_id == "leased"]
    assert leased == [50000, 60000, 80000, 100000]


def test_a_higher_tier_gives_a_cheaper_minute(house: Catalog) -> None:
    for name in ("long_time_space", "hk_time_space", "prepaid"):
        tiers = [offer for offer in house.offers if offer.product.product_id == name]
        minutes = [offer.monthly_fee_amount / offer.included_minutes for offer in tiers]
        assert minutes == sorted(minutes, reverse=True), name
        assert [o.monthly_fee_amount for o in tiers] == sorted(o.monthly_fee_amount for o in tiers)


def test_business_adsl_has_the_terms_of_the_domain(house: Catalog) -> None:
    year, half = house.offer("business_adsl_12m"), house.offer("business_adsl_6m")
    assert (year.monthly_fee_amount, year.term_months, year.prepaid) == (33300, 12, True)
    assert year.monthly_fee_amount * year.term_months == 399600
    assert (half.monthly_fee_amount, half.term_months, half.prepaid) == (46500, 6, True)
    assert half.monthly_fee_amount * half.term_months == 279000
    listed = house.offer("business_adsl_list")
    assert (listed.monthly_fee_amount, listed.term_months, listed.prepaid) == (63000, 0, False)


def test_what_takes_over_a_long_distance_bill_has_the_price_of_a_minute(house: Catalog) -> None:
    """Else its cost for the present use is unknown, and nobody can say that it is not dearer."""
    prices = {
        offer.offer_id: offer.extra_minute_amount
        for offer in house.offers
        if offer.product.takes_over == "long_distance"
    }
    assert min(prices.values()) > 0
    assert prices["ip_17909"] == world.IP_MINUTE[1] == 30


def test_growth_plans_ask_1_1_1_0_and_0_9_of_the_plan_base(house: Catalog) -> None:
    fees = [house.offer(f"growth_plan_{plan}").monthly_fee_amount for plan in "abc"]
    assert fees == [220000, 200000, 180000]


def test_what_an_offer_would_take_over_is_told(house: Catalog) -> None:
    told = {name: product.takes_over for name, product in house.products.items() if product.takes_over}
    assert {name for name, family in told.items() if family == "long_distance"} == {
        "ip_17909", "card_96872", "long_time_space", "hk_time_space", "prepaid", "volume_agreement",
    }  # fmt: skip
    assert {name for name, family in told.items() if family == "data"} == {
        "adsl_light", "adsl_classic", "adsl_free",
    }  # fmt: skip


def test_products_are_those_of_the_simulated_operator(house: Catalog) -> None:
    simulated = {item.product_id: item for item in world.PRODUCTS}
    assert set(simulated) == set(house.products)
    for name, product in house.products.items():
        item = simulated[name]
        assert (product.family, product.kind) == (item.family, item.kind), name
        assert product.words == Words(item.name_en, item.name_zh), name


def test_fees_and_margins_are_those_of_the_simulated_operator(house: Catalog) -> None:
    """Where the simulator bills no fee, the catalog is free to price a tariff."""
    compared = [item for item in world.PRODUCTS if item.fee or item.kind == "functional"]
    assert len(compared) == 26
    for item in compared:
        product = house.products[item.product_id]
        assert product.monthly_fee_amount == item.fee, item.product_id
        if item.fee + item.use:
            margin = round((item.fee + item.use) * (1 - COST_SHARE[item.family]))
            assert product.monthly_margin_amount == margin, item.product_id


def test_margins_of_the_house_follow_its_cost_shares(house: Catalog) -> None:
    items = [*house.products.values(), *house.offers]
    for item in items:
        family = item.family if hasattr(item, "family") else item.product.family
        if family in COST_SHARE and item.monthly_fee_amount:
            margin = round(item.monthly_fee_amount * (1 - COST_SHARE[family]))
            assert item.monthly_margin_amount == margin, item
