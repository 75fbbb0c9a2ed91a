"""The churn run: months, features, parameters, fit, held-out evaluation, bundle, record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbo.asof import AsOf
from nbo.bundle import Bundle, Vocabulary
from nbo.decisions.settings import value_settings
from nbo.features import CompiledFeatures, compile_features
from nbo.features.compile import permitted_sets
from nbo.labels import Labels, SlicePlan, churn_labels, plan_slices
from nbo.models.card import against_champion, held_out_card, medians
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.compliance import judgeable, only, price_of, row_margins, widest_purpose
from nbo.models.config import ChurnConfig
from nbo.models.data import TrainingData
from nbo.models.deriving import with_derived
from nbo.models.slices import LabelledRows, labelled_rows
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
    out_of_fold_metrics,
    provenance,
    searched,
)


@dataclass(frozen=True)
class Months:
    """Labels and rows of one side of the split."""

    labels: tuple[Labels, ...]
    rows: LabelledRows

    @property
    def dates(self) -> list[str]:
        return [str(labels.as_of) for labels in self.labels]


def run(
    config: ChurnConfig,
    workspace: Workspace,
    store: Store,
    tracking: Tracking,
    progress: Progress,
    *,
    tuned: Mapping[str, Any] | None = None,
) -> Outcome:
    """Train on the past, judge on the held-out months, write the bundle, record everything."""
    compiled = compile_features(workspace.feature_sets(config.features), config.purpose)
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    train, holdout = both_sides(store, compiled, config, plan, progress)
    vocabulary = Vocabulary.learn(train.rows.rows, compiled)
    data = training_data(train.rows, vocabulary, compiled, config, progress)
    parameters = tuned if tuned is not None else searched(data, config, progress)
    progress("fitting and calibrating")
    fitted = fit_churn(data, config.booster, tuned=parameters, seed=config.seed)
    progress("judging on the held-out months")
    tuned_now = data.tunable and bool(parameters)
    metadata = described(config, store, compiled, train, holdout, fitted, tuned_now)
    metadata["medians"] = medians(train.rows.rows, compiled)
    draft = in_memory(compiled, vocabulary, fitted, metadata)
    card = held_out_card(draft, holdout.rows, metadata["medians"], config.seed)
    metadata.update(card, notes=[*metadata["notes"], *card["notes"]])
    metadata["metrics"]["train_out_of_fold"] = out_of_fold_metrics(
        data.label, fitted, data.account_ids, config.seed
    )
    metadata["champion"] = compared_with_release(
        workspace, draft, lambda champion: against(champion, draft, store, holdout, config)
    )
    return left_behind(workspace, tracking, draft, fitted, train.rows.rows.slice(0, GOLDEN_ROWS), progress)


def search(config: ChurnConfig, workspace: Workspace, store: Store, progress: Progress) -> dict[str, Any]:
    """Search parameters on the training months only."""
    compiled = compile_features(workspace.feature_sets(config.features), config.purpose)
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    train, _ = both_sides(store, compiled, config, plan, progress)
    vocabulary = Vocabulary.learn(train.rows.rows, compiled)
    data = training_data(train.rows, vocabulary, compiled, config, progress)
    return {
        "parameters": searched(data, config, progress),
        "feature_hash": compiled.hash,
        "positives": data.positives,
    }


def price(
    config: ChurnConfig, workspace: Workspace, store: Store, purpose: str, progress: Progress
) -> dict[str, Any]:
    """What it costs to keep to the features permitted for a purpose; both models are forgotten again."""
    sets = workspace.feature_sets(config.features)
    widest = widest_purpose(sets, config.purpose)
    compiled = compile_features(permitted_sets(sets, widest), widest)
    part = compile_features(permitted_sets(sets, purpose), purpose)
    barred = [name for name in compiled.names if name not in part.names]
    told = {"purpose": purpose, "features": len(compiled.names), "permitted": len(part.names)}
    if not barred:
        return {**told, "barred": [], "price": None}
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    train, holdout = both_sides(store, compiled, config, plan, progress)
    judgeable(holdout.rows)
    progress("a model of all features")
    every = drafted(train.rows, compiled, config, progress)
    progress(f"a model of those permitted for {purpose}")
    permitted = drafted(only(train.rows, part), part, config, progress)
    settings = value_settings(workspace.settings)
    margins = row_margins(store, holdout.rows, settings.margin_share)
    return {
        **told,
        "barred": barred,
        "holdout": holdout.dates,
        "rows": len(holdout.rows.label),
        "leavers": holdout.rows.positives,
        "currency": store.currency,
        "price": price_of(every, permitted, holdout.rows, margins, store.minor_digits, config.seed),
    }


def drafted(
    rows: LabelledRows, compiled: CompiledFeatures, config: ChurnConfig, progress: Progress
) -> Bundle:
    """A model searched, fitted and calibrated as a training run does it, in memory only."""
    vocabulary = Vocabulary.learn(rows.rows, compiled)
    data = training_data(rows, vocabulary, compiled, config, progress)
    parameters = searched(data, config, progress)
    progress("fitting and calibrating")
    fitted = fit_churn(data, config.booster, tuned=parameters, seed=config.seed)
    return in_memory(compiled, vocabulary, fitted, {"model": config.model})


def judge(bundle: Bundle, config: ChurnConfig, store: Store) -> dict[str, Any]:
    """The card of a bundle on the held-out months of this store."""
    holdout = held_out_months(bundle, config, store)
    card = held_out_card(bundle, holdout.rows, bundle.metadata["medians"], config.seed)
    return {"bundle": bundle.id, "holdout": holdout.dates, **card}


def compare(first: Bundle, second: Bundle, store: Store) -> dict[str, Any]:
    """Two bundles on the first one's held-out months: first minus second."""
    config = ChurnConfig(**first.metadata["config"])
    theirs, ours = held_out_months(second, config, store), held_out_months(first, config, store)
    found = against_champion(second, first, theirs.rows, ours.rows, config.seed)
    return {"holdout": ours.dates, "first": first.id, "second": second.id, "difference": found["difference"]}


