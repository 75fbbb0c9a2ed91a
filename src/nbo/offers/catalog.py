"""Products and offers: what an account can hold, and the terms on which it is proposed.

A product says who may have it, what it earns and what it costs us elsewhere; an offer is a product
on stated terms. Money is integer minor units here; the operator's file has decimals
(:mod:`nbo.offers.reading`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, TypeVar

from nbo.errors import DataError, UsageError
from nbo.files import canonical_json, sha256_bytes
from nbo.tables.contract import Words, close_matches

CATALOG_VERSION = 1
COMPARABILITY = ("single product", "product line", "bundle", "solution")
"""How hard an offer is to compare with another: 1 (easy) to 4."""


@dataclass(frozen=True)
class Product:
    """What an account can hold, with its price, its margin and its limits.

    Parameters
    ----------
    product_id, family, kind : str
        ``family`` and ``kind`` are codes of the table ``products``: kind ``functional`` (a line, a
        service) or ``tariff`` (a way to price one, or a bundle).
    words : Words
        Its name.
    monthly_fee_amount, monthly_margin_amount, one_off_cost_amount : int
        Minor units, 0 or more. A fee of 0 is billed by use, and the margin is that of the use;
        any other fee is at least the margin. The one-off cost is ours: installation, equipment.
    comparability : int
        1 to 4, see :data:`COMPARABILITY`.
    classes : tuple of str
        Account classes that may be offered it.
    site_types, exchange_areas : tuple of str
        Where it can be delivered; ``()`` anywhere.
    channels : tuple of str
        Channels that may offer it.
    requires : tuple of str
        Products of which one must be held; ``()`` none.
    cannibalises : mapping of str to float
        Held product to the share (0 to 1) of its margin that is lost; in the order of the ids.
    takes_over : str or None
        Bill family whose present bill it would take over for the same use; None = a new use.
    starts, ends : int or None
        First day on which it is offered, and first on which it is no more; None = open.

    Examples
    --------
    >>> adsl = Product("adsl", "data", "functional", Words("ADSL", "ADSL宽带"), 11000, 6600, 20000)
    >>> adsl.is_offered(20000), adsl.any_site
    (True, True)
    """

    product_id: str
    family: str
    kind: str
    words: Words
    monthly_fee_amount: int
    monthly_margin_amount: int
    one_off_cost_amount: int = 0
    comparability: int = 1
    classes: tuple[str, ...] = ("A", "B", "C", "D", "X")
    site_types: tuple[str, ...] = ()
    exchange_areas: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    cannibalises: Mapping[str, float] = field(default_factory=dict)
    takes_over: str | None = None
    starts: int | None = None
    ends: int | None = None

    def __post_init__(self) -> None:
        # One order, so that sums over held products are the same bits after a round trip.
        object.__setattr__(self, "cannibalises", MappingProxyType(dict(sorted(self.cannibalises.items()))))

    @property
    def any_site(self) -> bool:
        """Whether it can be delivered anywhere."""
        return not self.site_types and not self.exchange_areas

    def is_offered(self, day: int) -> bool:
        """Whether the day lies in ``[starts, ends)``."""
        return (self.starts is None or self.starts <= day) and (self.ends is None or day < self.ends)


@dataclass(frozen=True)
class Offer:
    """A product on stated terms.

    Parameters
    ----------
    offer_id : str
        The product's own id where the product is offered as itself.
    words, pitch : Words
        Its name, and the sentence to say to the customer.
    term_months : int
        Months the customer is bound; 0 = none.
    monthly_fee_amount, monthly_margin_amount, one_off_cost_amount : int
        Minor units, as in :class:`Product`.
    prepaid : bool
        Whether the whole term is paid at its start.
    included_minutes : float
        Minutes a month within the fee; 0 = none.
    extra_minute_amount : float
        Minor units a minute beyond them.
    channels, starts, ends
        As in :class:`Product`.

    Examples
    --------
    >>> adsl = Product("adsl", "data", "functional", Words("ADSL", "ADSL宽带"), 11000, 6600, 20000)
    >>> offer = Offer.of(adsl)
    >>> offer.offer_id, offer.attributes()["monthly_fee"], offer.attributes()["takes_over"]
    ('adsl', 11000.0, None)
    """

    offer_id: str
    product: Product
    words: Words
    pitch: Words
    term_months: int
    monthly_fee_amount: int
    monthly_margin_amount: int
    one_off_cost_amount: int
    prepaid: bool = False
    included_minutes: float = 0.0
    extra_minute_amount: float = 0.0
    channels: tuple[str, ...] = ()
    starts: int | None = None
    ends: int | None = None

    @classmethod
    def of(cls, product: Product, pitch: Words | None = None) -> "Offer":
        """The product offered as itself; without a pitch its name is said."""
        return cls(
            offer_id=product.product_id,
            product=product,
            words=product.words,
            pitch=pitch or product.words,
            term_months=0,
            monthly_fee_amount=product.monthly_fee_amount,
            monthly_margin_amount=product.monthly_margin_amount,
            one_off_cost_amount=product.one_off_cost_amount,
            channels=product.channels,
            starts=product.starts,
            ends=product.ends,
        )

    def attributes(self) -> dict[str, str | float | bool | tuple[str, ...] | None]:
        """What a rule reads as ``offer.NAME``; money in minor units, days as day numbers."""
        product = self.product
        return {
            "offer_id": self.offer_id,
            "product_id": product.product_id,
            "family": product.family,
            "kind": product.kind,
            "monthly_fee": float(self.monthly_fee_amount),
            "monthly_margin": float(self.monthly_margin_amount),
            "one_off_cost": float(self.one_off_cost_amount),
            "term_months": float(self.term_months),
            "comparability": float(product.comparability),
            "classes": product.classes,
            "site_types": product.site_types,
            "exchange_areas": product.exchange_areas,
            "channels": self.channels,
            "requires": product.requires,
            "takes_over": product.takes_over,
            "included_minutes": self.included_minutes,
            "extra_minute": self.extra_minute_amount,
            "prepaid": self.prepaid,
            "starts": None if self.starts is None else float(self.starts),
            "ends": None if self.ends is None else float(self.ends),
            "any_site": product.any_site,
        }


@dataclass(frozen=True)
class Catalog:
    """All products and offers of an operator, identified by a hash of all they say.

    Parameters
    ----------
    currency, minor_digits : str, int
        ISO 4217 code of every amount, and the decimals of one.
    products : mapping of str to Product
        By id, in the order of the file.
    offers : tuple of Offer
        In the order of the file's offers, then the products that are offered as themselves.
    hash : str
        16 hex digits over everything else.
    """

    currency: str
    minor_digits: int
    products: Mapping[str, Product]
    offers: tuple[Offer, ...]
    hash: str

    @classmethod
    def of(
        cls, currency: str, minor_digits: int, products: Iterable[Product], offers: Iterable[Offer]
    ) -> "Catalog":
        """A catalog of these products and offers, with its hash."""
        known = MappingProxyType({product.product_id: product for product in products})
        made = cls(currency, minor_digits, known, tuple(offers), "")
        return cls(currency, minor_digits, known, made.offers, content_hash(made))

    @property
    def functional(self) -> tuple[Product, ...]:
        """The functional products, which the next-product model ranks, in the order of the file."""
        return tuple(product for product in self.products.values() if product.kind == "functional")

    def offer(self, offer_id: str) -> Offer:
        """The offer of this id.

        Raises
        ------
        UsageError
            No such offer; close matches are shown.
        """
        for offer in self.offers:
            if offer.offer_id == offer_id:
                return offer
        known = [offer.offer_id for offer in self.offers]
        raise UsageError(f"offer {offer_id}: no such offer in the catalog{close_matches(offer_id, known)}")

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives an equal value."""
        return {**content(self), "hash": self.hash}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Catalog":
        """Read a recorded catalog; :class:`DataError` if the content does not match its hash."""
        try:
            products = [read_record(Product, item) for item in value["products"]]
            by_id = {product.product_id: product for product in products}
            offers = [
                read_record(Offer, {**item, "product": by_id[item["product"]]}) for item in value["offers"]
            ]
            catalog = cls.of(value["currency"], value["minor_digits"], products, offers)
            claimed = value["hash"]
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError("catalog", "currency, products, offers and hash", repr(error)) from None
        if catalog.hash != claimed:
            raise DataError("catalog", f"content with hash {claimed}", catalog.hash)
        return catalog


