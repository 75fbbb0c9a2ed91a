"""What may stand in the operator's catalog file: the keys of a product and of an offer.

Each type carries its rule in words (``description``), which is what a refused value is told.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from nbo.tables.columns import CHANNELS, FAMILIES
from nbo.tables.contract import close_matches
from nbo.tables.state_tables import ACCOUNTS, PRODUCTS, SITES

LARGEST = 10**9
"""No amount of a catalog is larger, in units of the currency."""
AMOUNT = f"an amount from 0 to {LARGEST:,}"
CHANNEL_LIST = "a list of one or more different channels"
CLASSES = tuple(ACCOUNTS.column("account_class").codes)
SITE_TYPES = tuple(SITES.column("site_type").codes)
KINDS = tuple(PRODUCTS.column("kind").codes)


def number(value: object, high: int) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError
    read = Decimal(value)
    if not read.is_finite() or not 0 <= read <= high:
        raise ValueError
    return read


def amount(value: object) -> Decimal:
    return number(value, LARGEST)


def whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return read


def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def day(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError
    return value


def matching(pattern: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return read


def code(known: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        if value not in known:
            raise ValueError(close_matches(value, known))
        return value

    return read


def listed(known: tuple[str, ...] | None, least: int = 0) -> Callable[[object], tuple[str, ...]]:
    """Reads a list of different texts, of these codes if any are given."""

    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise ValueError
        for item in value:
            text(item)
            if known is not None and item not in known:
                raise ValueError(close_matches(item, known))
        if len(set(value)) < len(value):
            raise ValueError
        return tuple(value)

    return read


def shares(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError
    return {name: float(number(given, 1)) for name, given in value.items()}


Amount = Annotated[Decimal, PlainValidator(amount), Field(description=AMOUNT)]
OptionalAmount = Annotated[Decimal | None, PlainValidator(amount), Field(description=AMOUNT)]
Months = Annotated[int, PlainValidator(whole(0, 120)), Field(description="whole months from 0 to 120")]
Minutes = Annotated[Decimal, PlainValidator(amount), Field(description="minutes a month, 0 or more")]
Flag = Annotated[bool, PlainValidator(flag), Field(description="true or false")]
Text = Annotated[str, PlainValidator(text), Field(description="a text")]
Day = Annotated[date | None, PlainValidator(day), Field(description="a date like 2025-03-31")]
Family = Annotated[str, PlainValidator(code(tuple(FAMILIES))), Field(description="a product family")]
BillFamily = Annotated[
    str | None, PlainValidator(code(tuple(FAMILIES))), Field(description="a product family")
]
ProductKind = Annotated[str, PlainValidator(code(KINDS)), Field(description=" or ".join(KINDS))]
Comparability = Annotated[
    int,
    PlainValidator(whole(1, 4)),
    Field(description="1 (single product), 2 (product line), 3 (bundle) or 4 (solution)"),
]
Classes = Annotated[
    tuple[str, ...],
    PlainValidator(listed(CLASSES, 1)),
    Field(description="a list of one or more different customer classes"),
]
SiteTypes = Annotated[
    tuple[str, ...], PlainValidator(listed(SITE_TYPES)), Field(description="a list of different site types")
]
Channels = Annotated[
    tuple[str, ...],
    PlainValidator(listed(tuple(CHANNELS), 1)),
    Field(description=CHANNEL_LIST),
]
OptionalChannels = Annotated[
    tuple[str, ...] | None,
    PlainValidator(listed(tuple(CHANNELS), 1)),
    Field(description=CHANNEL_LIST),
]
Names = Annotated[
    tuple[str, ...], PlainValidator(listed(None)), Field(description="a list of different texts")
]
Shares = Annotated[
    dict[str, float],
    PlainValidator(shares),
    Field(description="a table of products with shares from 0 to 1"),
]
Currency = Annotated[
    str, PlainValidator(matching("[A-Z]{3}")), Field(description="an ISO 4217 code such as CNY")
]
Digits = Annotated[int, PlainValidator(whole(0, 4)), Field(description="a whole number from 0 to 4")]


class Entry(BaseModel):
    """Unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextEntry(Entry):
    """A text in the two languages of the operator's people."""

    en: Text
    zh: Text


class Head(Entry):
    """What stands above the products: the money that all amounts are in."""

    currency: Currency
    minor_digits: Digits


class ProductEntry(Entry):
    """``[products.ID]``; amounts in units of the currency, as :class:`nbo.offers.catalog.Product`."""

    family: Family
    kind: ProductKind
    name: TextEntry
    pitch: TextEntry
    monthly_fee: Amount
    monthly_margin: Amount
    one_off_cost: Amount = Decimal(0)
    comparability: Comparability
    classes: Classes
    site_types: SiteTypes = ()
    exchange_areas: Names = ()
    channels: Channels
    requires: Names = ()
    cannibalises: Shares = Field(default_factory=dict)
    takes_over: BillFamily = None
    offered: Flag = True
    starts: Day = None
    ends: Day = None


class OfferEntry(Entry):
    """``[offers.ID]``; what is left out of ``one_off_cost``, ``channels``, ``starts``, ``ends`` and
    ``pitch`` is the product's."""

    product: Text
    name: TextEntry
    pitch: TextEntry | None = None
    monthly_fee: Amount
    monthly_margin: Amount
    one_off_cost: OptionalAmount = None
    term_months: Months = 0
    prepaid: Flag = False
    included_minutes: Minutes = Decimal(0)
    extra_minute: Amount = Decimal(0)
    channels: OptionalChannels = None
    starts: Day = None
    ends: Day = None


def shape_problems(model: type[Entry], error: ValidationError) -> list[str]:
    """Each refused key of an entry in one clause: ``KEY: expected RULE, got VALUE``."""
    return [told(model, problem) for problem in error.errors(include_url=False)]


def told(model: type[Entry], problem: Any) -> str:
    place = [str(part) for part in problem["loc"]]
    within = entry_around(model, place)
    where = ".".join(place)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key{close_matches(place[-1], list(within.model_fields))}"
    field = within.model_fields.get(place[-1])
    rule = (field.description if field else None) or 'a text in two languages, { en = "…", zh = "…" }'
    if problem["type"] == "missing":
        return f"{where}: expected {rule}, got none"
    hint = str(problem["msg"]).removeprefix("Value error, ") if problem["type"] == "value_error" else ""
    return f"{where}: expected {rule}, got {shown(problem['input'])}{hint}"


def entry_around(model: type[Entry], place: list[str]) -> type[Entry]:
    """The entry that holds the last key of a place."""
    return TextEntry if len(place) > 1 else model


def shown(value: object) -> str:
    """A value of the file as it stands there, shortened.

    Examples
    --------
    >>> shown(Decimal("1.005")), shown(["A", "B"]), shown(True)
    ('1.005', "['A', 'B']", 'true')
    """
    match value:
        case bool():
            return str(value).lower()
        case Decimal() | date():
            return str(value)
        case Mapping():
            return "{ " + ", ".join(f"{name} = {shown(item)}" for name, item in value.items()) + " }"
        case _:
            whole_text = repr(value)
            return whole_text if len(whole_text) <= 60 else whole_text[:59] + "…"
