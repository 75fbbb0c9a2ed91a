"""Commands that use a released model: score, at-risk, why, serve."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.cli.answers import AsOfText, Json, StoreDir, WorkspaceDir, answer, progress, table_lines
from nbo.cli.learning import BundleId, bundle_of
from nbo.cli.recommending import suggester
from nbo.cli.tables import CHURN_TABLE, Customer, OneOfStores, TableFile, needed, refuse_beside, score_table
from nbo.decisions.at_risk import COLUMNS, AtRiskList, at_risk
from nbo.decisions.exports import csv_text, write_csv
from nbo.decisions.scoring import ScoreRun, score_accounts
from nbo.decisions.settings import list_settings, value_settings
from nbo.decisions.why import explain
from nbo.errors import UsageError
from nbo.tables.store import Store
from nbo.workspace import Workspace

ScoresDir = Annotated[Path, typer.Option("--out", help="Folder of scores, one sub-folder per date.")]
Language = Annotated[str | None, typer.Option("--language", help="en or zh; default: the operator's.")]
SUPPRESSED_FILE = "suppressed.csv"
SUPPRESSED_COLUMNS = ("account_id", "reason", "p_churn", "margin_at_risk_amount")
NO_OFFERS = "no next-product model is in use: the list names no offers (nbo train next-product makes one)"
SHOWN = ("rank", "account_id", "site", "band", "p_churn", "margin_at_risk_amount", "reason_1", "offer")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.command()(score)
    app.command("at-risk")(at_risk_list)
    app.command()(why)
    app.command()(serve)


def opened(
    workspace: Path | None, store: Path, as_of: str, bundle: str | None
) -> tuple[Workspace, Store, AsOf, Bundle]:
    """Workspace, store, date and bundle of a command."""
    place, tables = Workspace.find(workspace), Store.open(store)
    return place, tables, tables.as_of(as_of), bundle_of(place, bundle)


def scored(place: Workspace, tables: Store, when: AsOf, loaded: Bundle, out: Path) -> ScoreRun:
    progress(f"scoring as of {when}")
    return score_accounts(tables, loaded, when, out, value_settings(place.settings))


def score(
    store: OneOfStores = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Decision date YYYY-MM-DD, or latest: the newest complete day."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of scores, one sub-folder per date; of a table: a .csv or .parquet file."),
    ] = None,
    bundle: BundleId = None,
    table: TableFile = None,
    customer: Customer = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Score every account with an active line; a rerun over the same inputs changes nothing.

    With --table, every row of a plain table, by a bundle that was trained on one.

    Example: nbo score --store runs/store --as-of latest --out runs/scores
    """
    if table is not None:
        refuse_beside("--table", {"--store": store, "--as-of": as_of})
        wanted, target = needed("--bundle", bundle), needed("--out", out)
        loaded = bundle_of(Workspace.find(workspace), wanted, CHURN_TABLE)
        result, line = score_table(loaded, table, customer, target)
        answer(result, [line], as_json=as_json)
        return
    refuse_beside("--store", {"--id": customer})
    store, as_of, out = needed("--store", store), needed("--as-of", as_of), out or Path("runs/scores")
    place, tables, when, loaded = opened(workspace, store, as_of, bundle)
    run = scored(place, tables, when, loaded, out)
    done = "written" if run.written else "already there, unchanged"
    result = {"folder": str(run.folder), "written": run.written, **run.manifest}
    line = f"{run.manifest['rows']:,} accounts as of {when} by {loaded.id}: {run.folder} {done}"
    answer(result, [line], as_json=as_json, as_of=str(when))


def at_risk_list(
    store: StoreDir,
    as_of: AsOfText,
    out: ScoresDir = Path("runs/scores"),
    top: Annotated[int, typer.Option(min=1, help="Length of the list.")] = 100,
    csv: Annotated[Path | None, typer.Option(help="Write the list here, suppressed.csv beside it.")] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    language: Language = None,
    bundle: BundleId = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Whom to call first, why, what to offer, and who must not be called. Scores the date first if need be.

    Example: nbo at-risk --store runs/store --as-of latest --top 20
    """
    if output_format not in ("table", "csv", "json"):
        raise UsageError(f"--format: expected table, csv or json, got {output_format!r}")
    if csv is not None and csv.name == SUPPRESSED_FILE:
        raise UsageError(f"--csv: expected another name than {SUPPRESSED_FILE}, which is written beside it")
    place, tables, when, loaded = opened(workspace, store, as_of, bundle)
    settings = list_settings(place.settings, language)
    run = scored(place, tables, when, loaded, out)
    suggest = suggester(place, tables, when, language)
    found = at_risk(tables, loaded, run, settings, top=top, suggest=suggest)
    if csv is not None:
        write_list(found, csv)
    if output_format == "csv":
        print(csv_text(found.rows, COLUMNS), end="")
        return
    result = {"rows": found.rows, "suppressed": found.counts, "currency": tables.currency}
    answer(result, list_lines(found, tables.currency), as_json=as_json or output_format == "json",
           as_of=str(when), warnings=[*found.notes, *([] if suggest else [NO_OFFERS])])  # fmt: skip


def write_list(found: AtRiskList, path: Path) -> None:
    """The list as CSV, and ``suppressed.csv`` beside it."""
    write_csv(path, found.rows, COLUMNS)
    write_csv(path.with_name(SUPPRESSED_FILE), found.suppressed, SUPPRESSED_COLUMNS)


def list_lines(found: AtRiskList, currency: str) -> list[str]:
    """The list for a terminal: what to read while calling, then what was left off."""
    suppressed = ", ".join(f"{count} {reason}" for reason, count in sorted(found.counts.items())) or "none"
    return [
        f"at risk as of {found.as_of}, amounts in {currency}",
        *table_lines(SHOWN, found.rows),
        f"kept off the list: {suppressed}",
    ]


def why(
    account: Annotated[str, typer.Argument(help="Account id.")],
    store: StoreDir,
    as_of: AsOfText,
    language: Language = None,
    bundle: BundleId = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Why one account is or is not at risk.

    Example: nbo why A000001 --store runs/store --as-of latest
    """
    place, tables, when, loaded = opened(workspace, store, as_of, bundle)
    settings = list_settings(place.settings, language)
    found = explain(tables, loaded, when, account, settings, value_settings(place.settings))
    answer(found.result(), found.lines(tables.currency), as_json=as_json, as_of=str(when))


def serve(
    store: StoreDir,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Snapshot to serve; default: the newest built.")
    ] = None,
    host: Annotated[str, typer.Option(help="Any address but loopback needs API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    drain_seconds: Annotated[float, typer.Option(help="How long /readyz says 503 before the stop.")] = 5.0,
    api_keys: Annotated[Path | None, typer.Option(help="File with lines of: name scopes key.")] = None,
    workspace: WorkspaceDir = None,
) -> None:
    """Answer scores and recommendations over HTTP from the released bundles and a built snapshot.

    Example: nbo serve --store runs/store
    """
    place = Workspace.find(workspace)
    server = place.module("serving.main")
    settings: dict[str, Any] = {"as_of": as_of, "host": host, "port": port, "drain_seconds": drain_seconds}
    server.run(server.ServeSettings(place.root, store, api_keys_file=api_keys, **settings))
