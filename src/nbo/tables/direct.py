"""A store from Arrow tables that are already normalised.

For systems that keep the contracts themselves, for benchmarks and for tests. Nothing is checked but
names and types; an operator's own files go through ``nbo check``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nbo.engine import Embedded
from nbo.errors import DataError
from nbo.files import MANIFEST, canonical_json, lock, sha256_bytes, sha256_file, write_atomic
from nbo.tables.catalog import contract
from nbo.tables.contract import Table
from nbo.tables.coverage import staircase
from nbo.tables.folder import claim_folder, clear_store
from nbo.tables.report import TableReport
from nbo.tables.store import CONTRACT_VERSION, KIND, VERSION, Store, written_parts
from nbo.tables.writing import write_table

ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
}


def store_from_tables(
    out: Path,
    tables: Mapping[str, pa.Table],
    *,
    end_day: int,
    covers_from: Mapping[str, int] | int | None = None,
    zone: str = "Asia/Shanghai",
    currency: str = "CNY",
) -> Store:
    """Write normalised tables as a store.

    Parameters
    ----------
    out : Path
        New or empty folder, or an earlier store.
    tables : mapping of str to pa.Table
        By contract name; columns of the contract, in any order, types as the contract stores them.
    end_day : int
        First day that is not complete.
    covers_from : mapping of str to int, int or None
        First covered day, by table or for all; None = the oldest event then visible.
    zone, currency : str
        Of the operator; amounts are minor units with two digits.

    Raises
    ------
    DataError
        A column that the contract does not have, one of another type, or a key column missing.
    """
    with lock(out), Embedded(threads=1) as engine:
        claim_folder(out)
        clear_store(out)
        reports = {}
        for name, rows in tables.items():
            declared = (
                covers_from if isinstance(covers_from, int) or covers_from is None else covers_from.get(name)
            )
            reports[name] = write_one(engine, out, contract(name), rows, declared)
        write_direct_manifest(out, reports, end_day=end_day, zone=zone, currency=currency)
    return Store.open(out)


def write_one(
    engine: Embedded, out: Path, table: Table, rows: pa.Table, covers_from: int | None
) -> TableReport:
    """One table to Parquet; what the manifest says of it."""
    typed = rows.select([name for name in table.column_names if name in rows.column_names])
    unknown = set(rows.column_names) - set(table.column_names)
    if unknown:
        raise DataError(f"{table.name}.{min(unknown)}", "a column of the contract", "an unknown one")
    missing = [name for name in (*table.row_key, "known_day") if name not in rows.column_names]
    if missing:
        raise DataError(f"{table.name}.{missing[0]}", "a column that identifies or dates rows", "none")
    schema = pa.schema(
        [pa.field(name, ARROW_TYPES[table.column(name).sql_type]) for name in typed.column_names]
    )
    try:
        typed = typed.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(table.name, "columns of the contract's types", str(error)) from None
    relation = f"direct_{table.name}"
    engine.register(relation, typed)
    write_table(engine, relation, table, typed.column_names, out / "tables" / table.name)
    event = table.event_column
    steps = staircase(engine, relation, event) if event and typed.num_rows else ()
    return TableReport(
        rows=typed.num_rows,
        raw_rows=typed.num_rows,
        columns=tuple(typed.column_names),
        covers_from=covers_from,
        first_visible=steps,
    )


def write_direct_manifest(
    out: Path, reports: Mapping[str, TableReport], *, end_day: int, zone: str, currency: str
) -> None:
    files = {name: sha256_file(path) for name, path in written_parts(out).items()}
    facts: dict[str, Any] = {
        "kind": KIND,
        "version": VERSION,
        "contract_version": CONTRACT_VERSION,
        "fit": True,
        "zone": zone,
        "currency": currency,
        "minor_digits": 2,
        "end_day": end_day,
        "tables": {name: report.to_json() for name, report in reports.items()},
        "files": files,
    }
    facts["store_id"] = sha256_bytes(canonical_json(facts).encode())[:16]
    write_atomic(out / MANIFEST, json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_tables(store: Store) -> dict[str, pa.Table]:
    """All tables of a store in memory; the inverse of :func:`store_from_tables`."""
    return {
        name: pa.concat_tables([pq.read_table(path, partitioning=None) for path in store.files(name)])
        for name in store.manifest["tables"]
    }
