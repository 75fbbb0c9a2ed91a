"""From which day a table's facts are there, as it looked at any date."""

from collections.abc import Iterable

from nbo.engine import Embedded
from nbo.engine.embedded import identifier

Staircase = tuple[tuple[int, int], ...]


def staircase(engine: Embedded, relation: str, event: str) -> Staircase:
    """Where the oldest visible event falls, as (visible day, that event day), ascending.

    A file of old facts that arrives late lowers the first covered day only from its arrival on.

    Examples
    --------
    >>> import pyarrow as pa
    >>> with Embedded() as engine:
    ...     engine.register("t", pa.table({"event_day": [5, 3, 7], "known_day": [6, 9, 8]}))
    ...     staircase(engine, "t", "event_day")
    ((6, 5), (9, 3))
    """
    day = identifier(event)
    rows = engine.query(
        f"SELECT greatest({day} + 1, known_day) AS visible, min({day}) AS first "
        f"FROM {identifier(relation)} GROUP BY 1 ORDER BY 1"
    )
    return descending(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))


def descending(steps: Iterable[tuple[int, int]]) -> Staircase:
    """Those of (visible day, event day), ascending, that lead to an older event than all before.

    Examples
    --------
    >>> descending([(6, 5), (7, 5), (9, 3)])
    ((6, 5), (9, 3))
    """
    found: list[tuple[int, int]] = []
    for visible, first in steps:
        if not found or first < found[-1][1]:
            found.append((int(visible), int(first)))
    return tuple(found)


def together(one: Staircase, other: Staircase) -> Staircase:
    """The staircase of two relations as one.

    Examples
    --------
    >>> together(((6, 5), (9, 3)), ((7, 4), (9, 1)))
    ((6, 5), (7, 4), (9, 1))
    """
    return descending(sorted([*one, *other]))


def first_seen(steps: Staircase, as_of_day: int) -> int | None:
    """The oldest event day visible at ``as_of_day``; None where nothing is visible.

    Examples
    --------
    >>> first_seen(((6, 5), (9, 3)), 8), first_seen(((6, 5), (9, 3)), 5)
    (5, None)
    """
    seen = [first for visible, first in steps if visible <= as_of_day]
    return seen[-1] if seen else None


def newest_event(engine: Embedded, relation: str, event: str) -> int | None:
    """The latest event day of a relation; None where it is empty."""
    found = engine.query(f"SELECT max({identifier(event)}) FROM {identifier(relation)}").column(0)[0].as_py()
    return None if found is None else int(found)


__all__ = ["Staircase", "first_seen", "newest_event", "staircase", "together"]
