"""Causes without which their effects vanish, and the parts of the calendar."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from nbo.asof import day_of
from nbo.world import TUNING, Tuning, WorldConfig
from nbo.world import catalog as cat
from nbo.world.calendar import SPRING_FESTIVALS, day_factors, holiday_depth, seconds_of_day
from nbo.world.calls import draw_calls
from nbo.world.columns import NEVER, dates, ids, money
from nbo.world.life import Life, live
from nbo.world.numbers import mix
from nbo.world.tariffs import RIVAL_CODE, SALES_CALL, charges

CONFIG = WorldConfig(accounts=500, months=8, seed=5)


def one_life(tuning: Tuning) -> Life:
    return live(CONFIG.chunks[0], CONFIG, tuning)


@pytest.fixture(scope="module")
def life() -> Life:
    return one_life(TUNING)


def test_leakage_starts_only_after_an_approach(life: Life) -> None:
    account, when, _ = life.happenings.columns("approach", 3)
    first = np.full(life.population.count, NEVER)
    np.minimum.at(first, account, when)
    leaks = life.leak > 0
    begins = life.first_day + 7 * np.argmax(leaks, axis=1)
    assert leaks.any(axis=1).sum() > 30
    assert (begins[leaks.any(axis=1)] > first[leaks.any(axis=1)]).all()


def test_without_rivals_there_is_neither_leakage_nor_a_rival_offer() -> None:
    alone = one_life(replace(TUNING, approach_per_week=0.0, habit_share=0.0))
    assert not alone.leak.any() and not (alone.cause == cat.RIVAL_OFFER).any()
    calls = draw_calls(alone, np.arange(CONFIG.first_day, CONFIG.first_day + 31), 0, TUNING)
    assert not (calls.what == RIVAL_CODE).any()


def test_with_rivals_their_code_is_dialled_and_their_sales_lines_ring(life: Life) -> None:
    calls = draw_calls(life, np.arange(CONFIG.first_day, CONFIG.first_day + 31), 0, TUNING)
    assert (calls.what == RIVAL_CODE).sum() > 100
    rings = calls.what == SALES_CALL
    assert rings.sum() > 20 and not calls.outgoing[rings].any()


def test_nobody_leaves_when_no_cause_is_at_work() -> None:
    calm = replace(
        TUNING,
        leave_without_trace=0.0,
        leave_by_leak=0.0,
        leave_by_service=0.0,
        leave_after_contract=0.0,
        leave_by_contact=0.0,
        leave_by_neighbours=0.0,
    )
    assert (one_life(calm).leave == NEVER).all()


def test_nobody_leaves_before_the_run_or_before_deciding(life: Life) -> None:
    left = life.leave < NEVER
    assert left.sum() > 20
    assert (life.leave[left] > CONFIG.first_day).all()
    assert (life.decided[left] <= life.leave[left]).all()


def test_an_account_ends_with_its_last_line_for_one_reason(life: Life) -> None:
    last = np.zeros(life.population.count, dtype=np.int64)
    np.maximum.at(last, life.lines.account, np.where(life.lines.start < life.line_end, life.line_end, 0))
    ended = life.end < NEVER
    assert (last[ended] == life.end[ended]).all() and (last[~ended] >= NEVER).all()
    assert not ((life.leave < NEVER) & (life.gone < NEVER)).any()


def test_some_leakers_never_leave_and_some_leave_without_leaking(life: Life) -> None:
    leaked = (life.leak > 0.3).any(axis=1)
    left = life.leave < NEVER
    assert (leaked & ~left).sum() > 10 and (~leaked & left).sum() > 5


def test_spring_festival_is_the_deepest_holiday() -> None:
    new_year = day_of(date(2024, 2, 10))
    assert new_year in SPRING_FESTIVALS
    assert holiday_depth(new_year) == 1.0 and holiday_depth(new_year - 6) == 0.35
    office = day_factors(np.array([new_year, new_year + 31]))[0]
    assert office[0] < 0.3 * office[1]


def test_offices_call_in_business_hours_and_homes_in_the_evening() -> None:
    rng = np.random.default_rng(0)
    hours = [seconds_of_day(rng, np.full(20_000, kind)) // 3600 for kind in (0, 4)]
    daytime = [((h >= 9) & (h < 18)).mean() for h in hours]
    # Profiles give 0.79 and 0.43; 20,000 draws have a standard error below 0.004 (25 of them here).
    assert daytime[0] > 0.69 and daytime[1] < 0.53


@pytest.mark.parametrize(
    ("what", "outgoing", "code", "seconds", "fen"),
    [
        (0, 1, -1, 60, 22),
        (0, 1, -1, 181, 33),
        (1, 1, -1, 61, 140),
        (1, 1, cat.OWN_IP, 61, 60),
        (3, 1, cat.OWN_CARD, 60, 360),
        (1, 0, -1, 600, 0),
        (1, 1, -1, 0, 0),
        (4, 1, cat.FIRST_RIVAL_IP, 600, 99),
        (5, 1, cat.DIAL_UP, 600, 40),
        (6, 1, cat.SERVICE_LINE, 600, 0),
    ],
)
def test_a_call_is_charged_by_its_tariff(what: int, outgoing: int, code: int, seconds: int, fen: int) -> None:
    arguments = (np.array([value]) for value in (what, outgoing, code, seconds))
    assert charges(*arguments).tolist() == [fen]


def test_rival_codes_follow_their_networks() -> None:
    for rival in cat.RIVALS:
        assert cat.ACCESS_CODES[cat.FIRST_RIVAL_IP + rival - 1].network == rival
        assert cat.ACCESS_CODES[cat.FIRST_SALES_LINE + rival - 1].network == rival


def test_columns_keep_signs_cents_nulls_and_digits() -> None:
    assert [str(value) for value in money(np.array([1234, -5, 0])).to_pylist()] == ["12.34", "-0.05", "0.00"]
    assert dates(np.array([0, NEVER, NEVER + 3])).null_count == 2
    assert ids("A", np.array([12, -1]), 4).to_pylist() == ["A0012", None]


def test_mixed_numbers_rarely_collide() -> None:
    pairs = np.meshgrid(np.arange(300), np.arange(300))
    mixed = mix(pairs[0].ravel(), pairs[1].ravel())
    assert len(np.unique(mixed)) == 90_000
