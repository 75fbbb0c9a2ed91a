"""What a rule may read, and what for: features, attributes of the offer, the request, tables.

Rules sell, so everything they read must be permitted for marketing: a barred column is refused where
the rule is read, and not found out later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nbo.errors import LeakageError, UsageError
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.offers.expressions import Kind
from nbo.tables.catalog import TABLES, contract
from nbo.tables.columns import CHANNELS, FAMILIES
from nbo.tables.contract import Column, Table, close_matches
from nbo.tables.state_tables import ACCOUNTS, PRODUCTS, SITES

PURPOSE = "marketing"
HOLDINGS = "holdings"
"""The table of products held, which no source gives: :data:`nbo.customers.holdings.HOLDINGS_SQL`."""


@dataclass(frozen=True)
class Readable:
    """A value that a rule may name: its kind, and the codes it can have (none: any)."""

    kind: Kind
    codes: tuple[str, ...] = ()


def codes_of(table: Table, column: str) -> tuple[str, ...]:
    return tuple(table.column(column).codes)


NUMBER, TEXT, FLAG, TEXTS = (Readable(kind) for kind in ("number", "text", "flag", "texts"))
CHANNEL_CODES = tuple(CHANNELS)

CONTEXT: Mapping[str, Readable] = MappingProxyType(
    {"channel": Readable("text", CHANNEL_CODES), "as_of": NUMBER}
)
"""Through which channel is asked, and the day number of the decision date."""

OFFER: Mapping[str, Readable] = MappingProxyType(
    {
        "offer_id": TEXT,
        "product_id": TEXT,
        "family": Readable("text", tuple(FAMILIES)),
        "kind": Readable("text", codes_of(PRODUCTS, "kind")),
        "monthly_fee": NUMBER,
        "monthly_margin": NUMBER,
        "one_off_cost": NUMBER,
        "term_months": NUMBER,
        "comparability": NUMBER,
        "classes": Readable("texts", codes_of(ACCOUNTS, "account_class")),
        "site_types": Readable("texts", codes_of(SITES, "site_type")),
        "exchange_areas": TEXTS,
        "channels": Readable("texts", CHANNEL_CODES),
        "requires": TEXTS,
        "takes_over": Readable("text", tuple(FAMILIES)),
        "included_minutes": NUMBER,
        "extra_minute": NUMBER,
        "prepaid": FLAG,
        "starts": NUMBER,
        "ends": NUMBER,
        "any_site": FLAG,
    }
)
"""Attributes of an offer (:meth:`nbo.offers.catalog.Offer.attributes`)."""

LOGS = tuple(t.name for t in TABLES.values() if t.shape == "log" and "account_id" in t.column_names)
EVENTS = ("contacts", "contracts", "surveys")
READABLE_TABLES = (*LOGS, *EVENTS, HOLDINGS)
"""Change logs by the newest visible row of each key, these event tables by all visible rows."""


def readable_features(compiled: CompiledFeatures) -> dict[str, Readable]:
    """Features as a rule may name them; :class:`LeakageError` if one is barred from marketing."""
    for feature in compiled.features:
        refuse_barred(feature.name, feature.name, feature.purposes, "Take it out of the feature set")
    return {
        feature.name: Readable("text" if feature.kind == "category" else "number", feature_codes(feature))
        for feature in compiled.features
    }


def feature_codes(feature: CompiledFeature) -> tuple[str, ...]:
    """The codes of a feature that is the value of one column, and so named after it."""
    for name in feature.columns:
        table, column = name.split(".")
        if feature.name == f"{table}_{column}":
            return codes_of(contract(table), column)
    return ()


def refuse_barred(where: str, name: str, purposes: frozenset[str], next_step: str) -> None:
    if PURPOSE not in purposes:
        permitted = ", ".join(sorted(purposes)) or "nothing that is worked out"
        got = f"{name}, permitted for {permitted}"
        raise LeakageError(where, f"what is permitted for {PURPOSE}", got, next_step=next_step)


def readable_column(table: str, name: str, where: str) -> Readable:
    """A column of a table as a rule may name it.

    Raises
    ------
    UsageError
        The table has no such column.
    LeakageError
        The column may not be used for marketing.
    """
    held = (contract("lines").column("product_id"),)
    columns = {c.name: c for c in (held if table == HOLDINGS else contract(table).columns)}
    if name not in columns:
        near = close_matches(name, list(columns))
        raise UsageError(f"{where}: expected a column of {table}, got {name}{near}")
    column = columns[name]
    refuse_barred(where, f"{table}.{name}", column.purposes, "Take it out of the rule")
    return Readable(column_kind(column), tuple(column.codes))


def column_kind(column: Column) -> Kind:
    if column.kind in ("key", "code", "text"):
        return "text"
    return "flag" if column.kind == "flag" else "number"
