"""Choose the columns that a model derives from its features, within its training rows.

Three ingredients, each kept only if boosters that were cross-fitted with it lose less: rates of
positives by code for categories of many codes; differences, sums and ratios of the numbers that matter
most; how many features a row lacks. A rate that a training row is shown was counted in other folds only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import TargetEncoder

from nbo.bundle import PAIRS, Derivation, Derived
from nbo.models.churn import best_rounds, binned_dataset, oof_scores
from nbo.models.constraints import constrained_parameters, may_pair
from nbo.models.data import Floats, Rows, TrainingData
from nbo.models.settings import BoosterSettings

__all__ = ["with_derived"]

MANY_CODES = 16
"""Codes from which a category is told by the rates of its codes: their subsets would be learnt by heart."""
PAIRED_NUMBERS = 20
"""Numbers that are paired, the most useful ones."""
KEPT_PAIRS = 60
"""Differences, sums and ratios that are kept, the most useful ones."""
LOOKED_AT = 60_000
"""Rows that a choice looks at, at most."""
LOOK_FOLDS = 3
LOOK = {"learning_rate": 0.1, "num_leaves": 15, "max_rounds": 200, "patience_rounds": 15, "seeds": 1}
"""How boosters are fitted to choose by: quickly, and alike."""
GAIN_ROUNDS = 40
GAIN = {"feature_fraction": 0.3, "max_bin": 63}
"""How boosters are fitted that tell which of hundreds of pairs are useful."""
SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Look:
    """Boosters cross-fitted on some derived columns.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        Log loss of each row by boosters that never saw its account, in nats.
    gains : ndarray of shape (K, F + D)
        What each column reduced the loss by in training, by fold.
    rounds : int
        Of the boosters.
    """

    losses: Floats
    gains: Floats
    rounds: int


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
    difference. The pairs that a row is judged by are chosen without its fold: chosen on all rows,
    60 of hundreds would look better than they are.

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
        if offered and helps(best.losses, (found := look(sample, tried, quick, seed)).losses):
            chosen, best = tried, found
    if helps(best.losses, losses_with_pairs(sample, chosen, best, quick, seed)):
        chosen = (*chosen, *useful_pairs(sample, chosen, best.gains.sum(axis=0), quick, seed))
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
    parameters = constrained_parameters(tried, settings, seed)
    folds = tried.folds(LOOK_FOLDS, seed)
    rounds, boosters = best_rounds(binned_dataset(tried, parameters), parameters, folds, settings)
    scores = oof_scores(tried, boosters, folds, rounds, settings.threads)
    gains = np.array([gain(booster, rounds) for booster in boosters])
    return Look(losses_of(scores, data.label), gains, rounds)


def losses_with_pairs(
    data: TrainingData, chosen: Sequence[Derived], seen: Look, settings: BoosterSettings, seed: int
) -> Floats:
    """Log loss of each row, shape (n,), by boosters with the pairs that rows of other folds ask for."""
    scores = np.empty(len(data.label), dtype=np.float64)
    for (fit, judge), gains in zip(data.folds(LOOK_FOLDS, seed), seen.gains, strict=True):
        part = data.part(fit)
        pairs = useful_pairs(part, chosen, gains, settings, seed)
        tried = derived_data(part, (*chosen, *pairs), LOOK_FOLDS, seed)
        booster = boosted(tried, settings, seed, seen.rounds)
        told = booster.predict(tried.derivation(data.matrix[judge]), num_threads=settings.threads)
        scores[judge] = np.asarray(told, dtype=np.float64)
    return losses_of(scores, data.label)


def boosted(data: TrainingData, settings: BoosterSettings, seed: int, rounds: int) -> lgb.Booster:
    parameters = constrained_parameters(data, settings, seed)
    return lgb.train(parameters, binned_dataset(data, parameters), rounds)


def losses_of(scores: Floats, label: npt.NDArray[np.int8]) -> Floats:
    """The log loss of each row, in nats.

    Examples
    --------
    >>> losses_of(np.array([1.0, 0.5]), np.array([1, 0], dtype=np.int8)).round(2).tolist()
    [0.0, 0.69]
    """
    told = np.clip(scores, SMALLEST, 1 - SMALLEST)
    return np.asarray(-np.log(np.where(label == 1, told, 1 - told)))


def gain(booster: lgb.Booster, rounds: int) -> Floats:
    return np.asarray(booster.feature_importance("gain", iteration=rounds), dtype=np.float64)


def helps(before: Floats, after: Floats) -> bool:
    """Whether the rows' losses fell by more than one standard error."""
    fell = before - after
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
    data: TrainingData, chosen: Sequence[Derived], gains: Floats, settings: BoosterSettings, seed: int
) -> tuple[Derived, ...]:
    """Pairs of the numbers that gained most, those that gain most themselves.

    Parameters
    ----------
    gains : ndarray of shape (F + D,)
        Of boosters without pairs.
    """
    numbers = [place for place in range(len(data.names)) if place not in data.categories and gains[place] > 0]
    top = sorted(sorted(numbers, key=lambda place: -gains[place])[:PAIRED_NUMBERS])
    pairs = [
        (one, two)
        for one, two in combinations(top, 2)
        if may_pair((data.names[one], data.names[two]), settings)
    ]
    offered = [Derived(kind, pair) for kind in PAIRS for pair in pairs]
    if not offered:
        return ()
    tried = derived_data(data, (*chosen, *offered), LOOK_FOLDS, seed)
    booster = boosted(tried, settings.model_copy(update=GAIN), seed, GAIN_ROUNDS)
    own = gain(booster, GAIN_ROUNDS)[-len(offered) :]
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