def content(catalog: Catalog) -> dict[str, Any]:
    """What the hash is taken over."""
    return {
        "catalog_version": CATALOG_VERSION,
        "currency": catalog.currency,
        "minor_digits": catalog.minor_digits,
        "products": [record(product) for product in catalog.products.values()],
        "offers": [{**record(offer), "product": offer.product.product_id} for offer in catalog.offers],
    }


def content_hash(catalog: Catalog) -> str:
    return sha256_bytes(canonical_json(content(catalog)).encode())[:16]


def record(value: Product | Offer) -> dict[str, Any]:
    """The fields of a product or offer as JSON values."""
    return {item.name: plain(getattr(value, item.name)) for item in fields(value)}


def plain(value: object) -> object:
    match value:
        case Words(en, zh):
            return {"en": en, "zh": zh}
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case _:
            return value


T = TypeVar("T", Product, Offer)
WORDS_FIELDS = frozenset({"words", "pitch"})


def read_record(kind: type[T], item: Mapping[str, Any]) -> T:
    """The inverse of :func:`record`."""
    given: dict[str, Any] = {}
    for name, value in item.items():
        given[name] = Words(**value) if name in WORDS_FIELDS else value
        if isinstance(value, list):
            given[name] = tuple(value)
    return kind(**given)
