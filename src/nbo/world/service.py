"""What passes between the operator and its accounts: faults, contracts, surveys."""

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Ints
from nbo.world.state import WEEK, Draw, State

TERMS = np.array([6, 12, 24])
TERM_DAYS = np.array([182, 365, 730])
"""Days of each term of :data:`TERMS`."""
ACCEPTED, REFUSED, NOT_REACHED, NO_ANSWER = range(4)
PLAN_MONTHS, PLAN_DAYS = 12, 365
OUTAGE_HITS = 0.6
"""Share of an area's accounts that have a fault while its network is down."""
DRIVER_WEIGHTS = np.array([[1, 1, 6], [6, 1, 1], [1, 4, 3], [2, 1, 4], [2, 2, 2]]) / 8
"""How likely an account names quality, quantity or price as what counts, by attitude."""
OUTCOMES = ["accepted", "refused", "not_reached", "no_answer"]
TERM_PROBS = (0.25, 0.55, 0.2)


def sigmoid(x: Floats) -> Floats:
    """Chance of some log-odds."""
    chance: Floats = 1 / (1 + np.exp(-x))
    return chance


def step_moods(state: State) -> None:
    """Satisfaction, financial health and business drift; business also steps up and down."""
    rng, n, tuning = state.random(Draw.MOODS), state.count, state.tuning
    usual = state.population.satisfaction - tuning.mood_by_busy * state.busy
    state.satisfaction += 0.07 * (usual - state.satisfaction)
    state.satisfaction += rng.normal(0, 0.1, n)
    state.health += 0.03 * -state.health + rng.normal(0, 0.2, n)
    state.activity = 0.9 * state.activity + rng.normal(0, tuning.activity_sd, n)
    state.distance = 0.92 * state.distance + rng.normal(0, tuning.distance_sd, n)
    steps = rng.random(n) < tuning.business_step_per_week
    state.business = 0.985 * state.business + steps * rng.choice([-0.9, -0.5, 0.5], n)


def step_tickets(state: State, day: int) -> None:
    """Faults (also whole areas at once), complaints, disputes, requests; slow repair hurts most."""
    tuning, alive, n = state.tuning, state.alive(day), state.count
    rng = state.random(Draw.TICKETS)
    area = state.population.area
    hit = (rng.random(catalog.AREAS) < tuning.outage_per_week)[area] & (rng.random(n) < 0.3)
    down = state.schedule.down(day, WEEK)[area]
    hit |= down & (rng.random(n) < OUTAGE_HITS)
    chance = tuning.fault_per_week * np.sqrt(1 + 0.1 * state.population.employees)
    faulty = (rng.random(n) < chance) | hit
    unhappy = np.exp(np.clip(-1.5 * state.satisfaction, -3, 3))
    chances = {
        catalog.FAULT: faulty.astype(float),
        catalog.COMPLAINT: np.minimum(tuning.complaint_per_week * unhappy + 0.15 * faulty + 0.2 * down, 1.0),
        catalog.DISPUTE: tuning.dispute_per_week * unhappy,
        catalog.REQUEST: np.full(n, tuning.request_per_week),
    }
    for kind, chance_of_kind in chances.items():
        accounts = state.happens(rng, chance_of_kind, alive)
        opened = state.some_day(rng)[accounts]
        days_open = np.minimum(rng.lognormal(0.7, 0.9, n), 60).astype(np.int64)[accounts]
        state.happenings.add("ticket", accounts, opened, opened + days_open, np.full(len(accounts), kind))
        if kind in (catalog.FAULT, catalog.COMPLAINT):
            state.satisfaction[accounts] -= 0.45 + 0.06 * np.minimum(days_open, 10)


