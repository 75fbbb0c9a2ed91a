"""``where`` conditions: checked against the contract, then told as SQL, as a name, as words."""

from collections.abc import Mapping
from dataclasses import dataclass

from nbo.engine import literal
from nbo.errors import UsageError
from nbo.tables.contract import Table, Words, close_matches

COUNTERPARTY = "counterparty"
"""A condition that is no column: whose network is at the other end."""

COUNTERPARTY_CLASSES = {
    "own": Words("within our network", "网内"),
    "rival": Words("with rivals", "与竞争对手的"),
    "other": Words("with other networks", "与其他网络的"),
    "rival_access_code": Words("through rival access codes", "经竞争对手接入码的"),
    "own_access_code": Words("through our access codes", "经本网接入码的"),
    "rival_sales_line": Words("with rivals' sales lines", "与竞争对手销售热线的"),
    "own_service_line": Words("with our service line", "与本网客服热线的"),
    "own_complaint_line": Words("with our fault and complaint line", "与本网障碍投诉热线的"),
}
TOGETHER: Mapping[tuple[str, frozenset[str | int]], Words] = {
    ("destination", frozenset({"national", "hkmt", "international"})): Words("long-distance", "长途"),
    (COUNTERPARTY, frozenset({"own", "other"})): Words("not with rivals", "非竞争对手的"),
}
"""Values that the trade has one word for, by their column."""
BY_CODE = ("_access_code", "_line")
"""How classes end that are told by the code dialled."""
COUNTERPARTY_TABLES = ("networks.kind", "access_codes.network_id")


HOUR = 3600


@dataclass(frozen=True)
class RowClass:
    """Rows told by what their columns amount to.

    Parameters
    ----------
    words : Words
        Before the noun.
    sql : str
        A predicate over the columns.
    columns : tuple of str
        What it reads; a table without them does not have the class.
    """

    words: Words
    sql: str
    columns: tuple[str, ...]


def by_second(first: int, end: int) -> str:
    return f"event_second >= {first * HOUR} AND event_second < {end * HOUR}"


CLASSES: Mapping[str, Mapping[str, RowClass]] = {
    "time": {
        "office_hours": RowClass(Words("daytime", "白天"), by_second(8, 18), ("event_second",)),
        "evening": RowClass(Words("evening", "晚间"), by_second(18, 23), ("event_second",)),
        "night": RowClass(Words("night", "夜间"), f"NOT ({by_second(8, 23)})", ("event_second",)),
        # 1970-01-01 was a Thursday.
        "weekend": RowClass(Words("weekend", "周末"), "(event_day + 3) % 7 >= 5", ("event_day",)),
    },
    "length": {
        "failed": RowClass(Words("failed", "未接通"), "duration_seconds = 0", ("duration_seconds",)),
        "short": RowClass(
            Words("short", "短时"), "duration_seconds > 0 AND duration_seconds < 10", ("duration_seconds",)
        ),
        "long": RowClass(Words("long", "长时"), "duration_seconds >= 600", ("duration_seconds",)),
    },
}
"""Conditions that are no columns, by name: when of the day or the week, and how long. The hours are
8 to 18, 18 to 23 and the rest, in the operator's zone; short is under 10 seconds, long from 10 minutes."""


@dataclass(frozen=True)
class Condition:
    """``column`` is one of ``values``; a counterparty condition names a class or a network id."""

    column: str
    values: tuple[str | int, ...]

    @property
    def name(self) -> str:
        """Its part in a feature's name."""
        return "_".join(str(value) for value in self.values)


def condition(table: Table, column: str, value: object) -> Condition:
    """Check one keyword of ``where`` against the table's contract."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not values:
        raise UsageError(f"{table.name}.{column}: expected at least one value, got none")
    if column == COUNTERPARTY:
        check_counterparty(table, values)
    elif column in CLASSES and column not in table.column_names:
        check_classes(table, column, values)
    else:
        check_values(table, column, values)
    return Condition(column, values)


def check_counterparty(table: Table, values: tuple[object, ...]) -> None:
    if not table.has_counterparty:
        raise UsageError(f"{table.name}: expected a table with a counterparty, got counterparty={values}")
    for value in values:
        if not isinstance(value, str) or not value.replace("_", "").isalnum():
            raise UsageError(
                f"{table.name}.counterparty: expected a class "
                f"({', '.join(COUNTERPARTY_CLASSES)}) or a network id, got {value!r}"
            )


def check_classes(table: Table, name: str, values: tuple[object, ...]) -> None:
    """Refuse a class that does not exist, or that this table's columns cannot tell."""
    for value in values:
        found = CLASSES[name].get(str(value))
        if found is None:
            known = ", ".join(CLASSES[name])
            raise UsageError(f"{table.name}.{name}: expected one of {known}, got {value!r}")
        missing = [column for column in found.columns if column not in table.column_names]
        if missing:
            raise UsageError(f"{table.name}.{name}: expected a table with {missing[0]}, got {name}={value!r}")


