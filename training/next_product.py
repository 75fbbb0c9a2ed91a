"""The next-product run: catalog, months of pairs, fit, held-out evaluation, bundle, record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.decisions.recommender import require_currency
from nbo.features import CompiledFeatures, compile_features
from nbo.features.build import build_snapshots
from nbo.labels import SlicePlan, plan_slices, take_ups
from nbo.models.config import NextProductConfig
from nbo.models.data import TrainingData
from nbo.models.next_product import (
    PairSlice,
    fewer_accounts,
    fit_next_product,
    pair_medians,
    pair_slice,
    pair_vocabulary,
    training_pairs,
)
from nbo.models.next_product_card import against_champion, held_out_card, order_of_training
from nbo.models.pairs import PAIR_COLUMNS, ProductTable, pair_rows
from nbo.offers.catalog import Catalog
from nbo.offers.products import product_table
from nbo.offers.reading import read_catalog
from nbo.tables.store import Store
from nbo.tracking import Tracking
from nbo.workspace import Workspace
from training.runs import (
    GOLDEN_ROWS,
    Outcome,
    Progress,
    compared_with_release,
    in_memory,
    left_behind,
    never_known,
    provenance,
    searched,
)


@dataclass(frozen=True)
class Months:
    """Pairs of one side of the split, and how many were censored on each date."""

    slices: tuple[PairSlice, ...]
    censored: dict[str, int]

    @property
    def dates(self) -> list[str]:
        return [str(one.as_of) for one in self.slices]


def run(
    config: NextProductConfig, workspace: Workspace, store: Store, tracking: Tracking, progress: Progress
) -> Outcome:
    """Train on the past, judge on the held-out months, write the bundle, record everything."""
    catalog = catalog_for(workspace, store)
    products = product_table(catalog)
    compiled = pair_features(config, workspace)
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    train, holdout = both_sides(store, compiled, products, config, plan, progress)
    learnt = fewer_accounts(train.slices, config.max_rows, config.seed)
    vocabulary = pair_vocabulary(learnt, compiled, products)
    data = training_pairs(learnt, vocabulary, compiled, products, config)
    parameters = searched(data, config, progress)
    progress(f"fitting and calibrating on {len(data.label):,} pairs")
    fitted = fit_next_product(data, config, parameters)
    progress("judging on the held-out months")
    metadata = {
        **provenance(config, store, compiled, fitted, data.tunable and bool(parameters)),
        **described(train, holdout, learnt, data, compiled),
        "products": {**products.to_json(), "catalog_hash": catalog.hash},
        "medians": pair_medians(learnt, data, compiled),
    }
    draft = in_memory(compiled, vocabulary, fitted, metadata)
    card = held_out_card(draft, holdout.slices, products, metadata["medians"], config.seed)
    metadata.update(card, notes=[*metadata["notes"], *sampling_notes(train, learnt), *card["notes"]])
    metadata["metrics"]["train_out_of_fold"] = order_of_training(data, fitted.oof_scores, config.seed)
    metadata["champion"] = compared_with_release(
        workspace, draft, lambda champion: against(champion, draft, store, holdout, products, config)
    )
    return left_behind(workspace, tracking, draft, fitted, golden_pairs(learnt, products), progress)


def compare(first: Bundle, second: Bundle, store: Store) -> dict[str, Any]:
    """Two bundles on the first one's held-out months and products: first minus second."""
    config = NextProductConfig(**first.metadata["config"])
    products = ProductTable.from_json(first.metadata["products"])
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    holdout = months(store, first.features, products, config, plan.holdout, None)
    found = against(second, first, store, holdout, products, config)
    return {
        "holdout": holdout.dates,
        "first": first.id,
        "second": second.id,
        "difference": found["difference"],
    }


def catalog_for(workspace: Workspace, store: Store) -> Catalog:
    """The workspace's catalog; its fees must be in the money of the store."""
    catalog = read_catalog(workspace.catalog_path)
    require_currency(catalog, store.currency, store.minor_digits)
    return catalog


def pair_features(config: NextProductConfig, workspace: Workspace) -> CompiledFeatures:
    """The account's features with the columns of pairs."""
    return compile_features(workspace.feature_sets(config.features), config.purpose).with_given(PAIR_COLUMNS)


def both_sides(
    store: Store,
    compiled: CompiledFeatures,
    products: ProductTable,
    config: NextProductConfig,
    plan: SlicePlan,
    progress: Progress,
) -> tuple[Months, Months]:
    """Training months with what was known by the first held-out date; held-out months with all."""
    progress(f"features of {len(plan.train)} training and {len(plan.holdout)} held-out months")
    train = months(store, compiled, products, config, plan.train, plan.holdout[0])
    return train, months(store, compiled, products, config, plan.holdout, None)


def months(
    store: Store,
    compiled: CompiledFeatures,
    products: ProductTable,
    config: NextProductConfig,
    dates: tuple[AsOf, ...],
    known_by: AsOf | None,
) -> Months:
    slices, censored = [], {}
    for snapshot in build_snapshots(store, compiled, dates):
        found = take_ups(store, snapshot.as_of, config.label.window, known_by)
        slices.append(pair_slice(store, snapshot, products, found.taken, found.censored))
        censored[str(snapshot.as_of)] = found.censored.num_rows
    return Months(tuple(slices), censored)


def described(
    train: Months,
    holdout: Months,
    learnt: Sequence[PairSlice],
    data: TrainingData,
    compiled: CompiledFeatures,
) -> dict[str, Any]:
    """What was learnt from: the part of the metadata that is known before the model is judged."""
    return {
        "as_of_slices": {"train": train.dates, "holdout": holdout.dates},
        "rows": len(data.label),
        "positives": data.positives,
        "accounts": len(np.unique(data.account_ids)),
        "censored": {
            date: {"taken before the window": count}
            for date, count in {**train.censored, **holdout.censored}.items()
        },
        "null_features": never_known([one.rows for one in learnt], compiled),
    }


def sampling_notes(train: Months, learnt: Sequence[PairSlice]) -> list[str]:
    """What was left out because there was more than the config allows."""
    before, after = sum(one.pairs for one in train.slices), sum(one.pairs for one in learnt)
    if before == after:
        return []
    return [f"learnt from {after:,} of {before:,} pairs, of accounts drawn at random: see max_rows"]


def golden_pairs(slices: Sequence[PairSlice], products: ProductTable) -> pa.Table:
    """Raw rows of the first pairs learnt from, by which the bundle is recognised when it is loaded."""
    one = next(one for one in slices if one.pairs)
    chosen = [(int(account), int(place)) for account, place in np.argwhere(one.wanted)[:GOLDEN_ROWS]]
    return pair_rows(one.rows, one.held, products, one.statistics, chosen)


def against(
    champion: Bundle,
    draft: Bundle,
    store: Store,
    holdout: Months,
    products: ProductTable,
    config: NextProductConfig,
) -> dict[str, Any]:
    """The draft against a champion on the same held-out pairs."""
    dates = tuple(one.as_of for one in holdout.slices)
    theirs = months(store, champion.features, products, config, dates, None)
    return against_champion(champion, draft, theirs.slices, holdout.slices, products, config.seed)
