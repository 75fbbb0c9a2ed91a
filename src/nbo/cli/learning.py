"""Commands on models: train, tune, evaluate, models, promote, rollback."""

import json
from pathlib import Path
from typing import Annotated, Any, overload

import typer

from nbo.bundle import Bundle, Releases, load_bundle
from nbo.cli.answers import Json, StoreDir, WorkspaceDir, answer, metric_lines, progress, table_lines
from nbo.cli.compliance import (
    SELLING,
    PricedPurpose,
    PriceOfCompliance,
    answer_price,
    refuse_without_price,
)
from nbo.cli.peers import evaluate_next_product, refuse_options_before
from nbo.cli.tables import (
    CHURN_TABLE,
    Customer,
    Drop,
    LabelColumn,
    OneOfStores,
    Positive,
    TableFile,
    answer_table_training,
    evaluate_table,
    needed,
    refuse_beside,
    split_names,
    trained_on_table,
)
from nbo.errors import UsageError
from nbo.files import write_atomic
from nbo.keys import bundle_key
from nbo.models.churn import counted
from nbo.models.config import ChurnConfig, NextProductConfig, read_config, read_next_product_config
from nbo.models.labelled_table import read_labelled_table
from nbo.tables.contract import close_matches
from nbo.tables.store import Store
from nbo.tracking import open_tracking
from nbo.workspace import Workspace

CHURN, NEXT_PRODUCT = "churn", "next-product"
MODELS = (CHURN, NEXT_PRODUCT)
POSITIVES = {CHURN: "leaver", NEXT_PRODUCT: "take-up", CHURN_TABLE: "positive"}
"""What a row of label 1 is, by model."""

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Training config; default: training/configs/churn.toml.")
]
ProductConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Training config; default: training/configs/next_product.toml."),
]
BundleId = Annotated[str | None, typer.Option("--bundle", help="Bundle id; default: the release.")]
Model = Annotated[str, typer.Argument(help="Model: churn or next-product.")]

train = typer.Typer(no_args_is_help=True, help="Train a model on the store's past.")
tune = typer.Typer(no_args_is_help=True, help="Search parameters, to train with later.")
evaluate = typer.Typer(invoke_without_command=True)
evaluate.command("next-product")(evaluate_next_product)
evaluate.command("table")(evaluate_table)
models = typer.Typer(no_args_is_help=True, help="Trained bundles and releases.")

RULES = ("popularity", "implicit")
"""The plain orders of products that a next-product model is told beside."""


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.add_typer(train, name="train")
    app.add_typer(tune, name="tune")
    app.add_typer(evaluate, name="evaluate")
    app.add_typer(models, name="models")
    app.command()(promote)
    app.command()(rollback)


