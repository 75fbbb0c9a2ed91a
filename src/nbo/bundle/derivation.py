"""Columns that a model derives from its features: what trees find late or never by themselves.

A tree splits one column at a time. It needs many splits to see that a phone is as old as the
contract, and one if it is shown the difference. A derivation is data: chosen in training, kept in the
bundle, applied by the same elementwise code to a batch and to one live row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nbo.bundle.vocabulary import Matrix
from nbo.errors import BundleError

Kind = Literal["difference", "sum", "ratio", "rate", "missing"]
OPERANDS = {"difference": 2, "sum": 2, "ratio": 2, "rate": 1}
"""Columns that each kind reads; ``missing`` reads any number."""
PAIRS: tuple[Kind, ...] = ("difference", "sum", "ratio")
"""The kinds that are derived from two numbers."""


@dataclass(frozen=True)
class Derived:
    """One derived column.

    Parameters
    ----------
    kind : "difference", "sum", "ratio", "rate" or "missing"
        ``a - b``; ``a + b``; ``a / b``, NaN where b is 0; the rate of positives among rows of a code;
        how many of the columns are missing.
    columns : tuple of int
        Places in the matrix of the features.
    rates : tuple of float
        Of a ``rate``: by code, then that of codes never seen, then that of rows without a code.

    Raises
    ------
    BundleError
        Columns or rates that do not fit the kind.
    """

    kind: Kind
    columns: tuple[int, ...]
    rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wanted = OPERANDS.get(self.kind, max(1, len(self.columns)))
        if self.kind not in (*OPERANDS, "missing") or len(self.columns) != wanted or min(self.columns) < 0:
            raise BundleError(f"derivation: expected a known kind with its columns, got {self}")
        if (len(self.rates) >= 2) != (self.kind == "rate") or not np.isfinite(self.rates).all():
            raise BundleError(f"derivation: expected finite rates of a rate alone, got {self!r:.80}")


@dataclass(frozen=True, eq=False)
class Derivation:
    """Derived columns, which follow the features in a booster's matrix.

    Parameters
    ----------
    derived : tuple of Derived

    Examples
    --------
    >>> derivation = Derivation((Derived("difference", (0, 1)), Derived("ratio", (0, 1))))
    >>> derivation(np.array([[6.0, 3.0], [1.0, 0.0]])).tolist()
    [[6.0, 3.0, 3.0, 2.0], [1.0, 0.0, 1.0, nan]]
    """

    derived: tuple[Derived, ...]

    def __call__(self, matrix: Matrix) -> Matrix:
        """The features and what is derived from them, shape (n, F + D); no row depends on another."""
        if not self.derived or matrix.ndim != 2 or matrix.shape[1] <= self.last:
            return matrix
        count = matrix.shape[1]
        wide = np.empty((len(matrix), count + len(self.derived)), dtype=np.float64)
        wide[:, :count] = matrix
        places, left, right = self.operands["difference"]
        wide[:, count + places] = matrix[:, left] - matrix[:, right]
        places, left, right = self.operands["sum"]
        wide[:, count + places] = matrix[:, left] + matrix[:, right]
        places, left, right = self.operands["ratio"]
        below = matrix[:, right]
        wide[:, count + places] = np.divide(
            matrix[:, left], below, out=np.full(below.shape, np.nan), where=below != 0
        )
        for place, one in enumerate(self.derived):
            if one.kind == "rate":
                wide[:, count + place] = rates_of(matrix[:, one.columns[0]], one.rates)
            elif one.kind == "missing":
                wide[:, count + place] = np.isnan(matrix[:, one.columns]).sum(axis=1)
        return wide

    @cached_property
    def last(self) -> int:
        """The last column that is read."""
        return max((max(one.columns) for one in self.derived), default=-1)

    @cached_property
    def operands(self) -> Mapping[str, tuple[npt.NDArray[np.intp], ...]]:
        """By kind: places among the derived, their left and their right columns."""
        found: dict[str, tuple[npt.NDArray[np.intp], ...]] = {}
        for kind in PAIRS:
            chosen = [(place, *one.columns) for place, one in enumerate(self.derived) if one.kind == kind]
            found[kind] = tuple(np.array(chosen, dtype=np.intp).reshape(-1, 3).T)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """What a booster calls the derived columns."""
        return tuple(f"derived_{place}" for place in range(len(self.derived)))

    def folded(self, contributions: Matrix) -> Matrix:
        """Contributions of the features alone, shape (n, F): a derived column's is shared by its columns."""
        if not self.derived:
            return contributions
        count = contributions.shape[1] - len(self.derived)
        told = contributions[:, :count].copy()
        for place, one in enumerate(self.derived):
            for column in one.columns:
                told[:, column] += contributions[:, count + place] / len(one.columns)
        return told

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives the same columns bit for bit."""
        return {
            "derived": [
                {"kind": one.kind, "columns": list(one.columns), "rates": list(one.rates)}
                for one in self.derived
            ]
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Derivation":
        """Read derived columns; :class:`BundleError` unless every one is whole."""
        try:
            return cls(
                tuple(
                    Derived(one["kind"], tuple(map(int, one["columns"])), tuple(map(float, one["rates"])))
                    for one in value["derived"]
                )
            )
        except (KeyError, TypeError, ValueError):
            raise BundleError("derivation: expected kinds, columns and rates, got others") from None


NOTHING_DERIVED = Derivation(())


def rates_of(codes: Matrix, rates: tuple[float, ...]) -> Matrix:
    """The rate of each row's code; the last two are of codes never seen and of none.

    Examples
    --------
    >>> rates_of(np.array([0.0, 1.0, 7.0, np.nan]), (0.2, 0.1, 0.15, 0.3)).tolist()
    [0.2, 0.1, 0.15, 0.3]
    """
    unseen = len(rates) - 2
    known = np.where(np.isnan(codes), unseen + 1, np.minimum(codes, unseen)).astype(np.intp)
    return np.asarray(rates, dtype=np.float64)[known]
