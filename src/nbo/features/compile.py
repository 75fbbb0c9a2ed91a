"""Compile feature sets: check names and purposes, build one SQL text, take its hash."""

from collections.abc import Sequence
from dataclasses import replace

from nbo.engine import portable
from nbo.errors import UsageError
from nbo.features.codes import Parts
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.features.context import context_of
from nbo.features.declared import Feature, Graph
from nbo.features.families import FeatureSet
from nbo.features.plan import Plan
from nbo.features.purposes import (
    check_purpose,
    family_purposes,
    permitted_purposes,
    refuse_barred,
    refuse_wider,
    relations_read,
)
from nbo.features.spec import Declared
from nbo.features.verbs import VERBS
from nbo.features.verbs.meaning import feature_columns, leaf_name, window_name
from nbo.tables.contract import close_matches


def compile_features(sets: Sequence[FeatureSet], purpose: str = "retention") -> CompiledFeatures:
    """Compile declarations for a purpose.

    Parameters
    ----------
    sets : sequence of FeatureSet
        Families in the order of the output columns.
    purpose : str
        One of ``service``, ``retention``, ``marketing``.

    Returns
    -------
    CompiledFeatures
        Equal declarations give an equal hash, on any machine.

    Raises
    ------
    UsageError
        Two features or two families of one name, or an unknown purpose.
    LeakageError
        A feature reads a column that feeds no feature, or not for this purpose; or a family is declared
        for more than its columns allow.
    """
    check_purpose(purpose)
    refuse_namesakes(sets)
    plan = Plan()
    compiled: list[CompiledFeature] = []
    outputs: list[tuple[str, str]] = []
    for family in sets:
        for feature in family.features:
            one, expression = compile_one(family, feature, plan)
            compiled.append(one)
            outputs.append((one.name, expression))
    refuse_barred(compiled, purpose)
    refuse_collisions(compiled)
    return CompiledFeatures.of(tuple(compiled), plan.sql(outputs), purpose)


def permitted_sets(sets: Sequence[FeatureSet], purpose: str) -> tuple[FeatureSet, ...]:
    """The same families with only the features that may be used for a purpose; empty families fall out."""
    check_purpose(purpose)
    found = []
    for family in sets:
        lines = [
            Declared((feature,))
            for feature in family.features
            if purpose in compile_one(family, feature, Plan())[0].purposes
        ]
        if lines:
            found.append(replace(family, lines=lines))
    return tuple(found)


def compile_one(family: FeatureSet, feature: Feature, plan: Plan) -> tuple[CompiledFeature, str]:
    """One feature and its cast SQL expression; its requests are added to the plan."""
    meaning = VERBS[feature.verb](feature, plan)
    columns = feature_columns(feature)
    read = [*columns, *columns_read(feature)]
    one = CompiledFeature(
        name=feature_name(feature),
        kind=meaning.kind,
        unit=meaning.unit,
        family=family.name,
        family_words=family.words,
        words=meaning.words,
        columns=columns,
        purposes=permitted_purposes(read) & family_purposes(family),
        null_means=meaning.null_means,
        sql_type=meaning.sql_type,
        idea="; ".join(filter(None, (family.idea, meaning.idea))),
        context=context_of(feature) if feature.context else None,
        codes=meaning.codes,
    )
    refuse_wider(one, family, read)
    return one, f"CAST({meaning.expression} AS {portable(meaning.sql_type)})"


def columns_read(feature: Feature) -> tuple[str, ...]:
    """``table.column`` of everything that the SQL of this feature alone names."""
    plan = Plan()
    VERBS[feature.verb](feature, plan)
    return tuple(dict.fromkeys(name for one in relations_read(plan) for name in one.columns))


def feature_name(feature: Feature) -> str:
    """The generated name: source, conditions, column, verb, window.

    Examples
    --------
    >>> from nbo.asof import days
    >>> from nbo.features.spec import table
    >>> [feature_name(f) for f in table("calls").where(direction="out").sum("minutes", over=days(7, 30))]
    ['calls_out_minutes_sum_7d', 'calls_out_minutes_sum_30d']
    """
    leaf, verb = feature.leaf, feature.verb
    if verb == "banded":
        return f"{feature_name(Feature(feature.inner or '', leaf))}_{by_name(feature)}"
    if verb == "per":
        return f"{feature_name(Feature('peak', replace(leaf, column=None)))}_per_{leaf.column}"
    if verb == "attribute":
        return leaf_name(leaf)
    if verb == "days_until":
        return f"{leaf_name(leaf)}_days_until"
    if verb == "days_since":
        return f"{leaf_name(leaf)}_days_since_{leaf.which}_{window_name(leaf)}"
    base = f"{leaf_name(leaf)}_{feature.inner or verb}_{window_name(leaf)}"
    if leaf.place is not None:
        return f"{base}_{verb}_{place_name(leaf.place)}"
    if verb == "beyond" and feature.other is not None:
        return f"{base}_beyond_{leaf_name(feature.other)}"
    if feature.other is not None:
        whole = [item.name for item in feature.other.conditions] or ["all"]
        prefix = [] if feature.other.source == leaf.source else [feature.other.source]
        link = "share_of" if verb == "share" else verb
        return f"{base}_{link}_{'_'.join([*prefix, *whole])}"
    if feature.by is not None:
        return f"{base}_{verb}_{by_name(feature)}"
    return base if feature.inner is None else f"{base}_{verb}"


def refuse_namesakes(sets: Sequence[FeatureSet]) -> None:
    """Refuse two families of one name: lists and reasons could not tell them apart."""
    seen = set()
    for family in sets:
        if family.name in seen:
            step = "Put it there once, or give one of them another"
            raise UsageError(f"{family.name}: two families of this name", step)
        seen.add(family.name)


def refuse_collisions(features: Sequence[CompiledFeature]) -> None:
    """Refuse two features of one name, with the families that they stand in."""
    seen: dict[str, str] = {}
    for one in features:
        if one.name in seen:
            apart = seen[one.name] != one.family
            where = f", in the families {seen[one.name]} and {one.family}" if apart else ""
            raise UsageError(f"{one.name}: two features of this name{where}", "Declare each feature once")
        seen[one.name] = one.family


def place_name(place: str | Graph) -> str:
    """The name of a place, or of the rows that make a graph and their window."""
    if isinstance(place, str):
        return place
    return f"{leaf_name(place.rows)}_{window_name(place.rows)}"


def by_name(feature: Feature) -> str:
    """The name of the bands or the network, or of the column that a total is split by."""
    by = feature.by
    return "" if by is None else by.column if isinstance(by, Parts) else by.name


def find_feature(compiled: CompiledFeatures, name: str) -> CompiledFeature:
    """The feature of this name; close matches are shown when there is none."""
    for feature in compiled.features:
        if feature.name == name:
            return feature
    raise UsageError(f"{name}: no such feature{close_matches(name, list(compiled.names))}")
