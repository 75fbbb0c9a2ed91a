"""One table's rows, settled: broken ones quarantined, repeats dropped, the rest kept.

Everything is a temporary table of the engine, which spills to disk, so tables may be larger than
memory. Repeated keys are found by one pass over hashes of the key; only rows that share a hash
are looked at again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nbo.engine import Embedded
from nbo.engine.embedded import identifier, literal
from nbo.tables.contract import Table
from nbo.tables.normalise import SourceQuery, union_sql
from nbo.tables.pseudonyms import pseudonym_sql
from nbo.tables.rules import CONFLICT, ENDS_FIRST, Rule
from nbo.tables.sources import rejects_sql

STAGE = "_stage"
FINE = "_fine"
QUARANTINE = "_quarantine"
CLEAN = "_clean"
REMOVED = "_removed"


@dataclass(frozen=True)
class Settled:
    """Counts of raw rows: read, dropped as repeats, and quarantined."""

    raw_rows: int = 0
    duplicates: int = 0
    quarantined: int = 0

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(
            self.raw_rows + other.raw_rows,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
        )


def settle_table(engine: Embedded, queries: Sequence[SourceQuery]) -> Settled:
    """Read all sources of a table; leaves ``_clean`` and ``_quarantine`` in the engine."""
    table, columns, rules = queries[0].table, queries[0].columns, queries[0].rules
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {QUARANTINE} "
        "(bits UBIGINT, reason VARCHAR, key VARCHAR, file VARCHAR, raw VARCHAR)"
    )
    whole = [query for query in queries if query.source.reduce is None]
    fine = [query for query in queries if query.source.reduce is not None]
    total = create_stage(engine, queries[0], whole)
    for query in fine:
        total += reduce_source(engine, query)
    already = total.raw_rows
    late = {ENDS_FIRST: ends_first_sql(STAGE)} if table.name == "lines" else {}
    key = [identifier(name) for name in table.row_key]
    settled = settle(engine, STAGE, queries, key, rules, late)
    # Rows that a reduced source added to the stage were counted when they were read.
    raw_rows = already + (settled.raw_rows if not fine else count(engine, f"{STAGE} WHERE NOT summed_"))
    create_clean(engine, columns, pseudonymised(queries))
    return Settled(raw_rows, total.duplicates + settled.duplicates, total.quarantined + settled.quarantined)


def create_stage(engine: Embedded, any_query: SourceQuery, whole: Sequence[SourceQuery]) -> Settled:
    if whole:
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {STAGE} AS SELECT *, false AS summed_ FROM ({union_sql(whole)})"
        )
        return collect_rejects(engine, whole)
    kinds = [f"{identifier(c.name)} {c.sql_type}" for c in any_query.present]
    kinds += ["bad_ UBIGINT", "raw_key_ VARCHAR", "file_ VARCHAR", "raw_ VARCHAR", "summed_ BOOLEAN"]
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {STAGE} ({', '.join(kinds)})")
    return Settled()


def collect_rejects(engine: Embedded, queries: Sequence[SourceQuery]) -> Settled:
    """Move the broken lines of CSV files into the quarantine."""
    before = count(engine, QUARANTINE)
    for query in queries:
        if query.relation.rejects is not None:
            keep = not any(spec.pseudonym for spec in query.source.mapped.values())
            lines = rejects_sql(query.relation.rejects, query.data, keep_text=keep)
            engine.execute(f"INSERT INTO {QUARANTINE} SELECT 0, reason, key, file, raw FROM ({lines})")
    broken = count(engine, QUARANTINE) - before
    return Settled(raw_rows=broken, quarantined=broken)


def reduce_source(engine: Embedded, query: SourceQuery) -> Settled:
    """Read a source whose rows are finer than the key and add their sums to the stage."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {FINE} AS {query.sql()}")
    total = collect_rejects(engine, [query])
    total += settle(engine, FINE, [query], ["raw_key_"] if query.source.raw_key else [], query.rules, {})
    groups = [c.name for c in query.present if not is_summed(query, c.name) and c.name != "known_day"]
    outs = []
    for column in query.present:
        name = identifier(column.name)
        if is_summed(query, column.name):
            outs.append(f"CAST(sum({name}) AS {column.sql_type}) AS {name}")
        else:
            # A sum is known once its last part is.
            outs.append(f"max({name}) AS {name}" if column.name == "known_day" else name)
    engine.execute(
        f"INSERT INTO {STAGE} SELECT {', '.join(outs)}, 0, NULL, NULL, NULL, true FROM ({kept_sql(FINE)}) "
        f"GROUP BY {', '.join(identifier(name) for name in groups)}"
    )
    engine.execute(f"DROP TABLE {FINE}")
    return total


def is_summed(query: SourceQuery, name: str) -> bool:
    return (
        query.table.column(name).kind in ("seconds", "money", "count", "bytes")
        and name not in query.table.key
    )


