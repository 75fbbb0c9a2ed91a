"""Contacts of the past: whom the operator's people chose, what they offered, what it changed.

Two kinds of opportunity arise. Those of the ``policy`` come to accounts that seem at risk or are worth
much, by what an account manager senses, which is not in any table; what is then offered is drawn with
probabilities that also follow it. Those of the ``randomised`` arm come to anyone: every offer that the
account may be made is as likely, and then every channel. The probability of what was done, given its
arm, is on record. Who has opted out of everything is left alone.
"""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog
from nbo.world.busy import busy_share
from nbo.world.calendar import Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.offers import (
    ACCEPT,
    CHANNELS,
    COST,
    HOLD,
    HOLD_DAYS,
    INTRUSION,
    MOOD,
    NOTHING,
    ODDS,
    OFFER_IDS,
    OFFERS,
    PLAN,
    PRODUCT,
    PULL_BACK,
    REACH,
    SELLS,
    TOUCHY,
    USUAL,
)
from nbo.world.rivals import MINUTE
from nbo.world.service import ACCEPTED, NO_ANSWER, NOT_REACHED, REFUSED, sigmoid, sign
from nbo.world.state import WEEK, Draw, Forced, State

__all__ = ["POLICY", "RANDOMISED", "accept_if_reached", "acceptance", "may_offer", "step_contacts"]

POLICY, RANDOMISED = range(2)
IRRITATION_FADES = 0.9
"""Share of an irritation that is left after a week."""
LOAD_FADES = 0.93
"""Share of the load of recent contacts that is left after a week."""
CENTREX_CLASSES = (0, 1, 2, 4)
TOLL_FREE_CLASSES = (0, 1, 4)
LEASED_EMPLOYEES = 40
ANSWER_DAYS = 15
UNANSWERED_DAYS = 21
BROADBAND = np.isin(np.arange(len(catalog.PRODUCTS)), catalog.BROADBAND_PRODUCTS)
PLANS = np.flatnonzero(PLAN > 0)
PLAN_STEP = 10_000
"""Plan bases are agreed in steps of 100 CNY."""
GIFT = OFFER_IDS.index("loyalty_gift")
PROB_UNIT = 10**9
"""Probabilities are kept among whole numbers in units of a billionth."""


@dataclass(frozen=True)
class Choice:
    """What is done to some accounts, arrays of shape (contacts,).

    Parameters
    ----------
    prob : float array
        Of this offer through this channel, given the arm.
    """

    account: Ints
    offer: Ints
    channel: Ints
    arm: Ints
    prob: Floats


def may_offer(state: State) -> Bools:
    """Which offers each account may be made this week, shape (accounts, offers).

    The operator's people know the lines that an account began with and what it accepted from them, not
    what it took by itself since: some are offered what they have.
    """
    people, lines = state.population, state.lines
    allowed = np.ones((state.count, len(OFFERS)), dtype=bool)
    connected: Bools = np.asarray(state.accepted[:, BROADBAND].any(axis=1))
    connected[lines.account[BROADBAND[lines.product]]] = True
    leased = state.accepted[:, catalog.LEASED].copy()
    leased[lines.account[lines.product == catalog.LEASED]] = True
    allowed[:, PLANS] = (state.plan == 0)[:, None] & (people.kind != 2)[:, None]
    for offer, made in enumerate(OFFERS):
        if made.product == "business_adsl":
            allowed[:, offer] = ~connected
        elif made.product == "leased":
            allowed[:, offer] = (people.employees >= LEASED_EMPLOYEES) & ~leased
        elif made.product == "centrex":
            allowed[:, offer] = np.isin(people.account_class, CENTREX_CLASSES) & (people.employees > 5)
        elif made.product == "toll_free_800":
            allowed[:, offer] = np.isin(people.account_class, TOLL_FREE_CLASSES)
            allowed[:, offer] &= ~state.accepted[:, PRODUCT[offer]]
    return allowed


def sensed(state: State, noise: Floats) -> Floats:
    """What the operator's people sense of each account's wish to leave, about 0 with a spread of 1."""
    leaking = state.leak(state.day) > 0.1
    told: Floats = 1.1 * leaking - 0.6 * state.satisfaction + 0.4 * state.irritation + 0.7 * noise
    return told


