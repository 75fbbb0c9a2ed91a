"""Who leaves and why: the hazards, the decision, its traces; ends that nobody chose; single lines."""

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Ints
from nbo.world.state import WEEK, Draw, State

__all__ = ["CAUSES", "hazards", "step_involuntary", "step_leaving", "step_parts"]

CAUSES = ("leakage", "service", "contract end", "contact", "neighbours", "no trace")
"""Components of the hazard; only what the last one does leaves no trace before the end."""
BY_LEAK, BY_SERVICE, BY_EXPIRY, BY_CONTACT, BY_NEIGHBOURS, NO_TRACE = range(6)
RENEWAL_WEEKS = 9
QUIET_REASONS = (catalog.MOVED, catalog.CUSTOMER_REQUEST, catalog.PRICE)


def hazards(state: State, day: int, neighbours: Floats) -> Floats:
    """Weekly hazards of deciding to leave, shape (6 components of :data:`CAUSES`, accounts)."""
    tuning, people = state.tuning, state.population
    calm = np.exp(0.3 * people.price_sensitivity - 0.35 * state.satisfaction - 0.4 * people.attachment)
    held = np.exp(-np.where(day < state.held_until, state.held, 0.0))
    left = state.contract_end - day
    locked = np.where((state.contract_end < NEVER) & (left > 75), tuning.leave_locked_factor, 1.0)
    follows = np.where(people.attitude == catalog.FOLLOWER, 3.0, 0.6)
    parts = np.stack(
        [
            tuning.leave_by_leak * state.committed * (state.leak(day) / 0.5) ** 2 * calm * locked,
            tuning.leave_by_service * np.exp(np.clip(-2.5 * state.satisfaction, -4, 5)) * locked,
            tuning.leave_after_contract * ((day - state.expired_day) < WEEK * RENEWAL_WEEKS) * calm,
            tuning.leave_by_contact * np.expm1(np.minimum(state.irritation, 2.5)) * locked,
            tuning.leave_by_neighbours * follows * neighbours * calm * locked,
            np.full(state.count, tuning.leave_without_trace),
        ]
    )
    parts[: BY_NEIGHBOURS + 1] *= held
    return parts


def step_leaving(state: State, day: int, first_day: int, neighbours: Floats) -> None:
    """Accounts decide to leave; one that would be gone before the run stays and ends its leakage."""
    rng = state.random(Draw.LEAVING)
    parts = hazards(state, day, neighbours)
    total = parts.sum(axis=0)
    decided = state.happens(rng, 1 - np.exp(-total), state.free(day))
    component = np.argmax(np.cumsum(parts, axis=0) >= rng.random(state.count) * total, axis=0)
    lead, cause = lead_and_cause(state, rng, component)
    when, announced = state.some_day(rng), rng.random(state.count)
    before, closing = rng.integers(3, 16, state.count), rng.integers(1, 6, state.count)
    written = (when + lead)[decided] > first_day
    stays, decided = decided[~written], decided[written]
    state.leak_stop[stays] = np.minimum(state.leak_stop[stays], day)
    state.decided[decided] = when[decided]
    state.leave[decided] = (when + lead)[decided]
    state.cause[decided] = cause[decided]
    state.traced[decided] = component[decided] != NO_TRACE
    state.happenings.add("decision", decided, when[decided], component[decided])
    tells = decided[state.traced[decided] & (announced[decided] < state.tuning.cancel_intent_share)]
    told = np.maximum(state.decided[tells], state.leave[tells] - before[tells])
    closed = np.minimum(told + closing[tells], state.leave[tells])
    state.happenings.add("ticket", tells, told, closed, np.full(len(tells), catalog.CANCEL_INTENT))


def lead_and_cause(state: State, rng: np.random.Generator, component: Ints) -> tuple[Ints, Ints]:
    """Days from a decision to the last line's end, and the reason that will be recorded, by account."""
    tuning, people, n = state.tuning, state.population, state.count
    lead = np.clip(rng.lognormal(np.log(tuning.lead_days_median), 0.6, n), 4, 120)
    lead = np.where(component == NO_TRACE, rng.uniform(2, 30, n), lead)
    quiet = rng.choice(QUIET_REASONS, n, p=[0.5, 0.3, 0.2])
    by_price = people.price_sensitivity + rng.normal(0, 1, n) > 1
    leaking = np.where(by_price, catalog.PRICE, catalog.RIVAL_OFFER)
    known = {
        BY_LEAK: leaking,
        BY_SERVICE: np.full(n, catalog.SERVICE),
        BY_EXPIRY: np.full(n, catalog.CONTRACT_END),
        BY_CONTACT: np.where(by_price, catalog.PRICE, catalog.CUSTOMER_REQUEST),
        BY_NEIGHBOURS: np.full(n, catalog.RIVAL_OFFER),
    }
    cause = np.select([component == place for place in known], list(known.values()), quiet)
    return lead.astype(np.int64), cause


def step_involuntary(state: State, day: int, first_day: int) -> None:
    """Unpaid bills, bankruptcy, removal of the building, fraud."""
    rng, n = state.random(Draw.INVOLUNTARY), state.count
    hazard = state.tuning.involuntary_per_week * np.exp(np.clip(-1.2 * state.health, -3, 4))
    struck = state.happens(rng, hazard, state.free(day))
    reason = rng.choice(len(catalog.INVOLUNTARY), n, p=catalog.INVOLUNTARY_PROBS)
    delay = np.where(reason == 0, rng.integers(120, 200, n), rng.integers(15, 60, n))
    when = state.some_day(rng)
    gone = when + delay
    struck = struck[gone[struck] > first_day]
    state.struck[struck] = when[struck]
    state.gone[struck] = gone[struck]
    state.gone_reason[struck] = catalog.NON_PAYMENT + reason[struck]


def step_parts(state: State, day: int) -> None:
    """Single lines end while the account stays: leakers try the rival's line, others just shrink."""
    rng = state.random(Draw.PARTS)
    leaking = state.leak(day) > 0.15
    chance = np.where(leaking, state.tuning.part_end_leaking, state.tuning.part_end_other)
    which, after = rng.random(state.count), rng.integers(1, WEEK, state.count)
    for account in state.happens(rng, chance, state.free(day)):
        active = (state.lines.account == account) & (state.lines.start <= day) & (state.line_end > day + WEEK)
        choices = np.flatnonzero(active)[1:]
        if len(choices):
            line = choices[int(which[account] * len(choices))]
            state.line_end[line] = day + after[account]
            state.line_reason[line] = catalog.RIVAL_OFFER if leaking[account] else catalog.CUSTOMER_REQUEST
