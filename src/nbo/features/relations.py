"""The relations of the SQL text: from what is asked of a table to one SELECT with a row an account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from nbo.asof import Window, bucket_edges, bucket_sql, visible_sql
from nbo.features.conditions import condition_sql
from nbo.features.declared import Leaf
from nbo.tables.contract import Column, Table

Aggregate = Literal["count", "present", "sum", "max", "min", "distinct"]
"""count: rows; present: rows that have the column; sum, max, min, distinct: of the column, the last only
of a state."""
Tally = Literal["seen", "new", "lost", "kept", "rows", "most", "squares", "logs", "before", "fall"]
"""What is told of a column's values in a window: how many were seen; how many of them were not seen in as
long before, and the other way round, and in both; rows that have a value, rows of the most frequent
one, the sum over the values of the squares of their rows n, and of n ln n; rows in as long before, and
the most that any one value had more then."""
TWICE = ("new", "lost", "kept", "before", "fall")
"""Tallies that look twice as far back as their window."""

ENTROPY_SCALE = 2**30
"""n ln n is summed in whole steps of 1 / this: sums of floats depend on their order."""

ROLL_UP = {"count": "sum", "present": "sum", "sum": "sum", "max": "max", "min": "min"}
ACCOUNTS = "$accounts"
NEIGHBOURS = "$neighbours_"
"""Before the name of a place: the accounts asked for and all that share a place with them."""

POPULATION = f"""  SELECT account_id FROM (
    SELECT account_id, state,
      row_number() OVER (PARTITION BY line_id ORDER BY valid_day DESC, known_day DESC) AS newest
    FROM lines WHERE {visible_sql("valid_day")})
  WHERE newest = 1 AND state = 'active' AND {ACCOUNTS} GROUP BY account_id"""


@dataclass
class TablePlan:
    """What is asked of one table: insertion-ordered, so that equal specs give equal SQL."""

    conditions: dict[str, int] = field(default_factory=dict)
    partials: dict[tuple[Aggregate, str | None, int], int] = field(default_factory=dict)
    totals: dict[tuple[int, int], int] = field(default_factory=dict)
    tallies: dict[str, dict[tuple[int, int, Tally], int]] = field(default_factory=dict)
    state_totals: dict[tuple[Aggregate, str | None, str], int] = field(default_factory=dict)
    newest: dict[str, dict[str, int]] = field(default_factory=dict)
    peaks: dict[tuple[int, int], int] = field(default_factory=dict)
    weeks: "TablePlan | None" = None
    places: dict[str, "TablePlan"] = field(default_factory=dict)

    def window(self, leaf: Leaf, aggregate: Aggregate, stored: str | None, days: int) -> int:
        """The number of an aggregate of the leaf's rows over the last days."""
        condition = number_of(self.conditions, condition_sql(leaf.table, leaf.conditions))
        partial = number_of(self.partials, (aggregate, stored, condition))
        return number_of(self.totals, (partial, days))


K = TypeVar("K")


def number_of(known: dict[K, int], key: K) -> int:
    return known.setdefault(key, len(known))


def column_sql(column: Column) -> str:
    """The column as visible at the decision date: null before its own known day."""
    if column.known_by is None:
        return column.name
    return f"CASE WHEN {column.known_by} <= $as_of THEN {column.name} END"


def rows_sql(
    table: Table,
    edges: tuple[int, ...],
    conditions: dict[str, int],
    columns: set[str],
    more: str = "",
    accounts: str = ACCOUNTS,
) -> str:
    """Visible rows within the longest window, with their bucket and one flag per condition."""
    event = table.event_column or ""
    guarded = {c.name: column_sql(c) for c in table.columns}
    taken = [f"{guarded[name]} AS {name}" if guarded[name] != name else name for name in sorted(columns)]
    flags = [
        f"{guarded_condition(table, text)} AS c{number}"
        for text, number in conditions.items()
        if text != "TRUE"
    ]
    chosen = ", ".join(["account_id", *taken, f"{bucket_sql(edges, event)} AS bucket", *flags])
    return (
        f"SELECT {chosen} FROM {table.name} WHERE {visible_sql(event)} "
        f"AND {event} >= $as_of - {edges[-1]} AND {accounts}{more}"
    )


def guarded_condition(table: Table, text: str) -> str:
    """A condition that reads a column with a known day of its own asks for that day too."""
    days = dict.fromkeys(
        column.known_by
        for column in table.columns
        if column.known_by and re.search(rf"\b{column.name}\b", text)
    )
    return " AND ".join([f"({text})", *(f"{day} <= $as_of" for day in days)]) if days else text


