"""A known data set end to end: totals in the store equal those counted from the raw files."""

import math
import os
from pathlib import Path

import pandas as pd
import pytest

from nbo.tables import Store, check_tables, load_mapping

ROOT = Path(__file__).parents[2]


def raw_folder() -> Path | None:
    named = os.environ.get("NBO_BENCH_DATA")
    folder = (Path(named) if named else ROOT.parent / "shared" / "data") / "megaline"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="module")
def raw() -> Path:
    folder = raw_folder()
    if folder is None:
        pytest.skip("needs the megaline data: set NBO_BENCH_DATA, or put them in ../shared/data")
    return folder


@pytest.fixture(scope="module")
def store(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    out = tmp_path_factory.mktemp("megaline") / "store"
    report = check_tables(raw, out, load_mapping("megaline", raw), key=b"k" * 32)
    assert report.ok, [violation.line for violation in report.violations]
    return Store.open(out)


def month_of(day: str) -> str:
    return f"strftime(DATE '1970-01-01' + {day}, '%Y-%m')"


def stored_totals(store: Store) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """(user, month) to calls, billed minutes, bytes, messages."""
    with store.connect() as engine:
        rows = engine.query(
            f"""
            SELECT account_id, month, sum(calls) AS calls, sum(minutes) AS minutes, sum(size) AS size,
                   sum(messages) AS messages
            FROM (SELECT account_id, {month_of("event_day")} AS month, 1 AS calls,
                         (duration_seconds + 59) // 60 AS minutes, 0 AS size, 0 AS messages FROM calls
                  UNION ALL
                  SELECT account_id, {month_of("event_day")}, 0, 0, coalesce(data_bytes, 0),
                         CASE WHEN service = 'message' THEN sessions_count ELSE 0 END FROM usage)
            GROUP BY ALL
            """
        ).to_pylist()
    return {
        (r["account_id"], r["month"]): (
            int(r["calls"]),
            int(r["minutes"]),
            int(r["size"]),
            int(r["messages"]),
        )
        for r in rows
    }


def raw_totals(raw: Path) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    parts = []
    for name, date_column in (
        ("calls", "call_date"),
        ("internet", "session_date"),
        ("messages", "message_date"),
    ):
        frame = pd.read_csv(raw / f"{name}.csv.gz", dtype={"user_id": str})
        month = pd.to_datetime(frame[date_column], format="%m/%d/%Y").dt.strftime("%Y-%m")
        nothing = pd.Series(0, index=frame.index)
        hundredths = (frame["duration"] * 100).round().astype(int) if name == "calls" else nothing
        parts.append(
            pd.DataFrame(
                {
                    "user": frame["user_id"],
                    "month": month,
                    "calls": int(name == "calls"),
                    "minutes": -(-hundredths // 100),
                    "size": (frame["mb_used"] * 100).round().astype(int) * 10_000
                    if name == "internet"
                    else nothing,
                    "messages": int(name == "messages"),
                }
            )
        )
    sums = pd.concat(parts).groupby(["user", "month"])[["calls", "minutes", "size", "messages"]].sum()
    return {key: tuple(int(v) for v in row) for key, row in zip(sums.index, sums.to_numpy(), strict=True)}


def cost(plan: "pd.Series[float]", minutes: int, size: int, messages: int) -> float:
    """Fee and overage of a month: minutes a call rounded up, megabytes a month to gigabytes."""
    over_minutes = max(0, minutes - int(plan["minutes_included"]))
    over_messages = max(0, messages - int(plan["messages_included"]))
    over_bytes = max(0, size - int(plan["mb_per_month_included"]) * 1_000_000)
    gigabytes = math.ceil(over_bytes / 1_024_000_000)
    return round(
        plan["usd_monthly_pay"]
        + over_minutes * plan["usd_per_minute"]
        + over_messages * plan["usd_per_message"]
        + gigabytes * plan["usd_per_gb"],
        2,
    )


def test_monthly_totals_of_every_user_are_those_of_the_raw_files(store: Store, raw: Path):
    found, expected = stored_totals(store), raw_totals(raw)
    assert len(found) > 2_000
    assert found == expected


@pytest.mark.parametrize("plan_name", ["surf", "ultimate"])
def test_billed_cost_under_a_plan_is_that_of_the_raw_files(store: Store, raw: Path, plan_name: str):
    plan = pd.read_csv(raw / "plans.csv.gz").set_index("plan_name").loc[plan_name]
    found = {key: cost(plan, *totals[1:]) for key, totals in stored_totals(store).items()}
    calls = pd.read_csv(raw / "calls.csv.gz", dtype={"user_id": str})
    internet = pd.read_csv(raw / "internet.csv.gz", dtype={"user_id": str})
    messages = pd.read_csv(raw / "messages.csv.gz", dtype={"user_id": str})
    for frame, column in ((calls, "call_date"), (internet, "session_date"), (messages, "message_date")):
        frame["month"] = pd.to_datetime(frame[column], format="%m/%d/%Y").dt.strftime("%Y-%m")
    calls["minutes"] = (calls["duration"].round(2)).apply(math.ceil)
    wide = pd.concat(
        [
            calls.groupby(["user_id", "month"])["minutes"].sum(),
            internet.groupby(["user_id", "month"])["mb_used"].sum(),
            messages.groupby(["user_id", "month"])["id"].count(),
        ],
        axis=1,
    ).fillna(0)
    fee = (
        plan["usd_monthly_pay"]
        + (wide["minutes"] - plan["minutes_included"]).clip(lower=0) * plan["usd_per_minute"]
    )
    fee += (wide["id"] - plan["messages_included"]).clip(lower=0) * plan["usd_per_message"]
    over = (wide["mb_used"].round(2) - plan["mb_per_month_included"]).clip(lower=0) / 1024
    fee += over.apply(math.ceil) * plan["usd_per_gb"]
    expected = {key: round(float(value), 2) for key, value in fee.items()}
    assert found == pytest.approx(expected, abs=0.005)


def test_users_are_accounts_with_one_line_that_may_end(store: Store, raw: Path):
    users = pd.read_csv(raw / "users.csv.gz")
    with store.connect() as engine:
        states = engine.query(
            "SELECT state, count(*) AS n FROM lines GROUP BY state ORDER BY state"
        ).to_pylist()
        fees = engine.query(
            "SELECT plan_kind, min(fee_amount) AS low, max(fee_amount) AS high FROM contracts "
            "GROUP BY 1 ORDER BY 1"
        ).to_pylist()
    assert states == [
        {"state": "active", "n": len(users)},
        {"state": "ended", "n": users["churn_date"].count()},
    ]
    assert fees == [
        {"plan_kind": "surf", "low": 2000, "high": 2000},
        {"plan_kind": "ultimate", "low": 7000, "high": 7000},
    ]
    assert not store.has("calls", "direction")
    assert str(store.latest) == "2019-01-01"
