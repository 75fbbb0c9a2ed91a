"""The calling graph: which of our accounts talk with which, what is true of those, who is called most.

An account's rows name a number at their other end; where that is the number of one of our lines, two accounts
are joined, as strongly as they talk often. Both are read as they were known at the decision date. An account
that has left stays in the graph, for it is those who left that the others may follow.
"""

from dataclasses import dataclass, field

from nbo.asof import visible_sql
from nbo.features.conditions import condition_sql
from nbo.features.declared import Graph
from nbo.features.relations import TablePlan, guarded_condition, totals_sql
from nbo.tables.catalog import contract

ASKED = "$graph_accounts"
"""The accounts asked for. A graph reads all accounts whoever is asked for, so it is never cut into slices."""
ONE = 2**30
"""Shares are summed in whole steps of 1 / this: sums of floats depend on their order."""
NOTHING = "CAST(NULL AS BIGINT)"

STEPS = 3
"""How far a spread follows the graph, each step counting half of the one before."""
ROUNDS = 10
"""Rounds of PageRank: what longer walks than so many calls would add is left out."""
DAMPING = 0.85
BASE = round((1 - DAMPING) * ONE)
"""PageRank of an account that nobody calls."""

NUMBERS = f"""    SELECT number_id, account_id AS other FROM (
      SELECT number_id, account_id, row_number() OVER (
        PARTITION BY number_id ORDER BY valid_day DESC, known_day DESC, line_id DESC) AS newest
      FROM lines WHERE {visible_sql("valid_day")} AND number_id IS NOT NULL)
    WHERE newest = 1"""
"""Whose each number was last."""


@dataclass
class GraphPlan:
    """What is asked of one graph.

    Parameters
    ----------
    tables : dict of str to TablePlan
        The rows that its accounts are asked for, by table.
    spread : dict of (str, int) to None
        Table and number of the rows that a spread is asked of, in order.
    ranked : bool
        Whether PageRank is.
    """

    tables: dict[str, TablePlan] = field(default_factory=dict)
    spread: dict[tuple[str, int], None] = field(default_factory=dict)
    ranked: bool = False


def graph_sql(graph: Graph, plan: GraphPlan) -> str:
    """One row for each account in the graph: ``partners``, ``have_*``, ``spread_*``, ``visits``."""
    parts = [("numbers", NUMBERS), ("shares", shares_sql(graph))]
    told = [("shares GROUP BY account_id", {"partners": "count(*)"})]
    for source, asked in plan.tables.items():
        spread = [number for table, number in plan.spread if table == source]
        steps = steps_sql(source, asked, spread)
        parts += steps
        first = {f"have_{source}_{n}": f"have_{n}" for n in asked.totals.values()}
        for step, (name, _) in enumerate(steps[1:]):
            weighed = {f"spread_{source}_{n}": f"{1 << (STEPS - 1 - step)} * met_{n}" for n in spread}
            told.append((name, weighed if step else first | weighed))
    if plan.ranked:
        parts += rounds_sql()
        told.append((f"rank{ROUNDS}", {"visits": "visits"}))
    made = ",\n".join(f"  {name} AS (\n{text})" for name, text in parts)
    return f"  WITH\n{made}\n{side_by_side(told)}"


def side_by_side(told: list[tuple[str, dict[str, str]]]) -> str:
    """What several relations tell of an account in one row, numbers of one name added up; no joins, each of
    which would keep memory on Spark."""
    names = list(dict.fromkeys(name for _, columns in told for name in columns))
    rows = []
    for relation, columns in told:
        chosen = [f"{columns.get(name, NOTHING)} AS {name}" for name in names]
        rows.append(f"SELECT account_id, {', '.join(chosen)} FROM {relation}")
    summed = ", ".join(f"sum({name}) AS {name}" for name in names)
    union = "\n    UNION ALL ".join(rows)
    return f"  SELECT account_id, {summed} FROM (\n    {union})\n  WHERE {ASKED} GROUP BY account_id"


def shares_sql(graph: Graph) -> str:
    """Who talks with whom, and which share of an account's rows with others of ours that is."""
    table = graph.rows.table
    event = table.event_column or ""
    rows = (
        f"SELECT account_id, counterparty_id FROM {table.name} WHERE {visible_sql(event)} "
        f"AND {event} >= $as_of - {graph.rows.window_days} "
        f"AND {guarded_condition(table, condition_sql(table, graph.rows.conditions))}"
    )
    return (
        f"    SELECT account_id, other,\n"
        f"      CAST(talks AS DOUBLE) / sum(talks) OVER (PARTITION BY account_id) AS share FROM (\n"
        f"      SELECT account_id, other, count(*) AS talks FROM (\n        {rows}) AS made\n"
        f"      JOIN numbers ON number_id = counterparty_id WHERE account_id <> other\n"
        f"      GROUP BY account_id, other)"
    )


def steps_sql(source: str, asked: TablePlan, spread: list[int]) -> list[tuple[str, str]]:
    """Which accounts have such rows; how many partners have, and what share of the talks is with those; then
    the same share of the partners' talks, and so on."""
    counted = [f"sum(CASE WHEN r{n} > 0 THEN 1 ELSE 0 END) AS have_{n}" for n in asked.totals.values()]
    first = [f"sum(CASE WHEN r{n} > 0 THEN {whole(f'share * {ONE}')} ELSE 0 END) AS met_{n}" for n in spread]
    after = [f"sum({whole(f'share * coalesce(met_{n}, 0)')}) AS met_{n}" for n in spread]
    parts = [(f"those_{source}", totals_sql(contract(source), asked, "TRUE"))]
    for step in range(1, STEPS + 1 if spread else 2):
        before = parts[-1][0]
        chosen = ", ".join([*counted, *first] if step == 1 else after)
        text = (
            f"    SELECT shares.account_id AS account_id, {chosen} FROM shares\n"
            f"    LEFT JOIN {before} ON {before}.account_id = other GROUP BY shares.account_id"
        )
        parts.append((f"step{step}_{source}", text))
    return parts


def spread_whole() -> int:
    """What a spread is where every way leads to such accounts."""
    return ((1 << STEPS) - 1) * ONE


def rounds_sql() -> list[tuple[str, str]]:
    """Visits to an account by somebody who follows calls, and at each one stops and starts anew by chance."""
    parts: list[tuple[str, str]] = []
    for number in range(1, ROUNDS + 1):
        visits, come = str(BASE), ""
        if parts:
            before = parts[-1][0]
            visits = f"coalesce(visits, {BASE})"
            come = f"\n    LEFT JOIN {before} ON {before}.account_id = shares.account_id"
        passed = whole(f"share * {visits} * {DAMPING}")
        visited = f"SELECT other AS account_id, {BASE} + sum({passed}) AS visits"
        parts.append((f"rank{number}", f"    {visited} FROM shares{come} GROUP BY other"))
    return parts


def whole(expression: str) -> str:
    """A float, rounded down."""
    return f"CAST(floor({expression}) AS BIGINT)"
