"""Choose the columns that a model derives from its features, within its training rows.

Three ingredients, each kept only if boosters that were cross-fitted with it lose less: rates of
positives by code for categories of many codes, differences and ratios of the numbers that matter most,
how many features a row lacks. A rate that a training row is shown was counted in other folds only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import TargetEncoder

from nbo.bundle import Derivation, Derived
from nbo.models.churn import best_rounds, binned_dataset, oof_scores
from nbo.models.data import Floats, Rows, TrainingData
from nbo.models.settings import BoosterSettings

__all__ = ["with_derived"]

MANY_CODES = 16
"""Codes from which a category is told by the rates of its codes: their subsets would be learnt by heart."""
PAIRED_NUMBERS = 12
"""Numbers that are paired, the most useful ones."""
KEPT_PAIRS = 40
"""Differences and ratios that are kept, the most useful ones."""
LOOKED_AT = 60_000
"""Rows that a choice looks at, at most."""
LOOK_FOLDS = 3
LOOK = {"learning_rate": 0.1, "num_leaves": 15, "max_rounds": 200, "patience_rounds": 15, "seeds": 1}
"""How boosters are fitted to choose by: quickly, and alike."""
SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Look:
    """Boosters cross-fitted on some derived columns.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        Log loss of each row by boosters that never saw its account, in nats.
    gains : ndarray of shape (F + D,)
        What each column reduced the loss by in training.
    """

    losses: Floats
    gains: Floats


def with_derived(data: TrainingData, settings: BoosterSettings, seed: int) -> TrainingData:
    """The training rows with the derived columns that help; the very rows where none does.

    Parameters
    ----------
    data : TrainingData
        Without derived columns.
    settings : BoosterSettings
        Its ``folds`` are those that rates are counted in.
    seed : int
        Same data, settings and seed: same columns.

    Returns
    -------
    TrainingData
        With ``derivation``. Categories of many codes are read as numbers (their codes rank by
        frequency) where their rates are kept. Below 100 positives nothing is derived.

    Notes
    -----
    An ingredient is kept if the mean loss of a row falls by more than one standard error of the
    difference. Which pairs are looked at follows from gains on the same rows; whether they are
    kept, from rows that the boosters did not see.

    References
    ----------
    Micci-Barreca (2001), *A preprocessing scheme for high-cardinality categorical attributes*,
    SIGKDD Explorations 3(1), eq. 3-5: smoothed rates. Breiman et al. (1984), *Classification and
    Regression Trees*, section 3.4.3: one standard error.
    """
    if not data.tunable:
        return data
    sample = data.part(sampled(data, seed))
    quick = settings.model_copy(update=LOOK)
    chosen: tuple[Derived, ...] = ()
    best = look(sample, chosen, quick, seed)
    for offered in (wide_categories(data), missing_counts(data)):
        tried = (*chosen, *offered)
        if offered and helps(best, found := look(sample, tried, quick, seed)):
            chosen, best = tried, found
    pairs = useful_pairs(sample, chosen, best, quick, seed)
    if pairs and helps(best, look(sample, (*chosen, *pairs), quick, seed)):
        chosen = (*chosen, *pairs)
    return derived_data(data, chosen, settings.folds, seed) if chosen else data


def sampled(data: TrainingData, seed: int) -> Rows:
    """Rows of a random part of the accounts, in their order; all where they are few."""
    accounts, codes = np.unique(data.account_ids, return_inverse=True)
    share = LOOKED_AT / len(data.label)
    if share >= 1:
        return np.arange(len(data.label))
    kept = np.random.default_rng(seed).random(len(accounts)) < share
    return np.flatnonzero(kept[codes.ravel()])


def look(data: TrainingData, chosen: Sequence[Derived], settings: BoosterSettings, seed: int) -> Look:
    """Cross-fit boosters with some derived columns."""
    tried = derived_data(data, chosen, LOOK_FOLDS, seed)
    parameters = settings.parameters(seed)
    folds = tried.folds(LOOK_FOLDS, seed)
    rounds, boosters = best_rounds(binned_dataset(tried, parameters), parameters, folds, settings)
    scores = np.clip(oof_scores(tried, boosters, folds, rounds, settings.threads), SMALLEST, 1 - SMALLEST)
    gains = np.sum([gain(booster, rounds) for booster in boosters], axis=0)
    return Look(-np.log(np.where(tried.label == 1, scores, 1 - scores)), gains)


def gain(booster: lgb.Booster, rounds: int) -> Floats:
    return np.asarray(booster.feature_importance("gain", iteration=rounds), dtype=np.float64)


def helps(before: Look, after: Look) -> bool:
    """Whether the rows' losses fell by more than one standard error."""
    fell = before.losses - after.losses
    return bool(fell.mean() > fell.std() / np.sqrt(fell.size))


