"""The list as files and as text that people open: CSV for spreadsheets, JSON for machines."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbo.files import write_atomic

BOM = "\ufeff"
FORMULA_STARTS = tuple("=+-@\t\r\0＝＋－＠")


def safe_cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula gets a leading quote; numbers stay numbers.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell(-3), safe_cell("Longhua")
    ("'=1+1", -3, 'Longhua')
    """
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """CSV with a byte-order mark, so that spreadsheets read Chinese text rightly."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else shown(safe_cell(row[name])) for name in columns])
    return BOM + out.getvalue()


def shown(value: object) -> object:
    """Probabilities to six places, amounts as they are."""
    if isinstance(value, float):
        return f"{value:.6f}"
    return value


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write the rows atomically."""
    write_atomic(path, csv_text(rows, columns))


def json_ready(value: Any) -> Any:
    """Decimals as JSON numbers' exact text, everything else as it is."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {name: json_ready(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    return value
