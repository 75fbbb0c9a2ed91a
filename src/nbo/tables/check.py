"""``nbo check``: the operator's files in, a store out, or every reason why not.

A store is fit iff its manifest says so, and the manifest is the last file written. A check that
fails leaves the quarantine and a manifest that says ``"fit": false``, but no tables.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from nbo.asof import day_of
from nbo.engine import Embedded
from nbo.engine.embedded import identifier
from nbo.errors import DataError, StorageError
from nbo.files import (
    MANIFEST,
    canonical_json,
    lock,
    sha256_bytes,
    sha256_file,
    spill_folder,
    sync_folder,
    told_storage_errors,
    write_atomic,
)
from nbo.tables.catalog import TABLES
from nbo.tables.contract import Table
from nbo.tables.coverage import newest_event, staircase
from nbo.tables.findings import findings
from nbo.tables.folder import claim_folder, clear_store
from nbo.tables.layouts import Layout, Shelf, table_layouts
from nbo.tables.mapping import ColumnMap, Mapping, TableMap
from nbo.tables.normalise import SourceQuery
from nbo.tables.pseudonyms import install_pads
from nbo.tables.report import CheckReport, TableReport, Violation
from nbo.tables.rules import REFERENCE_KEYS, Circumstances, row_rules
from nbo.tables.sources import data_files, digests
from nbo.tables.stage import CLEAN, QUARANTINE, count, settle_table
from nbo.tables.store import CONTRACT_VERSION, KIND, VERSION
from nbo.tables.writing import write_quarantine, write_table
from nbo.tables.zone import Zone

DATED = ("calls", "usage", "bills")
"""Their newest day is the last complete one, unless the mapping says otherwise."""


def quiet(_: str) -> None:
    """Progress that goes nowhere."""


@dataclass(frozen=True)
class Job:
    """What every table of one check shares."""

    engine: Embedded
    data: Path
    out: Path
    mapping: Mapping
    zone: Zone
    shelf: Shelf
    progress: Callable[[str], None]
    references: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Outcome:
    """What became of one table; ``report`` is None where it was not read."""

    violations: tuple[Violation, ...]
    report: TableReport | None = None
    newest: int | None = None
    files: tuple[Path, ...] = ()


def check_tables(
    data: Path,
    out: Path,
    mapping: Mapping,
    *,
    key: bytes,
    zone: str | None = None,
    currency: str | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
    progress: Callable[[str], None] = quiet,
) -> CheckReport:
    """Read the operator's files through a mapping and write a store.

    Parameters
    ----------
    data, out : Path
        The folder of raw files; the store's folder, which is new, empty or a store.
    mapping : Mapping
        From :func:`nbo.tables.mapping.load_mapping`.
    key : bytes
        The workspace's secret, from which pseudonyms are made.
    zone, currency : str or None
        In place of the mapping's.
    threads, memory_limit
        Of the engine; None = all cores, and most of the memory before it spills to disk.
    progress : callable
        Told one line a table.

    Returns
    -------
    CheckReport
        ``ok`` False where any rule failed beyond its allowed share.

    Raises
    ------
    DataError, UsageError
        Where ``data`` is no folder, ``out`` holds something else, or the zone is unknown.
    BusyError
        Where another check writes the same store.
    StorageError
        Where the disk is full or not writable; the folder then holds no fit store.
    """
    if not data.is_dir():
        raise DataError("--data", "an existing folder", str(data), next_step="Name the folder of raw tables")
    data, out = data.resolve(), out.resolve()
    changed = {name: value for name, value in (("zone", zone), ("currency", currency)) if value is not None}
    mapping = Mapping.model_validate({**mapping.model_dump(), **changed})
    with lock(out), told_storage_errors(out):
        claim_folder(out)
        with (
            spill_folder(out) as spill,
            Embedded(threads=threads, memory_limit=memory_limit, spill_folder=spill) as engine,
        ):
            place = Zone.read(engine, mapping.zone)
            install_pads(engine, key)
            job = Job(engine, data, out, mapping, place, Shelf(data), progress)
            return run(job)


def run(job: Job) -> CheckReport:
    used, sources = source_digests(job)
    store_id = identity(sources, job.mapping)
    clear_store(job.out, store_id)
    outcomes: dict[str, Outcome] = {}
    for name in reading_order():
        fit = all(not v.fails for outcome in outcomes.values() for v in outcome.violations)
        outcomes[name] = check_table(job, TABLES[name], write=fit)
    violations = [v for name in TABLES for v in outcomes[name].violations]
    end_day = first_open_day(job.mapping, outcomes)
    if end_day is None and not violations:
        violations.append(undated())
    ok = not any(violation.fails for violation in violations)
    tables = {name: o.report for name in TABLES if (o := outcomes[name]).report is not None}
    report = CheckReport(
        ok=ok,
        violations=tuple(violations),
        tables={name: table for name, table in tables.items() if table is not None},
        store=job.out,
        store_id=store_id,
        end_day=end_day,
        tables_absent=tuple(name for name in TABLES if outcomes[name].report is None),
        unused_files=tuple(p.relative_to(job.data).as_posix() for p in data_files(job.data) if p not in used),
    )
    if not ok:
        shutil.rmtree(job.out / "tables", ignore_errors=True)
    write_store_manifest(job, report, sources)
    return report


def check_table(job: Job, table: Table, *, write: bool) -> Outcome:
    """Read, settle and, where all went well so far, write one table."""
    spec = job.mapping.tables.get(table.name, TableMap())
    layouts, violations = table_layouts(job.shelf, table, spec)
    if violations or not layouts:
        return Outcome(tuple(violations))
    job.progress(f"{table.name}: reading")
    queries = table_queries(job, table, layouts)
    settled = settle_table(job.engine, queries)
    share = settled.quarantined / max(settled.raw_rows, 1)
    found = findings(job.engine, queries, settled.raw_rows) if settled.quarantined else []
    if share <= spec.allowed_quarantined_share:
        found = [violation.allowed() for violation in found]
    if settled.quarantined:
        write_quarantine(job.engine, QUARANTINE, job.out / "quarantine" / f"{table.name}.parquet")
    keep_keys(job, table)
    covers = spec.covers_from or job.mapping.covers_from
    event = table.event_column
    report = TableReport(
        rows=count(job.engine, CLEAN),
        raw_rows=settled.raw_rows,
        duplicates_dropped=settled.duplicates,
        quarantined=settled.quarantined,
        columns=queries[0].columns,
        columns_absent=tuple(c for c in table.column_names if c not in queries[0].columns),
        covers_from=day_of(covers) if covers is not None and event is not None else None,
        first_visible=staircase(job.engine, CLEAN, event) if event is not None else (),
    )
    if write and not any(violation.fails for violation in found):
        write_table(job.engine, CLEAN, table, queries[0].columns, job.out / "tables" / table.name)
    newest = newest_event(job.engine, CLEAN, event) if event is not None else None
    job.engine.execute(f"DROP TABLE {CLEAN}")
    job.progress(f"{table.name}: {report.rows:,} rows, {report.quarantined:,} quarantined")
    return Outcome(tuple(found), report, newest)


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


def keep_keys(job: Job, table: Table) -> None:
    """Keep the keys of a table that others refer to."""
    if any(column.references == table.name for other in TABLES.values() for column in other.columns):
        job.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {REFERENCE_KEYS}{table.name} AS "
            f"SELECT DISTINCT {identifier(table.key[0])} AS key FROM {CLEAN}"
        )
        job.references.add(table.name)


def reading_order() -> tuple[str, ...]:
    """Tables with those they refer to before them.

    Examples
    --------
    >>> order = reading_order()
    >>> order.index("accounts") < order.index("sites") < order.index("lines") < order.index("calls")
    True
    """
    graph = {
        name: {column.references for column in table.columns if column.references} - {name}
        for name, table in TABLES.items()
    }
    return tuple(TopologicalSorter(graph).static_order())


def source_digests(job: Job) -> tuple[set[Path], dict[str, str]]:
    patterns = [p for spec in job.mapping.tables.values() for s in spec.sources for p in s.files]
    used = {path for pattern in patterns for path in job.data.glob(pattern) if path.is_file()}
    return used, digests(job.data, used)


def identity(sources: dict[str, str], mapping: Mapping) -> str:
    facts = {"files": sources, "mapping": mapping.model_dump(mode="json"), "contract": CONTRACT_VERSION}
    return sha256_bytes(canonical_json(facts).encode())[:16]


def first_open_day(mapping: Mapping, outcomes: dict[str, Outcome]) -> int | None:
    if mapping.complete_to is not None:
        return day_of(mapping.complete_to) + 1
    for names in (DATED, tuple(outcomes)):
        days = [newest for name in names if (newest := outcomes[name].newest) is not None]
        if days:
            return max(days) + 1
    return None


def undated() -> Violation:
    return Violation(
        "store",
        None,
        "nothing dated",
        "at least one dated row, or complete_to in the mapping",
        "neither",
        "Add data, or say in the mapping to which day they are complete",
    )


def write_store_manifest(job: Job, report: CheckReport, sources: dict[str, str]) -> None:
    written = [p for name in ("tables", "quarantine") for p in sorted((job.out / name).rglob("*.parquet"))]
    for name in ("tables", "quarantine"):
        sync_folder(job.out / name)
    facts = {
        "kind": KIND,
        "version": VERSION,
        "contract_version": CONTRACT_VERSION,
        "fit": report.ok,
        "store_id": report.store_id,
        "zone": job.mapping.zone,
        "currency": job.mapping.currency,
        "minor_digits": job.mapping.minor_digits,
        "end_day": report.end_day,
        "tables": {name: table.to_json() for name, table in report.tables.items()},
        "violations": [violation.line for violation in report.violations],
        "failed": len(report.failed),
        "sources": sources,
        "files": {p.relative_to(job.out).as_posix(): sha256_file(p) for p in written},
    }
    if report.ok and not written:
        raise StorageError(f"{job.out}: the tables written are gone", "Run nbo check again")
    write_atomic(job.out / MANIFEST, json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
