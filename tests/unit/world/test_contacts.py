"""Whom the operator's people contact, with what, and what it does to an account."""

from dataclasses import replace

import numpy as np
import pytest

from nbo.world import TUNING, WorldConfig, read_scenario
from nbo.world import catalog as cat
from nbo.world.busy import blocked
from nbo.world.contacts import (
    LEASED_EMPLOYEES,
    POLICY,
    RANDOMISED,
    accept_if_reached,
    acceptance,
    channel_probs,
    drawn,
    may_offer,
    policy_probs,
)
from nbo.world.life import Course, Life, live
from nbo.world.offers import CHANNELS, NOTHING, OFFER_IDS, OFFERS, PLAN, REACH
from nbo.world.state import State

CONFIG = WorldConfig(accounts=500, months=6, seed=5)
BUSY = replace(TUNING, contact_per_week=0.05, contact_random_per_week=0.03)


@pytest.fixture(scope="module")
def state() -> State:
    course = Course.begin(CONFIG.chunks[0], CONFIG, BUSY)
    course.walk(CONFIG.first_day + 60)
    return course.state


@pytest.fixture(scope="module")
def life() -> Life:
    return live(CONFIG.chunks[0], CONFIG, BUSY)


def everyone(state: State, offer: str, channel: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return np.full(state.count, OFFER_IDS.index(offer)), np.full(state.count, channel)


def test_probabilities_add_up_and_are_nothing_where_an_offer_may_not_be_made(state: State) -> None:
    allowed = may_offer(state)
    probs = policy_probs(state, allowed, np.linspace(-3, 3, state.count))
    assert np.allclose(probs.sum(axis=1), 1) and not probs[~allowed].any() and (probs[allowed] > 0).all()
    assert np.allclose(channel_probs(state).sum(axis=1), 1)


def test_nothing_is_drawn_that_has_no_probability() -> None:
    probs = np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.2, 0.8, 0.0]])
    for uniform in np.linspace(0, 1, 101, endpoint=False):
        column = drawn(probs, np.full(3, uniform))
        assert (probs[np.arange(3), column] > 0).all()


def test_offers_ask_for_the_right_customer(life: Life) -> None:
    account, _, offer, channel, *_ = life.happenings.columns("contact", 8)
    made = {name: account[offer == OFFER_IDS.index(name)] for name in OFFER_IDS}
    assert (life.population.employees[made["leased_line"]] >= LEASED_EMPLOYEES).all()
    assert np.isin(life.population.account_class[made["toll_free_800"]], (0, 1, 4)).all()
    plans = np.concatenate([made[name] for name in OFFER_IDS if name.startswith("growth_plan")])
    assert len(plans) > 50 and (life.population.kind[plans] != 2).all()
    assert set(channel[offer == NOTHING].tolist()) == {-1}
    assert set(channel[offer != NOTHING].tolist()) == set(range(len(CHANNELS)))


def test_the_policy_goes_after_risk_and_the_randomised_arm_does_not() -> None:
    """Mean satisfaction of about 9,000 and 6,000 contacts; their standard errors are below .01."""
    felt: dict[int, list[float]] = {POLICY: [], RANDOMISED: []}
    for seed in range(6):
        config = WorldConfig(accounts=500, months=6, seed=seed)
        course = Course.begin(config.chunks[0], config, replace(BUSY, contact_per_week=0.02))
        while course.day < config.end_day:
            course.walk(course.day + 1)
            account, when, *_, arm, _ = course.state.happenings.columns("contact", 8)
            now = when >= course.state.day
            for kind, moods in felt.items():
                moods.extend(course.state.satisfaction[account[now & (arm == kind)]].tolist())
    assert np.mean(felt[POLICY]) < np.mean(felt[RANDOMISED]) - 0.05


def test_tired_accounts_accept_less_and_leakers_take_plans(state: State) -> None:
    plan = everyone(state, "growth_plan_b")
    before = accept_if_reached(state, *plan)
    tired = state.copy()
    tired.load += 3
    assert (accept_if_reached(tired, *plan) < before).all()
    leaking = state.leak(state.day) > 0.1
    assert leaking.sum() > 15 and before[leaking].mean() > 2 * before[~leaking].mean()


def test_nobody_accepts_nothing_and_more_accept_than_are_reached_never(state: State) -> None:
    assert not acceptance(state, *everyone(state, "none")).any()
    for channel, reach in enumerate(REACH):
        told = acceptance(state, *everyone(state, "loyalty_gift", channel))
        assert (told > 0).all() and (told < reach).all()


def test_a_plan_binds_for_a_year_at_the_base_that_was_agreed(life: Life) -> None:
    account, when, _, planned, plan, base = life.happenings.columns("contract", 6)
    on = plan > 0
    assert on.sum() > 20 and (planned[on] - when[on] == 365).all()
    assert (base[on] >= 10_000).all() and (base[on] % 10_000 == 0).all() and not base[~on].any()
    assert set(plan.tolist()) <= {0, *PLAN.tolist()}
    assert len(OFFERS) == len(OFFER_IDS) and len(account) > on.sum()


def test_persons_are_never_offered_a_plan() -> None:
    scenario = read_scenario("consumers")
    config = WorldConfig(accounts=200, months=4, seed=1, scenario=scenario)
    people = live(config.chunks[0], config, replace(scenario.tuned(), contact_per_week=0.1))
    offer = people.happenings.columns("contact", 8)[2]
    assert len(offer) > 100 and not PLAN[offer].any()
    assert (people.population.kind == cat.KINDS.index("consumer")).all()


def test_more_lines_lose_fewer_calls() -> None:
    chances = blocked(np.full(6, 2.5), np.arange(1, 7))
    assert (np.diff(chances) < 0).all() and chances[0] == pytest.approx(2.5 / 3.5)