def wide_categories(data: TrainingData) -> tuple[Derived, ...]:
    """A rate for each category of many codes; the rates themselves are counted later."""
    wide = [place for place in data.categories if len(np.unique(data.matrix[:, place])) > MANY_CODES]
    return tuple(Derived("rate", (place,), (0.0, 0.0)) for place in wide)


def missing_counts(data: TrainingData) -> tuple[Derived, ...]:
    """How many features a row lacks, where rows differ in that."""
    lacks = np.isnan(data.matrix).sum(axis=1)
    some = np.flatnonzero(np.isnan(data.matrix).any(axis=0))
    if len(some) < 2 or (lacks == lacks[0]).all():
        return ()
    return (Derived("missing", tuple(int(place) for place in some)),)


def useful_pairs(
    data: TrainingData, chosen: Sequence[Derived], seen: Look, settings: BoosterSettings, seed: int
) -> tuple[Derived, ...]:
    """Differences and ratios of the numbers that gained most, those that gain most themselves."""
    gains = seen.gains[: len(data.names)]
    numbers = [place for place in range(len(data.names)) if place not in data.categories and gains[place] > 0]
    top = sorted(sorted(numbers, key=lambda place: -gains[place])[:PAIRED_NUMBERS])
    pairs = list(combinations(top, 2))
    offered = [Derived("difference", pair) for pair in pairs] + [Derived("ratio", pair) for pair in pairs]
    if not offered:
        return ()
    own = look(data, (*chosen, *offered), settings, seed).gains[-len(offered) :]
    order = np.argsort(-own, kind="stable")[:KEPT_PAIRS]
    return tuple(offered[place] for place in np.sort(order) if own[place] > 0)


def derived_data(data: TrainingData, chosen: Sequence[Derived], folds: int, seed: int) -> TrainingData:
    """The rows with derived columns, rates counted on all rows but those of the row's own fold."""
    if not chosen:
        return data
    whole = Derivation(tuple(counted(one, data.matrix, data.label) for one in chosen))
    matrix = whole(data.matrix)
    rated = [one.columns[0] for one in chosen if one.kind == "rate"]
    if rated:
        for fit, judge in data.folds(folds, seed):
            within = Derivation(tuple(counted(one, data.matrix[fit], data.label[fit]) for one in chosen))
            matrix[judge] = within(data.matrix[judge])
    return replace(
        data,
        matrix=matrix,
        names=(*data.names, *whole.names),
        categories=tuple(place for place in data.categories if place not in rated),
        derivation=whole,
    )


def counted(one: Derived, matrix: Floats, label: npt.NDArray[np.int8]) -> Derived:
    """The column with its rates counted on some rows; a column without rates as it is."""
    if one.kind != "rate":
        return one
    codes = matrix[:, one.columns[0]]
    unseen = int(np.nanmax(codes, initial=-1)) + 1
    encoder = TargetEncoder(target_type="binary", smooth="auto").fit(codes[:, np.newaxis], label)
    every = np.array([*range(unseen), unseen, np.nan])[:, np.newaxis]
    return Derived("rate", one.columns, tuple(float(rate) for rate in encoder.transform(every)[:, 0]))
