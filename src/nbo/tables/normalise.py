"""One source's rows as rows of the contract: a single SQL text, five layers deep.

From the inside out: the raw columns (``q0``, ``q1``, …), the raw value of each contract column
(``r_<name>``), its clock time and the time elapsed in its day (``l_``, ``e_``, times only), the
parsed value (``<name>``), and the rules that the row breaks (``bad_``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nbo.engine.embedded import identifier, literal
from nbo.tables.contract import Column, Table
from nbo.tables.mapping import ColumnMap, Source
from nbo.tables.pseudonyms import plain_number_sql, pseudonym_sql
from nbo.tables.rules import Rule, broken_rules_sql
from nbo.tables.sources import FILE_COLUMN, RawType, Relation, relative_sql
from nbo.tables.zone import Zone, day_sql, has_time

FACTORS = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "bytes": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}
EXACT = "DECIMAL(28, 9)"
"""Numbers are scaled exactly: 28 + 10 digits of a factor still fit the engine's 38."""
TRUE_WORDS = "'true', 't', 'yes', 'y', '1'"
FALSE_WORDS = "'false', 'f', 'no', 'n', '0'"


@dataclass(frozen=True)
class SourceQuery:
    """What turns the files of one layout into rows of a table.

    Parameters
    ----------
    table, source, relation
        The contract, its mapping and the files of one layout.
    columns : tuple of str
        Contract columns that the store's table will have; those this source lacks are null.
    rules : tuple of Rule
        Whose bits ``bad_`` holds.
    zone : Zone
    minor_digits : int
    data : Path
        The folder that file names are told relative to.
    """

    table: Table
    source: Source
    relation: Relation
    columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    zone: Zone
    minor_digits: int
    data: Path

    def sql(self, raw_when: str = "bad_ <> 0") -> str:
        """The rows: contract columns, ``bad_``, ``raw_key_``, and where ``raw_when`` holds the
        name of the file (``file_``) and the raw values as JSON (``raw_``)."""
        names = [column.name for column in self.present]
        times = [name for name in names if self.is_time(name)]
        raws = [f"{self.raw_sql(name)} AS r_{name}" for name in names]
        locals_ = [f"{self.local_sql(name)} AS l_{name}" for name in times]
        elapsed = [f"{self.elapsed_sql(name)} AS e_{name}" for name in times]
        values = [
            f"CAST({self.value_sql(column)} AS {column.sql_type}) AS {identifier(column.name)}"
            for column in self.present
        ]
        text = f"SELECT {', '.join(self.raw_columns())}, {FILE_COLUMN} AS q_file FROM {self.relation.sql}"
        if self.source.where_present is not None:
            text += f" WHERE nullif(CAST({identifier(self.source.where_present)} AS VARCHAR), '') IS NOT NULL"
        for layer in (raws, locals_, elapsed, values, [f"{broken_rules_sql(self.rules)} AS bad_"]):
            if layer:
                text = f"SELECT *, {', '.join(layer)} FROM ({text})"
        outs = [identifier(name) for name in names]
        outs += ["bad_", f"{self.raw_key_sql()} AS raw_key_"]
        outs.append(f"CASE WHEN {raw_when} THEN {relative_sql('q_file', self.data)} END AS file_")
        outs.append(f"CASE WHEN {raw_when} THEN {self.json_sql()} END AS raw_")
        return f"SELECT {', '.join(outs)} FROM ({text})"

    @property
    def present(self) -> list[Column]:
        return [column for column in self.table.columns if column.name in self.columns]

    @property
    def names(self) -> list[str]:
        """Raw columns that are read, in a fixed order."""
        wanted = [name for spec in self.source.mapped.values() for name in spec.names]
        wanted += [*self.source.raw_key, *([self.source.where_present] if self.source.where_present else [])]
        return [name for name in dict.fromkeys(wanted) if name in self.relation.columns]

    def raw_columns(self) -> list[str]:
        return [f"{identifier(name)} AS q{n}" for n, name in enumerate(self.names)] or ["1 AS q0"]

    def q(self, name: str) -> str:
        return f"q{self.names.index(name)}"

    def spec(self, name: str) -> ColumnMap | None:
        """How this source makes a column; None where it does not have it."""
        found = self.source.mapped.get(name)
        if found is None or any(raw not in self.relation.columns for raw in found.names):
            return None
        return found

    def raw_type(self, name: str) -> RawType:
        spec = self.spec(name)
        if spec is None or spec.column is None or spec.codes:
            return "text"
        return self.relation.columns[spec.column]

    def raw_sql(self, name: str) -> str:
        spec = self.spec(name)
        if spec is None:
            # A latency stands in for the raw value: it is never missing.
            return "'latency'" if name == "known_day" else "CAST(NULL AS VARCHAR)"
        if spec.constant is not None:
            return literal(constant_text(spec.constant))
        if spec.columns:
            parts = ", ".join(text_sql(self.q(raw), self.relation.columns[raw]) for raw in spec.columns)
            return f"nullif(concat_ws({literal(spec.join)}, {parts}), '')"
        raw, kind = self.q(spec.names[0]), self.relation.columns[spec.names[0]]
        return text_sql(raw, kind) if self.raw_type(name) == "text" else raw

    def is_time(self, name: str) -> bool:
        """Whether a clock time is parsed for this column (``event_second`` may share another's)."""
        spec, kind = self.spec(name), self.table.column(name).kind
        if spec is None or kind not in ("day", "second") or spec.unit is not None:
            return False
        return not self.shares_event_time(name)

    def shares_event_time(self, name: str) -> bool:
        if name != "event_second":
            return False
        second, day = self.spec("event_second"), self.spec("event_day")
        return second is not None and day is not None and same_origin(second, day)

    def time_format(self, name: str) -> str | None:
        spec = self.spec(name)
        return spec.format if spec else None

    def coded(self, name: str) -> str:
        """The raw value after the mapping's codes."""
        spec, raw = self.spec(name), f"r_{name}"
        if spec is None or not spec.codes:
            return raw
        column = self.table.column(name)
        cases = " ".join(f"WHEN {literal(k)} THEN {literal(constant_text(v))}" for k, v in spec.codes.items())
        # Where the contract lists codes, or any text will do, a value that is not mapped stays.
        other = raw if column.codes or column.kind in ("key", "text") else "NULL"
        return f"CASE {raw} {cases} ELSE {other} END"

    def local_sql(self, name: str) -> str:
        return self.zone.local(self.coded(name), self.raw_type(name), self.time_format(name))

    def elapsed_sql(self, name: str) -> str:
        return self.zone.elapsed(self.coded(name), self.raw_type(name), self.time_format(name), f"l_{name}")

    def value_sql(self, column: Column) -> str:
        spec, name = self.spec(column.name), column.name
        if spec is None:
            return self.latency_sql() if name == "known_day" else "NULL"
        if column.kind == "day":
            known = name == "known_day" or any(c.known_by == name for c in self.table.columns)
            # A fact counts from the first midnight at which it had arrived.
            late = f" + CASE WHEN e_{name} > 0 THEN 1 ELSE 0 END" if known else ""
            return f"{day_sql(f'l_{name}')}{late}"
        if column.kind == "second" and spec.unit is None:
            base = "event_day" if self.shares_event_time(name) else name
            return f"CASE WHEN {self.timed_sql(base)} THEN e_{base} // 1000000 END"
        return plain_value(column, spec, self.coded(name), self.raw_type(name), self.minor_digits)

    def timed_sql(self, name: str) -> str:
        """Whether a value says a time of day, not only a date."""
        kind, format_ = self.raw_type(name), self.time_format(name)
        if kind == "text":
            return f"length(r_{name}) > 10" if format_ is None else str(has_time(format_)).lower()
        return str(kind in ("timestamp", "instant")).lower()

    def latency_sql(self) -> str:
        """The event plus the source's latency, rounded up; a mere date ends with its day."""
        event = self.table.event_column or ""
        exact = self.timed_sql(event) if self.spec("event_second") is not None else "false"
        whole = f"CASE WHEN {exact} AND e_{event} = 0 THEN 0 ELSE 1 END"
        return f"coalesce({day_sql(f'l_{event}')} + {self.source.latency_days or 0} + {whole}, 0)"

    def raw_key_sql(self) -> str:
        if not self.source.raw_key:
            return "CAST(NULL AS VARCHAR)"
        parts = ", ".join(f"CAST({self.q(name)} AS VARCHAR)" for name in self.source.raw_key)
        return f"concat_ws('/', {parts})"

    def json_sql(self) -> str:
        """The raw values that the mapping reads, numbers at the other end as pseudonyms."""
        hidden = {raw for spec in self.source.mapped.values() if spec.pseudonym for raw in spec.names}
        fields = [
            f"{identifier(name)} := {hidden_sql(self.q(name)) if name in hidden else self.q(name)}"
            for name in self.names
        ]
        return f"CAST(to_json(struct_pack({', '.join(fields)})) AS VARCHAR)" if fields else "'{}'"


