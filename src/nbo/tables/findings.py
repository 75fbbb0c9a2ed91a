"""From quarantined rows to violations: how many rows break a rule, which, and with what value."""

from collections.abc import Iterator, Sequence

from nbo.engine import Embedded
from nbo.engine.embedded import literal
from nbo.errors import MAX_EXAMPLES
from nbo.tables.normalise import SourceQuery, constant_text
from nbo.tables.report import Violation
from nbo.tables.rules import CONFLICT, ENDS_FIRST, Rule
from nbo.tables.stage import QUARANTINE, count

SHOWN_VALUES = 3
LINES_EXPECTED = {"broken line": "as many values in every line as in the header", "not UTF-8": "UTF-8 text"}
LINES_NEXT = {
    "broken line": "Quote values that hold the delimiter, or correct the line",
    "not UTF-8": "Convert the file to UTF-8",
}


def findings(engine: Embedded, queries: Sequence[SourceQuery], total: int) -> list[Violation]:
    """One violation for each rule that quarantined rows break, in the order of the contract."""
    found = list(line_findings(engine, queries[0].table.name, total))
    found += list(rule_findings(engine, queries, total))
    found += list(late_findings(engine, queries[0], total))
    return found


def rule_findings(engine: Embedded, queries: Sequence[SourceQuery], total: int) -> Iterator[Violation]:
    table, rules = queries[0].table, queries[0].rules
    counts = ", ".join(f"count(*) FILTER (bits & {1 << n} <> 0)" for n in range(len(rules)))
    broken = [column[0].as_py() for column in engine.query(f"SELECT {counts} FROM {QUARANTINE}").columns]
    for n, rule in enumerate(rules):
        if broken[n]:
            where = f"bits & {1 << n} <> 0"
            yield Violation(
                table.name,
                rule.column,
                rule.name,
                rule.expected,
                got_values(engine, queries, rule, where),
                rule.next_step,
                count=int(broken[n]),
                total=total,
                examples=example_keys(engine, where),
            )


def line_findings(engine: Embedded, table: str, total: int) -> Iterator[Violation]:
    for rule, expected in LINES_EXPECTED.items():
        where = f"reason = {literal(rule)}"
        [facts] = engine.query(
            "SELECT count(*) AS n, min(file) AS file, min(json_extract_string(raw, '$.problem')) AS problem "
            f"FROM {QUARANTINE} WHERE {where}"
        ).to_pylist()
        if facts["n"]:
            got = "other bytes" if rule == "not UTF-8" else str(facts["problem"]).strip().rstrip(".")
            yield Violation(
                table,
                None,
                rule,
                expected,
                got,
                LINES_NEXT[rule],
                count=int(facts["n"]),
                total=total,
                examples=example_keys(engine, where),
                file=str(facts["file"]),
            )


def late_findings(engine: Embedded, query: SourceQuery, total: int) -> Iterator[Violation]:
    told = {
        CONFLICT: (
            " + ".join(query.table.row_key),
            "one content for each key",
            "rows that share it and differ",
            "Keep the right row of each key",
        ),
        ENDS_FIRST: (
            "state",
            "an active row of the line by its valid_day",
            "an end or suspension before any",
            "Add the row that made the line active",
        ),
    }
    for reason, (column, expected, got, step) in told.items():
        where = f"reason = {literal(reason)}"
        broken = count(engine, f"{QUARANTINE} WHERE {where}")
        if broken:
            yield Violation(
                query.table.name,
                column,
                reason.removeprefix("state: "),
                expected,
                got,
                step,
                count=broken,
                total=total,
                examples=example_keys(engine, where),
            )


def example_keys(engine: Embedded, where: str) -> tuple[str, ...]:
    rows = engine.query(
        f"SELECT DISTINCT key FROM {QUARANTINE} WHERE {where} ORDER BY key LIMIT {MAX_EXAMPLES}"
    )
    return tuple(str(key) for key in rows.column(0).to_pylist())


def got_values(engine: Embedded, queries: Sequence[SourceQuery], rule: Rule, where: str) -> str:
    """The commonest raw values, such as ``'sideways' or 'up'``."""
    if not rule.shown:
        return "nothing"
    parts = [raw_value_sql(queries, name) for name in rule.shown]
    if len(rule.shown) > 1:
        parts = [f"{literal(name + ' ')} || {part}" for name, part in zip(rule.shown, parts, strict=True)]
    rows = engine.query(
        f"SELECT concat_ws(', ', {', '.join(parts)}) AS got, count(*) AS n FROM {QUARANTINE} WHERE {where} "
        f"GROUP BY got ORDER BY n DESC, got LIMIT {SHOWN_VALUES}"
    )
    return " or ".join(str(got)[:80] for got in rows.column(0).to_pylist())


def raw_value_sql(queries: Sequence[SourceQuery], name: str) -> str:
    """The raw value of a contract column, read back from the quarantined JSON."""
    specs = [query.source.mapped[name] for query in queries if name in query.source.mapped]
    raws = dict.fromkeys(raw for spec in specs for raw in spec.names)
    pointers = [literal("/" + raw.replace("~", "~0").replace("/", "~1")) for raw in raws]
    parts = ", ".join(f"json_extract_string(raw, {pointer})" for pointer in pointers)
    constants = [constant_text(spec.constant) for spec in specs if spec.constant is not None]
    if not parts:
        return literal(f"'{constants[0]}'" if constants else "nothing")
    return f"chr(39) || coalesce(nullif(concat_ws(' ', {parts}), ''), 'nothing') || chr(39)"
