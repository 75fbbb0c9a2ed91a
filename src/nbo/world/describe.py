"""What was generated, as a page: figures beside what was aimed at, pictures of calls, money and leaving."""

from collections.abc import Sequence
from pathlib import Path

from nbo.engine import Embedded
from nbo.report.blocks import Chart, Grid, Section, Text
from nbo.report.page import render_page
from nbo.report.plain_charts import columns_svg, curve_svg
from nbo.world.realism import Reading, opened, readings

__all__ = ["describe"]

ANSWERED_LOCAL = "destination = 'local' AND duration_seconds > 0 AND access_code IS NULL"


def describe(folder: Path, scenario: str) -> tuple[str, list[Reading]]:
    """The page about a folder of raw tables, and the figures on it.

    Parameters
    ----------
    folder : Path
        As :func:`nbo.world.simulate` wrote it.
    scenario : str
        What happened in it, in words.

    Returns
    -------
    str
        HTML; the same tables give the same text.
    list of Reading
    """
    with opened(folder) as sql:
        found = readings(sql)
        sections = [
            Section("figures", "Figures and what was aimed at", (Text(scenario), figures_grid(found))),
            Section("calls", "Calls", (by_hour(sql), by_day(sql), durations(sql))),
            Section("money", "Money", (concentration(sql),)),
            Section("leaving", "Leaving", (leavers(sql), rival_codes(sql))),
        ]
        counted = sql.query("SELECT count(*) AS n, count(DISTINCT account_id) AS accounts FROM calls")
    calls, accounts = counted["n"][0].as_py(), counted["accounts"][0].as_py()
    met = sum(reading.met for reading in found)
    key = [(f"{accounts:,}", "accounts that call"), (f"{calls:,}", "calls")]
    key.append((f"{met} of {len(found)}", "figures where they should be"))
    return render_page("A simulated operator", sections, key), found


def figures_grid(found: Sequence[Reading]) -> Grid:
    rows = tuple(
        (
            reading.measure.words,
            "not measured" if reading.value is None else f"{reading.value:,.4g}",
            f"{reading.measure.low:,g} to {reading.measure.high:,g}",
            "yes" if reading.met else "no",
            reading.measure.source,
        )
        for reading in found
    )
    headings = ("figure", "measured", "aimed at", "met", "source of the aim")
    return Grid("Figures of the raw tables", headings, rows, prose=frozenset({0, 3, 4}))


def columns(sql: Embedded, name: str, title: str, query: str, below: str, beside: str) -> Chart:
    """A chart of a query that gives names (``x``) and numbers (``y``)."""
    rows = [(str(row["x"]), float(row["y"])) for row in sql.query(query).to_pylist()]
    grid = Grid(title, (below, beside), tuple((x, f"{y:,.4g}") for x, y in rows), folded=True)
    return Chart.of(columns_svg(name, title, rows or [("none", 0.0)], below=below, beside=beside), grid)


def by_hour(sql: Embedded) -> Chart:
    query = (
        "SELECT hour(event_time) AS x, count(*) / (SELECT count(*) FROM calls) AS y FROM calls"
        " GROUP BY 1 ORDER BY 1"
    )
    return columns(sql, "hours", "Calls by hour of the day", query, "hour", "share of all calls")


def by_day(sql: Embedded) -> Chart:
    query = (
        "SELECT date_diff('day', (SELECT min(month) FROM months), day) AS x, count(event_time) AS y FROM"
        " (SELECT DISTINCT event_date AS day FROM usage) LEFT JOIN calls ON event_time::DATE = day"
        " GROUP BY day ORDER BY 1"
    )
    points = [(float(row["x"]), float(row["y"])) for row in sql.query(query).to_pylist()]
    title = "Calls by day of the run"
    svg = curve_svg("days", title, points, below="day", beside="calls")
    rows = tuple((f"{x:.0f}", f"{y:,.0f}") for x, y in points)
    return Chart.of(svg, Grid(title, ("day", "calls"), rows, folded=True))


def durations(sql: Embedded) -> Chart:
    query = (
        "SELECT CAST(2 ** floor(log2(duration_seconds)) AS BIGINT) AS x, count(*) / (SELECT count(*) FROM"
        f" calls WHERE {ANSWERED_LOCAL}) AS y FROM calls WHERE {ANSWERED_LOCAL} GROUP BY 1 ORDER BY 1"
    )
    return columns(sql, "durations", "How long local calls last", query, "seconds, from", "share of them")


def concentration(sql: Embedded) -> Chart:
    query = (
        "SELECT round(place, 2) AS x, max(paid) AS y FROM (SELECT percent_rank() OVER (ORDER BY total DESC)"
        " AS place, sum(total) OVER (ORDER BY total DESC ROWS UNBOUNDED PRECEDING) / sum(total) OVER () AS"
        " paid FROM (SELECT sum(bill_amount)::DOUBLE AS total FROM bills GROUP BY account_id)) GROUP BY 1"
        " ORDER BY 1"
    )
    points = [(float(row["x"]), float(row["y"])) for row in sql.query(query).to_pylist()] or [(0.0, 0.0)]
    title = "Revenue of the largest accounts"
    words = ("share of the accounts, largest first", "share of revenue")
    svg = curve_svg("revenue", title, points, below=words[0], beside=words[1], even=True)
    rows = tuple((f"{x:.0%}", f"{y:.1%}") for x, y in points[::10])
    return Chart.of(svg, Grid(title, words, rows, folded=True))


def leavers(sql: Embedded) -> Chart:
    query = (
        "SELECT strftime(date_trunc('month', until), '%Y-%m') AS x, count(*) AS y FROM spans"
        " WHERE until >= (SELECT min(month) FROM months) GROUP BY 1 ORDER BY 1"
    )
    return columns(sql, "leavers", "Accounts that ended, by month", query, "month", "accounts")


def rival_codes(sql: Embedded) -> Chart:
    query = (
        "SELECT strftime(date_trunc('month', event_time), '%Y-%m') AS x, sum(CASE WHEN access_code IN (SELECT"
        " access_code::VARCHAR FROM access_codes WHERE use = 'ip_voice' AND network_id <> 'own') THEN 1 ELSE"
        " 0 END) / count(*) AS y FROM calls WHERE direction = 'out' GROUP BY 1 ORDER BY 1"
    )
    title = "Outgoing calls to rivals' access codes, by month"
    return columns(sql, "codes", title, query, "month", "share of outgoing calls")
