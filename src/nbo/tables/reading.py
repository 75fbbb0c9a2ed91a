"""One table of a check: its files read, its rows settled, written and told of."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbo.asof import day_of
from nbo.engine import Embedded
from nbo.engine.embedded import identifier
from nbo.tables.catalog import TABLES
from nbo.tables.contract import Table
from nbo.tables.coverage import newest_event, staircase, together
from nbo.tables.findings import findings
from nbo.tables.layouts import Layout, Shelf, table_layouts
from nbo.tables.mapping import ColumnMap, Mapping, TableMap
from nbo.tables.normalise import SourceQuery
from nbo.tables.report import TableReport, Violation
from nbo.tables.rules import REFERENCE_KEYS, Circumstances, row_rules
from nbo.tables.stage import CLEAN, QUARANTINE, Settled, count, settle_table
from nbo.tables.writing import BY_ARRIVAL, add_rows, files_sql, write_quarantine, write_table
from nbo.tables.zone import Zone

LATE_AFTER = 40
"""Days between a fact and its arrival beyond which it is counted as late. It counts all the same, from its
arrival on."""
OLD_KEYS = "_old_keys_"


@dataclass(frozen=True)
class Job:
    """What every table of one check shares.

    ``references`` are the tables whose keys are known by now; ``lasting`` those that the store holds from its
    last check and of whose keys none is gone.
    """

    engine: Embedded
    data: Path
    out: Path
    mapping: Mapping
    zone: Zone
    shelf: Shelf
    progress: Callable[[str], None]
    references: set[str] = field(default_factory=set)
    lasting: set[str] = field(default_factory=set)

    def spec(self, table: Table) -> TableMap:
        return self.mapping.tables.get(table.name, TableMap())

    def files(self, table: Table) -> list[Path]:
        """The table's source files, by name."""
        return sorted({path for source in self.spec(table).sources for path in self.shelf.find(source.files)})

    def folder(self, table: Table) -> Path:
        """Where the table's parts are."""
        return self.out / "tables" / table.name

    def quarantine(self, table: Table) -> Path:
        """Where the table's rows are that were taken out."""
        return self.out / "quarantine" / f"{table.name}.parquet"

    def clear(self, table: Table) -> None:
        """Take away what an earlier check wrote of a table."""
        shutil.rmtree(self.folder(table), ignore_errors=True)
        self.quarantine(table).unlink(missing_ok=True)


@dataclass(frozen=True)
class Outcome:
    """What became of one table.

    Parameters
    ----------
    violations : tuple of Violation
    report : TableReport or None
        None where the table was not read.
    newest : int or None
        The latest day of its events.
    stayed : tuple of str
        Names of its parts that were not written again.
    """

    violations: tuple[Violation, ...]
    report: TableReport | None = None
    newest: int | None = None
    stayed: tuple[str, ...] = ()


def check_table(job: Job, table: Table, *, write: bool) -> Outcome:
    """Read, settle and, where all went well so far, write one table."""
    keep_old_keys(job, table)
    job.clear(table)
    layouts, violations = table_layouts(job.shelf, table, job.spec(table))
    if violations or not layouts:
        return Outcome(tuple(violations))
    job.progress(f"{table.name}: reading")
    queries = table_queries(job, table, layouts)
    settled = settle_table(job.engine, queries)
    return finish_table(job, table, queries, settled, write=write)


