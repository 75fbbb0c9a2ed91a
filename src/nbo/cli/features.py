"""Commands on features: list, check, preview, build."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nbo.cli.answers import AsOfText, Json, StoreDir, WorkspaceDir, answer, progress, table_lines
from nbo.decisions.settings import section, validated
from nbo.engine import ENVIRONMENT, SparkPlace, known_master
from nbo.errors import UsageError, listed
from nbo.features import CompiledFeatures, compile_features, find_feature
from nbo.features.build import build_snapshots, feature_rows
from nbo.features.lineage import provenance
from nbo.features.online import online_rows
from nbo.features.snapshots import Snapshot
from nbo.tables.store import Store
from nbo.workspace import Workspace

ENGINES = ("duckdb", "spark")
SetName = Annotated[str, typer.Option("--set", help="A key of SETS in features/sets.py.")]
AsOfTexts = Annotated[
    list[str],
    typer.Option(
        "--as-of", help="Decision date YYYY-MM-DD, latest, or FIRST..LAST: each first of a month. Repeatable."
    ),
]
Purpose = Annotated[str, typer.Option(help="service, retention or marketing.")]

features = typer.Typer(no_args_is_help=True, help="The feature declarations of the workspace.")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.add_typer(features, name="features")


def compiled_set(workspace: Path | None, name: str, purpose: str) -> CompiledFeatures:
    return compile_features(Workspace.find(workspace).feature_sets(name), purpose)


@features.command("list")
def features_list(
    set_name: SetName = "churn",
    purpose: Purpose = "retention",
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Every declared feature with unit, meaning and source, and what a channel may override.

    Example: nbo features list
    """
    compiled = compiled_set(workspace, set_name, purpose)
    rows = [
        {
            "feature": f.name,
            "unit": f.unit,
            "meaning": f.words.en,
            "reads": ", ".join(f.columns),
            "provenance": [words.en for words in provenance(f.columns)],
            "purposes": sorted(f.purposes),
            "idea": f.idea,
            "context": f.context.words if f.context else None,
            **({"codes": {str(code): words.en for code, words in f.codes}} if f.codes else {}),
        }
        for f in compiled.features
    ]
    shown = [{**row, "context": "yes" if row["context"] else ""} for row in rows]
    context = sum(1 for row in rows if row["context"])
    lines = [
        *table_lines(["feature", "unit", "context", "meaning"], shown),
        f"{len(rows)} features, hash {compiled.hash}; a channel may override {context}",
    ]
    answer({"hash": compiled.hash, "features": rows}, lines, as_json=as_json)


