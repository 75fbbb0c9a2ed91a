"""What to offer one account: its facts judged by the rules, scored by the model, ranked by margin."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.asof import AsOf
from nbo.bundle import Bundle, Overridden
from nbo.decisions.choice import Choice, Stop, Terms, choose, scored_products, stops
from nbo.decisions.settings import OffersSettings
from nbo.errors import DataError, UsageError
from nbo.features.context import ContextValue
from nbo.files import canonical_json, sha256_bytes
from nbo.models.pairs import ProductStatistics, ProductTable, score_pairs
from nbo.offers.catalog import Catalog
from nbo.offers.facts import AccountFacts
from nbo.offers.products import product_table
from nbo.offers.rules import Rules
from nbo.offers.verdicts import Context, Judge
from nbo.tables.columns import CHANNELS
from nbo.tables.contract import close_matches

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
MODEL = "next-product"
"""The model whose release recommends."""


@dataclass(frozen=True)
class Request:
    """What a channel asks.

    Parameters
    ----------
    account_id : str
    channel : str
        One of the channels of the contacts table.
    language : "en" or "zh"
        Of titles and reasons.
    products : tuple of str
        Only offers of these products; empty = all.
    context : mapping of feature to value
        What the channel knows better than the data; :mod:`nbo.decisions.context` checks it.

    Raises
    ------
    UsageError
        Unknown channel or language.
    """

    account_id: str
    channel: str
    language: str = "en"
    products: tuple[str, ...] = ()
    context: Mapping[str, ContextValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise UsageError(
                f"channel {self.channel}: no such channel{close_matches(self.channel, list(CHANNELS))}"
            )
        if self.language not in ("en", "zh"):
            raise UsageError(f"language: expected en or zh, got {self.language!r}")

    def to_json(self) -> dict[str, Any]:
        """The request as the log keeps it."""
        return {
            "account_id": self.account_id,
            "channel": self.channel,
            "language": self.language,
            "products": list(self.products),
            **({"context": dict(self.context)} if self.context else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Request":
        """The request of :meth:`to_json`."""
        products, context = tuple(value["products"]), value.get("context", {})
        return cls(value["account_id"], value["channel"], value["language"], products, context)


@dataclass(frozen=True, eq=False)
class AccountInputs:
    """All that is read of an account for a recommendation.

    Parameters
    ----------
    account_id : str
    row : ndarray of shape (F,)
        Its features as the bundle encodes them.
    held : tuple of str
        Products it holds.
    facts : AccountFacts
        What the rules read.
    overridden : tuple of Overridden
        What a channel knew better, which ``row`` and ``facts`` already hold.
    """

    account_id: str
    row: Floats
    held: tuple[str, ...]
    facts: AccountFacts
    overridden: tuple[Overridden, ...] = ()

    def to_bytes(self) -> bytes:
        """A compact form that gives the same inputs bit for bit."""
        row = base64.b64encode(np.ascontiguousarray(self.row, dtype="<f8").tobytes()).decode()
        content: dict[str, Any] = {
            "account_id": self.account_id,
            "row": row,
            "held": list(self.held),
            "facts": self.facts.to_json(),
        }
        if self.overridden:
            content["overridden"] = [asdict(one) for one in self.overridden]
        return zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 1)

    @classmethod
    def from_bytes(cls, content: bytes) -> "AccountInputs":
        """The inputs of :meth:`to_bytes`."""
        told = json.loads(zlib.decompress(content))
        row = np.frombuffer(base64.b64decode(told["row"]), dtype="<f8")
        facts = AccountFacts.from_json(told["facts"])
        overridden = tuple(Overridden(**one) for one in told.get("overridden", ()))
        return cls(told["account_id"], row, tuple(told["held"]), facts, overridden)


@dataclass(frozen=True, eq=False)
class Recommender:
    """Everything a recommendation depends on but the account.

    Parameters
    ----------
    bundle : Bundle
        The next-product model.
    catalog : Catalog
    rules : Rules
    statistics : ProductStatistics
        Who holds and takes what, as of the date.
    as_of : AsOf
    store_id : str
        Of the store that the facts come from.
    settings : OffersSettings
        Months of margin counted, alternatives offered.
    """

    bundle: Bundle
    catalog: Catalog
    rules: Rules
    statistics: ProductStatistics
    as_of: AsOf
    store_id: str
    settings: OffersSettings

    @cached_property
    def terms(self) -> Terms:
        """The catalog's offers as arrays."""
        return Terms.of(self.catalog, self.settings.horizon_months)

    @cached_property
    def stops(self) -> tuple[Stop, ...]:
        """Every way an offer can be stopped."""
        return stops(self.rules)

    @cached_property
    def products(self) -> ProductTable:
        """The functional products as the model is told them."""
        return product_table(self.catalog)

    @cached_property
    def judge(self) -> Judge:
        """The rules with the offers' attributes folded in."""
        return Judge(self.rules, self.catalog.offers)

    @cached_property
    def artifacts(self) -> Mapping[str, str]:
        """What a replay needs beside the bundle: catalog, rules and statistics by their hashes."""
        statistics = canonical_json(self.statistics.to_json())
        return {
            self.catalog.hash: canonical_json(self.catalog.to_json()),
            self.rules.hash: canonical_json(self.rules.to_json()),
            sha256_bytes(statistics.encode())[:16]: statistics,
        }

    @cached_property
    def versions(self) -> dict[str, Any]:
        """The versions a recommendation was made by; with the inputs they fix every number."""
        catalog, rules, statistics = self.artifacts
        return {
            "bundle": self.bundle.id,
            "catalog": catalog,
            "rules": rules,
            "statistics": statistics,
            "store": self.store_id,
            "horizon_months": self.settings.horizon_months,
            "alternatives": self.settings.alternatives,
        }

    def held(self, products: tuple[str, ...]) -> Flags:
        """What one account holds, shape (1, products of the catalog)."""
        return np.array([[name in products for name in self.terms.product_ids]])

    def choice(self, inputs: AccountInputs, request: Request) -> Choice:
        """Judge, score and rank every offer for one account; arrays of shape (1, offers)."""
        verdicts = self.judge.verdicts(inputs.facts, Context(request.channel, self.as_of))[np.newaxis, :]
        return self.choices(inputs.row[np.newaxis, :], self.held(inputs.held), self.asked(verdicts, request))

    def choices(
        self, rows: Floats, held: Flags, verdicts: npt.NDArray[np.int8], *, threads: int = 1
    ) -> Choice:
        """Score and rank judged offers of n accounts.

        Parameters
        ----------
        rows : ndarray of shape (n, F)
            Encoded features of the accounts.
        held : ndarray of shape (n, q), bool
            In the order of ``terms.product_ids``.
        verdicts : ndarray of shape (n, k)
            Position of the stopping rule, -1 = allowed.
        threads : int
            Threads of the model; no effect on any value.
        """
        wanted = scored_products(self.terms, verdicts, held)
        own = held[:, : self.terms.functional]
        p_take = score_pairs(self.bundle, rows, own, self.products, self.statistics, wanted, threads=threads)
        return choose(self.terms, len(self.rules.rules), verdicts, held, p_take)

    def asked(self, verdicts: npt.NDArray[np.int8], request: Request) -> npt.NDArray[np.int8]:
        """The verdicts with offers of products that were not asked for stopped, last in :attr:`stops`."""
        if not request.products:
            return verdicts
        for name in request.products:
            if name not in self.catalog.products:
                known = list(self.catalog.products)
                raise UsageError(
                    f"product {name}: no such product in the catalog{close_matches(name, known)}"
                )
        asked = np.array([offer.product.product_id in request.products for offer in self.catalog.offers])
        return np.where(asked, verdicts, np.int8(len(self.stops) - 1))


def require_currency(catalog: Catalog, currency: str, minor_digits: int) -> None:
    """Refuse a catalog in another currency than the store's; :class:`DataError`."""
    if (catalog.currency, catalog.minor_digits) != (currency, minor_digits):
        raise DataError(
            "catalog.currency",
            f"{currency} with {minor_digits} decimals, as in the store",
            f"{catalog.currency} with {catalog.minor_digits}",
            next_step="Correct the catalog, or the mapping of the store",
        )
