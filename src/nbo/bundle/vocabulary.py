"""Where rows become a matrix: the frozen codes of category features and the frozen column order.

Training, batch and live all call :meth:`Vocabulary.encode`; nothing else turns rows into the
numbers a booster reads, so they cannot disagree.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.errors import BundleError
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.tables.contract import close_matches

MAX_CODES = 200
"""Codes kept for one feature; rarer ones share the code "other"."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Vocabulary:
    """The codes that each category feature had in training, in a frozen order.

    Parameters
    ----------
    codes : mapping of str to tuple of str
        Feature name to its known codes; the position of a code is its number, and
        ``len(codes)`` is the number of "other".
    """

    codes: Mapping[str, tuple[str, ...]]

    @classmethod
    def learn(cls, rows: pa.Table, compiled: CompiledFeatures) -> "Vocabulary":
        """Freeze the codes of training rows: most frequent first, then by name, at most 200.

        Parameters
        ----------
        rows : pa.Table
            Training rows with every column of the matrix.
        compiled : CompiledFeatures
            The features; those of kind ``category`` get codes.

        Raises
        ------
        BundleError
            A feature has no column, or a category column does not hold text.
        """
        known: dict[str, tuple[str, ...]] = {}
        for feature in compiled.columns:
            if feature.kind == "category":
                counts = Counter(text for text in texts(rows, feature).to_pylist() if text is not None)
                ranked = sorted(counts, key=lambda code: (-counts[code], code))
                known[feature.name] = tuple(ranked[:MAX_CODES])
        return cls(known)

    def encode(self, rows: pa.Table, compiled: CompiledFeatures) -> Matrix:
        """The matrix of these rows, column by column found by *name*.

        Parameters
        ----------
        rows : pa.Table
            Raw feature values; further columns and their order do not matter.
        compiled : CompiledFeatures
            The features of the bundle.

        Returns
        -------
        ndarray of shape (n, F), float64
            In the order of ``compiled.column_names``; null is NaN, a code never seen in training
            is ``len(codes)``.

        Raises
        ------
        BundleError
            A feature has no column, two columns, or values of the wrong type.
        """
        return self.matrix(rows, compiled.columns)

    def matrix(self, rows: pa.Table, features: Sequence[CompiledFeature]) -> Matrix:
        """Some columns of the matrix, as :meth:`encode` gives all of them."""
        matrix = np.empty((rows.num_rows, len(features)), dtype=np.float64)
        for position, feature in enumerate(features):
            if feature.kind == "category":
                matrix[:, position] = coded(texts(rows, feature), self.known(feature))
            else:
                matrix[:, position] = numbers(rows, feature)
        return matrix

    def decode(
        self, matrix: Matrix, features: Sequence[CompiledFeature]
    ) -> list[dict[str, float | str | None]]:
        """The raw values of encoded rows by name; a code never seen in training is None.

        Examples
        --------
        >>> from nbo.tables.contract import Words
        >>> no = Words("", "")
        >>> kind = CompiledFeature("kind", "category", "code", "f", no, no, (), frozenset(), "")
        >>> Vocabulary({"kind": ("shop", "firm")}).decode(np.array([[1.0], [2.0]]), [kind])
        [{'kind': 'firm'}, {'kind': None}]
        """
        return [
            {
                feature.name: self.decoded(float(value), feature)
                for feature, value in zip(features, row, strict=True)
            }
            for row in matrix
        ]

    def decoded(self, value: float, feature: CompiledFeature) -> float | str | None:
        """One raw value from its place in the matrix."""
        if np.isnan(value):
            return None
        if feature.kind == "number":
            return value
        codes = self.known(feature)
        return codes[int(value)] if value < len(codes) else None

    def known(self, feature: CompiledFeature) -> tuple[str, ...]:
        """The codes of one category feature."""
        if feature.name not in self.codes:
            raise BundleError(f"vocabulary: expected codes of the category {feature.name}, got none")
        return self.codes[feature.name]

    def to_json(self) -> dict[str, list[str]]:
        """A JSON object from which :meth:`from_json` gives an equal value."""
        return {name: list(codes) for name, codes in self.codes.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Vocabulary":
        """Read a vocabulary; :class:`BundleError` unless it maps names to lists of unlike texts."""
        codes: dict[str, tuple[str, ...]] = {}
        for name, listed in value.items():
            if not isinstance(listed, list) or not all(isinstance(code, str) for code in listed):
                raise BundleError(f"vocabulary: expected a list of codes for {name}, got {listed!r:.60}")
            if len(set(listed)) != len(listed):
                raise BundleError(f"vocabulary: expected unlike codes for {name}, got repeated ones")
            codes[name] = tuple(listed)
        return cls(codes)


def column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """The one column of this name."""
    found = rows.schema.get_all_field_indices(name)
    if len(found) != 1:
        got = "none" + close_matches(name, rows.column_names) if not found else f"{len(found)}"
        raise BundleError(f"{name}: expected one column with this feature, got {got}")
    return rows.column(found[0])


def texts(rows: pa.Table, feature: CompiledFeature) -> pa.ChunkedArray:
    """The column of a category feature as text."""
    values = column(rows, feature.name)
    kind = values.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise BundleError(f"{feature.name}: expected text (a category), got {values.type}")
    return pc.cast(values, pa.string())


def numbers(rows: pa.Table, feature: CompiledFeature) -> Matrix:
    """The column of a number feature as float64, null as NaN."""
    values = column(rows, feature.name)
    kind = values.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        raise BundleError(f"{feature.name}: expected numbers, got {kind}")
    if pa.types.is_boolean(kind):
        values = pc.cast(values, pa.int8())
    cast = pc.cast(values, pa.float64(), safe=False)
    return np.asarray(pc.fill_null(cast, float("nan")).to_numpy(), dtype=np.float64)


def coded(values: pa.ChunkedArray, known: tuple[str, ...]) -> Matrix:
    """Codes as float64: NaN for null, ``len(known)`` for a code that is not known."""
    positions = pc.index_in(values, value_set=pa.array(known, pa.string()))
    filled = pc.fill_null(positions, len(known))
    codes = np.asarray(pc.cast(filled, pa.float64()).to_numpy(), dtype=np.float64)
    missing = np.asarray(pc.is_null(values).to_numpy(), dtype=bool)
    return np.where(missing, np.nan, codes)
