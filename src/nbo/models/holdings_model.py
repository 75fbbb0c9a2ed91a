"""Ours on a plain table of holdings: the pooled model of pairs, learnt by hiding what is held.

The very parts of the next-product model, pairs of a customer and a product that is lacked
(:mod:`nbo.models.pairs`) and boosters with out-of-fold calibration (:mod:`nbo.models.churn`), with one
difference: a table without dates does not say what was taken when. So each held product in turn is
hidden, and the label of a pair is whether its product is the hidden one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nbo.bundle import Matrix, Vocabulary
from nbo.evaluation.ranking import Flags, HiddenProducts, hide_each
from nbo.features.compiled import CompiledFeatures
from nbo.models.attributes import attribute_feature
from nbo.models.choice import ChoiceMap, fit_choice_map, holder_shares
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.data import Floats, TrainingData
from nbo.models.holdings_table import HoldingsTable
from nbo.models.pairs import PAIR_COLUMNS, ProductStatistics, ProductTable, pair_matrix
from nbo.models.settings import BoosterSettings

__all__ = ["BOOSTER", "HoldingsModel", "fit_holdings_model"]

BOOSTER = BoosterSettings(
    learning_rate=0.15,
    num_leaves=31,
    min_data_in_leaf=30,
    lambda_l2=5.0,
    feature_fraction=0.6,
    max_rounds=500,
    patience_rounds=20,
    folds=3,
    seeds=1,
    threads=1,
)
"""More leaves than for churn: what goes with what differs by product."""
MOST_HIDDEN = 60_000
MOST_PAIRS = 500_000
"""Hidden products, and pairs with a candidate, that are learnt from at most; beyond, a random part is."""
BLOCK_ROWS = 10_000
COUNTING_FOLDS = 5
AFFINITY_STEP = 0.5
"""Affinities are told in such steps of log lift: finer, they would tell the folds apart."""
AFFINITIES = ("product_affinity_mean", "product_affinity_max")
HELD_SHARE = "product_held_share"
SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class PairEncoder:
    """How customers with what is shown of their holdings become the rows of pairs.

    Parameters
    ----------
    compiled : CompiledFeatures
        Attributes, whether each product is shown, and the columns of pairs.
    vocabulary : Vocabulary
    products : ProductTable
        k products; nothing but their names is known of them.
    statistics : ProductStatistics
        Of the training customers.
    """

    compiled: CompiledFeatures
    vocabulary: Vocabulary
    products: ProductTable
    statistics: ProductStatistics

    @classmethod
    def of(cls, train: HoldingsTable) -> "PairEncoder":
        """The encoder of these training customers."""
        k = len(train.products)
        shown = [
            attribute_feature(f"shown_{place}", f"holds {name}", "number", "flag")
            for place, name in enumerate(train.products)
        ]
        features = (*train.features, *shown)
        own = CompiledFeatures.of(train.features, "", "marketing")
        family = "any"
        codes = {"product_id": train.products, "product_family": (family,)}
        return cls(
            compiled=CompiledFeatures.of(features, "", "marketing", PAIR_COLUMNS),
            vocabulary=Vocabulary({**Vocabulary.learn(train.rows, own).codes, **codes}),
            products=ProductTable(
                train.products, (family,) * k, np.full(k, np.nan), np.full(k, np.nan), ((),) * k
            ),
            statistics=ProductStatistics.of_matrix(train.held),
        )

    def matrix(
        self, rows: pa.Table, task: HiddenProducts, wanted: Flags, counted: ProductStatistics | None = None
    ) -> Matrix:
        """One row for each wanted pair, row by row of the task, products in their order.

        Parameters
        ----------
        rows : pa.Table
            The attributes; ``task.customers`` counts in them.
        task : HiddenProducts
            t rows over the k products.
        wanted : ndarray of shape (t, k), bool
        counted : ProductStatistics or None
            What affinities are taken from; None = those of all training customers.
        """
        attributes = self.compiled.features[: -len(self.products.product_ids)]
        encoded = self.vocabulary.matrix(rows, attributes)[task.customers]
        matrix = pair_matrix(
            self.vocabulary,
            self.compiled,
            np.concatenate([encoded, task.shown], axis=1),
            task.shown,
            self.products,
            counted or self.statistics,
            wanted,
        )
        for name in AFFINITIES:
            place = self.compiled.column_names.index(name)
            matrix[:, place] = np.rint(matrix[:, place] / AFFINITY_STEP) * AFFINITY_STEP
        shares = self.statistics.held_share[np.nonzero(wanted)[1]]
        matrix[:, self.compiled.column_names.index(HELD_SHARE)] = shares
        return matrix

    def training_matrix(self, train: HoldingsTable, task: HiddenProducts, wanted: Flags, seed: int) -> Matrix:
        """The pairs of training customers, affinities counted over the customers of other folds.

        Notes
        -----
        A customer's own row must not be in the counts, for it holds the hidden product. Nor may it
        be left out alone: counts that are smaller by one exactly where the product is hidden tell
        it as plainly. The share of holders is the same for everybody and tells nothing.
        """
        folds = np.random.default_rng(seed).integers(0, COUNTING_FOLDS, len(train.held))
        matrix = np.empty((int(wanted.sum()), len(self.compiled.columns)))
        fold_of_pair = np.repeat(folds[task.customers], wanted.sum(axis=1))
        for fold in range(COUNTING_FOLDS):
            inside = folds[task.customers] == fold
            counted = ProductStatistics.of_matrix(train.held[folds != fold])
            matrix[fold_of_pair == fold] = self.matrix(train.rows, task.rows(inside), wanted[inside], counted)
        return matrix


@dataclass(frozen=True, eq=False)
class HoldingsModel:
    """A fitted model of which product a customer holds beside those that are shown.

    Parameters
    ----------
    encoder : PairEncoder
    fitted : FittedModel
        Of pairs.
    kept_share : float
        Part of the pairs without the hidden product that was learnt from, in (0, 1].
    shares : ndarray of shape (k,)
        :func:`nbo.models.choice.holder_shares` of the training customers.
    choice : ChoiceMap
        From log probabilities of pairs to probabilities over the candidates.
    """

    encoder: PairEncoder
    fitted: FittedModel
    kept_share: float
    shares: Floats
    choice: ChoiceMap

    def probabilities(self, rows: pa.Table, task: HiddenProducts) -> Floats:
        """Probabilities over the candidates of each row of the task, shape (t, k).

        Parameters
        ----------
        rows : pa.Table
            The attributes; ``task.customers`` counts in them.
        """
        scores = np.zeros(task.shown.shape)
        for block in blocks(len(scores)):
            part = task.rows(block)
            matrix = self.encoder.matrix(rows, part, part.candidates)
            p_pair = self.fitted.score(matrix)
            scores[block][part.candidates] = log_probability(p_pair, self.kept_share)
        return self.choice.probabilities(scores, self.shares, task.candidates)


def blocks(count: int) -> Iterator[slice]:
    """Slices of so many rows, a bounded number each."""
    return (slice(start, start + BLOCK_ROWS) for start in range(0, count, BLOCK_ROWS))


def fit_holdings_model(train: HoldingsTable, seed: int, booster: BoosterSettings = BOOSTER) -> HoldingsModel:
    """Learn from training customers, each of whose products is hidden in turn.

    Parameters
    ----------
    train : HoldingsTable
        Training customers only.
    seed : int
        Same customers, settings and seed: same model, bit for bit.
    booster : BoosterSettings
        Rounds are found by cross-validation, folds grouped by customer.
    """
    encoder, task = PairEncoder.of(train), sampled(hide_each(train.held), seed)
    wanted, kept_share = sampled_candidates(task, seed)
    label = np.zeros(wanted.shape, dtype=np.int8)
    label[np.arange(len(label)), task.hidden] = 1
    data = TrainingData(
        matrix=encoder.training_matrix(train, task, wanted, seed),
        label=label[wanted],
        account_ids=np.repeat(task.customers, wanted.sum(axis=1)),
        as_of_days=np.zeros(int(wanted.sum()), dtype=np.int32),
        names=encoder.compiled.column_names,
        categories=tuple(n for n, column in enumerate(encoder.compiled.columns) if column.kind == "category"),
    )
    fitted = fit_churn(data, booster, seed=seed, positive="hidden product")
    scores = np.zeros(wanted.shape)
    scores[wanted] = log_probability(fitted.calibrator(fitted.oof_scores), kept_share)
    shares = holder_shares(train.held)
    choice = fit_choice_map(scores, shares, task, wanted)
    return HoldingsModel(encoder, fitted, kept_share, shares, choice)


def sampled(task: HiddenProducts, seed: int) -> HiddenProducts:
    """A random part of the hidden products, where there are too many."""
    if len(task.hidden) <= MOST_HIDDEN:
        return task
    return task.rows(np.sort(np.random.default_rng(seed).permutation(len(task.hidden))[:MOST_HIDDEN]))


def sampled_candidates(task: HiddenProducts, seed: int) -> tuple[Flags, float]:
    """The pairs to learn from: every hidden product, and an equal part of all others if need be.

    Returns
    -------
    wanted : ndarray of shape (t, k), bool
    kept_share : float
        The part of the others.
    """
    wanted = task.candidates
    kept_share = min(1.0, MOST_PAIRS / max(1, int(wanted.sum())))
    if kept_share < 1:
        wanted &= np.random.default_rng(seed).random(wanted.shape) < kept_share
        wanted[np.arange(len(wanted)), task.hidden] = True
    return wanted, kept_share


def log_probability(p_pair: Floats, kept_share: float) -> Floats:
    """Log probability of a pair among all pairs, from that among those kept.

    Notes
    -----
    Leaving out negatives divides the odds by nothing but ``kept_share``, so that
    ``odds = kept_share p / (1 - p)``.

    References
    ----------
    King and Zeng (2001), *Logistic regression in rare events data*, Political Analysis 9(2), eq. 7.
    """
    kept = np.clip(p_pair, SMALLEST, 1 - SMALLEST)
    odds = kept_share * kept / (1 - kept)
    return np.asarray(np.log(odds / (1 + odds)))
