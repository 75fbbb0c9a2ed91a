"""A contract as text, for people."""

from typing import Any

from nbo.tables.contract import Column, Table


def describe_rows(table: Table) -> list[dict[str, Any]]:
    """One dict a column: name, kind, unit, required, codes, references, purposes, provenance, words."""
    return [
        {
            "column": column.name,
            "kind": column.kind,
            "stored_as": column.sql_type,
            "unit": column.unit,
            "required": not column.nullable,
            "key": column.name in table.row_key,
            "codes": list(column.codes),
            "references": column.references,
            "purposes": sorted(column.purposes),
            "provenance": table.provenance.en,
            "known_by": column.known_by,
            "en": column.words.en,
            "zh": column.words.zh,
        }
        for column in table.columns
    ]


def describe(table: Table) -> str:
    """The contract of a table, one line a column.

    Examples
    --------
    >>> from nbo.tables.catalog import contract
    >>> print(describe(contract("networks")).splitlines()[0])
    networks (网络): reference, one row a network_id; from: numbering tables of the exchanges (局数据)
    """
    shape = {"events": "events", "log": "change log", "reference": "reference"}[table.shape]
    required = ", required" if table.required else ""
    source = f"from: {table.provenance.en} ({table.provenance.zh})"
    head = (
        f"{table.name} ({table.words.zh}): {shape}{required}, one row a {' + '.join(table.row_key)}; {source}"
    )
    width = max(len(column.name) for column in table.columns)
    return "\n".join([head, *(f"  {c.name:<{width}}  {facts(c)}" for c in table.columns)])


def facts(column: Column) -> str:
    parts = [column.kind, "may be empty" if column.nullable else "required"]
    if column.unit:
        parts.append(column.unit)
    if column.codes:
        parts.append("one of " + " | ".join(column.codes))
    if column.references:
        parts.append(f"key of {column.references}")
    if column.known_by and column.known_by != column.name:
        parts.append(f"known from {column.known_by}")
    if not column.purposes:
        parts.append("feeds no feature")
    elif "marketing" not in column.purposes:
        parts.append("not for marketing")
    return f"{', '.join(parts)} · {column.words.en} {column.words.zh}"
