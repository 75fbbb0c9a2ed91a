"""Commands on data: init, simulate, check, tables."""

import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from nbo.asof import AsOf
from nbo.cli.answers import Json, WorkspaceDir, answer, progress, table_lines
from nbo.errors import UsageError
from nbo.features.snapshots import drop_unread
from nbo.files import told_storage_errors, write_atomic
from nbo.keys import bundle_key
from nbo.offers.reading import catalog_problems, read_catalog
from nbo.tables.catalog import TABLES, contract
from nbo.tables.check import check_tables
from nbo.tables.mapping import load_mapping
from nbo.tables.show import describe, describe_rows
from nbo.workspace import MARKER, PACKAGES, Workspace, bundled_code

check = typer.Typer(invoke_without_command=True)
tables = typer.Typer(no_args_is_help=True, help="Contracts of the input tables.")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.command()(init)
    app.command()(simulate)
    app.add_typer(check, name="check")
    app.add_typer(tables, name="tables")


def init(folder: Annotated[Path, typer.Argument(help="New or empty folder.")], as_json: Json = False) -> None:
    """Make a workspace: settings, features, training and serving code to edit.

    Example: nbo init my-operator
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: expected a new or empty folder")
    with told_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in PACKAGES:
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(bundled_code() / name, folder / name, ignore=unwanted)
        shutil.copyfile(bundled_code() / MARKER, folder / MARKER)
    answer(
        {"workspace": str(folder)},
        [
            f"{folder}: workspace made",
            f"next: cd {folder}, then nbo check --data YOUR_FILES --out runs/store "
            "(no files yet? nbo simulate --out runs/raw makes some)",
        ],
        as_json=as_json,
    )


def simulate(
    out: Annotated[Path, typer.Option(help="New or empty folder for the raw tables.")],
    accounts: Annotated[int, typer.Option(help="Number of accounts.")] = 3000,
    months: Annotated[int, typer.Option(help="Months of history.")] = 12,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    scenario: Annotated[str, typer.Option(help="A scenario by its name, or a TOML file.")] = "base",
    workers: Annotated[int | None, typer.Option(help="Processes; by default one a processor.")] = None,
    description: Annotated[
        bool, typer.Option("--describe", help="Also write OUT.html: figures and pictures of what was made.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the raw tables of a demo operator.

    Example: nbo simulate --accounts 500 --months 10 --seed 1 --out runs/raw
    """
    from nbo.world import WorldConfig, read_scenario
    from nbo.world import simulate as simulate_world

    config = WorldConfig(accounts=accounts, months=months, seed=seed, scenario=read_scenario(scenario))
    page = Path(f"{out}.html")
    if description and page.exists():
        raise UsageError(f"--describe: {page} is there already", "Choose another --out, or remove it")
    summary = simulate_world(config, out, progress, workers=workers)
    rows = [{"table": name, "rows": count} for name, count in summary.rows.items()]
    result, lines = {"out": str(out), "rows": summary.rows}, table_lines(["table", "rows"], rows)
    if description:
        more, told = described(out, page, f"{config.scenario.name}: {config.scenario.description}")
        result, lines = {**result, **more}, [*lines, "", *told]
    answer(result, lines, as_json=as_json)


def described(out: Path, page: Path, words: str) -> tuple[dict[str, Any], list[str]]:
    """The page about what was simulated, written; its figures as a result and as lines."""
    from nbo.world.describe import describe

    html, readings = describe(out, words)
    write_atomic(page, html)
    figures = [
        {
            "figure": reading.measure.words,
            "measured": None if reading.value is None else f"{reading.value:,.4g}",
            "aimed at": f"{reading.measure.low:,g} to {reading.measure.high:,g}",
            "met": "yes" if reading.met else "no",
        }
        for reading in readings
    ]
    lines = [*table_lines(["figure", "measured", "aimed at", "met"], figures), f"pictures: {page}"]
    return {"page": str(page), "figures": figures}, lines


