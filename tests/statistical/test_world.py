"""Whether the demo operator behaves like an operator: rates, concentration, traces.

One world of 3,000 accounts over 10 months with a fixed seed. The seed makes every result repeatable;
the false-alarm rate beside a bound is the chance that a *fresh* seed would break it although nothing
is wrong, from the standard error stated there (normal approximation, rounded up).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from nbo.engine import Embedded
from nbo.world import TUNING, WorldConfig, simulate
from nbo.world.life import Life, live

CONFIG = WorldConfig(accounts=3000, months=10, seed=17)
VOLUNTARY = "('price', 'service', 'rival_offer', 'contract_end', 'moved', 'customer_request')"


@dataclass(frozen=True)
class World:
    sql: Embedded
    lives: list[Life]

    def value(self, query: str) -> float:
        return float(str(self.sql.value(query)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world") / "raw"
    simulate(CONFIG, folder, lambda _: None)
    with Embedded() as sql:
        for name in ("calls", "interconnect", "usage"):
            sql.view(name, sorted((folder / name).glob("*.parquet")))
        for path in sorted(folder.glob("*.csv")):
            sql.register(path.stem, read_csv(path))
        sql.execute(
            "CREATE TABLE spans AS WITH each_line AS (SELECT account_id, line_id, min(valid_date) FILTER"
            " (state = 'active') AS since, min(valid_date) FILTER (state = 'ended') AS until,"
            " max(reason) FILTER (state = 'ended') AS reason FROM lines GROUP BY ALL)"
            " SELECT account_id, min(since) AS since, arg_max(reason, until) AS reason,"
            " CASE WHEN count(*) = count(until) THEN max(until) END AS until"
            " FROM each_line GROUP BY account_id"
        )
        yield World(sql, [live(chunk, CONFIG, TUNING) for chunk in CONFIG.chunks])


def read_csv(path: Path) -> pa.Table:
    return pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))


def monthly_rate(world: World, reasons: str) -> float:
    """Accounts that ended in a month among those active at its start, mean over the months."""
    return world.value(
        "SELECT avg(rate) FROM (SELECT avg(CASE WHEN until < month + INTERVAL 1 MONTH AND reason IN "
        f"{reasons} THEN 1.0 ELSE 0.0 END) AS rate FROM spans, (SELECT unnest(generate_series("
        "DATE '2024-01-01', DATE '2024-10-01', INTERVAL 1 MONTH))::DATE AS month)"
        " WHERE since <= month AND (until IS NULL OR until > month) GROUP BY month)"
    )


def test_monthly_voluntary_churn_is_an_operators(world: World) -> None:
    # About 330 events: standard error 0.06 points around 1.1 %. Bounds 5 errors away: < 1e-6.
    assert 0.008 < monthly_rate(world, VOLUNTARY) < 0.025


def test_involuntary_ends_are_the_smaller_part(world: World) -> None:
    # About 65 events: standard error 0.03 points around 0.24 %. Bounds 4 errors away: < 1e-4.
    rate = monthly_rate(world, "('non_payment', 'bankruptcy', 'removal', 'fraud')")
    assert 0.001 < rate < 0.006


def test_a_tenth_of_the_accounts_brings_half_of_the_revenue(world: World) -> None:
    # Seeds gave 0.48 to 0.51 at this size; standard error 0.012. Bound about 3 errors away: < 0.01.
    share = world.value(
        "SELECT sum(paid) FILTER (place <= 0.1) / sum(paid) FROM (SELECT sum(bill_amount)::DOUBLE AS paid,"
        " percent_rank() OVER (ORDER BY sum(bill_amount) DESC) AS place FROM bills GROUP BY account_id)"
    )
    assert 0.45 < share < 0.65


def test_mean_calls_per_account_and_month(world: World) -> None:
    # Heavy tail: standard error 4 around 73. Bounds 3 errors away: < 0.01.
    mean = world.value("SELECT count(*) / 3000 / 10 FROM calls")
    assert 60 < mean < 100


@pytest.mark.parametrize("month", [0, 5, 9])
def test_about_a_tenth_leaks_at_any_time(world: World, month: int) -> None:
    day = CONFIG.month_starts[month]
    leaking = np.concatenate(
        [
            life.leak[(life.population.join <= day) & (life.end > day), (day - life.first_day) // 7] > 0.05
            for life in world.lives
        ]
    )
    # Standard error 0.6 points, with tower contagion about 0.8. Bounds 2 errors from 0.08 and 0.15: < 0.05.
    assert 0.065 < leaking.mean() < 0.165


def test_seen_leakers_dial_the_rival_and_lose_distance_but_not_local(world: World) -> None:
    leak = np.concatenate([life.leak for life in world.lives])
    seen = np.concatenate([life.seen for life in world.lives])
    stays = np.concatenate([life.end > CONFIG.end_day for life in world.lives])
    old = np.concatenate([life.population.join < CONFIG.first_day for life in world.lives])
    first = (CONFIG.first_day - world.lives[0].first_day) // 7
    became = (leak[:, first : first + 9].max(axis=1) == 0) & (leak[:, -5:].min(axis=1) > 0.4) & stays & old
    chosen = np.flatnonzero(became & seen[:, -1])
    loyal = np.flatnonzero((leak[:, first:].max(axis=1) == 0) & stays & old)
    assert len(chosen) > 25
    # Ratios of sums over > 25 accounts; each account's own drift gives a standard error near 0.08.
    # Distance halves (4 errors from 0.85), local keeps within 4 errors of 1: < 0.001.
    assert change(world, chosen, "'national', 'hkmt', 'international'") < 0.85 * change(
        world, loyal, "'national', 'hkmt', 'international'"
    )
    assert 0.68 < change(world, chosen, "'local'") / change(world, loyal, "'local'") < 1.32
    assert rival_calls(world, chosen) > 5 * rival_calls(world, loyal)


def names(accounts: np.ndarray) -> str:
    return ", ".join(f"'A{account:07d}'" for account in accounts)


def change(world: World, accounts: np.ndarray, destinations: str) -> float:
    """Calls of the last full month over those of the first, outgoing, to these destinations."""
    return world.value(
        "SELECT count(*) FILTER (event_time >= '2024-10-01') / count(*) FILTER (event_time < '2024-02-01')"
        f" FROM calls WHERE direction = 'out' AND destination IN ({destinations})"
        f" AND account_id IN ({names(accounts)})"
    )


def rival_calls(world: World, accounts: np.ndarray) -> float:
    """Calls to rivals' IP-voice codes per account in the last month."""
    return world.value(
        f"SELECT count(*) / {len(accounts)} FROM calls JOIN access_codes USING (access_code)"
        " WHERE use = 'ip_voice' AND access_codes.network_id <> 'own' AND event_time >= '2024-10-01'"
        f" AND account_id IN ({names(accounts)})"
    )


