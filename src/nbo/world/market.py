"""Rivals: whom they approach, who bites, how leakage grows, who leaves and why."""

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Ints
from nbo.world.config import WorldConfig
from nbo.world.population import AREAS
from nbo.world.state import WEEK, State

RENEWAL_WEEKS = 9


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def draw_entries(rng: np.random.Generator, config: WorldConfig) -> tuple[Floats, Ints]:
    """Strength and first day of every rival in every area, shape (areas, 5)."""
    strength = rng.uniform(0.2, 1.2, (AREAS, len(catalog.RIVALS)))
    entry = config.first_day + rng.integers(-1200, 60, strength.shape)
    return strength, entry


def step_approaches(state: State, day: int, strength: Floats, entry: Ints) -> None:
    """Rivals call on accounts; some bite, and their leakage starts weeks later."""
    tuning, people, rng = state.tuning, state.population, state.rng
    present = strength * np.clip((day - entry) / 60, 0, 1)
    pressure = present[people.area]
    leaking = state.leak(day) > 0.05
    lost = leaking | (state.leave <= day)
    neighbours = np.bincount(people.building)[people.building]
    share = (np.bincount(people.building, lost)[people.building] - lost) / np.maximum(neighbours - 1, 1)
    hazard: Floats = tuning.approach_per_week * np.exp(
        tuning.approach_by_worth * (people.worth - 1.5)
        + tuning.approach_by_pressure * (pressure.max(axis=1) - 0.7)
        + tuning.approach_by_tower * share
    )
    approached = state.happens(hazard, state.free(day) & ~leaking)
    weights = np.cumsum(pressure[approached] + 1e-6, axis=1)
    pick = rng.random(len(approached)) * weights[:, -1]
    rival = 1 + (weights < pick[:, None]).sum(axis=1)
    when = state.some_day(day, len(approached))
    state.happenings.add("approach", approached, when, rival)
    locked = (state.contract_end[approached] < NEVER) & (state.contract_end[approached] - day > 120)
    bite = sigmoid(
        tuning.bite_bias
        + tuning.bite_by_price * people.price_sensitivity[approached]
        - tuning.bite_by_satisfaction * state.satisfaction[approached]
        - tuning.bite_by_attachment * people.attachment[approached]
        - tuning.bite_lock * locked
    )
    bites = rng.random(len(approached)) < bite
    start_leaking(state, approached[bites], when[bites], rival[bites])


def start_leaking(state: State, accounts: Ints, when: Ints, rival: Ints) -> None:
    tuning, rng, n = state.tuning, state.rng, len(accounts)
    lag = np.clip(rng.lognormal(np.log(tuning.onset_days_median), 0.6, n), 3, 120).astype(np.int64)
    state.onset[accounts] = when + lag
    state.ceiling[accounts] = np.clip(rng.beta(3, 2, n), 0.1, 0.98)
    state.growth_days[accounts] = np.clip(rng.lognormal(np.log(tuning.growth_days_median), 0.5, n), 10, 240)
    state.rival[accounts] = rival
    state.seen[accounts] = rng.random(n) < tuning.seen_share
    state.committed[accounts] = rng.random(n) < tuning.committed_share
    state.leak_stop[accounts] = NEVER


def step_returns(state: State, day: int) -> None:
    """Some leakage ends by itself: the rival disappoints or its price rises."""
    running = (state.onset <= day) & (state.leak_stop == NEVER) & state.free(day)
    chance = state.tuning.leak_stop_per_week * np.where(state.committed, 0.3, 1.0)
    stops = state.happens(chance, running)
    state.leak_stop[stops] = day


def hazards(state: State, day: int) -> Floats:
    """Weekly hazards of deciding to leave, shape (4 components, accounts).

    Components: leakage, service, an expired contract, and none that leaves a trace.
    """
    tuning, people = state.tuning, state.population
    calm = np.exp(0.3 * people.price_sensitivity - 0.35 * state.satisfaction - 0.4 * people.attachment)
    leak = tuning.leave_by_leak * state.committed * (state.leak(day) / 0.5) ** 2 * calm
    service = tuning.leave_by_service * np.exp(np.clip(-2.5 * state.satisfaction, -4, 5))
    expired = tuning.leave_after_contract * ((day - state.expired_day) < WEEK * RENEWAL_WEEKS)
    nothing = np.full(state.count, tuning.leave_without_trace)
    effect = np.where(day < state.treated_until, state.treated_effect, 1.0)
    left = state.contract_end - day
    locked = np.where((state.contract_end < NEVER) & (left > 75), tuning.leave_locked_factor, 1.0)
    return np.stack([leak * locked * effect, service * locked * effect, expired * calm * effect, nothing])


