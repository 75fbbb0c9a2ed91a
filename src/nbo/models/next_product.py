"""From slices of accounts to one pooled matrix of pairs, and the model that learns from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nbo.asof import AsOf
from nbo.bundle import Matrix, Vocabulary
from nbo.customers.holdings import held_matrix, holdings
from nbo.errors import DataError
from nbo.features.compiled import CompiledFeatures
from nbo.features.snapshots import Snapshot
from nbo.models.card import medians
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.config import NextProductConfig
from nbo.models.data import TrainingData
from nbo.models.pairs import (
    CATEGORIES,
    EXPERIENCE,
    PAIR_COLUMNS,
    ProductStatistics,
    ProductTable,
    pair_matrix,
    product_statistics,
)
from nbo.models.products import Flags
from nbo.tables.store import Store


@dataclass(frozen=True, eq=False)
class PairSlice:
    """The n accounts of a date and the k products, with what was taken later.

    Parameters
    ----------
    as_of : AsOf
    rows : pa.Table
        ``account_id`` and the account's features, n rows sorted by account.
    held, wanted, taken : ndarray of shape (n, k), bool
        Held on the date; could be taken; taken within the label window.
    statistics : ProductStatistics
        As of the date.
    """

    as_of: AsOf
    rows: pa.Table
    held: Flags
    wanted: Flags
    taken: Flags
    statistics: ProductStatistics

    @property
    def account_ids(self) -> npt.NDArray[np.str_]:
        """The accounts, shape (n,)."""
        return np.asarray(self.rows["account_id"].to_pylist(), dtype=np.str_)

    @property
    def pairs(self) -> int:
        """Number of wanted pairs."""
        return int(self.wanted.sum())

    @property
    def positives(self) -> int:
        """Wanted pairs that were taken."""
        return int((self.wanted & self.taken).sum())

    def of_accounts(self, chosen: npt.NDArray[np.bool_]) -> "PairSlice":
        """Some of the accounts; the statistics stay those of all."""
        return replace(
            self,
            rows=self.rows.filter(pa.array(chosen)),
            held=self.held[chosen],
            wanted=self.wanted[chosen],
            taken=self.taken[chosen],
        )


def pair_slice(
    store: Store, snapshot: Snapshot, products: ProductTable, taken: pa.Table, censored: pa.Table
) -> PairSlice:
    """Features, holdings and outcomes of every account of a date.

    Parameters
    ----------
    snapshot : Snapshot
        The accounts' features at the date.
    taken, censored : pa.Table
        ``account_id`` and ``product_id`` of the pairs taken within the label window, and of those
        that are neither taken nor left.

    Notes
    -----
    A product that nobody held or took by the date nor takes in the window was not for sale, as far
    as the data tell: its pairs are not wanted, or the model would learn that nobody takes what is
    new.
    """
    as_of, rows = snapshot.as_of, snapshot.read()
    accounts, ids = rows["account_id"].to_pylist(), products.product_ids
    held = held_matrix(holdings(store, as_of), accounts, ids)
    took = held_matrix(taken, accounts, ids)
    statistics = product_statistics(store, as_of, ids)
    for_sale = statistics.known | took.any(axis=0)
    return PairSlice(
        as_of=as_of,
        rows=rows,
        held=held,
        wanted=~held & ~held_matrix(censored, accounts, ids) & for_sale,
        taken=took,
        statistics=statistics,
    )


def fewer_accounts(slices: Sequence[PairSlice], max_rows: int, seed: int) -> list[PairSlice]:
    """A random part of the accounts, the same in every slice, so that about ``max_rows`` pairs are left.

    Whole accounts are drawn, so every rate and what is calibrated by them stays what it was.
    """
    pairs = sum(one.pairs for one in slices)
    if pairs <= max_rows:
        return list(slices)
    accounts = np.unique(np.concatenate([one.account_ids for one in slices]))
    drawn = np.random.default_rng(seed).permutation(accounts)[: max(2, accounts.size * max_rows // pairs)]
    return [one.of_accounts(np.isin(one.account_ids, drawn)) for one in slices]


def pair_vocabulary(
    slices: Sequence[PairSlice], compiled: CompiledFeatures, products: ProductTable
) -> Vocabulary:
    """Codes of the accounts' category features as they occur; of products and families as declared."""
    own = CompiledFeatures.of(compiled.features, compiled.sql, compiled.purpose)
    learnt = Vocabulary.learn(pa.concat_tables([one.rows for one in slices]), own).codes
    families = tuple(sorted(set(products.families)))
    return Vocabulary({**learnt, "product_id": products.product_ids, "product_family": families})


