"""What the next-product model is told of products: their attributes, and who holds and takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.asof import AsOf
from nbo.customers.holdings import ACQUIRED_SQL, HOLDINGS_SQL, held_matrix
from nbo.errors import DataError
from nbo.features.parameters import bind
from nbo.features.relations import POPULATION
from nbo.tables.store import Store

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TAKEN_DAYS = 180
"""How far back products taken are counted."""

HELD_SQL = f"""
WITH population AS (
{POPULATION})
SELECT population.account_id, held.product_id FROM population
LEFT JOIN ({HOLDINGS_SQL}) AS held ON held.account_id = population.account_id"""

# What was held when the count begins cannot be taken; a pair counts once.
TAKES_SQL = f"""
SELECT product_id, count(*) AS takes FROM (
  SELECT account_id, product_id FROM ({ACQUIRED_SQL})
  WHERE day >= $as_of AND day < $known_by
  EXCEPT
  SELECT account_id, product_id FROM ({HOLDINGS_SQL}))
GROUP BY product_id"""


@dataclass(frozen=True, eq=False)
class ProductTable:
    """The products that can be taken, with the attributes a model may read; k products.

    Parameters
    ----------
    product_ids : tuple of str
        No repeats.
    families : tuple of str
    monthly_fees : ndarray of shape (k,)
        List fee in minor units; NaN = unknown.
    comparability : ndarray of shape (k,)
        1 single product to 4 solution; NaN = unknown.
    requires : tuple of tuple of str
        Products of which one must be held; empty = none.

    Raises
    ------
    DataError
        No product, a repeated one, or attributes that are not one for each product.
    """

    product_ids: tuple[str, ...]
    families: tuple[str, ...]
    monthly_fees: Floats
    comparability: Floats
    requires: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        k = len(self.product_ids)
        if not k or len(set(self.product_ids)) != k:
            raise DataError("products", "at least one product, none twice", f"{list(self.product_ids)[:5]}")
        lengths = (len(self.families), len(self.monthly_fees), len(self.comparability), len(self.requires))
        if lengths != (k, k, k, k):
            raise DataError("products", f"one of each attribute for {k} products", f"{lengths}")

    @cached_property
    def same_family(self) -> Flags:
        """Whether two products are of one family, shape (k, k)."""
        families = np.asarray(self.families)
        return np.asarray(families[:, np.newaxis] == families[np.newaxis, :])

    @cached_property
    def needs(self) -> Flags:
        """``needs[p, q]``: p can be taken by one who holds q, shape (k, k)."""
        return np.array([[name in required for name in self.product_ids] for required in self.requires])

    @cached_property
    def unmet(self) -> Floats:
        """What p says of one who holds nothing that it needs, shape (k,).

        0; NaN where p needs nothing, or might be met by a product that is not in the table.
        """
        known = set(self.product_ids)
        told = [bool(required) and known.issuperset(required) for required in self.requires]
        return np.where(told, 0.0, np.nan)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives the same table; an unknown number is null."""
        return {
            "product_ids": list(self.product_ids),
            "families": list(self.families),
            "monthly_fees": [None if np.isnan(fee) else float(fee) for fee in self.monthly_fees],
            "comparability": [None if np.isnan(step) else float(step) for step in self.comparability],
            "requires": [list(required) for required in self.requires],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ProductTable":
        """Read a product table; :class:`DataError` unless it is what :meth:`to_json` writes."""
        try:
            return cls(
                product_ids=tuple(str(name) for name in value["product_ids"]),
                families=tuple(str(name) for name in value["families"]),
                monthly_fees=np.array(value["monthly_fees"], dtype=np.float64),
                comparability=np.array(value["comparability"], dtype=np.float64),
                requires=tuple(tuple(str(name) for name in required) for required in value["requires"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("products", "a table of products", repr(error)) from None


@dataclass(frozen=True, eq=False)
class ProductStatistics:
    """How many accounts hold and take each of k products, counted as of a date.

    Parameters
    ----------
    accounts : int
        Accounts of the population.
    holders : ndarray of shape (k,), int64
        Accounts that hold the product.
    takes : ndarray of shape (k,), int64
        Accounts that acquired it in the ``taken_days`` before the date and did not hold it before.
    joint : ndarray of shape (k, k), int64
        Accounts that hold both.
    taken_days : int
        0 = the data do not tell what was taken.
    """

    accounts: int
    holders: Counts
    takes: Counts
    joint: Counts
    taken_days: int = 0

    def __post_init__(self) -> None:
        k = len(self.holders)
        if self.takes.shape != (k,) or self.joint.shape != (k, k):
            got = f"{self.holders.shape}, {self.takes.shape} and {self.joint.shape}"
            raise DataError("product statistics", f"shapes ({k},), ({k},) and ({k}, {k})", got)

    @classmethod
    def of_matrix(cls, held: Flags) -> "ProductStatistics":
        """Count holders of a plain matrix, shape (n, k); what was taken is not known."""
        counted = held.astype(np.float64)
        joint = (counted.T @ counted).astype(np.int64)  # whole numbers: exact in any order
        return cls(len(held), np.diagonal(joint).copy(), np.zeros(held.shape[1], dtype=np.int64), joint)

    @cached_property
    def known(self) -> Flags:
        """Whether anybody holds or took the product, shape (k,)."""
        return np.asarray((self.holders > 0) | (self.takes > 0))

    @cached_property
    def held_share(self) -> Floats:
        """Part of the accounts that hold it, 0 to 1, shape (k,); NaN for an unknown product."""
        return np.where(self.known, self.holders / max(self.accounts, 1), np.nan)

    @cached_property
    def taken_yearly(self) -> Floats:
        """Takes a year per account that lacks it, shape (k,); NaN where not known."""
        lacking = self.accounts - self.holders
        told = self.known & (lacking > 0) & (self.taken_days > 0)
        yearly = self.takes * (365 / max(self.taken_days, 1)) / np.maximum(lacking, 1)
        return np.where(told, yearly, np.nan)

    @cached_property
    def affinity(self) -> Floats:
        """Log lift of holding p for one who holds q, shape (k, k); NaN rows for unknown products.

        Notes
        -----
        ``log((joint_pq + 1) / (holders_p holders_q / accounts + 1))``: one more joint holder, seen
        and expected, keeps rare pairs near 0.
        """
        expected = self.holders[:, np.newaxis] * (self.holders[np.newaxis, :] / max(self.accounts, 1))
        lift = np.log((self.joint + 1) / (expected + 1))
        return np.where(self.known[:, np.newaxis], lift, np.nan)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives the same counts."""
        return {
            "accounts": self.accounts,
            "holders": self.holders.tolist(),
            "takes": self.takes.tolist(),
            "joint": self.joint.tolist(),
            "taken_days": self.taken_days,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ProductStatistics":
        """Read statistics; :class:`DataError` unless they are what :meth:`to_json` writes."""
        try:
            holders, takes, joint = (
                np.array(value[name], dtype=np.int64) for name in ("holders", "takes", "joint")
            )
            return cls(int(value["accounts"]), holders, takes, joint, int(value["taken_days"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("product statistics", "counts of products", repr(error)) from None


def product_statistics(store: Store, as_of: AsOf, product_ids: tuple[str, ...]) -> ProductStatistics:
    """Who holds what on the date, and what was taken in the half year before it.

    Parameters
    ----------
    product_ids : tuple of str
        The k products, in this order.

    Returns
    -------
    ProductStatistics
        Over the population: accounts with an active line. Takes are unknown where the lines were
        not yet covered half a year before the date.
    """
    values = {"as_of": str(as_of.day), "accounts": "TRUE"}
    earlier = {**values, "as_of": str(as_of.day - TAKEN_DAYS), "known_by": str(as_of.day)}
    first = store.first_day("lines", as_of)
    told = first is not None and first < as_of.day - TAKEN_DAYS
    with store.connect() as engine:
        held = engine.query(bind(HELD_SQL, values))
        taken = engine.query(bind(TAKES_SQL, earlier)).to_pylist() if told else []
    accounts = held["account_id"].unique().to_pylist()
    flags = held_matrix(held, accounts, product_ids)
    found = ProductStatistics.of_matrix(flags)
    counts = {row["product_id"]: row["takes"] for row in taken}
    takes = np.array([counts.get(name, 0) for name in product_ids], dtype=np.int64)
    return ProductStatistics(found.accounts, found.holders, takes, found.joint, TAKEN_DAYS if told else 0)
