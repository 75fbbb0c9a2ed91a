"""A compiled text, whole and in stages.

As one text it runs on any engine. In stages each relation is computed after the other and kept, and
their rows are then joined for some accounts at a time: memory stays what the largest relation needs,
however many features and accounts there are.
"""

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

from nbo.engine import Embedded, literal

Relation = tuple[str, str]
"""A name, and a SELECT with one row an account; every line of it is indented."""


def whole(relations: Sequence[Relation], chosen: str) -> str:
    """One SQL text: the relations, then what is chosen from them.

    Examples
    --------
    >>> print(whole([("population", "  SELECT 1")], "SELECT * FROM population"))
    WITH population AS (
      SELECT 1)
    SELECT * FROM population
    """
    return "WITH " + ",\n".join(f"{name} AS (\n{text})" for name, text in relations) + f"\n{chosen}"


def parted(sql: str) -> tuple[list[Relation], str]:
    """The relations and the choice that :func:`whole` made a text of.

    Examples
    --------
    >>> parted(whole([("population", "  SELECT 1")], "SELECT * FROM population"))
    ([('population', '  SELECT 1')], 'SELECT * FROM population')
    """
    head, chosen = sql.removeprefix("WITH ").rsplit(")\nSELECT ", 1)
    # A relation's name stands at the start of a line; all that is inside one is indented.
    parts = [part.split(" AS (\n", 1) for part in re.split(r"\),\n(?=\S)", head)]
    return [(name, text) for name, text in parts], f"SELECT {chosen}"


def staged_rows(engine: Embedded, sql: str, accounts_at_once: int) -> Iterator[pa.Table]:
    """The rows of a text that has all its parameters, some accounts after the other.

    Parameters
    ----------
    engine : Embedded
        Gets a temporary table for each relation; where its memory ends they go to the disk.
    sql : str
        From :func:`whole`; ``account_id`` identifies the rows of its first relation and orders the result.
    accounts_at_once : int

    Yields
    ------
    pa.Table
        Together just what the text gives at once, in its order.
    """
    relations, chosen = parted(sql)
    for name, text in relations:
        # Sorted, so that a range of accounts is found without looking at all.
        engine.execute(f"CREATE TEMP TABLE kept_{name} AS SELECT * FROM (\n{text}) ORDER BY account_id")
    for asked in account_ranges(engine, f"kept_{relations[0][0]}", accounts_at_once):
        kept = [(name, f"  SELECT * FROM kept_{name} WHERE {asked}") for name, _ in relations]
        yield engine.query(whole(kept, chosen))


def account_ranges(engine: Embedded, relation: str, size: int) -> list[str]:
    """Conditions that part the accounts of a relation, in ascending order, ``size`` to each."""
    numbered = f"SELECT account_id, row_number() OVER (ORDER BY account_id) - 1 AS place FROM {relation}"
    firsts = engine.query(f"SELECT account_id FROM ({numbered}) WHERE place % {size} = 0 ORDER BY 1")
    edges = [literal(account) for account in firsts["account_id"].to_pylist()]
    beyond = [f" AND account_id < {edge}" for edge in edges[1:]]
    return [f"account_id >= {edge}{end}" for edge, end in zip(edges, [*beyond, ""], strict=False)]
