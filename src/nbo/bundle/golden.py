"""Golden rows: a few raw rows and their exact scores, by which a loaded bundle is recognised.

Floats are written as hexadecimal, so that equal means equal in every bit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nbo.bundle.vocabulary import numbers, texts
from nbo.errors import BundleError
from nbo.features.compiled import CompiledFeatures

MAX_ROWS = 20


def golden_json(
    rows: pa.Table, compiled: CompiledFeatures, scores: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """The JSON of golden rows: raw feature values by column and the scores, in row order."""
    columns: dict[str, list[str | None]] = {}
    for feature in compiled.columns:
        if feature.kind == "category":
            columns[feature.name] = texts(rows, feature).to_pylist()
        else:
            values = numbers(rows, feature)
            columns[feature.name] = [None if np.isnan(v) else float(v).hex() for v in values]
    return {"columns": columns, "scores": [float(score).hex() for score in scores]}


def golden_rows(value: Mapping[str, Any], compiled: CompiledFeatures) -> pa.Table:
    """The raw rows of :func:`golden_json`."""
    arrays: dict[str, pa.Array] = {}
    try:
        for feature in compiled.columns:
            stored = value["columns"][feature.name]
            if feature.kind == "category":
                arrays[feature.name] = pa.array(stored, pa.string())
            else:
                read = [None if text is None else float.fromhex(text) for text in stored]
                arrays[feature.name] = pa.array(read, pa.float64())
        return pa.table(arrays)
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException):
        raise BundleError("golden rows: expected a column for every feature, got others") from None


def golden_scores(value: Mapping[str, Any]) -> list[str]:
    """The expected scores as hexadecimal texts; at least one."""
    scores = value.get("scores")
    if not isinstance(scores, list) or not 1 <= len(scores) <= MAX_ROWS:
        raise BundleError(f"golden rows: expected 1 to {MAX_ROWS} scores, got others")
    return [str(score) for score in scores]


def check_golden(expected: list[str], scores: npt.NDArray[np.float64]) -> None:
    """Compare scores bit for bit; :class:`BundleError` tells how many differ and the first."""
    got = [float(score).hex() for score in scores]
    if len(got) != len(expected):
        raise BundleError(f"golden rows: expected {len(expected)} rows, got {len(got)}")
    wrong = [row for row, (a, b) in enumerate(zip(expected, got, strict=True)) if a != b]
    if wrong:
        first = wrong[0]
        raise BundleError(
            f"golden rows: expected the scores of training bit for bit, got others; {len(wrong)} of "
            f"{len(got)} rows, e.g. row {first}: {expected[first]} became {got[first]}",
            "Use the library versions named in the bundle's metadata, or train again",
        )
