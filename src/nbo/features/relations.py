"""The relations of the SQL text: from what is asked of a table to one SELECT with a row an account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from nbo.asof import Window, bucket_edges, bucket_sql, visible_sql
from nbo.features.conditions import condition_sql
from nbo.features.declared import Leaf
from nbo.tables.contract import Column, Table

Aggregate = Literal["count", "present", "sum", "begun", "max", "min", "distinct"]
"""count: rows; present: rows that have the column; sum, max, min, distinct: of the column, the last only
of a state; begun: sum of a time in whole minutes begun, in seconds."""
Tally = Literal["seen", "new", "lost", "kept", "rows", "most", "squares", "logs", "before", "fall"]
"""What is told of a column's values in a window: how many were seen; how many of them were not seen in as
long before, and the other way round, and in both; rows that have a value, rows of the most frequent
one, the sum over the values of the squares of their rows n, and of n ln n; rows in as long before, and
the most that any one value had more then."""
TWICE = ("new", "lost", "kept", "before", "fall")
"""Tallies that look twice as far back as their window."""
MARKED = ("seen", "new", "lost", "kept")
"""Tallies for which it is enough to know in which buckets a value was seen."""
MASK_BITS = 62
"""Of a whole number that holds marks; the sign and one more bit stay free."""

ENTROPY_SCALE = 2**30
"""n ln n is summed in whole steps of 1 / this: sums of floats depend on their order."""

ROLL_UP = {"count": "sum", "present": "sum", "sum": "sum", "begun": "sum", "max": "max", "min": "min"}
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
    written = {
        "count": "count(*)",
        "present": f"count({column})",
        "begun": f"sum({column} + 59 - ({column} + 59) % 60)",
        "distinct": f"count(DISTINCT {column})",
    }
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
    marked = dict.fromkeys(condition for condition, _, tally in asked if tally in MARKED)
    marks = Marks(len(edges), {condition: flags[condition] for condition in marked})
    kept = marks.groups
    counted = []
    for (condition, length, tally), number in asked.items():
        last, end = edges.index(length), edges.index(2 * length) if tally in TWICE else 0
        if tally in MARKED:
            told = marked_sql(tally, marks, condition, last, end)
        else:
            told, needed = rows_tally_sql(tally, condition, last, end, flags[condition])
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


class Marks:
    """In which buckets a value was seen, by condition: bits of one whole number, or of several.

    A group then keeps one number, however many windows and conditions are asked for.

    Parameters
    ----------
    buckets : int
        Of each condition.
    flags : mapping of int to str
        The flag column of each condition; empty where every row counts.
    """

    def __init__(self, buckets: int, flags: Mapping[int, str]) -> None:
        self.buckets = buckets
        each = MASK_BITS // buckets
        self.places = {condition: divmod(place, each) for place, condition in enumerate(flags)}
        powers = " ".join(f"WHEN {bucket} THEN {1 << bucket}" for bucket in range(buckets - 1))
        last = f"{1 << (buckets - 1)}"
        mark = f"CASE bucket {powers} ELSE {last} END" if powers else last
        self.groups: dict[str, str] = {}
        for mask in range(-(-len(flags) // each)):
            here = {c: place for c, (number, place) in self.places.items() if number == mask}
            factors = [
                f"CASE WHEN {flags[c]} THEN {1 << place * buckets} ELSE 0 END"
                if flags[c]
                else str(1 << place * buckets)
                for c, place in here.items()
            ]
            self.groups[f"m{mask}"] = f"bit_or(CAST({mark} AS BIGINT) * ({' + '.join(factors)}))"

    def seen(self, condition: int, first: int, last: int) -> str:
        """Whether a group's value was seen in any of these buckets."""
        mask, place = self.places[condition]
        bits = ((1 << (last - first + 1)) - 1) << (first + place * self.buckets)
        return f"(m{mask} & {bits}) <> 0"


def marked_sql(tally: Tally, marks: Marks, condition: int, last: int, end: int) -> str:
    """A tally of the groups by where their value was seen: in the window, which ends with the bucket
    ``last``, or in as long before it."""
    now = marks.seen(condition, 0, last)
    if tally == "seen":
        return f"count(*) FILTER (WHERE {now})"
    before = marks.seen(condition, last + 1, end)
    asked = {
        "new": f"{now} AND NOT {before}",
        "lost": f"{before} AND NOT {now}",
        "kept": f"{now} AND {before}",
    }
    return f"count(*) FILTER (WHERE {asked[tally]})"


def rows_tally_sql(
    tally: Tally, condition: int, last: int, end: int, flag: str
) -> tuple[str, dict[str, str]]:
    """A tally of the groups by their rows, and which numbers of rows each group must keep for it."""
    also = f" AND {flag}" if flag else ""

    def counted(bucket: int) -> dict[str, str]:
        return {f"n{condition}_{bucket}": f"count(*) FILTER (WHERE bucket <= {bucket}{also})"}

    rows, both = f"n{condition}_{last}", f"n{condition}_{end}"
    told = {
        "rows": f"sum({rows})",
        "most": f"max({rows})",
        "squares": f"sum({rows} * {rows})",
        "logs": f"sum(CAST(floor({rows} * ln(greatest({rows}, 1)) * {ENTROPY_SCALE} + 0.5) AS BIGINT))",
        "before": f"sum({both} - {rows})",
        "fall": f"max({both} - 2 * {rows})",
    }[tally]
    return told, counted(last) | counted(end) if tally in TWICE else counted(last)


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
