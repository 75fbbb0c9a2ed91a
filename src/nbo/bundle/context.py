"""What a channel knows better than the data at the time of a call, put into an encoded row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nbo.bundle.vocabulary import Matrix, Vocabulary
from nbo.errors import UsageError
from nbo.features.compiled import CompiledFeature
from nbo.features.context import ContextValue
from nbo.tables.contract import close_matches

MOST_SHOWN = 60


@dataclass(frozen=True)
class Overridden:
    """A context feature whose value a channel gave at the time of a call.

    Parameters
    ----------
    feature : str
    value : number, text or None
        What the channel said.
    instead_of : number, text or None
        What the data say; None: not known, or a code that training never saw.
    """

    feature: str
    value: ContextValue
    instead_of: ContextValue


def check_context(context: Mapping[str, ContextValue], features: Sequence[CompiledFeature]) -> None:
    """Refuse what a channel may not say.

    Raises
    ------
    UsageError
        A name that is no feature, or one that only the data tell, or a value outside its range.

    Examples
    --------
    >>> from nbo.features import FeatureSet, Words, compile_features, days, table
    >>> opened = table("tickets").where(state="open")
    >>> lines = [opened.count(over=days(30)).context(), table("calls").count(over=days(7))]
    >>> features = compile_features([FeatureSet("f", Words("f", "f"), lines)]).features
    >>> check_context({"tickets_open_count_30d": 1}, features)
    >>> check_context({"calls_count_7d": 1}, features)
    Traceback (most recent call last):
    nbo.errors.UsageError: context.calls_count_7d: expected a context feature, got one that only the data \
tell. Context features are tickets_open_count_30d.
    """
    by_name = {feature.name: feature for feature in features}
    names = [feature.name for feature in features if feature.context is not None]
    for name, value in context.items():
        feature = by_name.get(name)
        if feature is None or feature.context is None:
            close = close_matches(name, names) if names else ""
            got = "one that only the data tell" if feature else f"no such name{close}"
            listed = f"Context features are {', '.join(names)}" if names else "The model has none"
            raise UsageError(
                f"context.{name[:MOST_SHOWN]}: expected a context feature, got {got}",
                listed if feature or not names else None,
            )
        if not feature.context.allows(value):
            raise UsageError(
                f"context.{name}: expected {feature.context.words} ({feature.unit}), "
                f"got {repr(value)[:MOST_SHOWN]}"
            )


def override(
    row: Matrix,
    context: Mapping[str, ContextValue],
    features: Sequence[CompiledFeature],
    vocabulary: Vocabulary,
) -> tuple[Matrix, tuple[Overridden, ...]]:
    """An encoded row with checked context in it, and what that replaced.

    Parameters
    ----------
    row : ndarray of shape (F,)
        Left as it is.
    context : mapping of feature to value
        Has passed :func:`check_context`; names that are no column of the row are passed over.
    """
    changed, replaced = row.copy(), []
    for place, feature in enumerate(features):
        if feature.name in context:
            value = context[feature.name]
            replaced.append(Overridden(feature.name, value, vocabulary.decoded(float(row[place]), feature)))
            changed[place] = encoded_value(value, feature, vocabulary)
    return changed, tuple(replaced)


def encoded_value(value: ContextValue, feature: CompiledFeature, vocabulary: Vocabulary) -> float:
    """One value as the matrix has it; a code that training never saw is *other*."""
    if value is None:
        return float(np.nan)
    if isinstance(value, str):
        known = vocabulary.known(feature)
        return float(known.index(value) if value in known else len(known))
    return float(value)


def with_context_of(
    features: Sequence[CompiledFeature], others: Sequence[CompiledFeature]
) -> list[CompiledFeature]:
    """Features of two lists, each once; one that is in both is context if either says so."""
    by_name = {feature.name: feature for feature in features}
    for other in others:
        mine = by_name.get(other.name)
        by_name[other.name] = other if mine is None else replace(mine, context=mine.context or other.context)
    return list(by_name.values())
