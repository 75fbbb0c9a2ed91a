"""A compiled text, whole and in stages.

As one text it runs on any engine. In stages each relation is computed after the other, for some accounts
after the others, and kept; their rows are then joined for some accounts at a time. Memory stays what a
slice of the largest relation needs, however many features and accounts there are: reading the rows once
more for each slice is cheaper than grouping on the disk.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from nbo.engine import Embedded, literal
from nbo.features.parameters import bind
from nbo.features.relations import ACCOUNTS, NEIGHBOURS

Relation = tuple[str, str]
"""A name, and a SELECT with one row an account; every line of it is indented."""


SLICE = 200_000
"""Accounts whose groups by number at the other end fit a batch's memory, at some hundred calls each."""


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


def staged_rows(
    engine: Embedded,
    sql: str,
    parameters: Mapping[str, str],
    accounts_at_once: int,
    accounts_a_slice: int = SLICE,
    swept: Mapping[str, Path] | None = None,
) -> Iterator[pa.Table]:
    """The rows of a text, some accounts after the other.

    Parameters
    ----------
    engine : Embedded
        Gets a temporary table for each relation; where its memory ends they go to the disk.
    sql : str
        From :func:`whole`; ``account_id`` identifies the rows of its first relation and orders the result.
    parameters : mapping of str to str
        The text's, for all accounts.
    accounts_at_once : int
        Rows of a table, at most.
    accounts_a_slice : int
        A relation is computed for so many accounts after the other, about.
    swept : mapping of str to Path or None
        Relations that were computed before, each a Parquet file sorted by account.

    Yields
    ------
    pa.Table
        Together just what the text gives at once, in its order.
    """
    relations, chosen = parted(sql)
    population = f"kept_{relations[0][0]}"
    known = swept or {}
    for name, text in relations:
        if name in known:
            engine.view(f"kept_{name}", [known[name]])
            continue
        whole_text = bind(text, parameters)
        slices = [whole_text]
        if name != relations[0][0] and may_be_sliced(text):
            ranges = account_ranges(engine, population, accounts_a_slice)
            slices = [bind(text, {**parameters, "accounts": f"({asked})"}) for asked in ranges] or slices
        # Sorted, so that a range of accounts is found without looking at all.
        for number, slice_text in enumerate(slices):
            put = f"INSERT INTO kept_{name}" if number else f"CREATE TEMP TABLE kept_{name} AS"
            engine.execute(f"{put} SELECT * FROM (\n{slice_text}) ORDER BY account_id")
    for asked in account_ranges(engine, population, accounts_at_once):
        kept = [(name, f"  SELECT * FROM kept_{name} WHERE {asked}") for name, _ in relations]
        yield engine.query(whole(kept, bind(chosen, parameters)))


def may_be_sliced(text: str) -> bool:
    """Whether a relation tells of an account from that account's rows alone."""
    return ACCOUNTS in text and NEIGHBOURS not in text


def account_ranges(engine: Embedded, relation: str, size: int) -> list[str]:
    """Conditions that part the accounts of a relation, in ascending order, ``size`` to each."""
    numbered = f"SELECT account_id, row_number() OVER (ORDER BY account_id) - 1 AS place FROM {relation}"
    firsts = engine.query(f"SELECT account_id FROM ({numbered}) WHERE place % {size} = 0 ORDER BY 1")
    edges = [literal(account) for account in firsts["account_id"].to_pylist()]
    beyond = [f" AND account_id < {edge}" for edge in edges[1:]]
    return [f"account_id >= {edge}{end}" for edge, end in zip(edges, [*beyond, ""], strict=False)]