@features.command("check")
def features_check(
    set_name: SetName = "churn",
    purpose: Purpose = "retention",
    store: Annotated[Path | None, typer.Option(help="Also name the features this store cannot feed.")] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Compile the declarations: names, columns, purposes, SQL.

    Example: nbo features check
    """
    from nbo.features.gaps import missing_features

    compiled = compiled_set(workspace, set_name, purpose)
    missing = missing_features(Store.open(store), compiled) if store else {}
    unlisted = [
        f"{file}: the family {name} is in no set of features/sets.py, no model reads it"
        for name, file in Workspace.find(workspace).unlisted_families().items()
    ]
    line = f"{len(compiled.features)} features compile for {purpose}, hash {compiled.hash}"
    answer(
        {"hash": compiled.hash, "missing": missing},
        [line],
        as_json=as_json,
        warnings=[*unlisted, *absent_notes(missing)],
    )


def gaps(snapshot: Snapshot) -> dict[str, str]:
    """Why a snapshot's features are null for every account: no such column, or too little history."""
    return {**snapshot.manifest["missing"], **snapshot.manifest.get("short", {})}


def absent_notes(missing: Mapping[str, str]) -> list[str]:
    """One line a cause, with the features that it leaves null.

    Examples
    --------
    >>> absent_notes({"a": "x is not in the data", "b": "x is not in the data"})
    ['x is not in the data: 2 features are null (a, b)']
    """
    names: dict[str, list[str]] = {}
    for name, why in missing.items():
        names.setdefault(why, []).append(name)
    return [
        f"{why}: {len(found)} feature{'s are' if len(found) > 1 else ' is'} null ({listed(found)})"
        for why, found in names.items()
    ]


@features.command("preview")
def features_preview(
    store: StoreDir,
    as_of: AsOfText,
    account: Annotated[list[str], typer.Option(help="Account; may be given more than once.")],
    feature: Annotated[list[str] | None, typer.Option(help="Only these features.")] = None,
    set_name: SetName = "churn",
    purpose: Purpose = "retention",
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Features of a few accounts, computed now and kept nowhere.

    Example: nbo features preview --store runs/store --as-of latest --account A000001
    """
    compiled = compiled_set(workspace, set_name, purpose)
    names = [find_feature(compiled, name).name for name in feature or compiled.names]
    opened = Store.open(store)
    when = opened.as_of(as_of)
    found = feature_rows(opened, compiled, when, account).to_pylist()
    if not found:
        raise UsageError(f"--account {', '.join(account)}: no account with an active line as of {when}")
    rows = [{"feature": name, **{row["account_id"]: row[name] for row in found}} for name in names]
    lines = [f"as of {when}", *table_lines(["feature", *(row["account_id"] for row in found)], rows)]
    absent = set(account) - {row["account_id"] for row in found}
    notes = [f"{name}: no account with an active line as of {when}" for name in sorted(absent)]
    answer(found, lines, as_json=as_json, as_of=str(when), warnings=notes)


def spark_place(settings: Mapping[str, Any], master: str | None) -> SparkPlace:
    """``[spark]`` of ``nbo.toml``, on the master that the command names, else the environment."""
    place = validated(SparkPlace, section(settings, "spark"), "spark")
    for name, told in (("--master", master), (ENVIRONMENT, os.environ.get(ENVIRONMENT))):
        if told:
            try:
                return place.model_copy(update={"master": known_master(told)})
            except ValueError as error:
                raise UsageError(f"{name}: {error}, got {told!r}") from None
    return place


@features.command("build")
def features_build(
    store: StoreDir,
    as_of: AsOfTexts,
    engine: Annotated[str, typer.Option(help="duckdb, or spark where data outgrow a machine.")] = "duckdb",
    master: Annotated[
        str | None, typer.Option(help="With --engine spark: where it runs; else as [spark] of nbo.toml says.")
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Also write the rows that the server looks up.")
    ] = False,
    set_name: SetName = "churn",
    purpose: Purpose = "retention",
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Build the features of every account as of one date or several, once each.

    Example: nbo features build --store runs/store --as-of 2024-07-01..latest
    """
    opened = Store.open(store)
    dates = sorted({when for text in as_of for when in opened.as_ofs(text)})
    if engine not in ENGINES:
        raise UsageError(f"--engine: expected {' or '.join(ENGINES)}, got {engine!r}")
    compiled = compiled_set(workspace, set_name, purpose)
    spark = spark_place(Workspace.find(workspace).settings, master) if engine == "spark" else None
    snapshots = []
    for snapshot in build_snapshots(opened, compiled, dates, spark=spark):
        snapshots.append(snapshot)
        if len(dates) > 1:
            progress(f"{len(snapshots)} of {len(dates)}: {snapshot.as_of}")
    told = [
        {"as_of": str(s.as_of), "folder": str(s.folder), "rows": s.manifest["rows"], "built": s.built}
        for s in snapshots
    ]
    newest = told[-1]
    if online:
        for snapshot in snapshots:
            online_rows(snapshot)
    answer(
        {"folder": newest["folder"], "rows": newest["rows"], "snapshots": told},
        [
            f"{one['rows']:,} accounts as of {one['as_of']} in {one['folder']}"
            f"{'' if one['built'] else ', as built before'}"
            for one in told
        ],
        as_json=as_json,
        as_of=newest["as_of"],
        warnings=absent_notes(gaps(snapshots[-1])),
    )