def test_the_broke_pay_late_before_they_are_cut_off(world: World) -> None:
    late = (
        "SELECT avg(CASE WHEN days_late > 0 THEN 1.0 ELSE 0.0 END) FROM payments"
        " JOIN spans USING (account_id) WHERE "
    )
    # About 150 payments of non-payers: standard error 4 points around 45 %, others 12 %: < 1e-6.
    assert world.value(late + "reason = 'non_payment'") > 2 * world.value(late + "reason IS NULL")


def test_complaints_come_before_leaving_for_service(world: World) -> None:
    rate = (
        "SELECT avg(n) FROM (SELECT spans.account_id, count(ticket_id) AS n FROM spans LEFT JOIN tickets ON"
        " tickets.account_id = spans.account_id AND kind = 'complaint' AND state = 'open' WHERE {}"
        " GROUP BY 1)"
    )
    # About 50 leavers with a mean near 1 against 0.3: standard error 0.15, 3 errors away: < 0.01.
    assert world.value(rate.format("reason = 'service'")) > 1.5 * world.value(rate.format("until IS NULL"))


def test_the_logged_probability_is_the_true_one(world: World) -> None:
    # About 1,300 contacts: standard error at most 0.013; 4 errors: < 1e-3 over four treatments.
    worst = world.value(
        "SELECT max(abs(n / total - logging_prob)) FROM (SELECT treatment, any_value(logging_prob) AS"
        " logging_prob, count(*) AS n, sum(count(*)) OVER () AS total FROM contacts GROUP BY treatment)"
    )
    assert worst < 0.052


def test_one_in_fifty_calls_is_late(world: World) -> None:
    # Over 2 million calls: standard error 0.01 points; 10 errors: < 1e-6.
    share = world.value(
        "SELECT avg(CASE WHEN known_time >= event_time::DATE + INTERVAL 2 DAY THEN 1.0 ELSE 0.0 END)"
        " FROM calls"
    )
    assert share == pytest.approx(TUNING.late_call_share, abs=0.001)
