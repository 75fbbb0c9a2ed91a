"""Tables to Parquet: sorted, split by month where they are large, the same bytes every time."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from nbo.asof import date_of, day_of
from nbo.engine import Embedded
from nbo.engine.embedded import identifier
from nbo.tables.contract import Table

ROW_GROUP_ROWS = 122_880
MONTHLY = frozenset({"calls", "usage", "interconnect"})
OPTIONS = f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}"


def write_table(engine: Embedded, relation: str, table: Table, columns: Sequence[str], folder: Path) -> None:
    """Write a relation as ``part-*.parquet``; monthly ones sorted by day so that engines can skip.

    An empty relation is one file without rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    selected = ", ".join(identifier(name) for name in columns)
    order = [identifier(name) for name in table.row_key]
    if table.name not in MONTHLY:
        sql = f"SELECT {selected} FROM {relation} ORDER BY {', '.join(order)}"
        engine.write_parquet(sql, folder / "part-0.parquet", options=OPTIONS)
        return
    order = list(dict.fromkeys([identifier("event_day"), *order]))
    for first, after in months(engine, relation) or [(0, 0)]:
        name = f"part-{date_of(first):%Y-%m}.parquet" if after else "part-0.parquet"
        sql = (
            f"SELECT {selected} FROM {relation} WHERE event_day >= {first} AND event_day < {after} "
            f"ORDER BY {', '.join(order)}"
        )
        engine.write_parquet(sql, folder / name, options=OPTIONS)


def months(engine: Embedded, relation: str) -> list[tuple[int, int]]:
    """First day and day after, of each calendar month that has rows, ascending."""
    days = engine.query(f"SELECT DISTINCT event_day FROM {relation}").column(0).to_pylist()
    starts = sorted({date_of(int(day)).replace(day=1) for day in days})
    return [(day_of(start), day_of(next_month(start))) for start in starts]


def next_month(start: date) -> date:
    """The first of the next month.

    Examples
    --------
    >>> next_month(date(2024, 12, 1))
    datetime.date(2025, 1, 1)
    """
    return date(start.year + start.month // 12, start.month % 12 + 1, 1)


def write_quarantine(engine: Embedded, relation: str, path: Path) -> None:
    """Write the rows that were taken out: reason, key, file and raw values as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sql = f"SELECT reason, key, file, raw FROM {relation} ORDER BY key, file, raw, reason"
    engine.write_parquet(sql, path, options=OPTIONS)
