"""What a declaration is as data: which rows of which table, and what is made of them."""

from dataclasses import dataclass
from typing import Literal

from nbo.features.codes import Bands, Parts
from nbo.features.conditions import Condition
from nbo.features.rates import Rates
from nbo.tables.catalog import contract
from nbo.tables.contract import Table

Which = Literal["last", "first"]
WEEK = 7
LEAST_WEEKS = 4
"""Weeks that a verb which looks at the course of weeks needs at least."""

CHARGE, SECONDS = "charge_amount", "duration_seconds"
"""Columns that together tell a price."""

TIMED = ("event_day", "event_second", SECONDS)
"""Columns that tell from when to when a row goes on; a table without them has no peaks."""


@dataclass(frozen=True)
class Leaf:
    """A verb's subject: which rows, which column, how far back.

    Parameters
    ----------
    source : str
        Table name.
    conditions : tuple of Condition
        Rows that count; empty = all.
    column : str or None
        Column or measure name; None where rows are counted.
    window_days : int or None
        None = the state now: the newest visible row of each key.
    which : "last", "first" or None
        The end of the window that ``days_since`` measures from.
    place : str, Graph or None
        Column of ``sites``, or a graph: the rows are those of the other accounts that share it, or that this
        one talks with.
    """

    source: str
    conditions: tuple[Condition, ...] = ()
    column: str | None = None
    window_days: int | None = None
    which: Which | None = None
    place: "str | Graph | None" = None

    @property
    def table(self) -> Table:
        return contract(self.source)


@dataclass(frozen=True)
class Graph:
    """Which accounts talk with each other: by the numbers at the other end of rows over some days.

    Parameters
    ----------
    rows : Leaf
        Over a window, without a column.
    """

    rows: Leaf


@dataclass(frozen=True)
class Feature:
    """One declared feature: a verb on a leaf, and on a second leaf where the verb compares.

    Parameters
    ----------
    verb : str
    leaf : Leaf
    inner : str or None
        The verb whose result it is made of.
    other : Leaf or None
        What it is compared with.
    like : Leaf or None
        Rows whose charge and length tell the price of others.
    by : Bands, Parts, Rates or None
        The bands a number is put into, the values of a column that a total is made up of, or prices.
    context : bool
        Whether a channel may know its value better at the time of a call.
    """

    verb: str
    leaf: Leaf
    inner: str | None = None
    other: Leaf | None = None
    like: Leaf | None = None
    by: Bands | Parts | Rates | None = None
    context: bool = False
