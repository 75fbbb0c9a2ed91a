"""``nbo check``: the operator's files in, a store out, or every reason why not.

A store is fit iff its manifest says so, and the manifest is the last file written. A check that
fails leaves the quarantine and a manifest that says ``"fit": false``, but no tables.
"""

import json
import shutil
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

from nbo.asof import day_of
from nbo.engine import Embedded
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
from nbo.tables.folder import claim_folder, clear_store
from nbo.tables.growing import grown_table
from nbo.tables.layouts import Shelf
from nbo.tables.mapping import Mapping
from nbo.tables.memory import FileSeen, Memory, TableSeen, reader, recall, remember
from nbo.tables.pseudonyms import install_pads
from nbo.tables.reading import Job, Outcome, check_table
from nbo.tables.report import CheckReport, Violation
from nbo.tables.sources import data_files
from nbo.tables.store import CONTRACT_VERSION, KIND, VERSION, written_parts
from nbo.tables.zone import Zone

DATED = ("calls", "usage", "bills")
"""Their newest day is the last complete one, unless the mapping says otherwise."""


def quiet(_: str) -> None:
    """Progress that goes nowhere."""


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
    whole: bool = False,
    progress: Callable[[str], None] = quiet,
) -> CheckReport:
    """Read the operator's files through a mapping and write a store.

    Of a large table whose files only grew since the last check of the same store, the new ones are
    read and only the parts of the days on which their rows arrived are written; the store is the
    same, byte for byte, as if everything had been read.

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
    whole : bool
        Read everything, whatever the last check left.
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
            return run(job, reader(mapping, key), whole=whole)


def run(job: Job, by: str, *, whole: bool) -> CheckReport:
    memory = Memory() if whole else recall(job.out, by)
    used, files = source_files(job, memory)
    sources = {name: seen.sha256 for name, seen in files.items()}
    store_id = identity(sources, job.mapping)
    clear_store(job.out, keep_tables=bool(memory))
    outcomes: dict[str, Outcome] = {}
    for name in reading_order():
        table, fit = (
            TABLES[name],
            all(not v.fails for outcome in outcomes.values() for v in outcome.violations),
        )
        grown = grown_table(job, table, memory, files, write=fit)
        outcomes[name] = grown or check_table(job, table, write=fit)
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
    stayed = {f"tables/{name}/{part}" for name, outcome in outcomes.items() for part in outcome.stayed}
    kept = {name: digest for name, digest in memory.digests.items() if name in stayed}
    write_store_manifest(job, report, sources, kept)
    remember(job.out, store_id, by, files, {name: seen_table(job, name, outcomes[name]) for name in tables})
    return report


def seen_table(job: Job, name: str, outcome: Outcome) -> TableSeen:
    files = job.files(TABLES[name])
    return TableSeen(tuple(job.shelf.name(path) for path in files), outcome.newest)


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


def source_files(job: Job, memory: Memory) -> tuple[set[Path], dict[str, FileSeen]]:
    """The source files, and what each is now by its name below the data folder."""
    used = {path for table in TABLES.values() for path in job.files(table)}
    return used, {job.shelf.name(path): memory.look(path, job.shelf.name(path)) for path in sorted(used)}


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


def write_store_manifest(
    job: Job, report: CheckReport, sources: dict[str, str], kept: dict[str, str]
) -> None:
    """The manifest; ``kept`` has the digests of files that were not written again."""
    written = written_parts(job.out)
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
        "files": {name: kept.get(name) or sha256_file(path) for name, path in written.items()},
    }
    if report.ok and not written:
        raise StorageError(f"{job.out}: the tables written are gone", "Run nbo check again")
    write_atomic(job.out / MANIFEST, json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
