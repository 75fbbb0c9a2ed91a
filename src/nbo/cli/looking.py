"""Commands that look at the whole: report, doctor, demo."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from nbo.asof import AsOf
from nbo.bundle import Releases
from nbo.cli.answers import AsOfText, Json, StoreDir, WorkspaceDir, answer, table_lines
from nbo.cli.learning import MODELS, BundleId
from nbo.cli.using import ScoresDir, opened, scored
from nbo.decisions.at_risk import at_risk
from nbo.decisions.settings import list_settings
from nbo.errors import NboError
from nbo.files import write_atomic
from nbo.keys import bundle_key
from nbo.tables.store import Store
from nbo.workspace import Workspace

LISTED = 20
LIBRARIES = (
    "bentoml",
    "duckdb",
    "lightgbm",
    "mlflow",
    "nbo",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "scikit-learn",
)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.command()(report)
    app.command()(doctor)
    app.command()(demo)


def report(
    store: StoreDir,
    as_of: AsOfText,
    html: Annotated[Path, typer.Option(help="The file to write.")] = Path("runs/report.html"),
    out: ScoresDir = Path("runs/scores"),
    language: Annotated[str | None, typer.Option("--language", help="en or zh.")] = None,
    bundle: BundleId = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """One self-contained page: how good the model is, what drives it, whom to call.

    Example: nbo report --store runs/store --as-of latest --html runs/report.html
    """
    from nbo.report import render_report

    place, tables, when, loaded = opened(workspace, store, as_of, bundle)
    settings = list_settings(place.settings, language)
    listed = at_risk(tables, loaded, scored(place, tables, when, loaded, out), settings, top=LISTED)
    operator = str(place.settings.get("operator", {}).get("name", "the operator"))
    card = {**loaded.metadata, "bundle_id": loaded.id}
    write_atomic(html, render_report(card, listed.rows, operator=operator, language=settings.language))
    answer({"html": str(html)}, [f"{html}: written"], as_json=as_json, as_of=str(when))


def doctor(
    store: Annotated[Path | None, typer.Option(help="Also look at this store.")] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Whether everything nbo needs is there and whole. Exits 1 if anything is not.

    Example: nbo doctor
    """
    place = Workspace.find(workspace)
    findings = [*library_findings(), *workspace_findings(place), *(store_findings(store) if store else [])]
    ok = all(item["ok"] for item in findings)
    answer(findings, table_lines(["ok", "what", "found"], findings), as_json=as_json, ok=ok)
    if not ok:
        raise typer.Exit(1)


def finding(what: str, found: str, ok: bool = True) -> dict[str, object]:
    return {"ok": ok, "what": what, "found": found}


def library_findings() -> list[dict[str, object]]:
    """Versions of the libraries that results depend on."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(finding(name, version(name)))
        except PackageNotFoundError:
            found.append(finding(name, "not installed", ok=False))
    return found


def workspace_findings(place: Workspace) -> list[dict[str, object]]:
    """Settings, declarations, tracking and the release."""
    found = [finding("workspace", str(place.root))]
    sets = place.declared_sets()
    found.append(finding("feature sets", ", ".join(sets)))
    database = place.root / "mlruns" / "mlflow.db"
    found.append(finding("MLflow", str(database) if database.is_file() else "no run recorded yet"))
    return [*found, *(release_finding(place, model) for model in MODELS)]


def release_finding(place: Workspace, model: str) -> dict[str, object]:
    """Whether the bundle in use is there and whole."""
    release = Releases(place.root).current(model)
    if release is None:
        return finding(f"release {model}", "nothing promoted yet")
    try:
        Releases(place.root).load(model, bundle_key(place.root))
    except NboError as error:
        return finding(f"release {model}", str(error), ok=False)
    return finding(f"release {model}", release.bundle_id)


def store_findings(path: Path) -> list[dict[str, object]]:
    try:
        store = Store.open(path)
    except NboError as error:
        return [finding("store", str(error), ok=False)]
    tables = len(store.manifest["tables"])
    return [finding("store", f"{tables} tables, {store.currency}, complete to {AsOf(store.end_day - 1)}")]


def demo(
    accounts: Annotated[int, typer.Option(min=300, help="Accounts of the simulated operator.")] = 3000,
    months: Annotated[int, typer.Option(min=12, help="Months of history.")] = 15,
    seed: Annotated[int, typer.Option(help="Same seed, same operator.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder that the demo owns and replaces.")] = Path("runs/demo"),
    workspace: WorkspaceDir = None,
) -> None:
    """The whole job on a simulated operator: from raw tables to the at-risk list.

    Example: nbo demo --accounts 1000
    """
    from nbo.cli.demo import run_demo

    run_demo(Workspace.find(workspace), out, accounts=accounts, months=months, seed=seed)
