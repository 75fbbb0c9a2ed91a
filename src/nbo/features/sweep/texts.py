"""What a relation's text asks of a table's rows, read back from the text itself.

The text stays the one definition of a feature: what is read here is what :mod:`nbo.features.relations`
wrote. A text of another shape, or one in which a row tells different things at different dates, is not
read, and SQL computes it as it stands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbo.asof import visible_sql

AS_OF = "$as_of"

ROWS = re.compile(
    r"SELECT account_id, (?P<items>.+) FROM (?P<table>\w+) WHERE (?P<event>\w+) < \$as_of AND known_day <= "
    r"\$as_of AND (?P=event) >= \$as_of - (?P<longest>\d+) AND \$accounts(?: AND \w+ IS NOT NULL)?"
)
TOTALS = re.compile(
    r"  SELECT account_id, (?P<windows>.+) FROM \(\n    SELECT account_id, bucket, (?P<partials>.+) FROM \(\n"
    r"      (?P<rows>.+)\)\n    GROUP BY account_id, bucket\)\n  GROUP BY account_id"
)
TALLIES = re.compile(
    r"  SELECT account_id, (?P<told>.+) FROM \(\n    SELECT account_id, (?P<column>\w+), (?P<groups>.+) FROM "
    r"\(\n      (?P<rows>.+?)\)(?: WHERE (?P<only>c\d+(?: OR c\d+)*))?\n"
    r"    GROUP BY account_id, (?P=column)\)\n  GROUP BY account_id"
)
EDGE = re.compile(r"WHEN \w+ >= \$as_of - (\d+) THEN \d+")
PARTIAL = re.compile(r"(count|sum|max|min)\((.+?)\)(?: FILTER \(WHERE (c\d+)\))?")
WINDOW = re.compile(r"(?:sum|max|min)\(p(\d+)\)(?: FILTER \(WHERE bucket <= (\d+)\))?")
MARKS = re.compile(r"bit_or\(CAST\(.+ AS BIGINT\) \* \((.+)\)\)")
FACTOR = re.compile(r"CASE WHEN (c\d+) THEN (\d+) ELSE 0 END|(\d+)")
ROWS_SO_FAR = re.compile(r"count\(\*\) FILTER \(WHERE bucket <= (\d+)(?: AND (c\d+))?\)")
SEEN = re.compile(
    r"count\(\*\) FILTER \(WHERE \((m\d+) & (\d+)\) <> 0(?: AND (NOT )?\((m\d+) & (\d+)\) <> 0)?\)"
)
LOGS = re.compile(r"sum\((CAST\(floor\((n\d+_\d+) \* ln\(greatest\(\2, 1\)\) .+ AS BIGINT\))\)")
ROW_TALLIES = {
    "rows": re.compile(r"sum\((n\d+_\d+)\)"),
    "most": re.compile(r"max\((n\d+_\d+)\)"),
    "squares": re.compile(r"sum\((n\d+_\d+) \* \1\)"),
    "before": re.compile(r"sum\((n\d+_\d+) - (n\d+_\d+)\)"),
    "fall": re.compile(r"max\((n\d+_\d+) - 2 \* (n\d+_\d+)\)"),
}


class Unread(Exception):  # noqa: N818 - no error: SQL computes the relation
    """The text is none that a sweep can compute."""


@dataclass(frozen=True)
class Rows:
    """The rows of a relation, and how old they are told to be.

    Parameters
    ----------
    table, event : str
        The table and the column of the day on which a row happened.
    edges : tuple of int
        Ascending ages in days: a bucket holds those up to its edge, and rows older than the last are out.
    """

    table: str
    event: str
    edges: tuple[int, ...]


@dataclass(frozen=True)
class Partial:
    """An aggregate of the rows of an account and bucket.

    Parameters
    ----------
    kind : str
        ``count`` (of rows), ``present`` (of rows with the measure), ``sum``, ``max`` or ``min``.
    measure : str
        SQL over a row; empty for ``count``.
    flag : str
        SQL of the rows that count; empty where all do.
    """

    kind: str
    measure: str
    flag: str

    @property
    def reads_measure(self) -> bool:
        """Whether it needs the measure's values, not only to know where there is one."""
        return self.kind in ("sum", "max", "min")


@dataclass(frozen=True)
class Totals:
    """Aggregates over windows: by window its name, its partial and its last bucket."""

    name: str
    rows: Rows
    partials: tuple[Partial, ...]
    windows: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Mark:
    """Where a row sets bits: in which mask, from which bit on, and for which rows."""

    mask: int
    first: int
    flag: str


@dataclass(frozen=True)
class Told:
    """One number told of an account's groups by value.

    Parameters
    ----------
    kind : str
        ``seen`` counts groups by their masks; the others are made of numbers of rows, as
        :data:`nbo.features.relations.Tally` says.
    numbers : tuple of int
        Of ``seen``: mask and bits, then of a second mask the same and whether it must have none of them.
        Of others: which numbers of rows.
    """

    name: str
    kind: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Tallies:
    """What is told of the values of a column, by account.

    Parameters
    ----------
    only : tuple of str
        SQL of rows of which one must hold; empty = every row.
    marks : tuple of Mark
    counts : tuple of (str, int)
        Numbers of rows that each group keeps: which rows, empty = all, and up to which bucket.
    logs : str
        The SQL of n ln n over a column ``n``; empty where nothing asks for it.
    """

    name: str
    rows: Rows
    column: str
    only: tuple[str, ...]
    marks: tuple[Mark, ...]
    counts: tuple[tuple[str, int], ...]
    told: tuple[Told, ...]
    logs: str