def finish_table(
    job: Job,
    table: Table,
    queries: Sequence[SourceQuery],
    settled: Settled,
    *,
    write: bool,
    before: TableReport | None = None,
    newest_before: int | None = None,
) -> Outcome:
    """Write what was settled, and tell what became of the table.

    Parameters
    ----------
    settled : Settled
        Of all rows ever read, those of ``before`` included; ``_quarantine`` holds all that are out.
    before : TableReport or None
        Of the rows that the store holds, which ``_clean`` joins; None where it holds none.
    """
    spec = job.spec(table)
    share = settled.quarantined / max(settled.raw_rows, 1)
    found = findings(job.engine, queries, settled.raw_rows) if settled.quarantined else []
    if share <= spec.allowed_quarantined_share:
        found = [violation.allowed() for violation in found]
    if settled.quarantined:
        write_quarantine(job.engine, QUARANTINE, job.quarantine(table))
    keep_keys(job, table)
    covers, event = spec.covers_from or job.mapping.covers_from, table.event_column
    columns = queries[0].columns
    steps = staircase(job.engine, CLEAN, event) if event is not None else ()
    late = late_rows(job.engine, event) if event is not None and table.name in BY_ARRIVAL else 0
    report = TableReport(
        rows=count(job.engine, CLEAN) + (before.rows if before else 0),
        raw_rows=settled.raw_rows,
        duplicates_dropped=settled.duplicates,
        quarantined=settled.quarantined,
        late=late + (before.late if before else 0),
        columns=columns,
        columns_absent=tuple(c for c in table.column_names if c not in columns),
        covers_from=day_of(covers) if covers is not None and event is not None else None,
        first_visible=together(before.first_visible, steps) if before else steps,
    )
    stayed: list[str] = []
    if write and not any(violation.fails for violation in found):
        put = add_rows if before else write_table
        stayed = put(job.engine, CLEAN, table, columns, job.folder(table))
    newest = newest_event(job.engine, CLEAN, event) if event is not None else None
    job.engine.execute(f"DROP TABLE {CLEAN}")
    job.progress(f"{table.name}: {report.rows:,} rows, {report.quarantined:,} quarantined")
    days = [day for day in (newest, newest_before) if day is not None]
    return Outcome(tuple(found), report, max(days, default=None), tuple(stayed))


def late_rows(engine: Embedded, event: str) -> int:
    """Rows of ``_clean`` that came more than :data:`LATE_AFTER` days after their event."""
    return count(engine, f"{CLEAN} WHERE known_day - {identifier(event)} - 1 > {LATE_AFTER}")


def table_queries(job: Job, table: Table, layouts: list[Layout]) -> list[SourceQuery]:
    specs: dict[str, ColumnMap] = {}
    for layout in layouts:
        for name, spec in layout.source.mapped.items():
            if all(raw in layout.relation.columns for raw in spec.names):
                specs.setdefault(name, spec)
    columns = tuple(name for name in table.column_names if name in specs or name == "known_day")
    around = Circumstances(specs, job.references, job.mapping.currency, job.zone.day_seconds)
    rules = row_rules(table, around)
    return [
        SourceQuery(
            table,
            layout.source,
            layout.relation,
            columns,
            rules,
            job.zone,
            job.mapping.minor_digits,
            job.data,
        )
        for layout in layouts
    ]


def referred(table: Table) -> bool:
    """Whether other tables refer to this one."""
    return any(column.references == table.name for other in TABLES.values() for column in other.columns)


def keep_old_keys(job: Job, table: Table) -> None:
    """Keep the keys that the store has of a table that others refer to."""
    if referred(table) and any(job.folder(table).glob("part-*.parquet")):
        job.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {OLD_KEYS}{table.name} AS "
            f"SELECT DISTINCT {identifier(table.key[0])} AS key FROM {files_sql(job.folder(table))}"
        )
        job.lasting.add(table.name)


def keep_keys(job: Job, table: Table) -> None:
    """Keep the keys of a table that others refer to, and see whether old ones are gone."""
    if not referred(table):
        return
    keys, name = f"{REFERENCE_KEYS}{table.name}", identifier(table.key[0])
    job.engine.execute(f"CREATE OR REPLACE TEMP TABLE {keys} AS SELECT DISTINCT {name} AS key FROM {CLEAN}")
    job.references.add(table.name)
    if table.name in job.lasting:
        gone = f"(SELECT key FROM {OLD_KEYS}{table.name}) WHERE key NOT IN (SELECT key FROM {keys})"
        if count(job.engine, gone):
            job.lasting.discard(table.name)
