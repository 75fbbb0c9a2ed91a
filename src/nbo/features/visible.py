"""What a compiled text can see of a store at a date, as one digest.

A day that arrives makes another store, and changes nothing that an earlier date sees. Where the digests are
equal, so are the snapshots: one that was built from the store of yesterday then stands for today's.
"""

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from nbo.asof import AsOf, visible_sql
from nbo.engine import BATCH_MEMORY, Embedded
from nbo.features.compiled import CompiledFeatures
from nbo.features.parameters import bind, read_parameters
from nbo.features.relations import column_sql
from nbo.files import canonical_json, sha256_bytes
from nbo.tables.catalog import TABLES
from nbo.tables.contract import Table
from nbo.tables.store import CONTRACT_VERSION, Store
from nbo.tables.writing import LARGE_MONTH, Part

ROWS = "visible_rows"


def visible_data(store: Store, compiled: CompiledFeatures, as_of: AsOf) -> str:
    """SHA-256 over whatever the value of one of these features may depend on at a date.

    Rows that become visible later change nothing of it, wherever they are written. It may change where no
    value does: a table counts however far it goes back, and a file of it whole.
    """
    named = set(re.findall(r"\w+", compiled.sql))
    with store.connect(memory_limit=BATCH_MEMORY) as engine:
        facts = {
            "contract": CONTRACT_VERSION,
            "operator": [store.zone, store.currency, store.minor_digits],
            "parameters": read_parameters(store, engine, compiled.sql, as_of, None),
            "tables": {
                name: visible_table(store, engine, table, named, as_of)
                for name, table in TABLES.items()
                if name in named and store.has(name)
            },
        }
    return sha256_bytes(canonical_json(facts).encode())


def visible_table(
    store: Store, engine: Embedded, table: Table, named: Set[str], as_of: AsOf
) -> dict[str, Any]:
    """Of a table: the columns it lacks, the digests of files that no later day changes, and what the rows
    that are visible in the others come to in the columns that the text names."""
    absent = {c.name: c.sql_type for c in table.columns if not store.has(table.name, c.name)}
    settled, open_ = parted_files(store.files(table.name), as_of)
    return {
        "absent": list(absent),
        "files": {path.name: store.manifest["files"][f"tables/{table.name}/{path.name}"] for path in settled},
        "rows": visible_rows(engine, table, open_, absent, named, as_of),
    }


def parted_files(files: Sequence[Path], as_of: AsOf) -> tuple[list[Path], list[Path]]:
    """The files that stand for their rows, and those whose rows must be looked at.

    Files of months before the date's own stay as they are. Those of its own month may be joined and get
    further rows, unless it has brought so many that each day keeps a file. A file of unknown days is
    looked at.
    """
    month = AsOf.of(as_of.date.replace(day=1)).day
    settled, whole, rest = [], [], []
    for path in files:
        part = Part.named(path.name)
        if part is not None and part.first > as_of.day:
            continue
        if part is not None and part.after <= month:
            settled.append(path)
        elif part is not None and part.after <= as_of.day + 1:
            whole.append(path)
        else:
            rest.append(path)
    if sum(pq.read_metadata(path).num_rows for path in whole) > LARGE_MONTH:
        return [*settled, *whole], rest
    return settled, [*whole, *rest]


def visible_rows(
    engine: Embedded,
    table: Table,
    files: Sequence[Path],
    absent: Mapping[str, str],
    named: Set[str],
    as_of: AsOf,
) -> list[str]:
    """Number, sum and exclusive or of the hashes of the visible rows, whatever their order."""
    if not files:
        return []
    engine.view(ROWS, files, absent)
    seen = visible_sql(table.event_column) if table.event_column else "known_day <= $as_of"
    row = ", ".join(column_sql(column) for column in table.columns if column.name in named)
    hashes = f"SELECT hash({row}) AS row_hash FROM {ROWS} WHERE {seen}"
    told = f"SELECT count(*), sum(row_hash), bit_xor(row_hash) FROM ({hashes})"
    found = engine.query(bind(told, {"as_of": str(as_of.day)}))
    return [str(value) for value in found.to_pylist()[0].values()]
