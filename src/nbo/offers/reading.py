"""The operator's catalog file: read whole, checked whole, every problem told with its place.

Amounts stand there as decimals of the currency; they become integer minor units without rounding,
so one with too many decimals is a problem and not a nearby number.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from nbo.asof import AsOf, day_of
from nbo.errors import UsageError
from nbo.offers.catalog import Catalog, Offer, Product
from nbo.offers.entries import (
    AMOUNT,
    Entry,
    Head,
    OfferEntry,
    ProductEntry,
    TextEntry,
    shape_problems,
    shown,
)
from nbo.tables.contract import Words, close_matches

ID = re.compile(r"\w[\w.-]{0,63}")
SECTIONS = ("currency", "minor_digits", "products", "offers")
MINUTE_DIGITS = 2
"""Decimals that a price of a minute may have beyond those of the currency."""
E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Draft:
    """A file as far as it could be understood, and what could not.

    Parameters
    ----------
    tables : mapping of str to mapping
        ``products`` and ``offers`` as they stand in the file, by id.
    head : Head or None
        None where the currency is not understood.
    products, offers : mapping of str to entry
        Those whose keys are all right, by id.
    problems : list of str
        Keys that are wrong, one text each, with its place.
    """

    tables: Mapping[str, Mapping[str, Any]]
    head: Head | None
    products: Mapping[str, ProductEntry]
    offers: Mapping[str, OfferEntry]
    problems: list[str]

    @property
    def product_ids(self) -> tuple[str, ...]:
        """All ids of products, right or not, so that one mistake is not told twice."""
        return tuple(self.tables["products"])


def read_catalog(path: Path) -> Catalog:
    """Read a catalog file.

    Raises
    ------
    UsageError
        The file cannot be read, is not TOML in UTF-8, or breaks a rule: the first problem is told.
    """
    draft = drafted(toml_content(path))
    problems = all_problems(draft)
    if problems or draft.head is None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UsageError(f"{path}: {problems[0]}{more}", "Run nbo check catalog for all of it")
    return built(draft, draft.head)


def catalog_problems(path: Path, as_of: AsOf | None = None) -> list[str]:
    """Every problem of a catalog file, ``products.ID.key: …`` or ``offers.ID.key: …``; none is fit.

    Parameters
    ----------
    as_of : AsOf or None
        Also tell what is no longer offered at this date.

    Raises
    ------
    UsageError
        The file cannot be read or is not TOML in UTF-8.
    """
    draft = drafted(toml_content(path))
    return [*all_problems(draft), *(ended(draft, as_of) if as_of else ())]


def toml_content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=exact)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such catalog") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected TOML in UTF-8, got {error}") from None


def exact(number: str) -> Decimal:
    """A number of the file without the detour over binary fractions."""
    try:
        return Decimal(number)
    except InvalidOperation:
        raise ValueError(f"a number out of range, {number}") from None


def drafted(content: Mapping[str, Any]) -> Draft:
    """What the file says, entry by entry; the keys of each are checked on their own."""
    problems = [
        f"{name}: unknown key{close_matches(name, SECTIONS)}" for name in content if name not in SECTIONS
    ]
    money = {name: content[name] for name in Head.model_fields if name in content}
    head = entry(Head, money, "", problems)
    tables = {name: table(content, name, problems) for name in ("products", "offers")}
    if content.get("products", {}) == {}:
        problems.append("products: expected at least one product, [products.ID], got none")
    products = entries(ProductEntry, "products", tables["products"], problems)
    offers = entries(OfferEntry, "offers", tables["offers"], problems)
    return Draft(tables, head, products, offers, problems)


def table(content: Mapping[str, Any], name: str, problems: list[str]) -> dict[str, Any]:
    found = content.get(name, {})
    if isinstance(found, dict):
        return found
    problems.append(f"{name}: expected a table [{name}.ID] for each, got {shown(found)}")
    return {}


def entries(kind: type[E], section: str, found: Mapping[str, Any], problems: list[str]) -> dict[str, E]:
    read = {name: entry(kind, value, f"{section}.{name}", problems) for name, value in found.items()}
    return {name: value for name, value in read.items() if value is not None}


def entry(kind: type[E], value: object, where: str, problems: list[str]) -> E | None:
    if not isinstance(value, dict):
        problems.append(f"{where}: expected a table of keys, got {shown(value)}")
        return None
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        prefix = f"{where}." if where else ""
        problems += [prefix + text for text in shape_problems(kind, error)]
        return None


def all_problems(draft: Draft) -> list[str]:
    """Wrong keys, then wrong ids, then what is wrong between keys and between entries."""
    found = [*draft.problems, *id_problems(draft), *reference_problems(draft)]
    for product_id, product in draft.products.items():
        texts = [*money_problems(draft.head, product), *span_problems(product.starts, product.ends)]
        found += [f"products.{product_id}.{text}" for text in texts]
    for offer_id, offer in draft.offers.items():
        found += [f"offers.{offer_id}.{text}" for text in offer_problems(draft, offer)]
    return [*found, *cycle_problems(draft)]


def id_problems(draft: Draft) -> Iterator[str]:
    """Ids that are no ids, or that only their case tells apart."""
    seen: dict[str, str] = {}
    for section, name in [(section, name) for section, table in draft.tables.items() for name in table]:
        if not ID.fullmatch(name):
            yield (
                f"{section}.{name}: expected an id of at most 64 letters, digits, _ - and ., the first a "
                f"letter, digit or _, got {name!r}"
            )
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield f"{section}.{name}: expected an id that differs from {other} by more than case, got {name}"


def reference_problems(draft: Draft) -> Iterator[str]:
    """Products that are named and not there; read from the file, as another key may be wrong."""
    for section, key in (("products", "requires"), ("products", "cannibalises"), ("offers", "product")):
        for item_id, item in draft.tables[section].items():
            for name in named(item.get(key) if isinstance(item, dict) else None):
                if name not in draft.product_ids:
                    near = close_matches(name, draft.product_ids)
                    yield f"{section}.{item_id}.{key}: expected a product of this catalog, got {name!r}{near}"
                if key == "product" and item_id in draft.product_ids and item_id != name:
                    yield (
                        f"offers.{item_id}.product: expected {item_id}, since a product has this id, "
                        f"got {name!r}"
                    )


def named(value: object) -> list[str]:
    """Ids in a text, in a list or as the keys of a table; what else stands there is told as a wrong key."""
    found = [value] if isinstance(value, str) else list(value) if isinstance(value, list | dict) else []
    return [name for name in found if isinstance(name, str)]


def offer_problems(draft: Draft, offer: OfferEntry) -> Iterator[str]:
    yield from money_problems(draft.head, offer)
    if draft.head is not None:
        digits = draft.head.minor_digits + MINUTE_DIGITS
        yield from decimal_problems("extra_minute", offer.extra_minute, digits, draft.head.currency)
    if offer.prepaid and not offer.term_months:
        yield "term_months: expected a term of 1 month or more where prepaid = true, got 0"
    product = draft.products.get(offer.product)
    if product is None:
        yield from span_problems(offer.starts, offer.ends)
    elif offer.starts or offer.ends:
        yield from span_problems(offer.starts or product.starts, offer.ends or product.ends)
        yield from beyond_product(product, offer)


def money_problems(head: Head | None, item: ProductEntry | OfferEntry) -> Iterator[str]:
    for key in ("monthly_fee", "monthly_margin", "one_off_cost"):
        if head is not None and getattr(item, key) is not None:
            yield from decimal_problems(key, getattr(item, key), head.minor_digits, head.currency)
    if 0 < item.monthly_fee < item.monthly_margin:
        yield (
            f"monthly_margin: expected at most the monthly fee of {item.monthly_fee} (or a fee of 0, billed "
            f"by use), got {item.monthly_margin}"
        )


def decimal_problems(key: str, amount: Decimal, digits: int, currency: str) -> Iterator[str]:
    if amount != amount.quantize(Decimal(1).scaleb(-digits)):
        yield f"{key}: expected {AMOUNT} with at most {digits} decimals ({currency}), got {amount}"


def span_problems(starts: date | None, ends: date | None) -> Iterator[str]:
    if starts is not None and ends is not None and ends <= starts:
        yield f"ends: expected a day after its start on {starts}, got {ends}"


def beyond_product(product: ProductEntry, offer: OfferEntry) -> Iterator[str]:
    """Days on which the offer would stand and its product not."""
    if product.starts is not None and offer.starts is not None and offer.starts < product.starts:
        yield f"starts: expected no day before its product's start on {product.starts}, got {offer.starts}"
    if product.ends is not None and offer.ends is not None and offer.ends > product.ends:
        yield f"ends: expected no day after its product's end on {product.ends}, got {offer.ends}"


def cycle_problems(draft: Draft) -> Iterator[str]:
    """Products that only their holders can have, and cannibals that eat each other."""
    stuck = unobtainable(draft.products)
    for cycle in cycles({name: draft.products[name].requires for name in stuck}):
        yield (
            f"products.{cycle[0]}.requires: expected a product that can be had first, got the cycle "
            + " requires ".join(cycle)
        )
    for cycle in cycles({name: tuple(product.cannibalises) for name, product in draft.products.items()}):
        yield f"products.{cycle[0]}.cannibalises: expected no cycle, got " + " takes from ".join(cycle)


def unobtainable(products: Mapping[str, ProductEntry]) -> list[str]:
    """Products of which every way in passes through themselves; unknown ones are told elsewhere."""
    stuck = {name for name, product in products.items() if product.requires}
    while freed := {name for name in stuck if not set(products[name].requires) <= stuck}:
        stuck -= freed
    return [name for name in products if name in stuck]


def cycles(graph: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Cycles that together hold every product on one: each starts and ends with the same product."""
    edges = {name: list(others) for name, others in graph.items()}
    while True:
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            cycle: list[str] = list(reversed(error.args[1]))
            yield cycle
            edges[cycle[0]].remove(cycle[1])
        else:
            return


