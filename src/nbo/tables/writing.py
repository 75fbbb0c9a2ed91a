"""Tables to Parquet: sorted, in parts by arrival where they are large, the same bytes every time.

Rows of a large table stand in the part of the month in which they reached us, or of the day where
the month brought many. What arrives today thus never changes what arrived before, however late it is.
While a month is the newest, fewer rows suffice: the day that arrives next is then written alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nbo.asof import date_of, day_of
from nbo.engine import Embedded, literal
from nbo.engine.embedded import identifier
from nbo.tables.contract import Table

ROW_GROUP_ROWS = 122_880
BY_ARRIVAL = frozenset({"calls", "usage", "interconnect"})
LARGE_MONTH = 3_000_000
"""A month that brought more rows has a part for each day."""
OPEN_MONTH = 200_000
"""So has the newest month from fewer rows on; they join when the next one begins."""
EMPTY_PART = "part-0.parquet"
PART_NAME = re.compile(r"part-(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?\.parquet")
OPTIONS = f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}"


@dataclass(frozen=True, order=True)
class Part:
    """The rows with a known day in ``[first, after)``, and the name of their file."""

    first: int
    after: int
    name: str

    @classmethod
    def named(cls, name: str) -> "Part | None":
        """The part that a file of this name holds; None where the name tells no day.

        Examples
        --------
        >>> Part.named("part-2024-02.parquet")
        Part(first=19754, after=19783, name='part-2024-02.parquet')
        >>> Part.named("part-2024-02-29.parquet")
        Part(first=19782, after=19783, name='part-2024-02-29.parquet')
        >>> Part.named("part-0.parquet")
        """
        found = PART_NAME.fullmatch(name)
        if found is None:
            return None
        month = date(int(found["year"]), int(found["month"]), 1)
        if found["day"] is None:
            return cls(day_of(month), day_of(next_month(month)), name)
        day = day_of(month) + int(found["day"]) - 1
        return cls(day, day + 1, name)


def write_table(
    engine: Embedded, relation: str, table: Table, columns: Sequence[str], folder: Path
) -> list[str]:
    """Write a relation as ``part-*.parquet``, each sorted; an empty one is one file without rows.

    Returns
    -------
    list of str
        As :func:`add_rows`: none stayed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if table.name not in BY_ARRIVAL:
        write_part(engine, relation, table, columns, folder / EMPTY_PART)
        return []
    parts = parts_of(arrivals(engine, relation))
    for part in parts:
        write_part(engine, within(relation, part), table, columns, folder / part.name)
    if not parts:
        write_part(engine, relation, table, columns, folder / EMPTY_PART)
    return []


def add_rows(
    engine: Embedded, relation: str, table: Table, columns: Sequence[str], folder: Path
) -> list[str]:
    """Add a relation's rows to a table written by arrival; the parts that get none stay as they are.

    Returns
    -------
    list of str
        Names of the files that stayed.
    """
    old = {path.name for path in folder.glob("part-*.parquet")}
    new_days = arrivals(engine, relation)
    both = f"(SELECT {selected(columns)} FROM {files_sql(folder)} UNION ALL BY NAME SELECT * FROM {relation})"
    parts = parts_of(arrivals(engine, both))
    stay = [p for p in parts if p.name in old and not any(p.first <= day < p.after for day in new_days)]
    for part in parts:
        if part not in stay:
            # The old file may be read for it, so the new one first stands beside it.
            write_part(engine, within(both, part), table, columns, folder / f".{part.name}")
    for part in parts:
        if part not in stay:
            (folder / f".{part.name}").replace(folder / part.name)
    for name in old - {part.name for part in parts}:
        (folder / name).unlink()
    return [part.name for part in stay]


def write_part(engine: Embedded, relation: str, table: Table, columns: Sequence[str], path: Path) -> None:
    order = [identifier(name) for name in table.row_key]
    if table.name in BY_ARRIVAL:
        # By day, so that engines can skip what is older than they look.
        order = list(dict.fromkeys([identifier("event_day"), *order]))
    sql = f"SELECT {selected(columns)} FROM {relation} ORDER BY {', '.join(order)}"
    engine.write_parquet(sql, path, options=OPTIONS, nullable=True)


def selected(columns: Sequence[str]) -> str:
    return ", ".join(identifier(name) for name in columns)


def within(relation: str, part: Part) -> str:
    return f"{relation} WHERE known_day >= {part.first} AND known_day < {part.after}"


def files_sql(folder: Path) -> str:
    """The rows of a table's parts."""
    return f"read_parquet({literal(str(folder / 'part-*.parquet'))}, hive_partitioning = false)"


def arrivals(engine: Embedded, relation: str) -> dict[int, int]:
    """Rows by known day, ascending."""
    found = engine.query(f"SELECT known_day, count(*) AS n FROM {relation} GROUP BY 1 ORDER BY 1")
    return {int(row["known_day"]): int(row["n"]) for row in found.to_pylist()}


def parts_of(rows_by_day: Mapping[int, int]) -> list[Part]:
    """The parts of a table: months, and the days of a month that brought many, of the newest also fewer.

    Examples
    --------
    >>> [part.name for part in parts_of({19_700: 5, 19_723: 5, 19_724: 4_000_000})]
    ['part-2023-12.parquet', 'part-2024-01-01.parquet', 'part-2024-01-02.parquet']
    >>> [part.name for part in parts_of({19_722: 400_000, 19_723: 400_000})]
    ['part-2023-12.parquet', 'part-2024-01-01.parquet']
    """
    months: dict[date, list[int]] = {}
    for day in rows_by_day:
        months.setdefault(date_of(day).replace(day=1), []).append(day)
    newest = max(months, default=None)
    parts = []
    for month, days in months.items():
        enough = OPEN_MONTH if month == newest else LARGE_MONTH
        if sum(rows_by_day[day] for day in days) > enough:
            parts += [Part(day, day + 1, f"part-{date_of(day)}.parquet") for day in days]
        else:
            parts.append(Part(day_of(month), day_of(next_month(month)), f"part-{month:%Y-%m}.parquet"))
    return sorted(parts)


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
    engine.write_parquet(sql, path, options=OPTIONS, nullable=True)