Asked = Totals | Tallies


def asked_of(name: str, text: str) -> Asked | None:
    """What a relation's text asks for; None where a sweep cannot compute it.

    Parameters
    ----------
    name, text : str
        As :func:`nbo.features.stages.parted` gives them; the parameters but ``$as_of`` and ``$accounts``
        have their values.
    """
    try:
        if found := TOTALS.fullmatch(text):
            return totals_of(name, found)
        if found := TALLIES.fullmatch(text):
            return tallies_of(name, found)
    except Unread:
        pass
    return None


def totals_of(name: str, found: re.Match[str]) -> Totals:
    rows, flags = rows_of(found["rows"])
    partials = {}
    for text, label in labelled(found["partials"]):
        kind, measure, flag = whole_match(PARTIAL, text).groups()
        counted = "present" if kind == "count" and measure != "*" else kind
        partials[label] = Partial(counted, "" if measure == "*" else measure, flags[flag] if flag else "")
    places = {label: number for number, label in enumerate(partials)}
    windows = []
    for text, label in labelled(found["windows"]):
        partial, last = whole_match(WINDOW, text).groups()
        windows.append((label, places[f"p{partial}"], int(last) if last else len(rows.edges) - 1))
    return Totals(name, rows, tuple(partials.values()), tuple(windows))


def tallies_of(name: str, found: re.Match[str]) -> Tallies:
    rows, flags = rows_of(found["rows"])
    masks: list[str] = []
    marks: list[Mark] = []
    counts: dict[str, tuple[str, int]] = {}
    for text, label in labelled(found["groups"]):
        if same := ROWS_SO_FAR.fullmatch(text):
            counts[label] = (flags[same[2]] if same[2] else "", int(same[1]))
            continue
        for factor in whole_match(MARKS, text)[1].split(" + "):
            flag, power, always = whole_match(FACTOR, factor).groups()
            first = int(power or always).bit_length() - 1
            marks.append(Mark(len(masks), first, flags[flag] if flag else ""))
        masks.append(label)
    told, logs = [], ""
    for text, label in labelled(found["told"]):
        if same := LOGS.fullmatch(text):
            logs = same[1].replace(same[2], "n")
        told.append(told_of(text, label, masks, list(counts)))
    only = tuple(flags[flag] for flag in found["only"].split(" OR ")) if found["only"] else ()
    return Tallies(name, rows, found["column"], only, tuple(marks), tuple(counts.values()), tuple(told), logs)


def told_of(text: str, label: str, masks: list[str], counts: list[str]) -> Told:
    if same := SEEN.fullmatch(text):
        mask, bits, without, other, others = same.groups()
        second = (masks.index(other), int(others), int(bool(without))) if other else (0, 0, 1)
        return Told(label, "seen", (masks.index(mask), int(bits), *second))
    if same := LOGS.fullmatch(text):
        return Told(label, "logs", (counts.index(same[2]),))
    for kind, shape in ROW_TALLIES.items():
        if same := shape.fullmatch(text):
            return Told(label, kind, tuple(counts.index(number) for number in same.groups()))
    raise Unread(text)


def rows_of(text: str) -> tuple[Rows, dict[str, str]]:
    """The rows, and the SQL of their flags by name."""
    found = whole_match(ROWS, text)
    flags, edges = {}, []
    for item, label in labelled(found["items"]):
        if label == "bucket":
            edges = [int(edge) for edge in EDGE.findall(item)]
        elif AS_OF in item:
            raise Unread(item)
        elif item != label:
            flags[label] = item
    return Rows(found["table"], found["event"], (*edges, int(found["longest"]))), flags


def visible_rows(event: str, longest: int, first: int, last: int) -> str:
    """A predicate: rows that may be visible, and at most so old, at a date from ``first`` to ``last``."""
    seen = visible_sql(event).replace(AS_OF, str(last))
    return f"{seen} AND {event} >= {first - longest} AND account_id IS NOT NULL"


def labelled(text: str) -> Iterator[tuple[str, str]]:
    """Items of a SELECT with the name of each."""
    for item in items(text):
        expression, _, label = item.rpartition(" AS ")
        yield (expression, label) if expression else (item, item)


def items(text: str) -> list[str]:
    """What commas part that stand in no bracket and no string.

    Examples
    --------
    >>> items("a, f(b, c) AS d, e IN ('x, (', 'y') AS g")
    ['a', 'f(b, c) AS d', "e IN ('x, (', 'y') AS g"]
    """
    found, depth, start, quoted = [], 0, 0, False
    for place, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif not quoted:
            depth += (letter == "(") - (letter == ")")
            if letter == "," and not depth:
                found.append(text[start:place])
                start = place + 2
    return [*found, text[start:]]


def whole_match(shape: re.Pattern[str], text: str) -> re.Match[str]:
    found = shape.fullmatch(text)
    if found is None:
        raise Unread(text)
    return found