def ended(draft: Draft, as_of: AsOf) -> Iterator[str]:
    """What is no longer offered at the date, and so should leave the file."""
    places = [(f"products.{name}", product.ends) for name, product in draft.products.items()]
    places += [(f"offers.{name}", offer.ends) for name, offer in draft.offers.items()]
    for where, ends in places:
        if ends is not None and day_of(ends) <= as_of.day:
            yield f"{where}.ends: expected a day after {as_of}, the date of the check, got {ends}"


def built(draft: Draft, head: Head) -> Catalog:
    """The catalog of a draft without problems."""
    products = {name: product_of(name, item, head) for name, item in draft.products.items()}
    offers = [
        offer_of(name, item, products[item.product], draft.products[item.product], head)
        for name, item in draft.offers.items()
    ]
    explicit = {item.product for item in draft.offers.values()}
    for name, product in products.items():
        if name not in explicit and draft.products[name].offered:
            offers.append(Offer.of(product, words(draft.products[name].pitch)))
    return Catalog.of(head.currency, head.minor_digits, products.values(), offers)


def product_of(product_id: str, item: ProductEntry, head: Head) -> Product:
    return Product(
        product_id=product_id,
        family=item.family,
        kind=item.kind,
        words=words(item.name),
        monthly_fee_amount=minor(item.monthly_fee, head),
        monthly_margin_amount=minor(item.monthly_margin, head),
        one_off_cost_amount=minor(item.one_off_cost, head),
        comparability=item.comparability,
        classes=item.classes,
        site_types=item.site_types,
        exchange_areas=item.exchange_areas,
        channels=item.channels,
        requires=item.requires,
        cannibalises=item.cannibalises,
        takes_over=item.takes_over,
        starts=day_number(item.starts),
        ends=day_number(item.ends),
    )


def offer_of(offer_id: str, item: OfferEntry, product: Product, source: ProductEntry, head: Head) -> Offer:
    cost = source.one_off_cost if item.one_off_cost is None else item.one_off_cost
    return Offer(
        offer_id=offer_id,
        product=product,
        words=words(item.name),
        pitch=words(item.pitch or source.pitch),
        term_months=item.term_months,
        monthly_fee_amount=minor(item.monthly_fee, head),
        monthly_margin_amount=minor(item.monthly_margin, head),
        one_off_cost_amount=minor(cost, head),
        prepaid=item.prepaid,
        included_minutes=float(item.included_minutes),
        extra_minute_amount=float(item.extra_minute.scaleb(head.minor_digits)),
        channels=item.channels or product.channels,
        starts=day_number(item.starts or source.starts),
        ends=day_number(item.ends or source.ends),
    )


def minor(amount: Decimal, head: Head) -> int:
    return int(amount.scaleb(head.minor_digits))


def words(texts: TextEntry) -> Words:
    return Words(texts.en, texts.zh)


def day_number(when: date | None) -> int | None:
    return None if when is None else day_of(when)
