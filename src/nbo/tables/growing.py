"""A large table whose files only grew: the new ones are read, and their rows join those that are there.

The store is then the same, byte for byte, as if all had been read. Where that is not certain the
table is read whole: a file that changed or went, other columns, a key that came before with other
content, a reference that is gone, or that came for rows which lacked it.
"""

from collections.abc import Iterable, Sequence

from nbo.engine import Embedded, identifier, literal
from nbo.tables.contract import Table
from nbo.tables.findings import raw_value_sql
from nbo.tables.layouts import table_layouts
from nbo.tables.memory import FileSeen, Memory
from nbo.tables.normalise import SourceQuery
from nbo.tables.reading import Job, Outcome, finish_table, table_queries
from nbo.tables.rules import CONFLICT, REFERENCE_KEYS, Rule
from nbo.tables.stage import CLEAN, QUARANTINE, Settled, count, key_sql, settle_table
from nbo.tables.writing import BY_ARRIVAL, EMPTY_PART, files_sql

KNOWN = "_known"
"""The rows of a table that the store holds."""


def grown_table(
    job: Job, table: Table, memory: Memory, files: dict[str, FileSeen], *, write: bool
) -> Outcome | None:
    """What became of a table of which only new files were read; None where it must be read whole.

    Parameters
    ----------
    files : dict of str to FileSeen
        The source files as they are now.
    """
    seen, before = memory.tables.get(table.name), memory.reports.get(table.name)
    if seen is None or before is None or not may_grow(job, table) or not memory.same(files, seen.files):
        return None
    new = sorted({job.shelf.name(path) for path in job.files(table)} - set(seen.files))
    # Where nothing is new, one file says how the table's columns are read.
    layouts, violations = table_layouts(job.shelf.part(new or seen.files[:1]), table, job.spec(table))
    if violations or not layouts:
        return None
    queries = table_queries(job, table, layouts)
    if queries[0].columns != before.columns or not same_references(job, table, before.columns):
        return None
    job.progress(f"{table.name}: reading {len(new)} new of {len(new) + len(seen.files)} files")
    job.engine.execute(f"CREATE OR REPLACE TEMP VIEW {KNOWN} AS SELECT * FROM {files_sql(job.folder(table))}")
    settled = settle_table(job.engine, queries) if new else nothing_new(job.engine)
    if fought_over(job.engine, table, QUARANTINE, KNOWN):
        return None
    again = repeats(job.engine, table, before.columns)
    if again is None or not old_quarantine(job, table, queries):
        return None
    return finish_table(
        job,
        table,
        queries,
        settled + Settled(before.raw_rows, before.duplicates_dropped + again, before.quarantined),
        write=write,
        before=before,
        newest_before=seen.newest,
    )


def may_grow(job: Job, table: Table) -> bool:
    """Whether a table is one that grows by files: large, from one source, no row made of several."""
    sources = job.spec(table).sources
    return (
        table.name in BY_ARRIVAL
        and len(sources) == 1
        and sources[0].reduce is None
        and not (job.folder(table) / EMPTY_PART).exists()
    )


def nothing_new(engine: Embedded) -> Settled:
    """As if no row had been read."""
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {QUARANTINE} "
        "(bits UBIGINT, reason VARCHAR, key VARCHAR, file VARCHAR, raw VARCHAR)"
    )
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {CLEAN} AS SELECT * FROM {KNOWN} LIMIT 0")
    return Settled()


def repeats(engine: Embedded, table: Table, columns: Sequence[str]) -> int | None:
    """Take out new rows that the store has; their number, or None where one has other content there."""
    keys = ", ".join(identifier(name) for name in table.row_key)
    twice = f"({keys}) IN (SELECT {keys} FROM _twice)"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE _twice AS SELECT {keys} FROM {KNOWN} SEMI JOIN {CLEAN} USING ({keys})"
    )
    found = count(engine, "_twice")
    if found:
        content = ", ".join(identifier(name) for name in columns)
        ours, theirs = (f"SELECT {content} FROM {relation} WHERE {twice}" for relation in (CLEAN, KNOWN))
        if count(engine, f"(({ours}) EXCEPT ({theirs}))"):
            return None
        engine.execute(f"DELETE FROM {CLEAN} WHERE {twice}")
    return found


def fought_over(engine: Embedded, table: Table, quarantine: str, relation: str) -> bool:
    """Whether rows were taken out for contradicting each other over a key that a relation has."""
    keys = f"SELECT {key_sql(table)} FROM {relation}"
    return count(engine, f"{quarantine} WHERE reason = {literal(CONFLICT)} AND key IN ({keys})") > 0


def same_references(job: Job, table: Table, columns: Iterable[str]) -> bool:
    """Whether every key that the store's rows refer to is still there.

    Where the table referred to lost no key the rows need not be looked at.
    """
    for column in table.columns:
        if column.references in job.references - job.lasting and column.name in columns:
            name = identifier(column.name)
            used = f"SELECT DISTINCT {name} AS key FROM {files_sql(job.folder(table))}"
            gone = f"({used}) WHERE key NOT IN (SELECT key FROM {REFERENCE_KEYS}{column.references})"
            if count(job.engine, gone):
                return False
    return True


def old_quarantine(job: Job, table: Table, queries: Sequence[SourceQuery]) -> bool:
    """Add the rows that were taken out before; False where one of them may be fit by now."""
    path = job.quarantine(table)
    if not path.exists():
        return True
    rules = queries[0].rules
    source = f"read_parquet({literal(str(path))})"
    if fought_over(job.engine, table, source, CLEAN):
        return False
    for rule in rules:
        if rule.name == "unknown reference" and found_by_now(job, queries, rule, source):
            return False
    bits = " + ".join(f"CASE WHEN {broke(rule)} THEN {1 << n} ELSE 0 END" for n, rule in enumerate(rules))
    job.engine.execute(
        f"INSERT INTO {QUARANTINE} "
        f"SELECT CAST({bits or '0'} AS UBIGINT), reason, key, file, raw FROM {source}"
    )
    return True


def found_by_now(job: Job, queries: Sequence[SourceQuery], rule: Rule, source: str) -> bool:
    """Whether a row that lacked a reference has it now."""
    refers = queries[0].table.column(rule.column).references
    known = f"SELECT chr(39) || key || chr(39) FROM {REFERENCE_KEYS}{refers}"
    value = raw_value_sql(queries, rule.column)
    return count(job.engine, f"{source} WHERE {broke(rule)} AND {value} IN ({known})") > 0


def broke(rule: Rule) -> str:
    """Whether a quarantined row broke a rule, by its reason."""
    return f"list_contains(string_split(reason, '; '), {literal(rule.reason)})"


__all__ = ["grown_table"]
