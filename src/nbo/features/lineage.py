"""Where a feature comes from: its verb, the relations of its SQL, the columns under them, their purposes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from nbo.errors import UsageError
from nbo.features.compile import compile_one, feature_name
from nbo.features.compiled import CompiledFeature
from nbo.features.declared import Feature, Leaf
from nbo.features.families import FeatureSet
from nbo.features.plan import Plan
from nbo.features.purposes import Relation, relations_read
from nbo.features.verbs.meaning import leaf_name
from nbo.tables.catalog import contract
from nbo.tables.contract import PURPOSES, Words, close_matches

__all__ = ["Lineage", "lineages", "provenance"]


@dataclass(frozen=True)
class Lineage:
    """The way from a feature to the columns it comes from.

    Parameters
    ----------
    feature : CompiledFeature
    declared : Feature
        The verb and its subjects.
    relations : tuple of Relation
        The relations of its SQL, each with the columns that it reads.
    sets : tuple of str
        Keys of ``SETS`` that hold it.
    """

    feature: CompiledFeature
    declared: Feature
    relations: tuple[Relation, ...]
    sets: tuple[str, ...]

    @property
    def verb(self) -> str:
        """The verb on its subjects, such as ``count, share of calls_rival and calls over 30 days``."""
        one = self.declared
        verb = one.verb if one.inner is None else f"{one.inner}, {one.verb}"
        other = "" if one.other is None else f" and {leaf_name(one.other)}"
        return f"{verb} of {leaf_name(one.leaf)}{other}{window_words(one.leaf)}"

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Each column with what reads it: ``relation``, ``column``, ``kind``, ``unit``, ``provenance``,
        ``purposes``, ``barred`` (purposes that it bars)."""
        return [column_row(one.name, name) for one in self.relations for name in one.columns]

    def to_json(self) -> dict[str, Any]:
        """All of it by name."""
        feature = self.feature
        return {
            "feature": feature.name,
            "unit": feature.unit,
            "meaning": {"en": feature.words.en, "zh": feature.words.zh},
            "family": feature.family,
            "sets": list(self.sets),
            "idea": feature.idea,
            "null_means": feature.null_means,
            "verb": self.verb,
            "relations": [one.name for one in self.relations],
            "columns": self.columns,
            "provenance": [words.en for words in provenance(feature.columns)],
            "purposes": sorted(feature.purposes),
        }


def window_words(leaf: Leaf) -> str:
    return "" if leaf.window_days is None else f" over {leaf.window_days} days"


def column_row(relation: str, name: str) -> dict[str, Any]:
    """One column of a contract as a step of a lineage."""
    table = contract(name.split(".")[0])
    column = table.column(name.split(".")[1])
    return {
        "relation": relation,
        "column": name,
        "kind": column.kind,
        "unit": column.unit,
        "provenance": table.provenance.en,
        "purposes": sorted(column.purposes),
        "barred": [purpose for purpose in PURPOSES if purpose not in column.purposes],
    }


def provenance(columns: Sequence[str]) -> tuple[Words, ...]:
    """Where these ``table.column`` names come from, each source once.

    Examples
    --------
    >>> [words.en for words in provenance(["bills.bill_amount", "payments.paid_amount"])]
    ['billing']
    """
    return tuple(dict.fromkeys(contract(name.split(".")[0]).provenance for name in columns))


def lineages(declared: Mapping[str, Sequence[FeatureSet]], pattern: str) -> list[Lineage]:
    """The lineage of every declared feature that has this name, or matches it as a pattern.

    A name that two families of different sets declare has two.

    Parameters
    ----------
    declared : mapping of str to sequence of FeatureSet
        ``SETS`` of ``features/sets.py``.
    pattern : str
        A feature's name; ``*`` stands for any text, ``?`` for any character.

    Raises
    ------
    UsageError
        No feature of this name; close matches are shown.
    """
    declarations: dict[tuple[str, str], tuple[FeatureSet, Feature]] = {}
    sets: dict[tuple[str, str], list[str]] = {}
    for key, families in declared.items():
        for family in families:
            for feature in family.features:
                one = (feature_name(feature), family.name)
                declarations.setdefault(one, (family, feature))
                sets.setdefault(one, []).append(key)
    found = [one for one in declarations if fnmatchcase(one[0], pattern)]
    if not found:
        names = list(dict.fromkeys(name for name, _ in declarations))
        raise UsageError(f"{pattern}: no such feature{close_matches(pattern, names)}")
    return [lineage(*declarations[one], tuple(dict.fromkeys(sets[one]))) for one in found]


def lineage(family: FeatureSet, feature: Feature, sets: tuple[str, ...]) -> Lineage:
    """The lineage of one declared feature."""
    plan = Plan()
    compiled, _ = compile_one(family, feature, plan)
    return Lineage(compiled, feature, relations_read(plan), sets)