def held_out_months(bundle: Bundle, config: ChurnConfig, store: Store) -> Months:
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    return months(store, bundle.features, config, plan.holdout, None)


def both_sides(
    store: Store, compiled: CompiledFeatures, config: ChurnConfig, plan: SlicePlan, progress: Progress
) -> tuple[Months, Months]:
    """Training months with what was known by the first held-out date; held-out months with all."""
    progress(f"features of {len(plan.train)} training and {len(plan.holdout)} held-out months")
    train = months(store, compiled, config, plan.train, plan.holdout[0])
    return train, months(store, compiled, config, plan.holdout, None)


def months(
    store: Store,
    compiled: CompiledFeatures,
    config: ChurnConfig,
    dates: tuple[AsOf, ...],
    known_by: AsOf | None,
) -> Months:
    labels = tuple(churn_labels(store, as_of, config.label.window, known_by) for as_of in dates)
    return Months(labels, labelled_rows(store, compiled, [(item.as_of, item.table) for item in labels]))


def training_data(
    rows: LabelledRows,
    vocabulary: Vocabulary,
    compiled: CompiledFeatures,
    config: ChurnConfig,
    progress: Progress,
) -> TrainingData:
    """The rows as a matrix, with derived columns where the config asks for them and they help."""
    data = TrainingData(
        matrix=vocabulary.encode(rows.rows, compiled),
        label=rows.label,
        account_ids=rows.account_ids,
        as_of_days=rows.as_of_days,
        names=compiled.names,
        categories=tuple(n for n, feature in enumerate(compiled.features) if feature.kind == "category"),
    )
    if not config.booster.derive:
        return data
    progress("choosing derived columns")
    return with_derived(data, config.booster, config.seed)


def described(
    config: ChurnConfig,
    store: Store,
    compiled: CompiledFeatures,
    train: Months,
    holdout: Months,
    fitted: FittedModel,
    tuned: bool,
) -> dict[str, Any]:
    """Where the model comes from: the part of the metadata that is known before it is judged."""
    return {
        **provenance(config, store, compiled, fitted, tuned),
        "as_of_slices": {"train": train.dates, "holdout": holdout.dates},
        "rows": len(train.rows.label),
        "positives": train.rows.positives,
        "accounts": len(np.unique(train.rows.account_ids)),
        "censored": {str(item.as_of): item.censored for item in (*train.labels, *holdout.labels)},
        "null_features": never_known([train.rows.rows], compiled),
    }


def against(
    champion: Bundle, draft: Bundle, store: Store, holdout: Months, config: ChurnConfig
) -> dict[str, Any]:
    """The draft against a champion on the same held-out accounts."""
    theirs = labelled_rows(store, champion.features, [(item.as_of, item.table) for item in holdout.labels])
    return against_champion(champion, draft, theirs, holdout.rows, config.seed)