def settle(
    engine: Embedded,
    relation: str,
    queries: Sequence[SourceQuery],
    key: Sequence[str],
    rules: Sequence[Rule],
    late: dict[str, str],
) -> Settled:
    """Quarantine the broken rows of a relation and note which others to remove."""
    table = queries[0].table
    reasons = ", ".join(
        f"CASE WHEN bad_ & {1 << n} <> 0 THEN {literal(rule.reason)} END" for n, rule in enumerate(rules)
    )
    engine.execute(
        f"INSERT INTO {QUARANTINE} SELECT bad_, concat_ws('; ', {reasons or literal('')}), {key_sql(table)}, "
        f"file_, raw_ FROM {relation} WHERE bad_ <> 0"
    )
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {REMOVED} (line BIGINT, h UBIGINT, reason VARCHAR)")
    if key:
        note_repeats(engine, relation, [identifier(c) for c in queries[0].columns], key)
    for reason, sql in late.items():
        engine.execute(
            f"INSERT INTO {REMOVED} SELECT line, hash({', '.join(key)}), {literal(reason)} FROM ({sql})"
        )
    conflicting = count(engine, f"{REMOVED} WHERE reason IS NOT NULL")
    if conflicting:
        quarantine_late(engine, queries, key)
    return Settled(
        raw_rows=count(engine, relation),
        duplicates=count(engine, f"{REMOVED} WHERE reason IS NULL"),
        quarantined=conflicting + count(engine, f"{relation} WHERE bad_ <> 0"),
    )


def note_repeats(engine: Embedded, relation: str, columns: Sequence[str], key: Sequence[str]) -> None:
    keys, content = ", ".join(key), f"hash({', '.join(columns)})"
    good = f"{relation} WHERE bad_ = 0 AND {key[0]} IS NOT NULL"
    # Different keys may share a hash, so the window goes by the key itself.
    engine.execute(
        f"INSERT INTO {REMOVED} SELECT line, h, CASE WHEN differ THEN {literal(CONFLICT)} END FROM ("
        "SELECT line, h, first <> last AS differ, n FROM (SELECT rowid AS line, "
        f"hash({keys}) AS h, min({content}) OVER w AS first, max({content}) OVER w AS last, "
        f"row_number() OVER (w ORDER BY rowid) AS n FROM {good} "
        f"AND hash({keys}) IN (SELECT hash({keys}) FROM {good} GROUP BY 1 HAVING count(*) > 1) "
        f"WINDOW w AS (PARTITION BY {keys}))) WHERE differ OR n > 1"
    )


def quarantine_late(engine: Embedded, queries: Sequence[SourceQuery], key: Sequence[str]) -> None:
    """Read the sources again for the raw values of rows found wrong beside others."""
    keys = ", ".join(key)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE _late AS SELECT h, min(reason) AS reason FROM {REMOVED} "
        "WHERE reason IS NOT NULL GROUP BY h"
    )
    again = union_sql(queries, f"bad_ = 0 AND hash({keys}) IN (SELECT h FROM _late)")
    engine.execute(
        f"INSERT INTO {QUARANTINE} SELECT 0, _late.reason, {key_sql(queries[0].table)}, file_, raw_ "
        f"FROM ({again}) again JOIN _late ON _late.h = hash({keys}) WHERE raw_ IS NOT NULL"
    )
    engine.execute("DROP TABLE _late")


def ends_first_sql(relation: str) -> str:
    """Rows that end or suspend a line which no row had made active by then."""
    good = kept_sql(relation).replace("*", "*, rowid AS line", 1)
    return (
        "SELECT * FROM (SELECT *, min(valid_day) FILTER (state = 'active') OVER (PARTITION BY line_id) "
        f"AS began FROM ({good})) WHERE state <> 'active' AND (began IS NULL OR began > valid_day)"
    )


def kept_sql(relation: str) -> str:
    return f"SELECT * FROM {relation} WHERE bad_ = 0 AND rowid NOT IN (SELECT line FROM {REMOVED})"


def pseudonymised(queries: Sequence[SourceQuery]) -> list[str]:
    found = {name for query in queries for name, spec in query.source.mapped.items() if spec.pseudonym}
    return [name for name in queries[0].columns if name in found]


def create_clean(engine: Embedded, columns: Sequence[str], hidden: Sequence[str]) -> None:
    """The rows of the store: kept ones, with pseudonyms computed once for each number."""
    outs, joins = {name: f"s.{identifier(name)}" for name in columns}, ""
    for name in hidden:
        numbers = identifier(f"_numbers_{name}")
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {numbers} AS "
            f"SELECT number, {pseudonym_sql('number')} AS pseudonym "
            f"FROM (SELECT DISTINCT {identifier(name)} AS number FROM {STAGE} WHERE bad_ = 0) "
            "WHERE number IS NOT NULL"
        )
        outs[name] = f"{numbers}.pseudonym"
        joins += f" LEFT JOIN {numbers} ON {numbers}.number = s.{identifier(name)}"
    selected = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in outs.items())
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {CLEAN} AS SELECT {selected} FROM ({kept_sql(STAGE)}) s{joins}"
    )
    for name in hidden:
        engine.execute(f"DROP TABLE {identifier(f'_numbers_{name}')}")
    engine.execute(f"DROP TABLE {STAGE}")


def key_sql(table: Table) -> str:
    """A row's key as people read it: parts joined by ``/``, days as dates, ``?`` for none."""
    parts = []
    for name in table.row_key:
        column = identifier(name)
        day = table.column(name).kind == "day"
        shown = f"CAST(DATE '1970-01-01' + {column} AS VARCHAR)" if day else column
        parts.append(f"coalesce({shown}, '?')")
    return f"concat_ws('/', {', '.join(parts)})"


def count(engine: Embedded, relation: str) -> int:
    """Rows of a relation, which may carry a condition."""
    return int(engine.query(f"SELECT count(*) FROM {relation}").column(0)[0].as_py())
