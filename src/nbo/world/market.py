"""What rivals do: whom they approach, who bites, how leakage grows and ends."""

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.rivals import SUBSTITUTES
from nbo.world.service import sigmoid
from nbo.world.state import Draw, State


def tower_share(state: State, day: int) -> Floats:
    """Share of each account's neighbours that leak or have left for a rival, shape (accounts,)."""
    left = (state.leave <= day) & (state.cause == catalog.RIVAL_OFFER)
    lost: Bools = (state.leak(day) > 0.05) | left
    return state.exposure(lost)


def step_approaches(state: State, day: int, neighbours: Floats) -> None:
    """Rivals call on accounts; some bite, and their leakage starts weeks later."""
    tuning, people, n = state.tuning, state.population, state.count
    rng = state.random(Draw.APPROACHES)
    cuts = state.schedule.price_cuts(day)
    pressure = (state.rivals.present(day) * np.exp(tuning.war_pull * cuts))[people.area]
    talks = np.where(people.attitude == catalog.FOLLOWER, 1.5, 0.8)
    hazard: Floats = tuning.approach_per_week * np.exp(
        tuning.approach_by_worth * (people.worth - tuning.usual_worth)
        + tuning.approach_by_pressure * (pressure.max(axis=1) - 0.9)
        + tuning.approach_by_tower * talks * neighbours
    )
    hazard = np.where(pressure.max(axis=1) > 0, hazard, 0.0)
    leaking = state.leak(day) > 0.05
    approached = state.happens(rng, hazard, state.free(day) & ~leaking)
    reach = np.cumsum(pressure + 1e-6, axis=1)
    rival = 1 + (reach < (rng.random(n) * reach[:, -1])[:, None]).sum(axis=1)
    when = state.some_day(rng)
    state.happenings.add("approach", approached, when[approached], rival[approached])
    locked = (state.contract_end < NEVER) & (state.contract_end - day > 120)
    dearer = np.log(state.schedule.long_distance(np.array([day]))[0])
    bite = sigmoid(
        tuning.bite_bias
        + tuning.bite_by_price * people.price_sensitivity
        - tuning.bite_by_satisfaction * state.satisfaction
        - tuning.bite_by_attachment * people.attachment
        - tuning.bite_lock * locked
        + tuning.war_bite * cuts[rival - 1]
        + tuning.bite_by_tariff * dearer
    )
    bites = rng.random(n) < bite
    start_leaking(state, rng, approached[bites[approached]], when, rival)


def start_leaking(state: State, rng: np.random.Generator, accounts: Ints, when: Ints, rival: Ints) -> None:
    tuning, n = state.tuning, state.count
    lag = np.clip(rng.lognormal(np.log(tuning.onset_days_median), 0.6, n), 3, 120).astype(np.int64)
    ceiling = np.clip(rng.beta(3, 2, n), 0.1, 0.98)
    growth = np.clip(rng.lognormal(np.log(tuning.growth_days_median), 0.5, n), 10, 240)
    seen, committed, other_kind = rng.random((3, n))
    substitutes = SUBSTITUTES[rival - 1] & (other_kind < tuning.substitution_share)
    for name, values in (
        ("onset", when + lag),
        ("ceiling", ceiling),
        ("growth_days", growth),
        ("rival", rival),
        ("substitutes", substitutes),
        ("seen", (seen < tuning.seen_share) & ~substitutes),
        ("committed", committed < tuning.committed_share),
    ):
        getattr(state, name)[accounts] = values[accounts]
    state.leak_stop[accounts] = NEVER


def step_returns(state: State, day: int) -> None:
    """Some leakage ends by itself: the rival disappoints or its price rises."""
    running = (state.onset <= day) & (state.leak_stop == NEVER) & state.free(day)
    chance = state.tuning.leak_stop_per_week * np.where(state.committed, 0.3, 1.0)
    stops = state.happens(state.random(Draw.RETURNS), chance, running)
    state.leak_stop[stops] = day
