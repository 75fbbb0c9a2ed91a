"""The churn run: months, features, parameters, fit, held-out evaluation, bundle, record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from nbo.asof import AsOf
from nbo.bundle import Bundle, BundleParts, Releases, Vocabulary, parsed_booster, write_bundle
from nbo.errors import BundleError, DataError
from nbo.features import CompiledFeatures, compile_features
from nbo.keys import bundle_key
from nbo.labels import Labels, SlicePlan, churn_labels, plan_slices
from nbo.models.card import FEWEST_LEAVERS, against_champion, held_out_card, medians, metrics_of
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.config import ChurnConfig
from nbo.models.data import TrainingData
from nbo.models.slices import LabelledRows, labelled_rows
from nbo.models.tuning import tune
from nbo.report import charts_for_tracking
from nbo.tables.store import Store
from nbo.tracking import Tracking
from nbo.workspace import Workspace

Progress = Callable[[str], None]
GOLDEN_ROWS = 20
ORDER_METRICS = ("auc", "average_precision", "lift_at_10")
LIBRARIES = ("lightgbm", "scikit-learn", "optuna", "numpy", "pyarrow", "duckdb", "nbo")


@dataclass(frozen=True)
class Outcome:
    """What a run left: the bundle, its metadata, and where MLflow recorded it."""

    bundle_id: str
    metadata: dict[str, Any]
    run_id: str


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
    data = training_data(train.rows, vocabulary, compiled)
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
    metadata["metrics"]["train_out_of_fold"] = out_of_fold_metrics(data, fitted, config.seed)
    metadata["champion"] = compared_with_release(workspace, store, draft, holdout, config)
    parts = BundleParts(
        model=config.model,
        features=compiled,
        vocabulary=vocabulary,
        boosters=list(fitted.boosters),
        calibrator=fitted.calibrator,
        metadata=metadata,
        golden_rows=train.rows.rows.slice(0, GOLDEN_ROWS),
    )
    bundle_id = write_bundle(workspace.root / "bundles", parts, bundle_key(workspace.root))
    progress("recording the run in MLflow")
    return Outcome(bundle_id, metadata, recorded(tracking, workspace, bundle_id, metadata))


def search(config: ChurnConfig, workspace: Workspace, store: Store, progress: Progress) -> dict[str, Any]:
    """Search parameters on the training months only."""
    compiled = compile_features(workspace.feature_sets(config.features), config.purpose)
    plan = plan_slices(store, config.label.window, **config.slices.model_dump())
    train, _ = both_sides(store, compiled, config, plan, progress)
    data = training_data(train.rows, Vocabulary.learn(train.rows.rows, compiled), compiled)
    return {
        "parameters": searched(data, config, progress),
        "feature_hash": compiled.hash,
        "positives": data.positives,
    }


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


def training_data(rows: LabelledRows, vocabulary: Vocabulary, compiled: CompiledFeatures) -> TrainingData:
    return TrainingData(
        matrix=vocabulary.encode(rows.rows, compiled),
        label=rows.label,
        account_ids=rows.account_ids,
        as_of_days=rows.as_of_days,
        names=compiled.names,
        categories=tuple(n for n, feature in enumerate(compiled.features) if feature.kind == "category"),
    )


def searched(data: TrainingData, config: ChurnConfig, progress: Progress) -> dict[str, Any]:
    """Parameters found by tuning; none where there are too few leavers."""

    def told(done: int, wanted: int, best: float | None) -> None:
        progress(f"tuning: {done} of {wanted} trials" + ("" if best is None else f", log loss {best:.4f}"))

    return tune(data, config.tuning, told, booster=config.booster).parameters


def out_of_fold_metrics(data: TrainingData, fitted: FittedModel, seed: int) -> dict[str, Any]:
    """How well the order of the training rows was found by boosters that never saw their accounts.

    Only metrics of the order: the calibrator was learnt from these very scores, so what they say of
    probabilities would flatter.
    """
    if data.positives < FEWEST_LEAVERS:
        return {}
    found = metrics_of(data.label, fitted.oof_scores, data.account_ids, seed)
    return {name: found[name] for name in ORDER_METRICS}


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
        "model": config.model,
        "purpose": config.purpose,
        "as_of_slices": {"train": train.dates, "holdout": holdout.dates},
        "config": config.model_dump(mode="json"),
        "store_id": store.store_id,
        "currency": store.currency,
        "feature_hash": compiled.hash,
        "rows": len(train.rows.label),
        "positives": train.rows.positives,
        "accounts": len(np.unique(train.rows.account_ids)),
        "censored": {str(item.as_of): item.censored for item in (*train.labels, *holdout.labels)},
        "parameters": fitted.parameters,
        "tuned": tuned,
        "cautions": list(fitted.cautions),
        "notes": list(fitted.notes),
        "null_features": never_known(train.rows, compiled),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def never_known(rows: LabelledRows, compiled: CompiledFeatures) -> dict[str, str]:
    """Features without any value in the training months, and why that can be."""
    return {
        feature.name: feature.null_means
        for feature in compiled.features
        if rows.rows[feature.name].null_count == rows.rows.num_rows
    }


def in_memory(
    compiled: CompiledFeatures, vocabulary: Vocabulary, fitted: FittedModel, metadata: dict[str, Any]
) -> Bundle:
    """The model as it will be loaded, before it has an id."""
    boosters = tuple(parsed_booster(text, compiled.names) for text in fitted.boosters)
    return Bundle("", metadata["model"], compiled, vocabulary, boosters, fitted.calibrator, metadata)


def compared_with_release(
    workspace: Workspace, store: Store, draft: Bundle, holdout: Months, config: ChurnConfig
) -> dict[str, Any] | None:
    """The release on the same held-out accounts, so that promotion can tell better from worse."""
    releases = Releases(workspace.root)
    if releases.current(config.model) is None:
        return None
    try:
        champion = releases.load(config.model, bundle_key(workspace.root))
        labelled = [(item.as_of, item.table) for item in holdout.labels]
        theirs = labelled_rows(store, champion.features, labelled)
        return against_champion(champion, draft, theirs, holdout.rows, config.seed)
    except (BundleError, DataError) as error:
        draft.metadata["notes"].append(f"the release could not be compared: {error}")
        return None


def recorded(tracking: Tracking, workspace: Workspace, bundle_id: str, metadata: dict[str, Any]) -> str:
    """The run in MLflow: config, hashes, metrics with intervals, plots, the bundle."""
    with tracking.run(metadata["model"], f"{metadata['model']}-{bundle_id}") as record:
        record.log_config(metadata["config"])
        record.log_tags(
            {name: str(metadata[name]) for name in ("store_id", "feature_hash", "purpose", "tuned")}
        )
        record.log_tags({"bundle_id": bundle_id})
        record.log_metrics(metadata["metrics"]["holdout"], prefix="holdout_")
        for date, metrics in metadata["metrics"]["slices"].items():
            record.log_metrics(metrics, prefix="holdout_", as_of=AsOf.parse(date))
        for name, text in charts_for_tracking(metadata).items():
            record.log_text(text, f"charts/{name}")
        record.log_folder(workspace.root / "bundles" / bundle_id, "bundle")
        return record.run_id
