"""``nbo features lineage``: the way from a feature to the columns it comes from."""

from typing import Annotated

import typer

from nbo.cli.answers import Json, WorkspaceDir, answer, table_lines
from nbo.cli.features import features
from nbo.features.lineage import Lineage, lineages
from nbo.workspace import Workspace

SHOWN = ("relation", "column", "unit", "provenance", "purposes")


@features.command("lineage")
def features_lineage(
    name: Annotated[str, typer.Argument(help="A feature's name; * and ? match as in file names.")],
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Where a feature comes from: its verb, what it reads, from which source, for which purposes.

    Example: nbo features lineage interconnect_minutes_sum_60d
    """
    found = lineages(Workspace.find(workspace).declared_sets(), name)
    lines = [line for number, one in enumerate(found) for line in ([""] if number else []) + told(one)]
    answer([one.to_json() for one in found], lines, as_json=as_json)


def told(one: Lineage) -> list[str]:
    """A feature's way to its columns, from the top down."""
    feature = one.feature
    rows = [
        {
            **row,
            "unit": row["kind"] if row["kind"] in ("day", "second") else row["unit"] or row["kind"],
            "purposes": ", ".join(row["purposes"]) or "feeds no feature",
        }
        for row in one.columns
    ]
    return [
        f"{feature.name} ({feature.unit}): {feature.words.en} {feature.words.zh}",
        f"for {', '.join(sorted(feature.purposes)) or 'no purpose'}; family {feature.family}, "
        f"in {', '.join(one.sets)}",
        f"verb {one.verb}",
        *(f"  {line}" for line in table_lines(SHOWN, rows)),
    ]