@check.callback()
def check_data(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Folder with the operator's files. Required.")] = None,
    out: Annotated[Path | None, typer.Option(help="The store to write. Required.")] = None,
    mapping: Annotated[str | None, typer.Option(help="TOML file, or the name of a bundled mapping.")] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read every file, also where only new ones need it.")
    ] = False,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Read the operator's files, check every rule, write the store.

    Example: nbo check --data runs/raw --out runs/store
    """
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return
    if data is None or out is None:
        raise UsageError(f"Missing option '{'--data' if data is None else '--out'}'")
    place = Workspace.find(workspace)
    report = check_tables(
        data, out, load_mapping(mapping, data), key=bundle_key(place.root), whole=whole, progress=progress
    )
    drop_unread(out, time.time())
    rows = [report_row(name, facts) for name, facts in report.tables.items()]
    lines = table_lines(["table", "rows", "duplicates dropped", "quarantined", "late"], rows)
    told = [violation.line for violation in report.violations]
    lines += told
    verdict = (
        f"fit; next: nbo train churn --store {out}"
        if report.ok
        else f"not fit, {len(report.failed)} rules broken; see {out / 'quarantine'}"
    )
    result = {"store": str(out), "fit": report.ok, "tables": rows, "violations": told}
    answer(result, [*lines, f"{out}: {verdict}"], as_json=as_json, ok=report.ok)
    if not report.ok:
        raise typer.Exit(1)


def report_row(name: str, facts: Any) -> dict[str, Any]:
    return {
        "table": name,
        "rows": facts.rows,
        "duplicates dropped": facts.duplicates_dropped,
        "quarantined": facts.quarantined,
        "late": facts.late,
    }


def refuse_options_before(context: typer.Context) -> None:
    """Options of ``check`` itself mean nothing to a command after it: told, not dropped."""
    given = [parameter.opts[0] for parameter in context.command.params if context.params.get(parameter.name)]
    if given:
        told, name = ", ".join(given), context.invoked_subcommand
        raise UsageError(f"nbo check {name}: expected its options after {name}, got {told} before it")


@check.command("catalog")
def check_catalog(
    file: Annotated[Path | None, typer.Argument(help="The catalog; default: the workspace's.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Also tell what is no longer offered at YYYY-MM-DD.")
    ] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Read the catalog of products and offers and tell every rule it breaks.

    Example: nbo check catalog --as-of 2025-02-01
    """
    path = file or Workspace.find(workspace).catalog_path
    date = AsOf.parse(as_of) if as_of is not None else None
    told = catalog_problems(path, date)
    result: dict[str, Any] = {"catalog": str(path), "fit": not told, "problems": told}
    lines = told
    if not told:
        catalog = read_catalog(path)
        counts = {"products": len(catalog.products), "offers": len(catalog.offers), "hash": catalog.hash}
        result |= counts
        lines = ["{products} products, {offers} offers, hash {hash}, {0}".format(path, **counts)]
    answer(result, lines, as_json=as_json, as_of=str(date) if date else None, ok=not told)
    if told:
        raise typer.Exit(1)


@tables.command("list")
def tables_list(as_json: Json = False) -> None:
    """All table contracts.

    Example: nbo tables list
    """
    rows = [
        {
            "table": t.name,
            "shape": t.shape,
            "key": ", ".join(t.row_key),
            "columns": len(t.columns),
            "required": t.required,
        }
        for t in TABLES.values()
    ]
    answer(rows, table_lines(["table", "shape", "key", "columns", "required"], rows), as_json=as_json)


@tables.command("show")
def tables_show(name: Annotated[str, typer.Argument(help="Table name.")], as_json: Json = False) -> None:
    """One contract: columns, kinds, codes, purposes.

    Example: nbo tables show calls
    """
    table = contract(name)
    answer(describe_rows(table), describe(table).splitlines(), as_json=as_json)