def training_pairs(
    slices: Sequence[PairSlice],
    vocabulary: Vocabulary,
    compiled: CompiledFeatures,
    products: ProductTable,
    config: NextProductConfig,
) -> TrainingData:
    """The wanted pairs of every slice as one matrix, some of them shown as if their product were new.

    Raises
    ------
    DataError
        Nothing was taken in any slice.
    """
    pairs, positives = sum(one.pairs for one in slices), sum(one.positives for one in slices)
    if positives == 0:
        raise DataError(
            "take-ups",
            "at least one product taken in the label windows of the training months",
            f"none in {pairs:,} pairs of account and product",
            next_step="Bring contracts and lines of more months, name their products as the catalog does, "
            "or lengthen label.horizon_days",
        )
    matrix = np.empty((pairs, len(compiled.columns)), dtype=np.float64)
    label, accounts, days = [], [], []
    start = 0
    for one in slices:
        block = slice(start, start + one.pairs)
        encoded = vocabulary.matrix(one.rows, compiled.features)
        matrix[block] = pair_matrix(
            vocabulary, compiled, encoded, one.held, products, one.statistics, one.wanted
        )
        label.append(one.taken[one.wanted])
        accounts.append(np.repeat(one.account_ids, one.wanted.sum(axis=1)))
        days.append(np.full(one.pairs, one.as_of.day, dtype=np.int32))
        start = block.stop
    hide_experience(matrix, compiled, config.new_product_share, config.seed)
    return TrainingData(
        matrix=matrix,
        label=np.concatenate(label).astype(np.int8),
        account_ids=np.unique(np.concatenate(accounts), return_inverse=True)[1],
        as_of_days=np.concatenate(days),
        names=compiled.column_names,
        categories=tuple(n for n, column in enumerate(compiled.columns) if column.kind == "category"),
    )


def hide_experience(matrix: Matrix, compiled: CompiledFeatures, share: float, seed: int) -> None:
    """Take from a random part of the rows what a new product does not have, in place.

    So the trees also learn what a product's attributes alone tell.
    """
    hidden = np.random.default_rng(seed).random(len(matrix)) < share
    for name in EXPERIENCE:
        matrix[hidden, compiled.column_names.index(name)] = np.nan


def fit_next_product(
    data: TrainingData, config: NextProductConfig, tuned: Mapping[str, Any] | None
) -> FittedModel:
    """Boosters and calibrator of pairs; see :func:`fit_churn`."""
    return fit_churn(data, config.booster, tuned=tuned, seed=config.seed, positive="take-up")


def pair_medians(
    slices: Sequence[PairSlice], data: TrainingData, compiled: CompiledFeatures
) -> dict[str, float]:
    """Typical values: of features over accounts, of the numbers of pairs over pairs."""
    own = CompiledFeatures.of(compiled.features, compiled.sql, compiled.purpose)
    typical = medians(pa.concat_tables([one.rows for one in slices]), own)
    first = len(compiled.features) + CATEGORIES
    for column, values in zip(PAIR_COLUMNS[CATEGORIES:], data.matrix[:, first:].T, strict=True):
        known = values[~np.isnan(values)]
        if known.size:
            typical[column.name] = float(np.median(known))
    return typical
