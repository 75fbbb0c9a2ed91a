"""The bundle: one signed thing that turns raw feature rows into calibrated probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nbo.bundle.calibrator import Calibrator
from nbo.bundle.derivation import NOTHING_DERIVED, Derivation
from nbo.bundle.golden import check_golden, golden_rows, golden_scores
from nbo.bundle.signing import DERIVATION, NEXT_STEP, VerifiedFiles, refused, verify_folder
from nbo.bundle.vocabulary import Matrix, Vocabulary
from nbo.errors import BundleError, DataError
from nbo.features.compiled import CompiledFeatures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model with everything needed to score raw rows, and nothing that can drift from it.

    Parameters
    ----------
    id, model : str
        16 hex digits over the contents; the model's name, such as ``churn``.
    features : CompiledFeatures
        What to compute, in the order of the matrix.
    vocabulary : Vocabulary
        Codes of the category features.
    boosters : tuple of lightgbm.Booster
        Their probabilities are averaged.
    calibrator : Calibrator
        From the averaged probability to the told one.
    metadata : mapping
        Where it came from and how good it was.
    derivation : Derivation
        Further columns that the boosters read, derived from the matrix.
    """

    id: str
    model: str
    features: CompiledFeatures
    vocabulary: Vocabulary
    boosters: tuple[lgb.Booster, ...]
    calibrator: Calibrator
    metadata: Mapping[str, Any]
    derivation: Derivation = NOTHING_DERIVED

    def encode(self, rows: pa.Table) -> Matrix:
        """The matrix of raw rows, shape (n, F); see :meth:`Vocabulary.encode`."""
        return self.vocabulary.encode(rows, self.features)

    def score(self, matrix: Matrix, *, threads: int = 1) -> Floats:
        """Calibrated probabilities, shape (n,), of rows from :meth:`encode`.

        One row alone scores exactly as inside any batch and with any number of threads. One
        thread is fastest for one row.

        Raises
        ------
        BundleError
            The matrix does not have one column for each feature.
        """
        return scored(self.boosters, self.calibrator, self.derivation(matrix), threads=threads)

    def contributions(self, matrix: Matrix) -> Matrix:
        """What each feature adds to the log-odds of the raw score, shape (n, F).

        Mean over the boosters of LightGBM's path-dependent SHAP values; the constant is left
        out, and what a derived column adds is shared by the features it is derived from. About
        350 times dearer than :meth:`score`: ask for few rows.
        """
        wide = self.derivation(matrix)
        checked(self.boosters, wide)
        total = np.zeros(wide.shape, dtype=np.float64)
        if not len(matrix):
            return self.derivation.folded(total)
        for booster in self.boosters:
            told = booster.predict(np.ascontiguousarray(wide), pred_contrib=True, num_threads=1)
            total += np.asarray(told, dtype=np.float64)[:, :-1]
        return self.derivation.folded(total / len(self.boosters))


def scored(
    boosters: Sequence[lgb.Booster], calibrator: Calibrator, matrix: Matrix, *, threads: int = 1
) -> Floats:
    """Calibrated mean probability of some boosters, shape (n,).

    Notes
    -----
    ``calibrator((p_1 + p_2 + ...) / k)``, summed elementwise in list order: no step depends on
    how many rows stand beside each other.
    """
    return calibrator(averaged(boosters, matrix, threads=threads))


def averaged(boosters: Sequence[lgb.Booster], matrix: Matrix, *, threads: int = 1) -> Floats:
    """The raw mean probability of some boosters, shape (n,), before calibration."""
    checked(boosters, matrix)
    total = np.zeros(len(matrix), dtype=np.float64)
    if not len(matrix):
        return total
    rows = np.ascontiguousarray(matrix, dtype=np.float64)
    for booster in boosters:
        total += np.asarray(booster.predict(rows, num_threads=threads), dtype=np.float64)
    return total / len(boosters)


def checked(boosters: Sequence[lgb.Booster], matrix: Matrix) -> None:
    """Refuse a matrix that does not have the boosters' columns."""
    expected = boosters[0].num_feature()
    if matrix.ndim != 2 or matrix.shape[1] != expected:
        raise BundleError(f"matrix: expected shape (n, {expected}), got {matrix.shape}")


def parsed_booster(text: str, names: Sequence[str]) -> lgb.Booster:
    """A booster from its native text; only ever called with verified text.

    Raises
    ------
    BundleError
        LightGBM refuses the text, or its features are not these in this order.
    """
    try:
        booster = lgb.Booster(model_str=text)
    except lgb.basic.LightGBMError as error:
        raise BundleError(f"booster: expected a LightGBM model text, got {error!s:.120}") from None
    if booster.feature_name() != list(names):
        raise BundleError("booster: expected the bundle's features in their order, got others")
    return booster


def load_bundle(folder: Path, key: bytes) -> Bundle:
    """Verify, parse and try a bundle.

    Digests and signature are checked on the bytes, the same bytes are parsed, and the golden
    rows must score bit for bit as they did in training.

    Parameters
    ----------
    folder : Path
        ``bundles/<bundle_id>``.
    key : bytes
        The key of the workspace (``nbo.keys.bundle_key``).

    Raises
    ------
    BundleError
        Anything is missing, edited, extra, signed by another key, or scores otherwise.
    """
    return opened(folder, verify_folder(folder, key))


def opened(folder: Path, verified: VerifiedFiles) -> Bundle:
    """The bundle in verified bytes, its golden rows tried."""
    try:
        features = CompiledFeatures.from_json(verified.json("features.json"))
        texts = verified.booster_texts
    except (DataError, UnicodeDecodeError) as error:
        raise refused(folder, str(error)) from None
    derived = (
        Derivation.from_json(verified.json(DERIVATION)) if DERIVATION in verified.files else NOTHING_DERIVED
    )
    names = (*features.column_names, *derived.names)
    bundle = Bundle(
        id=verified.bundle_id,
        model=verified.model,
        features=features,
        vocabulary=Vocabulary.from_json(verified.json("vocabulary.json")),
        boosters=tuple(parsed_booster(text, names) for text in texts),
        calibrator=Calibrator.from_json(verified.json("calibrator.json")),
        metadata=verified.json("metadata.json"),
        derivation=derived,
    )
    golden = verified.json("golden.json")
    expected = golden_scores(golden)
    try:
        check_golden(expected, bundle.score(bundle.encode(golden_rows(golden, features))))
    except BundleError as error:
        raise BundleError(f"bundle {folder.name}: {error}", error.next_step or NEXT_STEP) from None
    return bundle