def aggregate_sql(aggregate: Aggregate, column: str | None, flag: str) -> str:
    written = {"count": "count(*)", "present": f"count({column})", "distinct": f"count(DISTINCT {column})"}
    inner = written.get(aggregate, f"{aggregate}({column})")
    return f"{inner} FILTER (WHERE {flag})" if flag else inner


def flag_name(conditions: dict[str, int], number: int) -> str:
    text = next(text for text, value in conditions.items() if value == number)
    return "" if text == "TRUE" else f"c{number}"


def edges_of(asked: Mapping[tuple[int, int], int]) -> tuple[int, ...]:
    """Bucket edges of (what, window length) requests; a relation reads no further back than it must."""
    return bucket_edges([Window(length) for _, length in asked])


def totals_sql(table: Table, plan: TablePlan, accounts: str = ACCOUNTS) -> str:
    edges = edges_of(plan.totals)
    used = {number for _, _, number in plan.partials}
    conditions = {text: number for text, number in plan.conditions.items() if number in used}
    columns = {column for _, column, _ in plan.partials if column}
    partials = [
        f"{aggregate_sql(aggregate, column, flag_name(plan.conditions, condition))} AS p{number}"
        for (aggregate, column, condition), number in plan.partials.items()
    ]
    kinds = [aggregate for aggregate, _, _ in plan.partials]
    rolled = [
        f"{ROLL_UP[kinds[partial]]}(p{partial}){bucket_filter(edges, length)} AS r{number}"
        for (partial, length), number in plan.totals.items()
    ]
    return (
        f"  SELECT account_id, {', '.join(rolled)} FROM (\n"
        f"    SELECT account_id, bucket, {', '.join(partials)} FROM (\n"
        f"      {rows_sql(table, edges, conditions, columns, accounts=accounts)})\n"
        f"    GROUP BY account_id, bucket)\n  GROUP BY account_id"
    )


def bucket_filter(edges: tuple[int, ...], length: int) -> str:
    last = edges.index(length)
    return "" if last == len(edges) - 1 else f" FILTER (WHERE bucket <= {last})"


def neighbours_sql(table: Table, place: str, plan: TablePlan) -> str:
    """Of the other accounts at each place of an account: how many have such rows; an account with several
    places has the neighbours of all of them."""
    totals = list(plan.totals.values())
    has = ", ".join(f"CASE WHEN own.r{n} > 0 THEN 1 ELSE 0 END AS r{n}" for n in totals)
    around = ", ".join(f"sum(r{n}) OVER (PARTITION BY {place}) - r{n} AS r{n}" for n in totals)
    summed = ", ".join(f"sum(r{n}) AS r{n}" for n in totals)
    return (
        f"  SELECT account_id, sum(others) AS others, {summed} FROM (\n"
        f"    SELECT account_id, count(*) OVER (PARTITION BY {place}) - 1 AS others, {around} FROM (\n"
        f"      SELECT here.account_id, {place}, {has} FROM (\n{places_sql(place)}) AS here\n"
        f"      LEFT JOIN (\n{totals_sql(table, plan, NEIGHBOURS + place)}) AS own "
        f"ON own.account_id = here.account_id))\n  WHERE {ACCOUNTS} GROUP BY account_id"
    )


def places_sql(place: str) -> str:
    """Each account at each of its places once, as the newest visible rows of its sites tell."""
    return (
        f"  SELECT account_id, {place} FROM (\n    SELECT account_id, {place}, row_number() OVER "
        f"(PARTITION BY site_id ORDER BY valid_day DESC, known_day DESC) AS newest\n"
        f"    FROM sites WHERE {visible_sql('valid_day')})\n"
        f"  WHERE newest = 1 AND {place} IS NOT NULL GROUP BY account_id, {place}"
    )


