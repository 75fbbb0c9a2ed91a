"""One measured process of the benchmark of ``nbo check``: ``check_worker.py ROLE ...``.

- ``export RAW CALLS ACCOUNTS DAYS``: the invented calls as an operator's files, one for each day of arrival;
- ``start``: import what a check does, no more;
- ``scan FILE TIMES``: one query that reads every column of a file, so many times;
- ``check RAW STORE``: :func:`nbo.tables.check_tables`, as ``nbo check`` runs it.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from generated_calls import END_DAY, Size, calls_sql, state_tables

from nbo.asof import date_of
from nbo.engine import Embedded, literal
from nbo.tables import check_tables, load_mapping

KEY = b"benchmark" * 4
COLUMNS = """call_id, account_id, line_id, direction, counterparty_id, network_id, access_code, destination,
  duration_seconds, TIMESTAMP '1970-01-01' + to_seconds(event_day * 86400 + event_second) AS event_time,
  DATE '1970-01-01' + known_day AS known_time"""
STATE_DAYS = {"valid_day": "valid_date", "known_day": "known_time"}


def export(raw: Path, size: Size) -> None:
    """What had arrived by :data:`END_DAY`; the late rows of a day are in the file of their arrival."""
    (raw / "calls").mkdir(parents=True)
    with Embedded(memory_limit="4GiB", spill_folder=raw.with_name("spill")) as engine:
        engine.execute(f"CREATE TABLE generated AS {calls_sql(size)}")
        for day in range(size.first_day + 1, END_DAY + 1):
            path = raw / "calls" / f"{date_of(day)}.parquet"
            engine.write_parquet(f"SELECT {COLUMNS} FROM generated WHERE known_day = {day}", path)
    for name, rows in {**state_tables(size), "accounts": accounts(size)}.items():
        (raw / name).mkdir()
        pq.write_table(dated(rows), raw / name / "all.parquet")


def accounts(size: Size) -> pa.Table:
    """All known before the first call."""
    ids, day = [f"A{number:07d}" for number in range(size.accounts)], size.first_day - 400
    columns = {"account_id": ids, "kind": ["company"] * size.accounts}
    days = {name: pa.array([day] * size.accounts, pa.int32()) for name in STATE_DAYS}
    return pa.table({**columns, **days})


def dated(rows: pa.Table) -> pa.Table:
    """With dates in place of days since 1970, under the names that files have."""
    for place, name in enumerate(rows.column_names):
        if name in STATE_DAYS:
            rows = rows.set_column(place, STATE_DAYS[name], rows[name].cast(pa.date32()))
    return rows


def main(arguments: list[str]) -> int:
    role, *rest = arguments
    if role == "export":
        export(Path(rest[0]), Size(*map(int, rest[1:])))
    elif role == "scan":
        with Embedded() as engine:
            path = literal(rest[0])
            names = pq.read_schema(rest[0]).names
            for _ in range(int(rest[1])):
                engine.query(
                    f"SELECT {', '.join(f'max({name})' for name in names)} FROM read_parquet({path})"
                )
    elif role == "check":
        raw, store = map(Path, rest)
        report = check_tables(raw, store, load_mapping(None, raw), key=KEY, progress=print)
        if not report.ok:
            print(*(violation.line for violation in report.violations), sep="\n")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
