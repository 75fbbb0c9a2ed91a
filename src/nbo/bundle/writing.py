"""Write a bundle: the parts become bytes, the bytes get a signed manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from nbo.bundle.bundle import parsed_booster, scored
from nbo.bundle.calibrator import Calibrator
from nbo.bundle.derivation import NOTHING_DERIVED, Derivation
from nbo.bundle.golden import MAX_ROWS, golden_json
from nbo.bundle.signing import DERIVATION, read_bytes, seal
from nbo.bundle.vocabulary import Vocabulary
from nbo.errors import BundleError
from nbo.features.compiled import CompiledFeatures
from nbo.files import MANIFEST, canonical_json, lock, staged_folder


@dataclass(frozen=True)
class BundleParts:
    """What training hands over.

    Parameters
    ----------
    model : str
        Such as ``churn``.
    features, vocabulary
        See :class:`~nbo.bundle.Bundle`.
    boosters : list of str
        LightGBM native texts, trained with the features' names in their order.
    calibrator : Calibrator
        From the averaged probability to the told one.
    metadata : mapping
        JSON values only.
    golden_rows : pa.Table
        1 to 20 rows of raw feature values.
    derivation : Derivation
        Further columns that the boosters were trained with.
    """

    model: str
    features: CompiledFeatures
    vocabulary: Vocabulary
    boosters: list[str]
    calibrator: Calibrator
    metadata: Mapping[str, Any]
    golden_rows: pa.Table
    derivation: Derivation = NOTHING_DERIVED


def write_bundle(bundles: Path, parts: BundleParts, key: bytes) -> str:
    """Write a bundle under its own id and return the id.

    The same parts give the same id and leave an intact bundle untouched; a damaged one is
    replaced.

    Parameters
    ----------
    bundles : Path
        The workspace's ``bundles`` folder.
    parts : BundleParts
        What training made.
    key : bytes
        The key of the workspace.

    Raises
    ------
    BundleError
        The parts do not fit each other.
    """
    contents = part_bytes(parts)
    bundle_id, manifest = seal(parts.model, contents, key)
    target = bundles / bundle_id
    with lock(target):
        if target.is_dir() and read_bytes(target) == {**contents, MANIFEST: manifest}:
            return bundle_id
        with staged_folder(target) as stage:
            for name, content in contents.items():
                (stage / name).write_bytes(content)
            (stage / MANIFEST).write_bytes(manifest)
    return bundle_id


def part_bytes(parts: BundleParts) -> dict[str, bytes]:
    """The files of a bundle by name, golden scores computed."""
    if not parts.boosters:
        raise BundleError("boosters: expected at least one, got none")
    if not 1 <= parts.golden_rows.num_rows <= MAX_ROWS:
        raise BundleError(f"golden rows: expected 1 to {MAX_ROWS}, got {parts.golden_rows.num_rows}")
    categories = {feature.name for feature in parts.features.columns if feature.kind == "category"}
    if set(parts.vocabulary.codes) != categories:
        wrong = ", ".join(sorted(set(parts.vocabulary.codes) ^ categories))
        raise BundleError(f"vocabulary: expected the category features, got a difference in {wrong}")
    names = (*parts.features.column_names, *parts.derivation.names)
    boosters = [parsed_booster(text, names) for text in parts.boosters]
    matrix = parts.derivation(parts.vocabulary.encode(parts.golden_rows, parts.features))
    scores = scored(boosters, parts.calibrator, matrix)
    values: dict[str, Any] = {
        "calibrator.json": parts.calibrator.to_json(),
        "features.json": parts.features.to_json(),
        "vocabulary.json": parts.vocabulary.to_json(),
        "golden.json": golden_json(parts.golden_rows, parts.features, scores),
        "metadata.json": dict(parts.metadata),
    }
    if parts.derivation.derived:
        values[DERIVATION] = parts.derivation.to_json()
    contents = {name: canonical_json(value).encode() for name, value in values.items()}
    for number, text in enumerate(parts.boosters):
        contents[f"booster-{number}.txt"] = text.encode()
    return contents
