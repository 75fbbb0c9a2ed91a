"""From requests for totals to one SQL text.

History is cut into disjoint buckets by the windows' edges. Every row is aggregated once, in its
bucket; a window is the union of its buckets. Distinct counts keep, per account and value, the
newest bucket in which the value was seen, so they stay exact.

The SQL is a portable subset: integer days, sums of integers, ``FILTER``, ``row_number``,
``coalesce``, ``nullif`` and casts. Floats appear only in the outermost SELECT.
"""

from nbo.features.conditions import condition_sql
from nbo.features.declared import WEEK, Graph, Leaf
from nbo.features.graphs import GraphPlan, graph_sql
from nbo.features.peaks import peaks_sql
from nbo.features.relations import (
    POPULATION,
    Aggregate,
    TablePlan,
    Tally,
    neighbours_sql,
    newest_sql,
    number_of,
    state_sql,
    tallies_sql,
    totals_sql,
)
from nbo.features.stages import whole
from nbo.tables.catalog import contract
from nbo.tables.contract import Table


class Plan:
    """Collects what the verbs ask for; :meth:`sql` then reads every table as rarely as it can."""

    def __init__(self) -> None:
        self.tables: dict[str, TablePlan] = {}
        self.prices: list[str] = []
        self.graphs: dict[Graph, GraphPlan] = {}

    def price(self, parameter: str) -> str:
        """Reference to a price that a table tells once for all accounts, null where it is not known."""
        self.prices.append(parameter)
        return parameter

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
        if isinstance(leaf.place, Graph):
            relation, number = self.around(leaf, leaf.place, leaf.window_days)
            return f"{relation}.have_{leaf.source}_{number}", f"{relation}.partners"
        plan = self.tables.setdefault(leaf.source, TablePlan())
        around = plan.places.setdefault(leaf.place, TablePlan())
        number = around.window(leaf, "count", None, leaf.window_days)
        relation = f"{leaf.source}_by_{leaf.place}"
        return f"{relation}.r{number}", f"{relation}.others"

    def partners(self, graph: Graph) -> str:
        """Reference to the number of other accounts that one talks with, null without any talk."""
        return f"{self.graph(graph)[0]}.partners"

    def visits(self, graph: Graph) -> str:
        """Reference to the PageRank of an account in fixed steps, null for one outside the graph."""
        relation, plan = self.graph(graph)
        plan.ranked = True
        return f"{relation}.visits"

    def spread(self, leaf: Leaf) -> str:
        """Reference to how far the ways through the leaf's graph lead to such rows, in fixed steps."""
        if leaf.window_days is None or not isinstance(leaf.place, Graph):
            raise ValueError("a spread needs a window and a graph")
        relation, number = self.around(leaf, leaf.place, leaf.window_days)
        self.graphs[leaf.place].spread[leaf.source, number] = None
        return f"{relation}.spread_{leaf.source}_{number}"

    def around(self, leaf: Leaf, graph: Graph, days: int) -> tuple[str, int]:
        """A graph's relation, and the number that the leaf's rows of the accounts in it have there."""
        relation, plan = self.graph(graph)
        return relation, plan.tables.setdefault(leaf.source, TablePlan()).window(leaf, "count", None, days)

    def graph(self, graph: Graph) -> tuple[str, GraphPlan]:
        """The relation of a graph, and what is asked of it."""
        plan = self.graphs.setdefault(graph, GraphPlan())
        return f"{graph.rows.source}_graph{list(self.graphs).index(graph)}", plan

    def tally(self, leaf: Leaf, tally: Tally = "seen") -> str:
        """Reference to an exact number about the different values of the leaf's column, null without rows."""
        if leaf.column is None or leaf.window_days is None:
            raise ValueError("a tally needs a column and a window")
        plan = self.tables.setdefault(leaf.source, TablePlan())
        condition = number_of(plan.conditions, condition_sql(leaf.table, leaf.conditions))
        asked = plan.tallies.setdefault(leaf.column, {})
        return f"{leaf.source}_{leaf.column}s.d{number_of(asked, (condition, leaf.window_days, tally))}"

    def peak(self, leaf: Leaf) -> str:
        """Reference to the most of the leaf's rows that went on at the same time, null without rows."""
        if leaf.window_days is None:
            raise ValueError("a peak needs a window")
        plan = self.tables.setdefault(leaf.source, TablePlan())
        condition = number_of(plan.conditions, condition_sql(leaf.table, leaf.conditions))
        return f"{leaf.source}_peaks.k{number_of(plan.peaks, (condition, leaf.window_days))}"

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
        parts = self.relations()
        joins = [f"LEFT JOIN {name} ON {name}.account_id = population.account_id" for name, _ in parts]
        columns = [f"  {expression} AS {name}" for name, expression in outputs]
        chosen = ",\n".join(["SELECT population.account_id AS account_id", *columns])
        text = "\n".join([chosen, "FROM population", *joins, "ORDER BY 1"])
        return whole([("population", POPULATION), *parts], text)

    def relations(self) -> list[tuple[str, str]]:
        """(name, SELECT) of each relation keyed by account that the text joins."""
        found = [one for name, plan in self.tables.items() for one in table_relations(contract(name), plan)]
        return found + [(self.graph(graph)[0], graph_sql(graph, plan)) for graph, plan in self.graphs.items()]


def table_relations(table: Table, plan: TablePlan) -> list[tuple[str, str]]:
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
    if plan.peaks:
        found.append((f"{table.name}_peaks", peaks_sql(table, plan, plan.peaks)))
    if plan.state_totals:
        found.append((f"{table.name}_now", state_sql(table, plan)))
    for number, (condition, columns) in enumerate(plan.newest.items()):
        found.append((f"{table.name}_newest{number}", newest_sql(table, condition, list(columns))))
    return found