def check_values(table: Table, name: str, values: tuple[object, ...]) -> None:
    column = table.column(name)
    if column.name != name or column.kind not in ("code", "flag", "count", "seconds"):
        raise UsageError(f"{table.name}.{name}: expected a code or count column, got {column.kind}")
    for value in values:
        if column.kind in ("count", "seconds"):
            if not isinstance(value, int) or isinstance(value, bool):
                raise UsageError(f"{table.name}.{name}: expected whole numbers, got {value!r}")
        elif column.codes and value not in column.codes:
            raise UsageError(
                f"{table.name}.{name}: unknown code {value!r}{close_matches(str(value), list(column.codes))}"
            )


def condition_sql(table: Table, conditions: tuple[Condition, ...]) -> str:
    """All conditions as one predicate; no conditions are TRUE."""
    return " AND ".join(one_sql(table, c) for c in conditions) or "TRUE"


def one_sql(table: Table, item: Condition) -> str:
    if item.column == COUNTERPARTY:
        return "(" + " OR ".join(counterparty_sql(table, str(v)) for v in item.values) + ")"
    if item.column in CLASSES:
        return "(" + " OR ".join(f"({CLASSES[item.column][str(v)].sql})" for v in item.values) + ")"
    values = ", ".join(sql_value(value) for value in item.values)
    return f"{item.column} = {values}" if len(item.values) == 1 else f"{item.column} IN ({values})"


def counterparty_sql(table: Table, value: str) -> str:
    """The class of a call: by the code that was dialled first, else by the network reached."""
    coded = "access_code" in table.column_names
    if value in COUNTERPARTY_CLASSES and value.endswith(BY_CODE):
        return f"access_code IN $codes_{value.removesuffix('_access_code')}" if coded else "FALSE"
    if value in COUNTERPARTY_CLASSES:
        network = f"network_id IN $networks_{value}"
        if not coded:
            return network
        if value == "rival":
            return f"({network} OR access_code IN $codes_rival)"
        return f"({network} AND NOT coalesce(access_code IN $codes_rival, FALSE))"
    network = f"network_id = {sql_value(value)}"
    return f"({network} OR access_code IN $codes_of_{value})" if coded else network


def sql_value(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return literal(str(value))


def condition_columns(table: Table, conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    """``table.column`` of everything the conditions read."""
    columns: list[str] = []
    for item in conditions:
        if item.column == COUNTERPARTY:
            columns.append(f"{table.name}.network_id")
            columns.extend(
                COUNTERPARTY_TABLES if "access_code" in table.column_names else COUNTERPARTY_TABLES[:1]
            )
            if any(str(value).endswith(BY_CODE) for value in item.values):
                columns.append(f"{table.name}.access_code")
            if any(str(value).endswith("_line") for value in item.values):
                columns.append("access_codes.use")
        elif item.column in CLASSES:
            read = [column for value in item.values for column in CLASSES[item.column][str(value)].columns]
            columns.extend(f"{table.name}.{column}" for column in read)
        else:
            columns.append(f"{table.name}.{item.column}")
    return tuple(columns)


def condition_words(table: Table, conditions: tuple[Condition, ...], *, one: bool = False) -> Words:
    """The rows meant, as a noun phrase: ``outgoing national calls with rivals``; ``one`` of them: a call.

    English puts whose network it is after the noun, Chinese before everything else.
    """
    plain: list[Words] = []
    whose: list[Words] = []
    for item in conditions:
        told = TOGETHER.get((item.column, frozenset(item.values))) or either(
            [value_words(table, item.column, value) for value in item.values]
        )
        (whose if item.column == COUNTERPARTY else plain).append(told)
    noun = table.words.en.removesuffix("s") if one else table.words.en
    en = " ".join([*(w.en for w in plain), noun, *(w.en for w in whose)])
    return Words(en, "".join([*(w.zh for w in (*whose, *plain)), table.words.zh]))


def either(words: list[Words]) -> Words:
    """One of several, in words.

    Examples
    --------
    >>> either([Words("a", "甲"), Words("b", "乙"), Words("c", "丙")])
    Words(en='a, b or c', zh='甲、乙或丙')
    """
    *rest, last = words
    if not rest:
        return last
    return Words(
        f"{', '.join(w.en for w in rest)} or {last.en}", f"{'、'.join(w.zh for w in rest)}或{last.zh}"
    )


def value_words(table: Table, column: str, value: object) -> Words:
    if column == COUNTERPARTY:
        return COUNTERPARTY_CLASSES.get(str(value), Words(f"with {value}", f"与{value}的"))
    if column in CLASSES:
        return CLASSES[column][str(value)].words
    contract = table.column(column)
    if contract.kind == "flag":
        sign = "" if value else "not "
        return Words(sign + contract.words.en, ("" if value else "非") + contract.words.zh)
    if contract.kind in ("count", "seconds"):
        return Words(f"{contract.words.en} {value}", f"{contract.words.zh}为{value}的")
    return contract.codes.get(str(value), Words(str(value), str(value)))
