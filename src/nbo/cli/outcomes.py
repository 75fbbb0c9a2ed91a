"""Commands on what came of decisions: outcomes import."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbo.cli.answers import Json, WorkspaceDir, answer
from nbo.workspace import Workspace

if TYPE_CHECKING:
    from nbo.decisions.log import Imported

SHOWN = 20

outcomes = typer.Typer(no_args_is_help=True, help="What came of decisions.")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.add_typer(outcomes, name="outcomes")


@outcomes.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: decision_id, outcome, offer_id, occurred_at.")],
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Attach the outcomes of a file to their decisions, all or none. Exits 1 if any does not fit.

    Example: nbo outcomes import outcomes.csv
    """
    # The database library takes long to import, and few commands need it.
    from nbo.decisions.log import import_outcomes, log_url, open_log

    place = Workspace.find(workspace)
    log = open_log(log_url(place.settings, place.root))
    try:
        found = import_outcomes(log, file)
    finally:
        log.close()
    result = {
        "attached": found.attached,
        "present": found.present,
        "refused": found.refused,
        "rows": found.rows,
        "problems": [vars(problem) for problem in found.problems[:SHOWN]],
    }
    answer(result, lines_of(found, file), as_json=as_json, ok=not found.refused)
    if found.refused:
        raise typer.Exit(1)


def lines_of(found: "Imported", file: Path) -> list[str]:
    """What was done, or one line for each refused row and what that means."""
    if not found.refused:
        return [f"{found.attached:,} attached, {found.present:,} there already"]
    told = []
    for problem in found.problems[:SHOWN]:
        decision = f" decision {problem.decision_id}:" if problem.decision_id else ""
        told.append(" ".join(f"{file}:{problem.line}:{decision} {problem.problem}".split()))
    return [*told, f"{found.refused:,} of {found.rows:,} rows do not fit; nothing was attached"]
