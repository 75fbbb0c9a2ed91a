"""The most rows at once: of what lasts some seconds, how many went on at the same time.

Each row is a step up where it begins and a step down where it ends; the highest sum of steps up to any
instant is the peak. What ends in the second in which another begins does not overlap it, so ends come
first. The steps of one account are sorted once, whatever the number of windows.
"""

from collections.abc import Mapping

from nbo.features.declared import TIMED
from nbo.features.relations import TablePlan, edges_of, flag_name, rows_sql
from nbo.tables.contract import Table

DAY = 86_400
STEPS = "SELECT 1 AS step UNION ALL SELECT -1 AS step"


def peaks_sql(table: Table, plan: TablePlan, asked: Mapping[tuple[int, int], int]) -> str:
    """One column for each (condition, window): the peak among the rows that count and began in the window."""
    edges = edges_of(asked)
    flags = {condition: flag_name(plan.conditions, condition) for condition, _ in asked}
    conditions = {text: number for text, number in plan.conditions.items() if number in flags}
    sums = []
    for (condition, length), number in asked.items():
        counts = f"bucket <= {edges.index(length)}" + (f" AND {flags[condition]}" if flags[condition] else "")
        sums.append(f"sum(CASE WHEN {counts} THEN step END) OVER steps AS k{number}")
    only = f" WHERE {' OR '.join(flags.values())}" if all(flags.values()) else ""
    rows = rows_sql(
        table, edges, conditions, set(TIMED), " AND event_second IS NOT NULL AND duration_seconds > 0"
    )
    peaks = ", ".join(f"max(k{number}) AS k{number}" for number in asked.values())
    return (
        f"  SELECT account_id, {peaks} FROM (\n    SELECT account_id, {', '.join(sums)} FROM (\n"
        f"      SELECT *, event_day * CAST({DAY} AS BIGINT) + event_second "
        f"+ CASE WHEN step < 0 THEN duration_seconds ELSE 0 END AS instant FROM (\n"
        f"      {rows}){only}\n      CROSS JOIN ({STEPS}) AS steps_of_a_row)\n"
        f"    WINDOW steps AS (PARTITION BY account_id ORDER BY instant, step ROWS UNBOUNDED PRECEDING))\n"
        f"  GROUP BY account_id"
    )
