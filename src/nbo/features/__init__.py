"""The feature language: declare, compile to one SQL text, build as of a date."""

from nbo.asof import days
from nbo.features.codes import LINES_IN_USE, TENURE, Bands
from nbo.features.compile import compile_features, find_feature
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.features.families import FeatureSet
from nbo.features.spec import Source, table
from nbo.tables.contract import Words

__all__ = [
    "LINES_IN_USE",
    "TENURE",
    "Bands",
    "CompiledFeature",
    "CompiledFeatures",
    "FeatureSet",
    "Source",
    "Words",
    "compile_features",
    "days",
    "find_feature",
    "table",
]
