"""What every training run does alike: search, compare with the release, write and record the bundle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nbo.asof import AsOf
from nbo.bundle import Bundle, BundleParts, Releases, Vocabulary, parsed_booster, write_bundle
from nbo.errors import BundleError, DataError
from nbo.features import CompiledFeatures
from nbo.keys import bundle_key
from nbo.models.card import FEWEST_LEAVERS, metrics_of
from nbo.models.churn import FittedModel
from nbo.models.config import ChurnConfig, NextProductConfig
from nbo.models.data import TrainingData
from nbo.models.tuning import tune
from nbo.report import charts_for_tracking
from nbo.tables.store import Store
from nbo.tracking import Tracking
from nbo.workspace import Workspace

Progress = Callable[[str], None]
Config = ChurnConfig | NextProductConfig
GOLDEN_ROWS = 20
ORDER_METRICS = ("auc", "average_precision", "lift_at_10")
TAGS = ("store_id", "feature_hash", "purpose", "tuned")
LIBRARIES = ("lightgbm", "scikit-learn", "optuna", "numpy", "pyarrow", "duckdb", "nbo")


@dataclass(frozen=True)
class Outcome:
    """What a run left: the bundle, its metadata, and where MLflow recorded it."""

    bundle_id: str
    metadata: dict[str, Any]
    run_id: str


def searched(data: TrainingData, config: Config, progress: Progress) -> dict[str, Any]:
    """Parameters found by tuning; none where there are too few positives, or no trials wanted."""

    def told(done: int, wanted: int, best: float | None) -> None:
        progress(f"tuning: {done} of {wanted} trials" + ("" if best is None else f", log loss {best:.4f}"))

    return tune(data, config.tuning, told, booster=config.booster).parameters


def provenance(
    config: Config, store: Store, compiled: CompiledFeatures, fitted: FittedModel, tuned: bool
) -> dict[str, Any]:
    """Where a model comes from, whatever it is a model of."""
    return {
        "model": config.model,
        "purpose": config.purpose,
        "config": config.model_dump(mode="json"),
        "store_id": store.store_id,
        "currency": store.currency,
        "feature_hash": compiled.hash,
        "parameters": fitted.parameters,
        "tuned": tuned,
        "cautions": list(fitted.cautions),
        "notes": list(fitted.notes),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def out_of_fold_metrics(
    label: npt.NDArray[np.int8], fitted: FittedModel, clusters: npt.NDArray[Any], seed: int
) -> dict[str, Any]:
    """How well the order of the training rows was found by boosters that never saw their accounts.

    Only metrics of the order: the calibrator was learnt from these very scores, so what they say of
    probabilities would flatter. None where too few left.
    """
    if label.sum() < FEWEST_LEAVERS:
        return {}
    found = metrics_of(label, fitted.oof_scores, clusters, seed)
    return {name: found[name] for name in ORDER_METRICS}


def never_known(tables: Sequence[pa.Table], compiled: CompiledFeatures) -> dict[str, str]:
    """Features without any value in the training months, and why that can be."""
    return {
        feature.name: feature.null_means
        for feature in compiled.features
        if all(rows[feature.name].null_count == rows.num_rows for rows in tables)
    }


def in_memory(
    compiled: CompiledFeatures, vocabulary: Vocabulary, fitted: FittedModel, metadata: dict[str, Any]
) -> Bundle:
    """The model as it will be loaded, before it has an id."""
    boosters = tuple(parsed_booster(text, fitted.names) for text in fitted.boosters)
    return Bundle(
        "", metadata["model"], compiled, vocabulary, boosters, fitted.calibrator, metadata, fitted.derivation
    )


def compared_with_release(
    workspace: Workspace, draft: Bundle, compared: Callable[[Bundle], dict[str, Any]]
) -> dict[str, Any] | None:
    """The draft against the release on the same held-out rows, so that promotion can tell which is better.

    None before the first release, and where the two could not be compared: then a note says why.
    """
    releases = Releases(workspace.root)
    if releases.current(draft.model) is None:
        return None
    try:
        return compared(releases.load(draft.model, bundle_key(workspace.root)))
    except (BundleError, DataError) as error:
        draft.metadata["notes"].append(f"the release could not be compared: {error}")
        return None


def left_behind(
    workspace: Workspace,
    tracking: Tracking,
    draft: Bundle,
    fitted: FittedModel,
    golden_rows: pa.Table,
    progress: Progress,
) -> Outcome:
    """Write the draft as a bundle and record the run."""
    parts = BundleParts(
        model=draft.model,
        features=draft.features,
        vocabulary=draft.vocabulary,
        boosters=list(fitted.boosters),
        calibrator=fitted.calibrator,
        metadata=draft.metadata,
        golden_rows=golden_rows,
        derivation=draft.derivation,
    )
    bundle_id = write_bundle(workspace.root / "bundles", parts, bundle_key(workspace.root))
    progress("recording the run in MLflow")
    metadata = dict(draft.metadata)
    return Outcome(bundle_id, metadata, recorded(tracking, workspace, bundle_id, metadata))


def recorded(tracking: Tracking, workspace: Workspace, bundle_id: str, metadata: Mapping[str, Any]) -> str:
    """The run in MLflow: config, hashes, metrics with intervals, plots, the bundle."""
    with tracking.run(metadata["model"], f"{metadata['model']}-{bundle_id}") as record:
        record.log_config(metadata["config"])
        record.log_tags({name: str(metadata[name]) for name in TAGS if name in metadata})
        record.log_tags({"bundle_id": bundle_id})
        record.log_metrics(metadata["metrics"]["holdout"], prefix="holdout_")
        for date, metrics in metadata["metrics"]["slices"].items():
            record.log_metrics(metrics, prefix="holdout_", as_of=AsOf.parse(date))
        for name, text in charts_for_tracking(metadata).items():
            record.log_text(text, f"charts/{name}")
        record.log_folder(workspace.root / "bundles" / bundle_id, "bundle")
        return record.run_id