def step_leaving(state: State, day: int, first_day: int) -> None:
    """Accounts decide to leave; one that would be gone before the run stays and ends its leakage."""
    rng = state.rng
    parts = hazards(state, day)
    total = parts.sum(axis=0)
    decided = state.happens(1 - np.exp(-total), state.free(day))
    component = np.argmax(
        np.cumsum(parts[:, decided], axis=0) >= rng.random(len(decided)) * total[decided], axis=0
    )
    lead, cause = lead_and_cause(state, decided, component)
    when = state.some_day(day, len(decided))
    written = when + lead > first_day
    stays = decided[~written]
    state.leak_stop[stays] = np.minimum(state.leak_stop[stays], day)
    decided, when, cause, component = decided[written], when[written], cause[written], component[written]
    state.decided[decided] = when
    state.leave[decided] = when + lead[written]
    state.cause[decided] = cause
    state.traced[decided] = component < 3
    announce(state, decided[component < 3])


def lead_and_cause(state: State, decided: Ints, component: Ints) -> tuple[Ints, Ints]:
    """Days from the decision to the last line's end, and the reason that will be recorded."""
    tuning, people, rng = state.tuning, state.population, state.rng
    lead = rng.lognormal(np.log(tuning.lead_days_median), 0.6, len(decided))
    lead = np.where(component == 3, rng.uniform(2, 30, len(decided)), np.clip(lead, 4, 120))
    quiet = rng.choice(
        [catalog.MOVED, catalog.CUSTOMER_REQUEST, catalog.PRICE], len(decided), p=[0.5, 0.3, 0.2]
    )
    by_price = people.price_sensitivity[decided] + rng.normal(0, 1, len(decided)) > 1
    leaking = np.where(by_price, catalog.PRICE, catalog.RIVAL_OFFER)
    cause = np.select(
        [component == 0, component == 1, component == 2],
        [leaking, np.full(len(decided), catalog.SERVICE), np.full(len(decided), catalog.CONTRACT_END)],
        quiet,
    )
    return lead.astype(np.int64), cause


def announce(state: State, decided: Ints) -> None:
    """Some who leave say so some days before."""
    rng = state.rng
    tells = decided[rng.random(len(decided)) < state.tuning.cancel_intent_share]
    when = np.maximum(state.decided[tells], state.leave[tells] - rng.integers(3, 16, len(tells)))
    closed = np.minimum(when + rng.integers(1, 6, len(tells)), state.leave[tells])
    kind = np.full(len(tells), catalog.CANCEL_INTENT)
    state.happenings.add("ticket", tells, when, closed, kind)


def step_involuntary(state: State, day: int, first_day: int) -> None:
    """Unpaid bills, bankruptcy, removal of the building, fraud."""
    hazard = state.tuning.involuntary_per_week * np.exp(np.clip(-1.2 * state.health, -3, 4))
    struck = state.happens(hazard, state.free(day))
    reason = state.rng.choice(len(catalog.INVOLUNTARY), len(struck), p=catalog.INVOLUNTARY_PROBS)
    unpaid = reason == 0
    delay = np.where(
        unpaid, state.rng.integers(75, 115, len(struck)), state.rng.integers(15, 60, len(struck))
    )
    gone = state.some_day(day, len(struck)) + delay
    written = gone > first_day
    state.gone[struck[written]] = gone[written]
    state.gone_reason[struck[written]] = catalog.NON_PAYMENT + reason[written]


def step_parts(state: State, day: int) -> None:
    """Single lines end while the account stays: leakers try the rival's line, others just shrink."""
    leaking = state.leak(day) > 0.15
    chance = np.where(leaking, state.tuning.part_end_leaking, state.tuning.part_end_other)
    for account in state.happens(chance, state.free(day)):
        active = (state.lines.account == account) & (state.lines.start <= day) & (state.line_end > day + WEEK)
        choices = np.flatnonzero(active)[1:]
        if len(choices):
            line = choices[state.rng.integers(0, len(choices))]
            state.line_end[line] = day + state.rng.integers(1, WEEK)
            state.line_reason[line] = catalog.RIVAL_OFFER if leaking[account] else catalog.CUSTOMER_REQUEST
