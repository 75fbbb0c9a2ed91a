"""Can a feature see the future? Change all of it and look.

:func:`permute_future` writes a copy of a store in which everything that was not visible at a date is
changed: values are drawn anew, days are moved (never into view), rows vanish and appear, in event tables
and in change logs alike. A feature that differs between the two stores has read what it must not.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbo.asof import AsOf
from nbo.features.build import feature_rows
from nbo.features.compiled import CompiledFeatures
from nbo.tables.catalog import contract
from nbo.tables.contract import Column, Table
from nbo.tables.direct import read_tables, store_from_tables
from nbo.tables.store import Store

REACH_DAYS = 400
FEW = 20
"""One account in so many of a sample has others of the sample around it."""
Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]


def leaking_features(
    store: Store, compiled: CompiledFeatures, as_of: AsOf, scratch: Path, seed: int = 0
) -> list[str]:
    """Names of features that change when only the future changes.

    Parameters
    ----------
    scratch : Path
        New folder for the changed copy of the store.
    seed : int
        Of the changes.

    Returns
    -------
    list of str
        Empty if nothing leaks; ``account_id`` stands for a changed population.
    """
    changed = permute_future(store, scratch, event_cut=as_of.day, known_cut=as_of.day, seed=seed)
    before, after = feature_rows(store, compiled, as_of), feature_rows(changed, compiled, as_of)
    if not before["account_id"].equals(after["account_id"]):
        return ["account_id"]
    return [name for name in compiled.names if not before[name].equals(after[name])]


def sampled_store(store: Store, out: Path, accounts: int, seed: int) -> Store:
    """A store of some accounts; what belongs to no account stays whole.

    Most features depend on their own account alone, and what leaks shows among some as among all. For those
    that look at others, half of the accounts are drawn at random and half from around a few of these.

    Parameters
    ----------
    out : Path
        New folder.
    accounts : int
        How many; all where there are fewer.
    """
    rng = np.random.default_rng(seed)
    known = np.unique(texts(read_column(store, "lines", "account_id")))
    count = min(accounts, len(known))
    first = rng.choice(known, (count + 1) // 2, replace=False)
    few = pa.array(first[: max(1, count // FEW)], pa.string())
    around = np.setdiff1d(accounts_around(store, few), first)
    near = rng.permutation(np.intersect1d(around, known))[: count // 2]
    drawn = np.concatenate([first, near])
    others = rng.choice(np.setdiff1d(known, drawn), count - len(drawn), replace=False)
    chosen = pa.array(np.sort(np.concatenate([drawn, others])), pa.string())
    tables = {name: read_table(store, name, chosen) for name in store.manifest["tables"]}
    return rewritten(store, out, tables)


def accounts_around(store: Store, accounts: pa.Array) -> Texts:
    """Those who share a building with any of these, or whose numbers these call."""
    found = [pa.array([], pa.string())]
    if store.has("sites", "building_id"):
        buildings = read_column(store, "sites", "building_id", pc.field("account_id").isin(accounts))
        found.append(read_column(store, "sites", "account_id", pc.field("building_id").isin(buildings)))
    if store.has("calls", "counterparty_id") and store.has("lines", "number_id"):
        numbers = read_column(store, "calls", "counterparty_id", pc.field("account_id").isin(accounts))
        found.append(read_column(store, "lines", "account_id", pc.field("number_id").isin(numbers)))
    return np.unique(texts(pa.concat_arrays(found)))


def read_column(store: Store, table: str, column: str, only: pc.Expression | None = None) -> pa.Array:
    """The different values of a column of keys, nulls left out."""
    parts = [
        pq.read_table(path, columns=[column], partitioning=None, filters=only)[column].unique()
        for path in store.files(table)
    ]
    return pa.chunked_array(parts, pa.string()).unique().drop_null()


def texts(values: pa.Array) -> Texts:
    """The same as numpy has them."""
    found: Texts = values.to_numpy(zero_copy_only=False)
    return found


def read_table(store: Store, name: str, accounts: pa.Array) -> pa.Table:
    """The rows of some accounts, or all rows of a table whose rows belong to no account."""
    owned = "account_id" in contract(name).column_names
    only = pc.field("account_id").isin(accounts) if owned else None
    return pa.concat_tables(
        [pq.read_table(path, partitioning=None, filters=only) for path in store.files(name)]
    )


def rewritten(store: Store, out: Path, tables: Mapping[str, pa.Table]) -> Store:
    """Other rows as a store of the same days, zone and currency."""
    facts = store.manifest["tables"]
    covers = {name: facts[name]["covers_from"] for name in tables if facts[name]["covers_from"] is not None}
    return store_from_tables(
        out, tables, end_day=store.end_day, covers_from=covers, zone=store.zone, currency=store.currency
    )


def permute_future(store: Store, out: Path, *, event_cut: int, known_cut: int, seed: int) -> Store:
    """A copy of a store in which every fact at or after a day, or known after a day, is changed.

    Parameters
    ----------
    event_cut : int
        Facts with ``event_day >= event_cut`` are changed.
    known_cut : int
        Facts with ``known_day > known_cut`` are changed, and values known after it by a day of
        their own, such as the outcome of a contact.
    """
    rng = np.random.default_rng(seed)
    tables = {
        name: permuted(contract(name), rows, event_cut, known_cut, rng)
        for name, rows in read_tables(store).items()
    }
    return rewritten(store, out, tables)


def permuted(
    table: Table, rows: pa.Table, event_cut: int, known_cut: int, rng: np.random.Generator
) -> pa.Table:
    """One table with its invisible part changed; the visible part keeps rows and order."""
    seen = visible(table, rows, event_cut, known_cut)
    kept = later_values_changed(table, rows.filter(pa.array(seen)), known_cut, rng)
    hidden = rows.filter(pa.array(~seen))
    if hidden.num_rows == 0:
        return kept
    places = rng.integers(0, hidden.num_rows, size=rng.integers(1, 2 * hidden.num_rows + 1))
    drawn = {
        column.name: drawn_values(column, hidden[column.name], places, rng)
        for column in table.columns
        if column.name in rows.column_names
    }
    drawn.update(hidden_days(table, len(places), event_cut, known_cut, rng))
    if table.shape == "events":
        fresh = [f"changed-{seed}" for seed in rng.integers(0, 2**62, len(places))]
        drawn[table.key[0]] = pa.array(fresh)
    return pa.concat_tables([kept, pa.table(drawn, schema=rows.schema)])


def visible(table: Table, rows: pa.Table, event_cut: int, known_cut: int) -> Mask:
    """Which rows happened before the one day and were known by the other."""
    known = rows["known_day"].to_numpy() <= known_cut
    if table.event_column is None:
        return np.asarray(known)
    return np.asarray(known & (rows[table.event_column].to_numpy() < event_cut))


def later_values_changed(table: Table, rows: pa.Table, known_cut: int, rng: np.random.Generator) -> pa.Table:
    """Values of visible rows that became known later by a day of their own, drawn anew."""
    for column in table.columns:
        if column.known_by is None or column.name not in rows.column_names:
            continue
        later = pc.fill_null(pc.greater(rows[column.known_by], known_cut), False)
        if column.name == column.known_by:
            days = known_cut + 1 + rng.integers(0, REACH_DAYS, rows.num_rows)
            drawn = pa.array(days.astype(np.int32))
        else:
            drawn = drawn_values(column, rows[column.name], np.arange(rows.num_rows), rng)
        place = rows.column_names.index(column.name)
        rows = rows.set_column(place, column.name, pc.if_else(later, drawn, rows[column.name]))
    return rows


def drawn_values(
    column: Column, values: pa.ChunkedArray, places: npt.NDArray[np.int64], rng: np.random.Generator
) -> pa.Array:
    """Values for the drawn rows: codes anew, numbers scaled, the rest shuffled among the rows."""
    shuffled = values.take(pa.array(rng.permutation(places))).combine_chunks()
    if column.codes:
        return pa.array(rng.choice(list(column.codes), len(places)))
    if column.kind in ("seconds", "money", "count", "bytes"):
        factor = pa.array(rng.integers(2, 50, len(places)))
        return pc.add(pc.multiply(shuffled, factor), 7).cast(values.type)
    if column.kind == "flag":
        return pa.array(rng.random(len(places)) < 0.5)
    return shuffled


def hidden_days(
    table: Table, count: int, event_cut: int, known_cut: int, rng: np.random.Generator
) -> Mapping[str, pa.Array]:
    """Times that stay out of view: at or after the one day, or known after the other."""
    late = rng.random(count) < 0.5
    event = np.where(
        late,
        event_cut - 1 - rng.integers(0, REACH_DAYS, count),
        event_cut + rng.integers(0, REACH_DAYS, count),
    )
    known = np.where(late, known_cut + 1, event) + rng.integers(0, REACH_DAYS, count)
    if table.event_column is None:
        return {"known_day": pa.array((known_cut + 1 + rng.integers(0, REACH_DAYS, count)).astype(np.int32))}
    return {
        table.event_column: pa.array(event.astype(np.int32)),
        "known_day": pa.array(known.astype(np.int32)),
    }