def policy_probs(state: State, allowed: Bools, sense: Floats) -> Floats:
    """How likely the operator's people are to choose each offer, shape (accounts, offers)."""
    people = state.population
    weights = np.tile(USUAL.astype(np.float64), (state.count, 1))
    weights[:, NOTHING] = 0.3 - 0.8 * sense
    weights[:, PLANS] += 0.35 * (people.worth - state.tuning.usual_worth)[:, None] + 0.5 * sense[:, None]
    weights[:, GIFT] += 0.7 * sense
    for offer, made in enumerate(OFFERS):
        if made.product == "business_adsl":
            weights[:, offer] += 1.2 * people.dial_up
        elif made.product == "pstn":
            weights[:, offer] += 4.0 * state.busy
    weights = np.where(allowed, weights, -np.inf)
    shares = np.exp(weights - weights.max(axis=1, keepdims=True))
    probs: Floats = shares / shares.sum(axis=1, keepdims=True)
    return probs


def channel_probs(state: State) -> Floats:
    """How likely each channel is under the policy, shape (accounts, channels).

    Account managers for the valuable, agents in towers and shop streets, call-centre seats for the
    rest; mail and web now and then.
    """
    people = state.population
    tower = np.isin(people.site_type, (0, 1))
    wanted = np.where(people.account_class <= 1, 0, np.where(tower, 2, 1))
    probs = np.full((state.count, len(CHANNELS)), 0.0)
    probs[:, :3] = 0.05
    probs[:, 3:] = (0.15, 0.10)
    probs[np.arange(state.count), wanted] += 0.6
    told: Floats = probs / probs.sum(axis=1, keepdims=True)
    return told


def acceptance(state: State, offer: Ints, channel: Ints) -> Floats:
    """Chance that each account accepts an offer through a channel, shape (accounts,)."""
    reached = REACH[np.maximum(channel, 0)] * (offer > NOTHING)
    chance: Floats = reached * accept_if_reached(state, offer, channel)
    return chance


def accept_if_reached(state: State, offer: Ints, channel: Ints) -> Floats:
    """The same for an account that has noticed the offer."""
    people, leak = state.population, state.leak(state.day)
    plan = PLAN[offer] > 0
    need = np.where(plan, 2.0 * (leak > 0.1) + 0.3 * people.price_sensitivity, 0.0)
    need = need + np.where(BROADBAND[PRODUCT[offer]] & (PRODUCT[offer] >= 0), 1.2 * people.dial_up, 0.0)
    need = need + np.where(PRODUCT[offer] == catalog.PSTN, 5.0 * state.busy, 0.0)
    need = need + 0.4 * np.clip(state.satisfaction, -1.5, 1.5)
    odds = ACCEPT[offer, people.attitude] + ODDS[np.maximum(channel, 0)] + need
    return sigmoid(odds - state.tuning.fatigue * state.load)


def step_contacts(state: State) -> None:
    """A week's contacts: whom, with what, what they say, what it changes."""
    state.irritation *= IRRITATION_FADES
    state.load *= LOAD_FADES
    rng = state.random(Draw.CONTACTS)
    uniform = rng.random((7, state.count))
    sense = sensed(state, rng.normal(0, 1, state.count))
    when, waits = state.some_day(rng), rng.integers(0, ANSWER_DAYS, state.count)
    chosen = chosen_actions(state, sense, uniform)
    account, offer, channel = chosen.account, chosen.offer, chosen.channel
    everyone = np.zeros((2, state.count), dtype=np.int64)
    everyone[:, account] = offer, channel
    reached = (uniform[4] < REACH[np.maximum(everyone[1], 0)])[account] & (offer > NOTHING)
    accepts = reached & (uniform[5] < accept_if_reached(state, *everyone))[account]
    forced = forced_now(state)
    if forced is not None and forced.answer is not None:
        told = (forced.offer >= 0)[account] & (offer > NOTHING)
        reached, accepts = reached | told, np.where(told, forced.answer, accepts)
    silent = uniform[6][account] < 0.25
    said = np.select([accepts, ~reached, silent], [ACCEPTED, NOT_REACHED, NO_ANSWER], default=REFUSED)
    said = np.where(offer == NOTHING, -1, said)
    heard = when[account] + np.where(said == NO_ANSWER, UNANSWERED_DAYS, waits[account])
    state.happenings.add(
        "contact",
        account,
        when[account],
        offer,
        np.where(offer == NOTHING, -1, channel),
        said,
        np.where(offer == NOTHING, NEVER, heard),
        chosen.arm,
        np.rint(chosen.prob * PROB_UNIT).astype(np.int64),
    )
    disturb(state, account[reached], offer[reached], channel[reached])
    agree(state, account[accepts], offer[accepts], when[account[accepts]])


