"""All table contracts by name."""

from collections.abc import Mapping
from types import MappingProxyType

from nbo.errors import UsageError
from nbo.tables.contract import Table, close_matches
from nbo.tables.event_tables import EVENT_TABLES
from nbo.tables.state_tables import STATE_TABLES

TABLES: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (*STATE_TABLES, *EVENT_TABLES)}
)


def contract(name: str) -> Table:
    """The contract of a table.

    Examples
    --------
    >>> contract("calls").key
    ('call_id',)
    >>> contract("cals")
    Traceback (most recent call last):
    nbo.errors.UsageError: cals: no such table; did you mean calls, labels?
    """
    try:
        return TABLES[name]
    except KeyError:
        raise UsageError(f"{name}: no such table{close_matches(name, list(TABLES))}") from None
