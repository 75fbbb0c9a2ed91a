"""What passes between the operator and its accounts: faults, contracts, contacts, surveys."""

import numpy as np

from nbo.world import catalog
from nbo.world.columns import NEVER, Ints
from nbo.world.market import sigmoid
from nbo.world.population import AREAS
from nbo.world.state import WEEK, State

TERMS = np.array([6, 12, 24])
TERM_DAYS = np.array([182, 365, 730])
"""Days of each term of :data:`TERMS`."""
ACCEPTED, REFUSED, NOT_REACHED, NO_ANSWER = range(4)
OUTCOMES = ["accepted", "refused", "not_reached", "no_answer"]
EFFECT_DAYS = 60


def step_moods(state: State) -> None:
    """Satisfaction, financial health and business drift; business also steps up and down."""
    rng, n, tuning = state.rng, state.count, state.tuning
    state.satisfaction += 0.07 * (state.population.satisfaction - state.satisfaction)
    state.satisfaction += rng.normal(0, 0.1, n)
    state.health += 0.03 * -state.health + rng.normal(0, 0.2, n)
    state.activity = 0.9 * state.activity + rng.normal(0, tuning.activity_sd, n)
    state.distance = 0.92 * state.distance + rng.normal(0, tuning.distance_sd, n)
    steps = rng.random(n) < tuning.business_step_per_week
    state.business = 0.985 * state.business + steps * rng.choice([-0.9, -0.5, 0.5], n)


def step_tickets(state: State, day: int) -> None:
    """Faults (also whole areas at once), complaints, disputes, requests; slow repair hurts most."""
    tuning, rng, alive = state.tuning, state.rng, state.alive(day)
    outages = rng.random(AREAS) < tuning.outage_per_week
    hit = outages[state.population.area] & (rng.random(state.count) < 0.3)
    chance = tuning.fault_per_week * np.sqrt(1 + 0.1 * state.population.employees)
    faulty = (rng.random(state.count) < chance) | hit
    unhappy = np.exp(np.clip(-1.5 * state.satisfaction, -3, 3))
    chances = {
        catalog.FAULT: faulty.astype(float),
        catalog.COMPLAINT: np.minimum(tuning.complaint_per_week * unhappy + 0.15 * faulty, 1.0),
        catalog.DISPUTE: tuning.dispute_per_week * unhappy,
        catalog.REQUEST: np.full(state.count, tuning.request_per_week),
    }
    for kind, chance_of_kind in chances.items():
        accounts = state.happens(chance_of_kind, alive)
        opened = state.some_day(day, len(accounts))
        days_open = np.minimum(rng.lognormal(0.7, 0.9, len(accounts)), 60).astype(np.int64)
        state.happenings.add("ticket", accounts, opened, opened + days_open, np.full(len(accounts), kind))
        if kind in (catalog.FAULT, catalog.COMPLAINT):
            np.add.at(state.satisfaction, accounts, -0.45 - 0.06 * np.minimum(days_open, 10))


def step_contracts(state: State, day: int) -> None:
    """Contracts that end this week are renewed or run out; others sign out of the blue."""
    rng = state.rng
    due = np.flatnonzero(state.alive(day) & (state.contract_end < day + WEEK) & (state.contract_end >= day))
    stay = sigmoid(0.9 + 0.4 * state.satisfaction[due] - 1.6 * state.leak(day)[due])
    stay = stay * (state.decided[due] == NEVER)
    renews = rng.random(len(due)) < stay
    state.expired_day[due[~renews]] = state.contract_end[due[~renews]]
    state.contract_end[due] = NEVER
    sign(state, due[renews], state.some_day(day, int(renews.sum())))
    bare = state.free(day) & (state.contract_end == NEVER)
    fresh = state.happens(0.003, bare)
    sign(state, fresh, state.some_day(day, len(fresh)))


