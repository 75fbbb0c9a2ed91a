"""``nbo features audit``: is any feature too good to be true, and does any see the future?"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from nbo.cli.answers import AsOfText, Json, StoreDir, WorkspaceDir, answer, progress, table_lines
from nbo.cli.features import Purpose, SetName, compiled_set, features
from nbo.errors import UsageError, listed
from nbo.tables.store import Store
from nbo.workspace import Workspace


@features.command("audit")
def features_audit(
    store: StoreDir,
    as_of: AsOfText,
    accounts: Annotated[int, typer.Option(help="Accounts whose future is changed.")] = 300,
    seed: Annotated[int, typer.Option(help="Of the sample and of the changes.")] = 1,
    set_name: SetName = "churn",
    purpose: Purpose = "retention",
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Does a feature see the future, or tell too much by itself?

    Example: nbo features audit --store runs/store --as-of 2024-10-01
    """
    from nbo.cli.learning import prepared
    from nbo.features.leaks import leaking_features, sampled_store
    from nbo.labels import churn_labels, plan_slices
    from nbo.models.audit import audit_features
    from nbo.models.slices import labelled_rows

    if accounts < 1 or seed < 0:
        raise UsageError(f"--accounts, --seed: expected 1 and 0 or above, got {accounts} and {seed}")
    compiled, opened = compiled_set(workspace, set_name, purpose), Store.open(store)
    when, config = opened.as_of(as_of), prepared(Workspace.find(workspace), None)
    plan = plan_slices(opened, config.label.window, **config.slices.model_dump())
    progress(f"features of {len(plan.train)} past months, against who left")
    labels = [churn_labels(opened, date, config.label.window) for date in plan.train]
    rows = labelled_rows(opened, compiled, [(item.as_of, item.table) for item in labels])
    with tempfile.TemporaryDirectory() as room:
        progress(f"changing all that came after {when}, for {accounts:,} accounts")
        some = sampled_store(opened, Path(room) / "some", accounts, seed)
        leaking = leaking_features(some, compiled, when, Path(room) / "changed", seed)
    found = audit_features(compiled, rows, leaking, seed)
    bad = [one for one in found if one.alarms]
    shown = [
        {
            "feature": one.name,
            "AUC alone": f"{one.auc:.3f}",
            "null": f"{one.null_share:.0%}",
            "alarm": "; ".join(one.alarms) or "-",
        }
        for one in found
    ]
    verdict = f"{len(bad)} of {len(found)} features give an alarm" if bad else "no feature gives an alarm"
    lines = [*table_lines(["feature", "AUC alone", "null", "alarm"], shown), f"as of {when}: {verdict}"]
    result = {"alarms": len(bad), "rows": len(rows.label), "features": [one.to_json() for one in found]}
    empty = [one.name for one in found if one.null_share == 1]
    warnings = [f"null in every row of these months, so nothing is known of {listed(empty)}"] if empty else []
    answer(result, lines, as_json=as_json, as_of=str(when), ok=not bad, warnings=warnings)
    if bad:
        raise typer.Exit(1)