def chosen_actions(state: State, sense: Floats, uniform: Floats) -> Choice:
    """Who is chosen this week by the policy or at random, and for what."""
    tuning, everyone = state.tuning, np.arange(state.count)
    risk = np.exp(tuning.contact_follows_risk * np.clip(sense, -2, 2))
    worth = np.exp(0.3 * np.clip(state.population.worth - tuning.usual_worth, -2, 3))
    among = state.free(state.day) & ~state.opted_out
    at_random = among & (
        uniform[1] < max(tuning.contact_random_per_week, state.schedule.pilot(state.day, WEEK))
    )
    by_policy = among & ~at_random & (uniform[0] < tuning.contact_per_week * risk * worth)
    allowed = may_offer(state)
    even = allowed / allowed.sum(axis=1, keepdims=True)
    offers = np.where(at_random[:, None], even, policy_probs(state, allowed, sense))
    channels = np.where(at_random[:, None], 1 / len(CHANNELS), channel_probs(state))
    offer, channel = drawn(offers, uniform[2]), drawn(channels, uniform[3])
    prob = offers[everyone, offer] * np.where(offer == NOTHING, 1.0, channels[everyone, channel])
    contacted = by_policy | at_random
    arm = np.where(at_random, RANDOMISED, POLICY)
    forced = forced_now(state)
    if forced is not None:
        told = forced.offer >= 0
        offer, channel = np.where(told, forced.offer, offer), np.where(told, forced.channel, channel)
        contacted = np.where(told, among & (forced.offer > NOTHING), contacted)
        arm, prob = np.where(told, RANDOMISED, arm), np.where(told, 1.0, prob)
    account = np.flatnonzero(contacted)
    return Choice(account, offer[account], channel[account], arm[account], prob[account])


def forced_now(state: State) -> Forced | None:
    """What is forced this week, if anything."""
    forced = state.forced
    return forced if forced is not None and state.day <= forced.day < state.day + WEEK else None


def drawn(probs: Floats, uniform: Floats) -> Ints:
    """A column for each row, drawn by its probabilities with the row's number from 0 to 1."""
    reach = np.cumsum(probs, axis=1)
    place: Ints = (reach[:, :-1] <= (uniform * reach[:, -1])[:, None]).sum(axis=1)
    return place


def disturb(state: State, account: Ints, offer: Ints, channel: Ints) -> None:
    """Every contact costs patience; some people are better left alone."""
    people = state.population
    felt = TOUCHY[people.attitude[account]] * people.touchiness[account] * np.where(SELLS[offer], 1.0, 0.3)
    tired = 1 + state.tuning.fatigue * state.load[account]
    state.irritation[account] += state.tuning.contact_harm * INTRUSION[channel] * felt * tired
    state.load[account] += 1


def agree(state: State, account: Ints, offer: Ints, when: Ints) -> None:
    """What accepting changes: the wish to leave, the leakage, the mood, what is signed."""
    attitude = state.population.attitude[account]
    hold = state.tuning.contact_effect * HOLD[offer, attitude]
    # What holds already goes on if it holds better.
    stronger = (state.held_until[account] <= state.day) | (hold >= state.held[account])
    held = account[stronger]
    state.held[held] = hold[stronger]
    state.held_until[held] = (when + HOLD_DAYS[offer])[stronger]
    state.satisfaction[account] += MOOD[offer]
    now = state.levels()
    rivals_minute = MINUTE[state.rival - 1] * (1 - state.schedule.price_cuts(state.day)[state.rival - 1])
    wallet = (state.habits.monthly_spend(now) + state.habits.leaked_amount(now, rivals_minute))[account]
    state.ceiling[account] *= 1 - PULL_BACK[offer]
    plan = PLAN[offer]
    on_plan = plan > 0
    base = np.maximum(np.ceil(wallet[on_plan] / PLAN_STEP), 1).astype(np.int64) * PLAN_STEP
    # Signed at the end of the week, so that it follows whatever else was signed in it.
    signed = np.full(int(on_plan.sum()), state.day + WEEK - 1)
    sign(state, account[on_plan], signed, plan[on_plan], base)
    taken = PRODUCT[offer] >= 0
    state.accepted[account[taken], PRODUCT[offer][taken]] = True
    state.happenings.add("accepted", account[taken], when[taken], PRODUCT[offer][taken])
    state.happenings.add("given", account, when, COST[offer])
    more = account[np.isin(PRODUCT[offer], catalog.VOICE_PRODUCTS)]
    state.voice[more] += 1
    state.busy[more] = busy_share(state.population.calls_per_day[more], state.voice[more])