def sign(state: State, accounts: Ints, when: Ints, plans: bool = False) -> None:
    """Sign contracts; ``plan`` 0 = none, 1 to 3 = growth plan A, B, C."""
    if not len(accounts):
        return
    rng = state.rng
    term = rng.choice(len(TERMS), len(accounts), p=[0.25, 0.55, 0.2])
    planned = when + TERM_DAYS[term]
    plan = rng.integers(1, 4, len(accounts)) if plans else np.zeros(len(accounts), dtype=np.int64)
    state.happenings.add("contract", accounts, when, TERMS[term], planned, plan)
    state.contract_end[accounts] = planned
    state.expired_day[accounts] = -NEVER


def sign_first(state: State, first_day: int) -> None:
    """Contracts in force at the start of the burn-in, or signed at joining."""
    rng, join = state.rng, state.population.join
    has = np.flatnonzero(rng.random(state.count) < 0.62)
    term = rng.choice(len(TERMS), len(has), p=[0.25, 0.55, 0.2])
    cycles = np.maximum(first_day - join[has], 0) // TERM_DAYS[term]
    when = join[has] + cycles * TERM_DAYS[term]
    planned = when + TERM_DAYS[term]
    state.happenings.add("contract", has, when, TERMS[term], planned, 0 * when)
    state.contract_end[has] = planned


def step_contacts(state: State, day: int) -> None:
    """Randomised contacts: a logged arm, an outcome later, and an effect on the wish to leave."""
    rng, people = state.rng, state.population
    accounts = state.happens(state.tuning.contact_per_week, state.free(day))
    n = len(accounts)
    treatment = rng.choice(len(catalog.TREATMENTS), n, p=catalog.TREATMENT_PROBS)
    big = people.account_class[accounts] <= 1
    channel = np.where(big & (rng.random(n) < 0.7), 0, rng.choice([1, 2, 5], n, p=[0.7, 0.2, 0.1]))
    when = state.some_day(day, n)
    wish = -2.2 + 0.5 * people.price_sensitivity[accounts] + 1.2 * (state.leak(day)[accounts] > 0.1)
    accepts = rng.random(n) < sigmoid(wish)
    outcome = np.where(accepts, ACCEPTED, rng.choice([REFUSED, NOT_REACHED, NO_ANSWER], n, p=[0.5, 0.3, 0.2]))
    heard = when + np.where(outcome == NO_ANSWER, 21, rng.integers(0, 15, n))
    control = treatment == 0
    channel, outcome = np.where(control, -1, channel), np.where(control, -1, outcome)
    state.happenings.add(
        "contact", accounts, when, treatment, channel, outcome, np.where(control, NEVER, heard)
    )
    reached = accounts[~control & (outcome != NOT_REACHED)]
    leaking = state.leak(day)[reached] > 0.1
    state.treated_until[reached] = day + EFFECT_DAYS
    state.treated_effect[reached] = np.where(leaking, 0.7, 1.25)
    taken = outcome == ACCEPTED
    state.ceiling[accounts[taken]] *= 0.6
    sign(state, accounts[taken & (treatment == 2)], when[taken & (treatment == 2)], plans=True)


def step_surveys(state: State, day: int) -> None:
    """A random sample is asked; answers are noisy whole numbers from 1 to 5."""
    rng = state.rng
    asked = state.happens(state.tuning.survey_per_week, state.alive(day))
    n = len(asked)
    own = np.clip(np.rint(3.5 + state.satisfaction[asked] + rng.normal(0, 0.6, n)), 1, 5)
    pull = state.leak(day)[asked]
    rival = np.clip(np.rint(3.0 + 1.2 * pull + rng.normal(0, 0.9, n)), 1, 5)
    network = np.where(pull > 0.05, state.rival[asked], rng.integers(1, 6, n))
    priced = rng.random(n) < sigmoid(state.population.price_sensitivity[asked])
    driver = np.where(priced, 2, rng.integers(0, 2, n))
    state.happenings.add("survey", asked, state.some_day(day, n), own, rival, network, driver)


def step_office(state: State, day: int) -> None:
    """Opt-outs and changes of account manager."""
    out = state.happens(state.tuning.opt_out_per_week, state.alive(day))
    state.happenings.add("opt_out", out, state.some_day(day, len(out)), state.rng.integers(0, 3, len(out)))
    moved = state.happens(state.tuning.manager_change_per_week, state.alive(day))
    state.happenings.add("manager", moved, state.some_day(day, len(moved)))
