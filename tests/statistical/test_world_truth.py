"""Whether an honest experiment in the simulated operator finds the truth, and a dishonest one does not.

In a pilot everybody meets an action drawn at random. The difference between the arms is compared with the
true mean effect on the very same accounts, seed by seed. Of about 880 accounts a ninth meets nothing; the
standard error is that of two weighted means plus that of the truth, which averages :data:`DRAWS` random
actions for each account. Bounds of 3 standard errors on 20 seeds and on their mean: a fresh set of seeds
would break one of them by chance in 6 of 100 cases (normal approximation).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from nbo.world import TUNING, Scenario, WorldConfig
from nbo.world.calls import draw_calls
from nbo.world.contacts import POLICY, RANDOMISED, may_offer
from nbo.world.life import Life, live
from nbo.world.margins import action_costs, expected_margin
from nbo.world.money import bill
from nbo.world.offers import CHANNELS, NOTHING, OFFERS
from nbo.world.scenario import Pilot
from nbo.world.state import Forced
from nbo.world.truth import course_before, life_under

SEEDS = range(20)
DRAWS = 4
DAY, HORIZON_DAYS = 60, 150
PILOT = Scenario(name="pilot", description="a trial of all", pilots=(Pilot(on_day=DAY, share=1.0),))
LOUD = replace(TUNING, contact_harm=3.0, leave_by_contact=0.04, contact_effect=1.5, leave_after_contract=0.02)


@dataclass(frozen=True)
class Arms:
    """Who left within the horizon, by what was done to it."""

    treated: np.ndarray
    control: np.ndarray

    @property
    def effect(self) -> float:
        return float(self.treated.mean() - self.control.mean())

    @property
    def variance(self) -> float:
        return float(sum(arm.var(ddof=1) / len(arm) for arm in (self.treated, self.control)))


def left(life: Life, end: int) -> np.ndarray:
    return np.asarray(life.leave < np.minimum(end, life.gone), dtype=np.float64)


def policy_arms(life: Life, first: int, after: int, end: int) -> Arms:
    """Treated and untreated accounts of the policy's part of the contact log, just as they stand there."""
    account, when, offer, _, _, _, arms, _ = life.happenings.columns("contact", 8)
    now = (when >= first) & (when < after) & (arms == POLICY)
    outcome, treated = left(life, end)[account[now]], offer[now] > NOTHING
    return Arms(outcome[treated], outcome[~treated])


@pytest.fixture(scope="module")
def found() -> list[tuple[float, float, float]]:
    """For each seed: the experiment's effect, the truth, and the standard error of their difference."""
    return [one_seed(seed) for seed in SEEDS]


def one_seed(seed: int) -> tuple[float, float, float]:
    config = WorldConfig(accounts=1000, months=8, seed=seed, scenario=PILOT)
    as_of, end = config.first_day + DAY, config.first_day + DAY + HORIZON_DAYS
    rows = [chunk_rows(config, place, as_of, end) for place in range(len(config.chunks))]
    observed, treated, none, chance, possible = (np.concatenate(part) for part in zip(*rows, strict=True))
    # Weighting by the probability of the arm makes both arms stand for all accounts.
    weight = np.where(treated, 1 / (1 - 1 / possible), possible)
    parts = []
    for side in (treated, ~treated):
        w, y = weight[side], observed[side]
        mean = (w * y).sum() / w.sum()
        parts.append((mean, (w**2 * (y - mean) ** 2).sum() / w.sum() ** 2))
    truth = float((chance - none).mean())
    spread = float((chance - none).var(ddof=1) / len(none))
    return parts[0][0] - parts[1][0], truth, float(np.sqrt(parts[0][1] + parts[1][1] + spread))


def chunk_rows(config: WorldConfig, place: int, as_of: int, end: int) -> tuple[np.ndarray, ...]:
    """Of every account in the pilot, arrays of shape (accounts,).

    The outcome that was written, whether it was treated, its outcomes under nothing and under random
    actions, and how many offers it may be made.
    """
    chunk = config.chunks[place]
    life = live(chunk, config, LOUD)
    before = course_before(chunk, config, LOUD, as_of, end)
    account, when, offer, _, _, _, arm, _ = life.happenings.columns("contact", 8)
    now = (when >= before.day) & (when < before.day + 7) & (arm == RANDOMISED)
    account, offer = account[now], offer[now]
    state = before.state.copy()
    state.day = before.day
    allowed = may_offer(state)
    n = state.count
    rng = np.random.default_rng([config.seed, place])
    nothing = Forced(as_of, np.full(n, NOTHING), np.zeros(n, dtype=np.int64))
    none = left(life_under(before, nothing, 0, end), end)
    chance = np.zeros(n)
    for _ in range(DRAWS):
        picked = (rng.random((n, len(OFFERS))) * (allowed & (np.arange(len(OFFERS)) > NOTHING))).argmax(
            axis=1
        )
        forced = Forced(as_of, picked, rng.integers(0, len(CHANNELS), n))
        chance += left(life_under(before, forced, 0, end), end) / DRAWS
    observed = left(life, end)[account]
    return observed, offer > NOTHING, none[account], chance[account], allowed.sum(axis=1)[account]


def test_a_randomised_trial_finds_the_true_effect_in_every_seed(
    found: list[tuple[float, float, float]],
) -> None:
    errors = np.array([(effect - truth) / se for effect, truth, se in found])
    assert len(errors) == 20 and np.abs(errors).max() < 3
    assert abs(errors.mean()) < 3 / np.sqrt(len(errors))


def test_expected_margin_is_what_is_billed_less_its_costs() -> None:
    """Over 3 worlds of 500 accounts and 5 months; seeds differ by about .4 %, calendar months by .5 %."""
    billed = expected = 0.0
    for seed in range(3):
        config = WorldConfig(accounts=500, months=5, seed=seed)
        life = live(config.chunks[0], config, TUNING)
        for month, (first, after) in enumerate(pairwise(config.month_starts)):
            days = np.arange(first, after)
            bills, _ = bill(life, draw_calls(life, days, month, TUNING), days, month)
            billed += float(bills.amount.sum() - bills.cost.sum())
            expected += float((expected_margin(life, first, after) + action_costs(life, first, after)).sum())
    assert billed == pytest.approx(expected, rel=0.02)


def test_the_true_effect_of_contacts_is_not_nothing(found: list[tuple[float, float, float]]) -> None:
    truths = np.array([truth for _, truth, _ in found])
    assert truths.mean() > 5 * truths.std(ddof=1) / np.sqrt(len(truths))


def test_what_the_policy_did_cannot_be_read_as_an_effect() -> None:
    """Over 10 worlds without any effect of contacts, those the policy contacts leave more often all the same.

    Standard error about .008; the bound is 3 of them from 0 (false alarms: 1 in 700).
    """
    mute = replace(TUNING, contact_harm=0.0, contact_effect=0.0, fatigue=0.0, contact_per_week=0.03)
    treated, control = [], []
    for seed in range(10):
        config = WorldConfig(accounts=1000, months=10, seed=seed)
        for chunk in config.chunks:
            life = live(chunk, config, mute)
            arms = policy_arms(life, config.month_starts[1], config.month_starts[5], config.end_day)
            treated.append(arms.treated)
            control.append(arms.control)
    pooled = Arms(np.concatenate(treated), np.concatenate(control))
    assert pooled.effect > 3 * np.sqrt(pooled.variance)
