"""Every declared feature: in a set, told in both languages, with unit, purposes and source.

The suite is generated over ``features/``: what is declared there is in it without being named.
"""

import importlib

import pytest

from nbo.features import FeatureSet, compile_features
from nbo.features.compiled import CompiledFeature
from nbo.features.lineage import lineages
from nbo.tables.contract import PURPOSES
from nbo.workspace import Workspace, bundled_code

WORKSPACE = Workspace.at(bundled_code())
SETS = WORKSPACE.declared_sets()
FILES = sorted(path.stem for path in (WORKSPACE.code / "features").glob("*.py") if path.stem != "__init__")
COMPILED = {name: compile_features(WORKSPACE.feature_sets(name)) for name in SETS}
FEATURES: dict[tuple[str, str], CompiledFeature] = {
    (key, feature.name): feature for key, compiled in COMPILED.items() for feature in compiled.features
}
IDS = [f"{key}: {name}" for key, name in FEATURES]


def declared_in(file: str) -> list[FeatureSet]:
    """The families of one file of ``features/``."""
    found = vars(importlib.import_module(f"features.{file}")).values()
    return [value for value in found if isinstance(value, FeatureSet)]


def test_there_are_features_to_look_at() -> None:
    assert len(FEATURES) > 150 and len(FILES) > 8


@pytest.mark.parametrize("file", FILES)
def test_every_declared_family_is_in_a_set_so_that_tests_of_all_features_see_it(file: str) -> None:
    """The tests of leaks, order and other accounts run over SETS: a family outside is one nobody tests."""
    held = [family for families in SETS.values() for family in families]
    assert [family.name for family in declared_in(file) if family not in held] == []


@pytest.mark.parametrize("feature", FEATURES.values(), ids=IDS)
def test_a_feature_is_told_with_words_unit_purposes_and_source(feature: CompiledFeature) -> None:
    assert feature.words.en and feature.words.zh and feature.words.en.isascii()
    assert any("\u4e00" <= sign <= "\u9fff" for sign in feature.words.zh)
    assert feature.unit and feature.null_means and feature.columns
    assert feature.purposes and feature.purposes <= set(PURPOSES)
    assert feature.idea, "say where the idea comes from: FeatureSet(…, idea=…)"


@pytest.mark.parametrize(("key", "name"), FEATURES, ids=IDS)
def test_a_feature_has_a_lineage_that_ends_in_the_columns_it_tells(key: str, name: str) -> None:
    [found] = [one for one in lineages(SETS, name) if key in one.sets]
    assert found.feature == FEATURES[key, name]
    tables = {row["column"].split(".")[0] for row in found.columns}
    assert {column.split(".")[0] for column in found.feature.columns} <= tables


def test_a_word_or_name_tells_one_feature() -> None:
    for compiled in COMPILED.values():
        sentences = [feature.words.en for feature in compiled.features]
        twice = sorted({words for words in sentences if sentences.count(words) > 1})
        assert twice == []
