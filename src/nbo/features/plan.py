"""From requests for totals to one SQL text.

History is cut into disjoint buckets by the windows' edges. Every row is aggregated once, in its
bucket; a window is the union of its buckets. Distinct counts keep, per account and value, the
newest bucket in which the value was seen, so they stay exact.

The SQL is a portable subset: integer days, sums of integers, ``FILTER``, ``row_number``,
``coalesce``, ``nullif`` and casts. Floats appear only in the outermost SELECT.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from nbo.asof import Window, bucket_edges, bucket_sql, visible_sql
from nbo.features.conditions import condition_sql
from nbo.features.spec import WEEK, Leaf
from nbo.features.stages import whole
from nbo.tables.catalog import contract
from nbo.tables.contract import Column, Table

Aggregate = Literal["count", "present", "sum", "max", "min", "distinct"]
"""count: rows; present: rows that have the column; sum, max, min, distinct: of the column, the last only
of a state."""
Tally = Literal["seen", "new", "lost", "kept", "rows", "most", "squares", "before", "fall"]
"""What is told of a column's values in a window: how many were seen; how many of them were not seen in as
long before, and the other way round, and in both; rows that have a value, rows of the most frequent
one, and the sum of the squares of the rows of each; rows in as long before, and the most that any one
value had more then."""
TWICE = ("new", "lost", "kept", "before", "fall")
"""Tallies that look twice as far back as their window."""

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
    weeks: "TablePlan | None" = None
    places: dict[str, "TablePlan"] = field(default_factory=dict)

    def window(self, leaf: Leaf, aggregate: Aggregate, stored: str | None, days: int) -> int:
        """The number of an aggregate of the leaf's rows over the last days."""
        condition = number_of(self.conditions, condition_sql(leaf.table, leaf.conditions))
        partial = number_of(self.partials, (aggregate, stored, condition))
        return number_of(self.totals, (partial, days))


class Plan:
    """Collects what the verbs ask for; :meth:`sql` then reads every table as rarely as it can."""

    def __init__(self) -> None:
        self.tables: dict[str, TablePlan] = {}

    def total(
        self, leaf: Leaf, aggregate: Aggregate, column: str | None = None, days: int | None = None
    ) -> str:
        """Reference to an aggregate of the leaf's rows over its window, null without rows."""
        plan = self.tables.setdefault(leaf.source, TablePlan())
        stored = leaf.table.column(column).name if column else None
        if leaf.window_days is None:
            condition = condition_sql(leaf.table, leaf.conditions)
            number = number_of(plan.state_totals, (aggregate, stored, condition))
            return f"{leaf.source}_now.n{number}"
        number = plan.window(leaf, aggregate, stored, days or leaf.window_days)
        return f"{leaf.source}_totals.r{number}"

    def weeks(self, leaf: Leaf, aggregate: Aggregate, column: str | None = None) -> list[str]:
        """References to the totals of the last week, of the last two, and so on to the whole window.

        They have a relation of their own: few features ask for so many windows.
        """
        if leaf.window_days is None:
            raise ValueError("weeks need a window")
        plan = self.tables.setdefault(leaf.source, TablePlan())
        plan.weeks = plan.weeks or TablePlan()
        stored = leaf.table.column(column).name if column else None
        lengths = range(WEEK, leaf.window_days + 1, WEEK)
        numbers = [plan.weeks.window(leaf, aggregate, stored, length) for length in lengths]
        return [f"{leaf.source}_weeks.r{number}" for number in numbers]

    def neighbours(self, leaf: Leaf) -> tuple[str, str]:
        """How many other accounts at the leaf's place have such a row, and how many there are."""
        if leaf.window_days is None or leaf.place is None:
            raise ValueError("neighbours need a window and a place")
        plan = self.tables.setdefault(leaf.source, TablePlan())
        around = plan.places.setdefault(leaf.place, TablePlan())
        number = around.window(leaf, "count", None, leaf.window_days)
        relation = f"{leaf.source}_by_{leaf.place}"
        return f"{relation}.r{number}", f"{relation}.others"

    def tally(self, leaf: Leaf, tally: Tally = "seen") -> str:
        """Reference to an exact number about the different values of the leaf's column, null without rows."""
        if leaf.column is None or leaf.window_days is None:
            raise ValueError("a tally needs a column and a window")
        plan = self.tables.setdefault(leaf.source, TablePlan())
        condition = number_of(plan.conditions, condition_sql(leaf.table, leaf.conditions))
        asked = plan.tallies.setdefault(leaf.column, {})
        return f"{leaf.source}_{leaf.column}s.d{number_of(asked, (condition, leaf.window_days, tally))}"

    def newest(self, leaf: Leaf) -> str:
        """Reference to a column of the account's newest visible row among those that count."""
        if leaf.column is None:
            raise ValueError("newest needs a column")
        plan = self.tables.setdefault(leaf.source, TablePlan())
        condition = condition_sql(leaf.table, leaf.conditions)
        columns = plan.newest.setdefault(condition, {})
        number_of(columns, leaf.column)
        return f"{leaf.source}_newest{list(plan.newest).index(condition)}.{leaf.column}"

    def sql(self, outputs: list[tuple[str, str]]) -> str:
        """The whole text; ``outputs`` are (name, expression) in column order."""
        parts, joins = [("population", POPULATION)], []
        for name, plan in self.tables.items():
            for relation, text in relations(contract(name), plan):
                parts.append((relation, text))
                joins.append(f"LEFT JOIN {relation} ON {relation}.account_id = population.account_id")
        columns = [f"  {expression} AS {name}" for name, expression in outputs]
        chosen = ",\n".join(["SELECT population.account_id AS account_id", *columns])
        return whole(parts, "\n".join([chosen, "FROM population", *joins, "ORDER BY 1"]))


K = TypeVar("K")


def number_of(known: dict[K, int], key: K) -> int:
    return known.setdefault(key, len(known))


def relations(table: Table, plan: TablePlan) -> list[tuple[str, str]]:
    """(name, SELECT) of each relation keyed by account that this table contributes."""
    found: list[tuple[str, str]] = []
    if plan.totals:
        found.append((f"{table.name}_totals", totals_sql(table, plan)))
    if plan.weeks:
        found.append((f"{table.name}_weeks", totals_sql(table, plan.weeks)))
    for place, asked_there in plan.places.items():
        found.append((f"{table.name}_by_{place}", neighbours_sql(table, place, asked_there)))
    for column, asked in plan.tallies.items():
        found.append((f"{table.name}_{column}s", tallies_sql(table, plan, column, asked)))
    if plan.state_totals:
        found.append((f"{table.name}_now", state_sql(table, plan)))
    for number, (condition, columns) in enumerate(plan.newest.items()):
        found.append((f"{table.name}_newest{number}", newest_sql(table, condition, list(columns))))
    return found


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
    if tally in ("rows", "most", "squares"):
        told = {"rows": f"sum({rows})", "most": f"max({rows})", "squares": f"sum({rows} * {rows})"}[tally]
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
