"""What a booster may not learn: the wrong direction of a feature, or features in concert.

Written in a training config by the features' names, checked before anything is fitted.
"""

from collections.abc import Sequence
from typing import Any

from nbo.errors import UsageError
from nbo.models.data import TrainingData
from nbo.models.settings import BoosterSettings
from nbo.tables.contract import close_matches

__all__ = ["constrained_parameters", "may_pair"]


def constrained_parameters(data: TrainingData, settings: BoosterSettings, seed: int) -> dict[str, Any]:
    """LightGBM's parameters with the settings' constraints on these columns.

    Raises
    ------
    UsageError
        A constraint on a feature that the model does not have, or of direction on a category.

    Notes
    -----
    Directions hold exactly: no derived column reads a feature that has one. Features without a
    group of interactions form one of their own, and so do not interact with those of others; a
    derived column belongs to each group that holds all it reads.
    """
    parameters = settings.parameters(seed)
    names = data.names[: len(data.names) - len(data.derivation.derived)]
    if settings.monotone:
        for name in settings.monotone:
            if place_of(name, names, "monotone") in data.categories:
                raise UsageError(f"booster.monotone: expected a number, got {name}, which is a category")
        parameters["monotone_constraints"] = [settings.monotone.get(name, 0) for name in data.names]
        parameters["monotone_constraints_method"] = "intermediate"
    if settings.interactions:
        groups = [{place_of(name, names, "interactions") for name in one} for one in settings.interactions]
        groups.append(set(range(len(names))).difference(*groups))
        derived = [set(one.columns) for one in data.derivation.derived]
        parameters["interaction_constraints"] = [
            sorted(group | {len(names) + place for place, read in enumerate(derived) if read <= group})
            for group in groups
            if group
        ]
    return parameters


def may_pair(names: Sequence[str], settings: BoosterSettings) -> bool:
    """Whether a column may be derived from features of these names."""
    if any(name in settings.monotone for name in names):
        return False
    if not settings.interactions:
        return True
    grouped = {name for one in settings.interactions for name in one}
    return any(set(names) <= set(one) for one in settings.interactions) or grouped.isdisjoint(names)


def place_of(name: str, names: Sequence[str], key: str) -> int:
    if name not in names:
        raise UsageError(f"booster.{key}: no feature {name!r}{close_matches(name, list(names))}")
    return list(names).index(name)