def step_contracts(state: State, day: int) -> None:
    """Contracts that end this week are renewed or run out; others sign out of the blue."""
    rng = state.random(Draw.CONTRACTS)
    renewed, bared, when = rng.random(state.count), rng.random(state.count), state.some_day(rng)
    term = rng.choice(len(TERMS), state.count, p=TERM_PROBS)
    due = np.flatnonzero(state.alive(day) & (state.contract_end < day + WEEK) & (state.contract_end >= day))
    stay = sigmoid(0.9 + 0.4 * state.satisfaction[due] - 1.6 * state.leak(day)[due])
    stay = stay * (state.decided[due] == NEVER)
    renews = renewed[due] < stay
    state.expired_day[due[~renews]] = state.contract_end[due[~renews]]
    state.contract_end[due] = NEVER
    state.plan[due] = 0
    fresh = np.flatnonzero(state.free(day) & (state.contract_end == NEVER) & (bared < 0.003))
    for accounts in (due[renews], fresh):
        sign_term(state, accounts, when[accounts], term[accounts])


def sign_term(state: State, accounts: Ints, when: Ints, term: Ints) -> None:
    """Sign main contracts without a plan; ``term`` is a position in :data:`TERMS`."""
    nothing = np.zeros(len(accounts), dtype=np.int64)
    planned = when + TERM_DAYS[term]
    state.happenings.add("contract", accounts, when, TERMS[term], planned, nothing, nothing)
    state.contract_end[accounts] = planned
    state.expired_day[accounts] = -NEVER


def sign(state: State, accounts: Ints, when: Ints, plan: Ints, base: Ints) -> None:
    """Sign growth plans for a year.

    Parameters
    ----------
    plan : int array
        1 to 3 = plan A, B, C.
    base : int array
        Plan base, fen a month.
    """
    planned = when + PLAN_DAYS
    months = np.full(len(accounts), PLAN_MONTHS)
    state.happenings.add("contract", accounts, when, months, planned, plan, base)
    state.contract_end[accounts] = planned
    state.expired_day[accounts] = -NEVER
    state.plan[accounts] = plan


def sign_first(state: State, first_day: int) -> None:
    """Contracts in force at the start of the burn-in, or signed at joining."""
    rng, join = state.random(Draw.CONTRACTS), state.population.join
    has = np.flatnonzero(rng.random(state.count) < 0.62)
    term = rng.choice(len(TERMS), state.count, p=TERM_PROBS)[has]
    cycles = np.maximum(first_day - join[has], 0) // TERM_DAYS[term]
    sign_term(state, has, join[has] + cycles * TERM_DAYS[term], term)


def step_surveys(state: State, day: int) -> None:
    """A random sample is asked; answers are noisy whole numbers from 1 to 5."""
    rng, n = state.random(Draw.SURVEYS), state.count
    asked = state.happens(rng, state.tuning.survey_per_week, state.alive(day))
    pull = state.leak(day)
    own = np.clip(np.rint(3.5 + state.satisfaction + rng.normal(0, 0.6, n)), 1, 5)
    rival = np.clip(np.rint(3.0 + 1.2 * pull + rng.normal(0, 0.9, n)), 1, 5)
    network = np.where(pull > 0.05, state.rival, rng.integers(1, 6, n))
    wants = DRIVER_WEIGHTS[state.population.attitude]
    driver = np.argmax(np.log(wants) + rng.gumbel(size=wants.shape), axis=1)
    answers = (own, rival, network, driver)
    state.happenings.add("survey", asked, state.some_day(rng)[asked], *(told[asked] for told in answers))


def step_office(state: State, day: int) -> None:
    """Opt-outs and changes of account manager."""
    rng, alive = state.random(Draw.OFFICE), state.alive(day)
    out = state.happens(rng, state.tuning.opt_out_per_week * (1 + 4 * state.irritation), alive)
    scope = rng.integers(0, 3, state.count)
    state.happenings.add("opt_out", out, state.some_day(rng)[out], scope[out])
    state.opted_out[out[scope[out] == 0]] = True
    moved = state.happens(rng, state.tuning.manager_change_per_week, alive)
    state.happenings.add("manager", moved, state.some_day(rng)[moved])