def tallies_sql(
    table: Table, plan: TablePlan, column: str, asked: Mapping[tuple[int, int, Tally], int]
) -> str:
    """Rows are grouped by account and value once; each tally then looks at the groups."""
    lengths = {length: None for _, length, _ in asked}
    lengths |= {2 * length: None for _, length, tally in asked if tally in TWICE}
    edges = bucket_edges([Window(length) for length in lengths])
    used = dict.fromkeys(condition for condition, _, _ in asked)
    conditions = {text: number for text, number in plan.conditions.items() if number in used}
    flags = {number: flag_name(plan.conditions, number) for number in used}
    kept: dict[str, str] = {}
    counted = []
    for (condition, length, tally), number in asked.items():
        told, needed = tally_sql(tally, condition, edges.index(length), edges, length, flags[condition])
        kept |= needed
        counted.append(f"{told} AS d{number}")
    inner = [f"{expression} AS {name}" for name, expression in kept.items()]
    only = f" WHERE {' OR '.join(flags.values())}" if all(flags.values()) else ""
    return (
        f"  SELECT account_id, {', '.join(counted)} FROM (\n"
        f"    SELECT account_id, {column}, {', '.join(inner)} FROM (\n"
        f"      {rows_sql(table, edges, conditions, {column}, f' AND {column} IS NOT NULL')}){only}\n"
        f"    GROUP BY account_id, {column})\n  GROUP BY account_id"
    )


def tally_sql(
    tally: Tally, condition: int, last: int, edges: tuple[int, ...], length: int, flag: str
) -> tuple[str, dict[str, str]]:
    """A tally over groups, and what each group must tell for it: the newest bucket of its value (``b``),
    the newest one before the window (``o``), its rows within the window (``n``)."""
    also = f" AND {flag}" if flag else ""
    newest, older, rows = f"b{condition}", f"o{condition}_{last}", f"n{condition}_{last}"
    if tally in ("rows", "most", "squares", "logs"):
        told = {
            "rows": f"sum({rows})",
            "most": f"max({rows})",
            "squares": f"sum({rows} * {rows})",
            "logs": f"sum(CAST(floor({rows} * ln(greatest({rows}, 1)) * {ENTROPY_SCALE} + 0.5) AS BIGINT))",
        }[tally]
        return told, {rows: f"count(*) FILTER (WHERE bucket <= {last}{also})"}
    seen = {newest: f"min(bucket){f' FILTER (WHERE {flag})' if flag else ''}"}
    if tally == "seen":
        return f"count(*) FILTER (WHERE {newest} <= {last})", seen
    end = edges.index(2 * length)
    if tally in ("before", "fall"):
        both = f"n{condition}_{end}"
        told = f"sum({both} - {rows})" if tally == "before" else f"max({both} - 2 * {rows})"
        return told, {
            name: f"count(*) FILTER (WHERE bucket <= {place}{also})"
            for name, place in ((rows, last), (both, end))
        }
    now, before = f"coalesce({newest}, {len(edges)}) <= {last}", f"coalesce({older}, {len(edges)}) <= {end}"
    asked = {
        "new": f"{now} AND NOT {before}",
        "lost": f"{before} AND NOT {now}",
        "kept": f"{now} AND {before}",
    }
    return f"count(*) FILTER (WHERE {asked[tally]})", {
        **seen,
        older: f"min(bucket) FILTER (WHERE bucket > {last}{also})",
    }


def state_sql(table: Table, plan: TablePlan) -> str:
    """Aggregates over the newest visible row of each key of a change log."""
    columns = [
        f"{aggregate_sql(aggregate, column, '' if condition == 'TRUE' else condition)} AS n{number}"
        for (aggregate, column, condition), number in plan.state_totals.items()
    ]
    return (
        f"  SELECT account_id, {', '.join(columns)} FROM (\n    SELECT *, row_number() OVER "
        f"(PARTITION BY {', '.join(table.key)} ORDER BY valid_day DESC, known_day DESC) AS newest\n"
        f"    FROM {table.name} WHERE {visible_sql('valid_day')})\n"
        f"  WHERE newest = 1 AND {ACCOUNTS} GROUP BY account_id"
    )


def newest_sql(table: Table, condition: str, columns: list[str]) -> str:
    """The account's newest visible row; ties fall to the later known, then the greater key."""
    event = table.event_column or ""
    order = ", ".join(f"{name} DESC" for name in dict.fromkeys([event, "known_day", *table.row_key]))
    taken = ", ".join(f"{column_sql(table.column(name))} AS {name}" for name in columns)
    rows = f"{visible_sql(event)} AND {guarded_condition(table, condition)} AND {ACCOUNTS}"
    return (
        f"  SELECT account_id, {', '.join(columns)} FROM (\n    SELECT account_id, {taken},\n"
        f"      row_number() OVER (PARTITION BY account_id ORDER BY {order}) AS newest\n"
        f"    FROM {table.name} WHERE {rows})\n  WHERE newest = 1"
    )
