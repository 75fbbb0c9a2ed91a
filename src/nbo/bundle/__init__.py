"""A bundle is model + calibrator + compiled features + vocabulary + golden rows, signed as one."""

from nbo.bundle.bundle import Bundle, averaged, load_bundle, parsed_booster, scored
from nbo.bundle.calibrator import IDENTITY, Calibrator
from nbo.bundle.context import Overridden, check_context, override
from nbo.bundle.derivation import NOTHING_DERIVED, PAIRS, Derivation, Derived
from nbo.bundle.inspection import probe_bundle
from nbo.bundle.online import BundleRows
from nbo.bundle.releases import Release, Releases
from nbo.bundle.vocabulary import MAX_CODES, Matrix, Vocabulary
from nbo.bundle.writing import BundleParts, write_bundle

__all__ = [
    "IDENTITY",
    "MAX_CODES",
    "NOTHING_DERIVED",
    "PAIRS",
    "Bundle",
    "BundleParts",
    "BundleRows",
    "Calibrator",
    "Derivation",
    "Derived",
    "Matrix",
    "Overridden",
    "Release",
    "Releases",
    "Vocabulary",
    "averaged",
    "check_context",
    "load_bundle",
    "override",
    "parsed_booster",
    "probe_bundle",
    "scored",
    "write_bundle",
]
