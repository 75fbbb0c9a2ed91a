"""Scenarios: what a file may say, and that what it says happens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nbo.asof import date_of
from nbo.errors import UsageError
from nbo.tables.check import check_tables
from nbo.tables.mapping import load_mapping
from nbo.world import TUNING, Scenario, WorldConfig, read_scenario, scenario_names, simulate
from nbo.world import catalog as cat
from nbo.world.calls import draw_calls
from nbo.world.columns import NEVER
from nbo.world.life import Life, live
from nbo.world.rivals import RIVALS
from nbo.world.state_rows import ALWAYS, PRICES_KNOWN_DAYS, tariff_rows
from nbo.world.tariffs import LOCAL, NATIONAL

NAMES = scenario_names()


def lived(scenario: Scenario, accounts: int = 500, months: int = 10) -> Life:
    config = WorldConfig(accounts=accounts, months=months, seed=5, scenario=scenario)
    return live(config.chunks[0], config, scenario.tuned())


@pytest.fixture(scope="module")
def base() -> Life:
    return lived(read_scenario("base"))


def day_of(life: Life, day: int) -> int:
    return life.schedule.first_day + day


def happened(life: Life, kind: str, width: int, first: int, days: int) -> int:
    when = life.happenings.columns(kind, width)[1]
    return int(((when >= day_of(life, first)) & (when < day_of(life, first + days))).sum())


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_that_comes_with_the_program_can_be_lived(name: str) -> None:
    scenario = read_scenario(name)
    assert scenario.name == name and len(scenario.description) > 20
    assert lived(scenario, accounts=40).population.count == 40


def test_the_scenarios_are_those_that_are_promised() -> None:
    assert {
        "base",
        "price_war",
        "rival_entry",
        "outage",
        "holiday_season",
        "tariff_change",
        "data_outage",
    } <= set(NAMES)


def test_a_price_war_brings_more_approaches_of_that_rival(base: Life) -> None:
    war = lived(read_scenario("price_war"))
    rival = cat.NETWORK_IDS.index("unicom")

    def approached(life: Life) -> int:
        _, when, who = life.happenings.columns("approach", 3)
        return int(((when >= day_of(life, 120)) & (when < day_of(life, 240)) & (who == rival)).sum())

    assert approached(war) > 1.5 * approached(base) > 0
    assert happened(war, "approach", 3, 0, 119) == happened(base, "approach", 3, 0, 119)


def test_a_price_war_is_in_the_tariffs_that_we_hear_of() -> None:
    config = WorldConfig(accounts=1, months=10, seed=5, scenario=read_scenario("price_war"))
    rows = tariff_rows(config).to_pylist()
    long_ago = [row for row in rows if row["valid_date"] == date_of(ALWAYS)]
    assert {row["network_id"] for row in long_ago} == {rival.network_id for rival in RIVALS}
    assert len(long_ago) == len(RIVALS)
    usual = next(row["minute_amount"] for row in long_ago if row["network_id"] == "unicom")
    begins, ends = [row for row in rows if row not in long_ago]
    assert begins["network_id"] == ends["network_id"] == "unicom"
    assert begins["minute_amount"] == usual / 2 and ends["minute_amount"] == usual
    for row, day in ((begins, 120), (ends, 240)):
        assert row["valid_date"] == date_of(config.first_day + day)
        assert (row["known_time"].date() - row["valid_date"]).days == PRICES_KNOWN_DAYS


def test_a_rival_that_enters_sells_in_its_area_alone(base: Life) -> None:
    entry = lived(read_scenario("rival_entry"))
    rival = cat.NETWORK_IDS.index("netcom")

    def approached(life: Life, area: int) -> int:
        account, when, who = life.happenings.columns("approach", 3)
        here = life.population.area[account] == area
        return int(((when >= day_of(life, 180)) & (who == rival) & here).sum())

    assert approached(entry, 0) > approached(base, 0)
    before = entry.happenings.columns("approach", 3)
    early = (before[1] < day_of(entry, 120)) & (before[2] == rival)
    assert not (entry.population.area[before[0][early]] == 0).any()


def test_an_outage_brings_faults_and_complaints_to_its_area(base: Life) -> None:
    outage = lived(read_scenario("outage"))

    def faults(life: Life, area: int) -> int:
        account, opened, _, kind = life.happenings.columns("ticket", 4)
        now = (opened >= day_of(life, 147)) & (opened < day_of(life, 161)) & (kind == cat.FAULT)
        return int((now & (life.population.area[account] == area)).sum())

    assert faults(outage, 1) > 10 * max(faults(base, 1), 1)
    assert faults(outage, 2) == faults(base, 2)


def test_a_long_holiday_is_quiet_and_nobody_leaks_for_it(base: Life) -> None:
    quiet = lived(read_scenario("holiday_season"))
    assert (quiet.leak == base.leak).all()
    days = np.arange(day_of(base, 200), day_of(base, 221))
    calls = [len(draw_calls(life, days, 6, TUNING)) for life in (quiet, base)]
    assert calls[0] < 0.5 * calls[1]


def test_a_tariff_change_is_billed_from_its_day_on(base: Life) -> None:
    dearer = lived(read_scenario("tariff_change"))
    for first, factor in ((100, 1.0), (160, 1.25)):
        days = np.arange(day_of(dearer, first), day_of(dearer, first + 20))
        calls = draw_calls(dearer, days, 3, TUNING)
        far = (calls.what == NATIONAL) & (calls.outgoing == 1) & (calls.duration > 0) & (calls.code < 0)
        minutes = -(-calls.duration[far] // 60)
        assert (calls.charge[far] == np.rint(70 * factor) * minutes).all() and far.sum() > 100
        near = (calls.what == LOCAL) & (calls.outgoing == 1) & (calls.duration > 0)
        assert calls.charge[near].min() == 22


def test_a_pilot_meets_its_share_of_the_accounts_at_random(base: Life) -> None:
    pilot = lived(read_scenario("pilot"))
    account, when, *_, arm, _ = pilot.happenings.columns("contact", 8)
    now = (when >= day_of(pilot, 147)) & (when < day_of(pilot, 157)) & (arm == 1)
    # A third of about 440 accounts: standard error 10.
    assert 100 < now.sum() < 190 and len(set(account[now].tolist())) > 100
    assert happened(base, "contact", 8, 147, 10) < 40


def test_consumers_are_persons_with_a_line_or_two() -> None:
    life = lived(read_scenario("consumers"))
    assert (life.population.kind == 2).all() and (life.population.employees == 1).all()
    lines = np.bincount(life.lines.account[life.lines.voice & (life.line_end == NEVER)])
    assert np.median(lines[lines > 0]) == 1 and lines.max() <= 3


def test_faults_of_the_files_are_there_and_the_check_drops_what_came_twice(tmp_path: Path) -> None:
    scenario = read_scenario("data_outage")
    quiet = replace(TUNING, calls_per_line_day=0.5)
    config = WorldConfig(accounts=60, months=6, seed=2, scenario=scenario)
    simulate(config, tmp_path / "raw", lambda _: None, tuning=quiet)
    names = sorted(path.name for path in (tmp_path / "raw" / "calls").iterdir())
    assert [name for name in names if "again" in name] == ["part-00000-0003-again.parquet"]
    calls = pq.read_table(tmp_path / "raw" / "calls")
    days = set(pc.unique(calls["event_time"].cast(pa.date32()).cast(pa.int32())).to_pylist())
    assert set(range(config.first_day, config.end_day)) - days == {config.first_day + 70}
    late = pq.read_table(tmp_path / "raw" / "calls" / "part-00000-0004.parquet")
    waits = pc.subtract(late["known_time"].cast(pa.int64()), late["event_time"].cast(pa.int64()))
    assert pc.min(waits).as_py() > 21 * 86_400
    report = check_tables(
        tmp_path / "raw", tmp_path / "store", load_mapping(None, tmp_path / "raw"), key=b"k" * 32
    )
    again = pq.read_metadata(tmp_path / "raw" / "calls" / "part-00000-0003-again.parquet").num_rows
    assert report.tables["calls"].duplicates_dropped == again > 0


BAD = {
    "unknown key": ("prize_wars = []", r"scenario .*: prize_wars: Extra inputs are not permitted"),
    "unknown rival": (
        '[[price_wars]]\nrival = "acme"\nfrom_day = 1\ndays = 2\ncut = 0.5',
        r"rival: expected one of netcom, mobile, unicom, tietong, jitong, got 'acme'",
    ),
    "impossible cut": (
        '[[price_wars]]\nrival = "unicom"\nfrom_day = 1\ndays = 2\ncut = 1.5',
        r"price_wars\.0\.cut: Input should be less than 1",
    ),
    "impossible area": (
        '[[entries]]\nrival = "unicom"\narea = 9\nfrom_day = 1',
        r"entries\.0\.area: Input should be less than 4",
    ),
    "impossible share": (
        "[tuning]\nseen_share = 1.5",
        r"tuning\.seen_share: expected a share from 0 to 1, got 1\.5",
    ),
    "negative rate": (
        "[tuning]\nfault_per_week = -1.0",
        r"tuning\.fault_per_week: expected 0 to 10, got -1",
    ),
    "not finite": ("[tuning]\nbite_bias = nan", r"tuning\.bite_bias: expected a number, got nan"),
    "infinite": ("[tuning]\njoin_per_month = inf", r"tuning\.join_per_month: expected a number, got inf"),
    "a word": ('[tuning]\nseen_share = "half"', r"tuning\.seen_share: expected a number, got 'half'"),
    "no calls": (
        "[tuning]\ncalls_per_line_day = 0",
        r"tuning\.calls_per_line_day: expected 0\.01 to 1000, got 0",
    ),
    "month 0": ("[tuning]\nnewcomer_month = 0", r"tuning\.newcomer_month: expected 1 to 120, got 0"),
    "a name": ('name = "x"', r"name: expected none, the file's own name is the scenario's"),
    "unknown number": ("[tuning]\nluck = 1.0", r"tuning\.luck: no such number; see docs/world\.md"),
    "half a month": (
        "[tuning]\nnewcomer_month = 1.5",
        r"tuning\.newcomer_month: expected a whole number, got 1\.5",
    ),
    "not TOML": ("[[", r"scenario .*: expected TOML"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_is_refused_with_one_line(tmp_path: Path, case: str) -> None:
    text, told = BAD[case]
    path = tmp_path / "mine.toml"
    path.write_text(f'description = "mine"\n{text}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=told) as caught:
        read_scenario(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"expected a text file in UTF-8"):
        read_scenario(str(path))


@pytest.mark.parametrize("name", ["x" * 5000 + ".toml", "nowhere.toml"])
def test_a_file_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be read") as caught:
        read_scenario(name)
    assert len(str(caught.value)) < 200


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected a TOML file or one of base, consumers, .*, got 'peace'"):
        read_scenario("peace")


def test_an_event_after_the_run_is_refused() -> None:
    with pytest.raises(UsageError, match=r"scenario outage: expected its events within the run of 60 days"):
        WorldConfig(accounts=10, months=2, seed=1, scenario=read_scenario("outage"))
