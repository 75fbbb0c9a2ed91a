"""What every row must satisfy, as SQL predicates that are true for a row that breaks the rule.

A predicate may use each contract column by its name (the parsed value) and ``r_<name>`` (the raw
value, null where empty). Rules that need more than one row are at the end of the module.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from nbo.engine.embedded import identifier, literal
from nbo.tables.contract import SUMMABLE_KINDS, Column, Table
from nbo.tables.mapping import UNITS, ColumnMap
from nbo.tables.zone import CALENDAR_DAYS

SIGNED = frozenset(
    {
        ("bills", "bill_amount"),
        ("interconnect", "settlement_amount"),
        ("payments", "paid_amount"),
        ("payments", "days_late"),
    }
)
"""Numbers that may be negative: credit notes, settlements owed, payments returned, paid early."""
RANGES = {
    ("contacts", "logging_prob"): (0, 1, "a probability in [0, 1]"),
    ("surveys", "satisfaction"): (1, 5, "a grade from 1 to 5"),
    ("surveys", "rival_satisfaction"): (1, 5, "a grade from 1 to 5"),
}
ORDERED = {
    "bills": (("period_start_day", "period_end_day", "<"),),
    "contracts": (("event_day", "planned_end_day", "<="),),
    "contacts": (("event_day", "outcome_known_day", "<="),),
}
"""Pairs of days of one row that have an order."""
REFERENCE_KEYS = "_keys_"
MAX_RULES = 63
"""A row's broken rules are bits of one 64-bit integer."""


@dataclass(frozen=True)
class Rule:
    """One row rule.

    Parameters
    ----------
    name, column, expected : str
        What the rule is called, which column it is about, and the rule with its unit.
    predicate : str
        SQL, true for a row that breaks the rule, false or null for one that does not.
    next_step : str
        What to do about it.
    shown : tuple of str
        Contract columns whose raw values tell what was got; empty = ``nothing``.
    """

    name: str
    column: str
    expected: str
    predicate: str
    next_step: str
    shown: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        return f"{self.column}: {self.name}"


@dataclass(frozen=True)
class Circumstances:
    """What rules depend on beside the contract: the first mapping of each column present, the
    tables whose keys can be looked up, the currency, and the length of a day in seconds."""

    columns: Mapping[str, ColumnMap]
    references: Collection[str]
    currency: str
    day_seconds: Callable[[str], str]


def row_rules(table: Table, around: Circumstances) -> tuple[Rule, ...]:
    """All rules of the columns that the sources have, in the contract's order."""
    rules: list[Rule] = []
    for column in table.columns:
        if column.name in around.columns:
            rules += column_rules(table, column, around)
        elif column.name == "known_day" and table.event_column in around.columns:
            continue
    return (*rules, *order_rules(table, around))


def column_rules(table: Table, column: Column, around: Circumstances) -> list[Rule]:
    spec, name = around.columns[column.name], column.name
    value, raw = identifier(name), f"r_{name}"
    rules = []
    if not column.nullable:
        rules.append(Rule("no value", name, "a value in every row", f"{raw} IS NULL", "Complete the source"))
    same_time = name == "event_second" and spec.unit is None
    if column.kind not in ("key", "code", "text") and not same_time:
        expected = type_words(column, spec, around.currency)
        broken = f"{raw} IS NOT NULL AND {value} IS NULL"
        step = "Correct the source, or the mapping's format, unit or codes of this column"
        rules.append(Rule("wrong type", name, expected, broken, step, (name,)))
    if column.kind == "code":
        rules += code_rules(column, spec, raw, value)
    rules += limit_rules(table, column, around)
    if column.references in around.references:
        known = f"(SELECT key FROM {REFERENCE_KEYS}{column.references})"
        expected = f"a key of table {column.references}"
        step = f"Add it to {column.references}, or correct the source"
        rules.append(Rule("unknown reference", name, expected, f"{value} NOT IN {known}", step, (name,)))
    return rules


def type_words(column: Column, spec: ColumnMap, currency: str) -> str:
    unit = spec.unit or UNITS.get(column.kind, ("",))[0]
    return {
        "day": f"a date or time in format {spec.format}" if spec.format else "a date or time in ISO 8601",
        "flag": "true or false",
        "count": "a whole number",
        "second": "a whole number of seconds",
        "seconds": f"a number of {unit}",
        "bytes": f"a number of {unit}",
        "money": f"an amount in {currency}" + (" minor units" if unit == "minor" else ""),
    }.get(column.kind, "a finite number")


def code_rules(column: Column, spec: ColumnMap, raw: str, value: str) -> list[Rule]:
    step = "Add it to the mapping's codes of this column, or correct the source"
    if column.codes:
        allowed = ", ".join(literal(code) for code in column.codes)
        expected = "one of " + ", ".join(column.codes)
        return [
            Rule("unknown code", column.name, expected, f"{value} NOT IN ({allowed})", step, (column.name,))
        ]
    if spec.codes:
        expected = "one of the mapping's codes " + ", ".join(spec.codes)
        broken = f"{raw} IS NOT NULL AND {value} IS NULL"
        return [Rule("unknown code", column.name, expected, broken, step, (column.name,))]
    return []


def limit_rules(table: Table, column: Column, around: Circumstances) -> list[Rule]:
    name, value = column.name, identifier(column.name)
    step = "Correct the source"
    if (table.name, name) in RANGES:
        low, high, words = RANGES[table.name, name]
        return [Rule("out of range", name, words, f"{value} < {low} OR {value} > {high}", step, (name,))]
    if name in (table.event_column, "known_day"):
        broken = f"{value} < 0 OR {value} > {CALENDAR_DAYS}"
        return [Rule("out of range", name, "a date from 1970 to 2099", broken, step, (name,))]
    if column.kind == "second":
        broken = f"{value} < 0 OR {value} >= {around.day_seconds('event_day')}"
        return [Rule("outside the day", name, "seconds within the day", broken, step, (name,))]
    if column.kind in SUMMABLE_KINDS and (table.name, name) not in SIGNED:
        return [Rule("negative", name, f"{name} >= 0", f"{value} < 0", step, (name,))]
    return []


def order_rules(table: Table, around: Circumstances) -> list[Rule]:
    rules = []
    if table.shape == "events" and "known_day" in around.columns:
        rules.append(
            Rule(
                "known before it happened",
                "known_day",
                "known_day >= event_day",
                "known_day < event_day",
                "Correct the source, or map latency_days in its place",
                ("known_day", "event_day"),
            )
        )
    for first, second, sign in ORDERED.get(table.name, ()):
        if first in around.columns and second in around.columns:
            expected, broken = f"{first} {sign} {second}", f"NOT ({first} {sign} {second})"
            rules.append(Rule("wrong order", second, expected, broken, "Correct the source", (first, second)))
    return rules


def broken_rules_sql(rules: tuple[Rule, ...]) -> str:
    """The bits of the rules that a row breaks; 0 = a good row."""
    bits = [f"CASE WHEN {rule.predicate} THEN {1 << n} ELSE 0 END" for n, rule in enumerate(rules)]
    return f"CAST({' | '.join(f'({bit})::UBIGINT' for bit in bits) or '0'} AS UBIGINT)"


CONFLICT = "same key, different content"
"""Reason of rows that share a key and differ: nothing tells which is right, so all go."""
ENDS_FIRST = "state: ends before it was active"
"""Reason of a line's rows that end or suspend it before any row made it active."""
