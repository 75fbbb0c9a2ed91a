"""What commands say: text for people, one JSON envelope for machines, progress for terminals."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from nbo.decisions.exports import json_ready

Json = Annotated[bool, typer.Option("--json", help="One JSON envelope on stdout.")]
WorkspaceDir = Annotated[
    Path | None, typer.Option("--workspace", help="Folder with nbo.toml; default: found upwards from here.")
]
StoreDir = Annotated[Path, typer.Option("--store", help="Store written by nbo check.")]
AsOfText = Annotated[
    str, typer.Option("--as-of", help="Decision date YYYY-MM-DD, or latest: the newest complete day.")
]

WIDTH, LEAST, GAP = 200, 40, 2
"""Characters: of a line where there is no terminal, of a column of words at the least, between columns."""

METRIC_NAMES = (
    "auc",
    "average_precision",
    "hit_rate_at_1",
    "hit_rate_at_3",
    "lift_at_10",
    "brier",
    "log_loss",
    "ece",
)


def answer(
    result: Any,
    lines: Sequence[str],
    *,
    as_json: bool,
    as_of: str | None = None,
    warnings: Sequence[str] = (),
    ok: bool = True,
) -> None:
    """Print a command's answer: the lines, or the envelope ``{ok, as_of, result, warnings}``."""
    if as_json:
        envelope = {"ok": ok, "as_of": as_of, "result": json_ready(result), "warnings": list(warnings)}
        print(json.dumps(envelope, ensure_ascii=False))
        return
    for line in lines:
        print(line)
    for warning in warnings:
        print(f"note: {warning}", file=sys.stderr)


def failure(message: str, code: int, as_json: bool) -> int:
    """Print why a command ended, in one line; returns the code."""
    line = " ".join(message.split())
    if as_json:
        print(json.dumps({"ok": False, "as_of": None, "result": None, "error": line, "warnings": []}))
    print(f"nbo: {line}", file=sys.stderr)
    return code


def progress(text: str) -> None:
    """One line of progress on stderr, only where a person watches."""
    if sys.stderr.isatty():
        print(f"  {text}", file=sys.stderr)


def metric_lines(metrics: dict[str, dict[str, float]]) -> list[str]:
    """One line a metric: value and 95 % interval."""
    return [
        f"{name:18} {m['value']:7.4f}   95 % [{m['low']:.4f}, {m['high']:.4f}]"
        for name in METRIC_NAMES
        if (m := metrics.get(name))
    ]


def table_lines(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], width: int | None = None
) -> list[str]:
    """Rows as an aligned text table; numbers to the right.

    Lines are as wide as the terminal, or ``width``; elsewhere 200, and wider rather than that a name,
    which has no spaces, is broken. Nothing is cut off.
    """
    cells = {name: [cell(row.get(name)) for row in rows] for name in columns}
    names = [name for name, texts in cells.items() if not any(" " in text for text in texts)]
    free = width is None and not sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        numeric = bool(rows) and all(isinstance(row.get(name), int | float) for row in rows)
        kept = free and name in names
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=kept)
    for texts in zip(*cells.values(), strict=True):
        table.add_row(*texts)
    if free:
        kept_width = sum(max(map(cell_len, [name, *cells[name]])) + GAP for name in names)
        width = max(WIDTH, kept_width + LEAST * (len(columns) - len(names)))
    console = Console(width=width, no_color=not sys.stdout.isatty())
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
