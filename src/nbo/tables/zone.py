"""Instants to days: the arithmetic of one time zone as SQL.

A day of the operator's zone may have 23 or 25 hours. Those days, and the instants at which they
begin, are looked up once; on every other day the clock on the wall is the time elapsed.
"""

from dataclasses import dataclass

from nbo.engine import Embedded
from nbo.engine.embedded import literal
from nbo.errors import UsageError
from nbo.tables.contract import close_matches
from nbo.tables.sources import RawType

DAY_US = 86_400_000_000
CALENDAR_DAYS = 47_482
"""Days from 1970-01-01 to 2099-12-31, the span that dates of facts must lie in."""


@dataclass(frozen=True)
class Zone:
    """A zone and its irregular days: day number to (start as an instant, length), both in µs."""

    name: str
    irregular: dict[int, tuple[int, int]]

    @classmethod
    def read(cls, engine: Embedded, name: str) -> "Zone":
        """Look a zone up by its IANA name; :class:`UsageError` with close matches."""
        names = [str(n) for n in engine.query("SELECT name FROM pg_timezone_names()").column(0).to_pylist()]
        if name not in names:
            raise UsageError(f"zone: expected an IANA time zone, got {name!r}{close_matches(name, names)}")
        return cls(name, irregular_days(engine, name))

    def local(self, value: str, kind: RawType, format_: str | None) -> str:
        """The clock on the wall, a timestamp without offset; null where the value is no time."""
        if kind == "date" or kind == "timestamp":
            found = f"CAST({value} AS TIMESTAMP)"
        elif kind == "instant":
            found = f"timezone({literal(self.name)}, {value})"
        elif kind != "text":
            return "CAST(NULL AS TIMESTAMP)"
        elif format_ is not None:
            parsed = f"try_strptime({value}, {literal(format_)})"
            found = f"timezone({literal(self.name)}, {parsed})" if has_offset(format_) else parsed
        else:
            found = (
                f"CASE WHEN {offset_sql(value)} THEN timezone({literal(self.name)}, "
                f"TRY_CAST({value} AS TIMESTAMPTZ)) ELSE TRY_CAST({value} AS TIMESTAMP) END"
            )
        return f"CASE WHEN isfinite({found}) THEN {found} END"

    def elapsed(self, value: str, kind: RawType, format_: str | None, local: str) -> str:
        """Microseconds since the 00:00 of ``local``'s day."""
        day = day_sql(local)
        plain = f"epoch_us({local}) - {day}::BIGINT * {DAY_US}"
        if not self.irregular:
            return plain
        days = ", ".join(str(d) for d in self.irregular)
        starts = ", ".join(str(start) for start, _ in self.irregular.values())
        instant = self.instant(value, kind, format_, local)
        offset = offset_sql(value) if kind == "text" and format_ is None else "false"
        aware = kind == "instant" or (kind == "text" and format_ is not None and has_offset(format_))
        # The midnight of a clock without offset is where the day begins, also where it comes twice.
        midnight = "false" if aware else f"(NOT {offset} AND {local} = date_trunc('day', {local}))"
        return (
            f"CASE WHEN {day} IN ({days}) THEN CASE WHEN {midnight} THEN 0 ELSE "
            f"epoch_us({instant}) - map([{days}], [{starts}])[{day}] END ELSE {plain} END"
        )

    def instant(self, value: str, kind: RawType, format_: str | None, local: str) -> str:
        placed = f"timezone({literal(self.name)}, {local})"
        if kind == "instant":
            return value
        if kind == "text" and format_ is not None and has_offset(format_):
            return f"try_strptime({value}, {literal(format_)})"
        if kind == "text" and format_ is None:
            return f"CASE WHEN {offset_sql(value)} THEN TRY_CAST({value} AS TIMESTAMPTZ) ELSE {placed} END"
        return placed

    def day_seconds(self, day: str) -> str:
        """The length of a day in seconds."""
        if not self.irregular:
            return "86400"
        days = ", ".join(str(d) for d in self.irregular)
        lengths = ", ".join(str(length // 1_000_000) for _, length in self.irregular.values())
        return f"CASE WHEN {day} IN ({days}) THEN map([{days}], [{lengths}])[{day}] ELSE 86400 END"


def irregular_days(engine: Embedded, name: str) -> dict[int, tuple[int, int]]:
    # Where midnight itself comes twice the engine takes the second; a day begins with the first.
    zone = literal(name)
    engine.execute("SET TimeZone = 'UTC'")
    rows = engine.query(
        "WITH midnights AS (SELECT d, timezone("
        + zone
        + ", (DATE '1970-01-01' + d::INTEGER)::TIMESTAMP) AS m "
        f"FROM range({CALENDAR_DAYS + 2}) t(d)), starts AS (SELECT d, epoch_us(CASE WHEN "
        f"CAST(timezone({zone}, m - INTERVAL 1 HOUR) AS DATE) = DATE '1970-01-01' + d::INTEGER "
        "THEN m - INTERVAL 1 HOUR ELSE m END) AS s FROM midnights), "
        "lengths AS (SELECT d, s, lead(s) OVER (ORDER BY d) - s AS n FROM starts) "
        f"SELECT d, s, n FROM lengths WHERE n <> {DAY_US} ORDER BY d"
    ).to_pylist()
    return {int(row["d"]): (int(row["s"]), int(row["n"])) for row in rows}


def day_sql(local: str) -> str:
    """The day number of a timestamp without offset."""
    return f"date_diff('day', DATE '1970-01-01', CAST({local} AS DATE))"


def has_offset(format_: str) -> bool:
    return "%z" in format_ or "%Z" in format_


def has_time(format_: str) -> bool:
    """Whether a strptime format reads a time of day.

    Examples
    --------
    >>> has_time("%m/%d/%Y"), has_time("%d.%m.%Y %H:%M")
    (False, True)
    """
    return any(mark in format_ for mark in ("%H", "%I", "%-H", "%-I", "%c", "%X"))


def offset_sql(text: str) -> str:
    """Whether an ISO text carries an offset (``Z``, ``+08:00``, ``-05``) after its time."""
    tail = f"substr({text}, 12)"
    return f"(length({text}) > 11 AND ({tail} LIKE '%Z' OR contains({tail}, '+') OR contains({tail}, '-')))"
