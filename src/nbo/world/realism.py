"""How like an operator the simulated one is: figures of its raw tables beside what was aimed at."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.csv

from nbo.engine import Embedded
from nbo.errors import DataError
from nbo.world import catalog
from nbo.world.blocks import BIG_TABLES, LISTS
from nbo.world.offers import CHANNEL_IDS

__all__ = ["MEASURES", "Measure", "Reading", "opened", "readings", "realism"]

VOLUNTARY = "(" + ", ".join(f"'{reason}'" for reason in catalog.VOLUNTARY) + ")"


@dataclass(frozen=True)
class Measure:
    """A figure of the raw tables and where it should lie.

    Parameters
    ----------
    name, words : str
    sql : str
        One value; over the raw tables and the views of :func:`opened`.
    low, high : float
        What was aimed at.
    source : str
        Where the aim comes from.
    """

    name: str
    words: str
    sql: str
    low: float
    high: float
    source: str


@dataclass(frozen=True)
class Reading:
    """A measure and what was found; null where the tables do not suffice."""

    measure: Measure
    value: float | None

    @property
    def met(self) -> bool:
        """Whether the value lies where it should."""
        return self.value is not None and self.measure.low <= self.value <= self.measure.high


def ends(reasons: str) -> str:
    """Mean over the months of the share of active accounts that ended in them, for some reasons."""
    return (
        "SELECT avg(rate) FROM (SELECT avg(CASE WHEN until < month + INTERVAL 1 MONTH AND reason "
        f"{reasons} THEN 1.0 ELSE 0.0 END) AS rate FROM spans, months"
        " WHERE since <= month AND (until IS NULL OR until > month) GROUP BY month)"
    )


def response(channel: str) -> str:
    return (
        "SELECT avg(CASE WHEN outcome = 'accepted' THEN 1.0 ELSE 0.0 END) FROM contacts"
        f" WHERE channel = '{channel}'"
    )


ASKED = "the twin's requirements"
ASSUMED = "assumed"
MEASURES = (
    Measure(
        "churn", "accounts leaving by their own will, a month", ends(f"IN {VOLUNTARY}"), 0.008, 0.025, ASKED
    ),
    Measure(
        "involuntary", "accounts ended by us, a month", ends(f"NOT IN {VOLUNTARY}"), 0.0005, 0.006, ASSUMED
    ),
    Measure(
        "concentration",
        "share of revenue from the top tenth of accounts",
        "SELECT sum(paid) FILTER (place <= 0.1) / sum(paid) FROM (SELECT sum(bill_amount)::DOUBLE AS paid,"
        " percent_rank() OVER (ORDER BY sum(bill_amount) DESC) AS place FROM bills GROUP BY account_id)",
        0.50,
        0.80,
        ASKED,
    ),
    Measure(
        "calls",
        "calls of an account, a month",
        "SELECT (SELECT count(*) FROM calls)"
        " / (SELECT sum(on_month) FROM (SELECT count(*) AS on_month FROM spans, months"
        " WHERE since <= month AND (until IS NULL OR until > month) GROUP BY month))",
        150,
        450,
        "60 million calls of 20,000 accounts a year",
    ),
    Measure(
        "local_seconds",
        "median seconds of an answered local call",
        "SELECT median(duration_seconds) FROM calls WHERE destination = 'local' AND duration_seconds > 0"
        " AND access_code IS NULL",
        50,
        60,
        "the stated median, 55",
    ),
    Measure(
        "log_spread",
        "spread of log seconds of an answered local call",
        "SELECT stddev(ln(duration_seconds)) FROM calls WHERE destination = 'local' AND duration_seconds > 0"
        " AND access_code IS NULL",
        0.85,
        1.05,
        "the stated spread, 0.95",
    ),
    Measure(
        "failed",
        "share of calls that fail, busy lines among them",
        "SELECT avg(CASE WHEN duration_seconds = 0 THEN 1.0 ELSE 0.0 END) FROM calls",
        0.05,
        0.10,
        ASSUMED,
    ),
    Measure(
        "office_hours",
        "share of towers' and parks' outgoing calls from 8 to 18 h",
        "SELECT avg(CASE WHEN hour(event_time) BETWEEN 8 AND 17 THEN 1.0 ELSE 0.0 END) FROM calls"
        " WHERE direction = 'out' AND account_id IN (SELECT account_id FROM sites WHERE site_type IN"
        " ('office_tower', 'business_park'))",
        0.75,
        0.97,
        ASSUMED,
    ),
    Measure(
        "on_net",
        "share of calls within the own network",
        "SELECT avg(CASE WHEN network_id = 'own' THEN 1.0 ELSE 0.0 END) FROM calls",
        0.50,
        0.80,
        ASSUMED,
    ),
    Measure(
        "circle",
        "share of outgoing local calls to an account's five most called numbers",
        "SELECT avg(top) FROM (SELECT account_id, sum(n) FILTER (place <= 5) / sum(n) AS top FROM (SELECT"
        " account_id, count(*) AS n, row_number() OVER (PARTITION BY account_id ORDER BY count(*) DESC) AS"
        " place FROM calls WHERE direction = 'out' AND destination = 'local' AND counterparty_id IS NOT NULL"
        " AND access_code IS NULL GROUP BY account_id, counterparty_id) GROUP BY account_id"
        " HAVING sum(n) >= 50)",
        0.20,
        0.60,
        ASSUMED,
    ),
    Measure(
        "rival_codes",
        "share of accounts that called a rival's access code in the last 30 days",
        "SELECT count(DISTINCT account_id) / (SELECT count(*) FROM spans WHERE until IS NULL) FROM calls"
        " WHERE direction = 'out' AND access_code IN (SELECT access_code::VARCHAR FROM access_codes"
        " WHERE use = 'ip_voice' AND network_id <> 'own')"
        " AND event_time >= (SELECT max(event_time) FROM calls) - INTERVAL 30 DAY",
        0.06,
        0.25,
        ASSUMED,
    ),
    Measure(
        "late_settlement",
        "days until a settlement record reaches us, median",
        "SELECT median(date_diff('day', event_date, known_time::DATE)) FROM interconnect",
        10,
        30,
        "records arrive up to 35 days late",
    ),
    Measure(
        "late_payment",
        "share of payments that come late",
        "SELECT avg(CASE WHEN days_late > 0 THEN 1.0 ELSE 0.0 END) FROM payments",
        0.05,
        0.25,
        ASSUMED,
    ),
    *(
        Measure(
            f"response_{channel}",
            f"contacts accepted: {channel.replace('_', ' ')}",
            response(channel),
            0.005,
            0.15,
            ASKED,
        )
        for channel in CHANNEL_IDS
    ),
)


def realism(folder: Path) -> list[Reading]:
    """All measures of the raw tables in a folder.

    Parameters
    ----------
    folder : Path
        As :func:`nbo.world.simulate` wrote it.

    Raises
    ------
    DataError
        If the folder holds no raw tables of a simulated operator.
    """
    with opened(folder) as sql:
        return readings(sql)


def readings(sql: Embedded) -> list[Reading]:
    """All measures of tables that are :func:`opened`."""
    return [Reading(measure, read(sql, measure.sql)) for measure in MEASURES]


def read(sql: Embedded, query: str) -> float | None:
    value = sql.value(query)
    return None if value is None else float(str(value))


def opened(folder: Path) -> Embedded:
    """The raw tables as views, and two more: ``months`` (first days) and ``spans``.

    ``spans`` has a row for each account: ``since``, ``until`` (null while a line is active), ``reason``.
    """
    if not (folder / "mapping.toml").is_file():
        raise DataError(
            str(folder), "the raw tables of a simulated operator", "none", next_step="Run nbo simulate"
        )
    sql = Embedded()
    for name in BIG_TABLES:
        sql.view(name, sorted((folder / name).glob("*.parquet")))
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    for name in (*LISTS, "access_codes", "tariffs"):
        sql.register(name, pyarrow.csv.read_csv(folder / f"{name}.csv", convert_options=options))
    sql.execute(
        "CREATE TABLE spans AS WITH each_line AS (SELECT account_id, line_id, min(valid_date) FILTER"
        " (state = 'active') AS since, min(valid_date) FILTER (state = 'ended') AS until,"
        " max(reason) FILTER (state = 'ended') AS reason FROM lines GROUP BY ALL)"
        " SELECT account_id, min(since) AS since, arg_max(reason, until) AS reason,"
        " CASE WHEN count(*) = count(until) THEN max(until) END AS until"
        " FROM each_line GROUP BY account_id"
    )
    sql.execute(
        "CREATE TABLE months AS SELECT DISTINCT date_trunc('month', event_date)::DATE AS month FROM usage"
    )
    return sql