@train.command("churn")
def train_churn(
    store: OneOfStores = None,
    config: ConfigFile = None,
    tuned: Annotated[Path | None, typer.Option(help="Parameters found by nbo tune churn.")] = None,
    table: TableFile = None,
    label: LabelColumn = None,
    customer: Customer = None,
    positive: Positive = None,
    drop: Drop = None,
    trials: Annotated[int | None, typer.Option(help="Of a table: trials of the search; default 0.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a table: same file, same model; default 1.")] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Train churn on past months, judge it on held-out months, write a bundle, record the run.

    With --table, on a plain table of attributes instead of a store: every row is learnt from.

    Example: nbo train churn --store runs/store
    """
    place = Workspace.find(workspace)
    of_table = {"--label": label, "--id": customer, "--positive": positive, "--drop": drop,
                "--trials": trials, "--seed": seed}  # fmt: skip
    if table is not None:
        refuse_beside("--table", {"--store": store, "--config": config, "--tuned": tuned})
        rows = read_labelled_table(table, needed("--label", label), customer, positive, split_names(drop))
        answer_table_training(trained_on_table(place, rows, table, trials, seed), table, as_json)
        return
    refuse_beside("--store", of_table)
    store = needed("--store", store)
    settings = prepared(place, config)
    tables, parameters = Store.open(store), read_tuned(tuned)
    tracking = open_tracking(place.root, create=True)
    outcome = place.module("training.churn").run(
        settings, place, tables, tracking, progress, tuned=parameters
    )
    answer_training(outcome, as_json)


@train.command("next-product")
def train_next_product(
    store: StoreDir, config: ProductConfigFile = None, workspace: WorkspaceDir = None, as_json: Json = False
) -> None:
    """Train who takes which product by itself: one model of all products; judge it, write a bundle.

    Example: nbo train next-product --store runs/store
    """
    place = Workspace.find(workspace)
    settings = prepared(place, config, NEXT_PRODUCT)
    tables, tracking = Store.open(store), open_tracking(place.root, create=True)
    outcome = place.module("training.next_product").run(settings, place, tables, tracking, progress)
    answer_training(outcome, as_json)


def answer_training(outcome: Any, as_json: bool) -> None:
    """What a run learnt from, how good it is, and what to do next."""
    metadata = outcome.metadata
    model, metrics = metadata["model"], metadata["metrics"]
    lines = [
        f"bundle {outcome.bundle_id}: {metadata['rows']:,} rows, "
        f"{counted(metadata['positives'], POSITIVES[model])}, "
        f"{counted(len(metadata['as_of_slices']['train']), 'training month')}",
        *metric_lines(metrics["holdout"]),
        *(line for rule in RULES if metrics.get(rule) for line in rule_lines(rule, metrics[rule])),
        f"next: nbo promote {model} --bundle {outcome.bundle_id}",
    ]
    result = {"bundle": outcome.bundle_id, "run": outcome.run_id, "metrics": metrics}
    answer(result, lines, as_json=as_json, warnings=metadata["notes"])


@tune.command("churn")
def tune_churn(
    store: StoreDir,
    out: Annotated[Path, typer.Option(help="JSON file for the parameters found.")],
    config: ConfigFile = None,
    trials: Annotated[int | None, typer.Option(help="Trials; default: the config's.")] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Search the booster's parameters on the training months; nothing held out is touched.

    Example: nbo tune churn --store runs/store --trials 30 --out runs/tuned.json
    """
    place = Workspace.find(workspace)
    settings = prepared(place, config)
    if trials is not None:
        settings = settings.model_copy(
            update={"tuning": settings.tuning.model_copy(update={"trials": trials})}
        )
    found = place.module("training.churn").search(settings, place, Store.open(store), progress)
    write_atomic(out, json.dumps(found, indent=1, sort_keys=True) + "\n")
    lines = [f"{name} = {value}" for name, value in sorted(found["parameters"].items())]
    warnings = [] if found["parameters"] else [f"{found['positives']:,} leavers: nothing was tuned"]
    lines.append(f"next: nbo train churn --store {store} --tuned {out}")
    answer(found, lines, as_json=as_json, warnings=warnings)


@evaluate.callback()
def evaluate_bundle(
    context: typer.Context,
    store: Annotated[
        Path | None, typer.Option("--store", help="Store written by nbo check. Required.")
    ] = None,
    bundle: BundleId = None,
    priced: PriceOfCompliance = False,
    purpose: PricedPurpose = None,
    config: ConfigFile = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Judge a bundle on the held-out months of this store, again.

    With --price-of-compliance: what it costs to leave out the features that a purpose bars.

    Example: nbo evaluate --store runs/store
    """
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return
    if store is None:
        raise UsageError("Missing option '--store'")
    place, tables = Workspace.find(workspace), Store.open(store)
    if priced:
        refuse_beside("--price-of-compliance", {"--bundle": bundle})
        answer_price(place, tables, prepared(place, config), purpose or SELLING, as_json)
        return
    refuse_without_price({"--purpose": purpose, "--config": config})
    loaded = bundle_of(place, bundle, CHURN)
    card = place.module("training.churn").judge(loaded, ChurnConfig(**loaded.metadata["config"]), tables)
    lines = [f"bundle {loaded.id} on {', '.join(card['holdout'])}", *metric_lines(card["metrics"]["holdout"])]
    answer(card, lines, as_json=as_json, warnings=card["notes"])


@models.command("list")
def models_list(workspace: WorkspaceDir = None, as_json: Json = False) -> None:
    """Trained bundles, newest run first; the release is marked.

    Example: nbo models list
    """
    place = Workspace.find(workspace)
    releases, tracking = Releases(place.root), open_tracking(place.root, create=False)
    rows = []
    for model in (*MODELS, CHURN_TABLE):
        release = releases.current(model)
        for run in tracking.list_runs(model):
            bundle_id = run.tags.get("bundle_id", "")
            rows.append(
                {
                    "bundle": bundle_id,
                    "model": model,
                    "release": "current" if release and release.bundle_id == bundle_id else "",
                    "auc": run.metrics.get("holdout_auc"),
                    "average_precision": run.metrics.get("holdout_average_precision"),
                    "run": run.run_id,
                    "started": run.started,
                }
            )
    rows.sort(key=lambda row: str(row["started"]), reverse=True)
    shown = ["bundle", "model", "release", "auc", "average_precision", "started", "run"]
    answer(rows, table_lines(shown, rows), as_json=as_json)


@models.command("show")
def models_show(
    bundle: BundleId = None,
    model: Annotated[str, typer.Option(help="Whose release, without --bundle.")] = CHURN,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """What a bundle was trained on, how good it was, what drives it.

    Example: nbo models show --model next-product
    """
    loaded = bundle_of(Workspace.find(workspace), bundle, model if bundle is None else None)
    card = dict(loaded.metadata)
    lines = [
        f"bundle {loaded.id}, {loaded.model}, for {card['purpose']}",
        *learnt_from(card),
        f"{card['rows']:,} rows, {counted(card['positives'], POSITIVES[loaded.model])}, "
        f"{len(loaded.features.columns)} features",
        *metric_lines(card["metrics"]["train_out_of_fold" if loaded.model == CHURN_TABLE else "holdout"]),
        *(
            line
            for rule in RULES
            if card["metrics"].get(rule)
            for line in rule_lines(rule, card["metrics"][rule])
        ),
        *(
            f"{family['words']['en']}: {family['share']:.0%} of what moves the score"
            for family in card["families"]
        ),
    ]
    answer({"bundle": loaded.id, **card}, lines, as_json=as_json, warnings=card["notes"])


def learnt_from(card: dict[str, Any]) -> list[str]:
    """The months or the file that a bundle was trained and judged on."""
    if slices := card.get("as_of_slices"):
        return [f"trained on {', '.join(slices['train'])}", f"held out {', '.join(slices['holdout'])}"]
    return [f"trained on every row of {card['table']['file']}, its order judged out of fold"]


@models.command("compare")
def models_compare(
    first: Annotated[str, typer.Argument(help="Bundle id.")],
    second: Annotated[str, typer.Argument(help="Bundle id.")],
    store: StoreDir,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Two bundles on the same held-out months: first minus second, with intervals.

    Example: nbo models compare ID1 ID2 --store runs/store
    """
    place, tables = Workspace.find(workspace), Store.open(store)
    one = bundle_of(place, first, None)
    two = bundle_of(place, second, one.model)
    found = place.module(pipeline_of(one.model)).compare(one, two, tables)
    lines = [f"{one.id} minus {two.id} on {', '.join(found['holdout'])}", *metric_lines(found["difference"])]
    answer(found, lines, as_json=as_json)


def promote(
    model: Model,
    bundle: Annotated[str, typer.Option(help="Bundle id.")],
    force: Annotated[
        bool, typer.Option("--force", help="Promote although it is worse or uncompared.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why it is forced; kept with the release.")] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Put a bundle into use, after a probe and a comparison with the release.

    Example: nbo promote churn --bundle ID
    """
    place = Workspace.find(workspace)
    known_model(model)
    release = Releases(place.root).promote(model, bundle, bundle_key(place.root), force=force, reason=reason)
    result = {"model": model, "bundle": release.bundle_id, "digest": release.digest}
    answer(result, [f"{model}: {release.bundle_id} is in use"], as_json=as_json)


def rollback(model: Model, workspace: WorkspaceDir = None, as_json: Json = False) -> None:
    """Go back to the release before.

    Example: nbo rollback churn
    """
    place = Workspace.find(workspace)
    release = Releases(place.root).rollback(known_model(model))
    result = {"model": model, "bundle": release.bundle_id, "digest": release.digest}
    answer(result, [f"{model}: back to {release.bundle_id}"], as_json=as_json)


def pipeline_of(model: str) -> str:
    """The module of the workspace that trains a model."""
    return f"training.{model.replace('-', '_')}"


@overload
def prepared(place: Workspace, config: Path | None) -> ChurnConfig: ...
@overload
def prepared(place: Workspace, config: Path | None, model: str) -> ChurnConfig | NextProductConfig: ...
def prepared(place: Workspace, config: Path | None, model: str = CHURN) -> ChurnConfig | NextProductConfig:
    """The training config given, or the workspace's own of this model."""
    path = config or place.config_path(model.replace("-", "_"))
    return read_next_product_config(path) if model == NEXT_PRODUCT else read_config(path)


def read_tuned(path: Path | None) -> dict[str, Any] | None:
    """The parameters of a file written by ``nbo tune``."""
    if path is None:
        return None
    try:
        return dict(json.loads(path.read_text())["parameters"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"--tuned {path}: expected a file written by nbo tune churn") from None


def bundle_of(place: Workspace, bundle_id: str | None, model: str | None = CHURN) -> Bundle:
    """The bundle of this id, or the one in use.

    Parameters
    ----------
    model : str or None
        Whose release, and of which the bundle must be; None = any, where an id is given.

    Raises
    ------
    UsageError
        The bundle is one of another model.
    """
    releases, key = Releases(place.root), bundle_key(place.root)
    if bundle_id is None:
        return releases.load(known_model(model or CHURN), key)
    loaded = load_bundle(releases.folder(bundle_id), key)
    if model not in (None, loaded.model):
        raise UsageError(f"--bundle: expected a {model} bundle, got {bundle_id} of {loaded.model}")
    return loaded


def known_model(name: str) -> str:
    """The name of a model; :class:`UsageError` with close matches for any other."""
    if name not in MODELS:
        raise UsageError(f"model {name}: no such model{close_matches(name, MODELS)}")
    return name


def rule_lines(rule: str, metrics: dict[str, dict[str, float]]) -> list[str]:
    """The same figures of a plain order of products, under its name."""
    return [f"beside {rule}:", *(f"  {line}" for line in metric_lines(metrics))]