def hidden_sql(raw: str) -> str:
    return pseudonym_sql(plain_number_sql(f"CAST({raw} AS VARCHAR)"))


def same_origin(one: ColumnMap, other: ColumnMap) -> bool:
    facts = {"column", "columns", "join", "constant", "format", "codes"}
    return one.model_dump(include=facts) == other.model_dump(include=facts)


def constant_text(value: str | bool | int | float | date) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def text_sql(raw: str, kind: RawType) -> str:
    """A raw value as text, empty as null; a whole float (a key with gaps) without its ``.0``."""
    if kind == "text":
        return f"nullif(CAST({raw} AS VARCHAR), '')"
    if kind == "float":
        whole = f"{raw} = floor({raw}) AND abs({raw}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(CAST({raw} AS BIGINT) AS VARCHAR) ELSE CAST({raw} AS VARCHAR) END"
        )
    return f"CAST({raw} AS VARCHAR)"


def plain_value(column: Column, spec: ColumnMap, raw: str, kind: RawType, minor_digits: int) -> str:
    """The parsed value of a column that is no time; null where it does not parse."""
    if column.kind in ("key", "code", "text"):
        text = text_sql(raw, kind)
        return plain_number_sql(text) if spec.pseudonym else text
    if column.kind == "flag":
        return flag_sql(raw, kind)
    if kind not in ("text", "int", "decimal", "float"):
        return "NULL"
    if column.kind == "number":
        number = f"TRY_CAST({raw} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    factor = 10**minor_digits if column.kind == "money" and spec.unit != "minor" else 1
    factor = FACTORS.get(spec.unit or "", factor)
    exact = f"TRY_CAST({raw} AS {EXACT})"
    if column.kind in ("count", "second"):
        return f"TRY_CAST(CASE WHEN {exact} % 1 = 0 THEN {exact} END AS {column.sql_type})"
    # The engine rounds a decimal to an integer half away from zero.
    return f"TRY_CAST({exact} * {factor} AS {column.sql_type})"


def flag_sql(raw: str, kind: RawType) -> str:
    if kind == "bool":
        return raw
    if kind not in ("text", "int"):
        return "NULL"
    word = f"lower(CAST({raw} AS VARCHAR))"
    return f"CASE WHEN {word} IN ({TRUE_WORDS}) THEN true WHEN {word} IN ({FALSE_WORDS}) THEN false END"


def union_sql(queries: Sequence[SourceQuery], raw_when: str = "bad_ <> 0") -> str:
    return " UNION ALL BY NAME ".join(f"({query.sql(raw_when)})" for query in queries)
