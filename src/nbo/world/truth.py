"""The truth of the simulated operator: what would become of an account under each action.

Only tests and benchmarks read it. No feature, model or policy may import this module; an import contract
and a test see to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from nbo.errors import UsageError
from nbo.world import catalog
from nbo.world.calendar import MONTH_DAYS, Floats, day_factors
from nbo.world.columns import Ints, account_ids
from nbo.world.config import Chunk, WorldConfig
from nbo.world.contacts import accept_if_reached, acceptance, may_offer
from nbo.world.expectation import TYPICAL_DAY
from nbo.world.life import Course, Life
from nbo.world.margins import expected_margin, levels_of, monthly_fees, served
from nbo.world.offers import CHANNEL_COST, CHANNEL_IDS, NOTHING, OFFER_IDS, REACH, SELLS
from nbo.world.rivals import MINUTE
from nbo.world.state import WEEK, Forced
from nbo.world.tuning import TUNING, Tuning

__all__ = ["NOTHING_DONE", "Action", "Outcomes", "potential_outcomes", "wallets"]

HORIZON_DAYS = 365
ANY_SALE = int(np.flatnonzero(SELLS)[1])


@dataclass(frozen=True)
class Action:
    """An offer through a channel; the offer ``none`` needs no channel.

    Raises
    ------
    UsageError
        An offer or a channel that the simulated operator does not have.

    Examples
    --------
    >>> Action("care_call", "call_centre")
    Action(offer='care_call', channel='call_centre')
    >>> Action("care_call")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nbo.errors.UsageError: channel: expected one of account_manager, call_centre, ..., got None.
    """

    offer: str
    channel: str | None = None

    def __post_init__(self) -> None:
        if self.offer not in OFFER_IDS:
            raise UsageError(f"offer: expected one of {', '.join(OFFER_IDS)}, got {self.offer!r}")
        if self.offer != OFFER_IDS[NOTHING] and self.channel not in CHANNEL_IDS:
            raise UsageError(f"channel: expected one of {', '.join(CHANNEL_IDS)}, got {self.channel!r}")
        if self.offer == OFFER_IDS[NOTHING] and self.channel is not None:
            raise UsageError(f"channel: expected none for the offer none, got {self.channel!r}")

    @property
    def places(self) -> tuple[int, int]:
        """Positions of the offer and the channel (0 where there is none)."""
        return OFFER_IDS.index(self.offer), 0 if self.channel is None else CHANNEL_IDS.index(self.channel)


NOTHING_DONE = Action(OFFER_IDS[NOTHING])


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Potential outcomes of the accounts that can be contacted on a day.

    Parameters
    ----------
    account_ids : ndarray of str, shape (n,)
    actions : tuple of Action, length A
    may : bool array of shape (n, A)
        Whether the action may be offered to the account at all.
    accepts : float array of shape (n, A)
        Chance of acceptance.
    leaves : float array of shape (n, A)
        Chance that it has left by its own will within the horizon: mean over the lucks.
    margin : float array of shape (n, A)
        Mean over the lucks of the expected margin within the horizon, CNY.
    """

    account_ids: np.ndarray
    actions: tuple[Action, ...]
    may: np.ndarray
    accepts: Floats
    leaves: Floats
    margin: Floats

    def table(self) -> pa.Table:
        """One row for each account and action."""
        n, width = self.leaves.shape
        return pa.table(
            {
                "account_id": np.repeat(self.account_ids, width),
                "offer": [action.offer for action in self.actions] * n,
                "channel": pa.array([action.channel for action in self.actions] * n, pa.string()),
                "may_offer": self.may.ravel(),
                "p_accept": self.accepts.ravel(),
                "p_churn": self.leaves.ravel(),
                "margin_amount": self.margin.ravel(),
            }
        )


def potential_outcomes(
    config: WorldConfig,
    as_of: int,
    actions: Sequence[Action],
    *,
    lucks: Sequence[int] = (0,),
    horizon_days: int = HORIZON_DAYS,
    tuning: Tuning = TUNING,
) -> Outcomes:
    """What becomes of every account that can be contacted on a day, under each action.

    Parameters
    ----------
    config : WorldConfig
        Of the simulated operator, as it was given to :func:`nbo.world.simulate`.
    as_of : int
        Day of the run in whose week of the simulation the action is taken; counting begins with that week.
    actions : sequence of Action
    lucks : sequence of int
        Numbers of the random futures whose mean is taken, the same ones for every action. 0 is the
        world that was written: under the action that was truly taken, the outcome is what the tables
        show. Many others give the expected outcome given all that is true of the account.
    horizon_days : int
        Days from ``as_of`` to which leaving and margin are counted, >= 1; it may reach beyond the run.
    tuning : Tuning
        As it was given to the simulation.

    Returns
    -------
    Outcomes

    Raises
    ------
    UsageError
        A day outside the run, no action, fewer than 1 day.

    Notes
    -----
    One account's action changes nothing for its neighbours here: each is asked what would become of it
    if it alone were treated so. Every action meets the same random numbers, so that a difference
    between two actions is theirs. What the operator does in later weeks goes on as it would.
    """
    check_day(config, as_of)
    if not actions or not lucks or min(lucks) < 0 or horizon_days < 1:
        raise UsageError("expected an action, a horizon of a day, and a luck of 0 or above, at least")
    told = config.scenario.tuned(tuning)
    parts = [
        chunk_outcomes(chunk, config, told, as_of, actions, lucks, horizon_days) for chunk in config.chunks
    ]
    names, may, accepts, leaves, margin = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Outcomes(names, tuple(actions), may, accepts, leaves, margin)


def check_day(config: WorldConfig, as_of: int) -> None:
    """Refuse a day outside the run."""
    if not config.first_day <= as_of < config.end_day:
        raise UsageError(f"as_of: expected a day of the run, {config.first_day} to {config.end_day - 1}")


def chunk_outcomes(
    chunk: Chunk,
    config: WorldConfig,
    tuning: Tuning,
    as_of: int,
    actions: Sequence[Action],
    lucks: Sequence[int],
    horizon_days: int,
) -> tuple[np.ndarray, ...]:
    """The parts of :class:`Outcomes` of one neighbourhood."""
    end = as_of + horizon_days
    futures = Futures(course_before(chunk, config, tuning, as_of, end), as_of, end)
    state = futures.state
    who = np.flatnonzero(state.free(state.day))
    allowed = may_offer(state)[who]
    may = np.column_stack([allowed[:, action.places[0]] for action in actions])
    accepts = np.column_stack([acceptance(state, *futures.places(action))[who] for action in actions])
    found = np.array([[futures.under(action, luck) for luck in lucks] for action in actions])
    leaves, margin = found.mean(axis=1)[..., who].transpose(1, 2, 0)
    names = np.array(account_ids(chunk.first_account + who).to_pylist())
    return names, may, accepts, leaves, margin / 100


class Futures:
    """What becomes of a chunk under each action and luck, each way of going on lived once.

    Parameters
    ----------
    before : Course
        Just before the week of the action.
    as_of, end : int
        Day of the action, first day that is not counted.
    """

    def __init__(self, before: Course, as_of: int, end: int) -> None:
        self._before, self._as_of, self._end = before, as_of, end
        self.state = before.state.copy()
        self.state.day = before.day
        self._lived: dict[tuple[int, int, bool | None, int], Floats] = {}

    def places(self, action: Action) -> tuple[Ints, Ints]:
        """An action's offer and channel for every account, each of shape (accounts,)."""
        offer, channel = action.places
        return np.full(self.state.count, offer), np.full(self.state.count, channel)

    def under(self, action: Action, luck: int) -> Floats:
        """Whether each account has left, and its margin in fen, shape (2, accounts).

        Under the luck that was written an account answers as it did. Under any other it is reached and
        accepts in part, by its true chances: the mean over its answers has no noise of its own.
        """
        offer, channel = action.places
        if offer == NOTHING or luck == 0:
            return self._outcome(offer, channel, None, luck)
        left_alone = self._outcome(NOTHING, 0, None, luck).copy()
        left_alone[1] -= CHANNEL_COST[channel]
        # Refusing is the same whatever was refused, but for whether it was felt as selling.
        refused = self._outcome(ANY_SALE if SELLS[offer] else offer, channel, False, luck)
        accepted = self._outcome(offer, channel, True, luck)
        reach = REACH[channel]
        accept = accept_if_reached(self.state, *self.places(action))
        outcome: Floats = (1 - reach) * left_alone + reach * ((1 - accept) * refused + accept * accepted)
        return outcome

    def _outcome(self, offer: int, channel: int, answer: bool | None, luck: int) -> Floats:
        key = (offer, channel, answer, luck)
        if key not in self._lived:
            n = self.state.count
            forced = Forced(self._as_of, np.full(n, offer), np.full(n, channel), answer)
            life = life_under(self._before, forced, luck, self._end)
            left = life.leave < np.minimum(self._end, life.gone)
            margin = expected_margin(life, self._before.day, self._end)
            self._lived[key] = np.stack([left.astype(np.float64), margin])
        return self._lived[key]


def course_before(chunk: Chunk, config: WorldConfig, tuning: Tuning, as_of: int, end: int) -> Course:
    """The chunk just before the week of a day; what its neighbours will go through is known already."""
    course = Course.begin(chunk, config, tuning)
    course.walk(as_of - WEEK + 1)
    before = course.branch(None)
    course.walk(end)
    return before


def life_under(before: Course, forced: Forced, luck: int, end: int) -> Life:
    """The life that follows from an action under a luck."""
    course = before.branch(forced, luck)
    course.walk(end)
    return course.life(end)


def wallets(config: WorldConfig, as_of: int, *, tuning: Tuning = TUNING) -> pa.Table:
    """What each active account spends a month with us and with a rival, by family, on a day.

    Returns
    -------
    pyarrow.Table
        ``account_id``, ``family``, ``own_amount`` (CNY at our list prices), ``leak_at_own_tariff_amount``
        (what leaked would cost with us), ``rival_amount`` (what it costs with the rival), ``rival``
        (network or null), ``wallet_share`` (own part of own and rival amount; null where both are 0).

    Notes
    -----
    A rival's long distance has its own minute; its local calls and dial-up are taken to cost what ours do.
    """
    check_day(config, as_of)
    tables = []
    for chunk in config.chunks:
        course = Course.begin(chunk, config, config.scenario.tuned(tuning))
        course.walk(as_of + WEEK)
        tables.append(chunk_wallets(course.life(min(as_of + WEEK, config.end_day)), as_of))
    return pa.concat_tables(tables)


def chunk_wallets(life: Life, as_of: int) -> pa.Table:
    """The wallets of one neighbourhood."""
    days = np.arange(as_of, as_of + 1)
    week = int(life.weeks_of(days)[0])
    who = np.flatnonzero((life.population.join <= as_of) & (as_of < life.end))
    season = day_factors(days, life.schedule)[:, 0][life.population.site_type]
    now = levels_of(life, days)
    now = replace(now, level=now.level / season * TYPICAL_DAY)
    dials = (np.asarray(now.dials) > 0).astype(np.float64)
    loyal = replace(now, leak=np.zeros(life.population.count), dials=dials)
    calls = life.habits.amounts(now)
    own = calls * (served(life, days) * MONTH_DAYS)[:, None] + monthly_fees(life, as_of)
    leaked = np.maximum(life.habits.amounts(loyal) - calls, 0) * MONTH_DAYS
    rival = leaked.copy()
    place = life.rival[:, week] - 1
    minute = MINUTE[place] * (1 - life.schedule.price_cuts(as_of)[place])
    rival[:, catalog.BILL_FAMILIES.index("long_distance")] = life.habits.leaked_amount(now, minute)
    names = np.array(catalog.NETWORK_IDS, dtype=object)[life.rival[:, week]]
    names[life.leak[:, week] <= 0] = None
    both = own + rival
    share = np.divide(own, both, out=np.full(own.shape, np.nan), where=both > 0)
    width = len(catalog.BILL_FAMILIES)
    ids = account_ids(life.population.chunk.first_account + who).to_pylist()
    return pa.table(
        {
            "account_id": np.repeat(ids, width),
            "family": list(catalog.BILL_FAMILIES) * len(who),
            "own_amount": own[who].ravel() / 100,
            "leak_at_own_tariff_amount": leaked[who].ravel() / 100,
            "rival_amount": rival[who].ravel() / 100,
            "rival": pa.array(np.repeat(names[who], width).tolist(), pa.string()),
            "wallet_share": pa.array(share[who].ravel(), from_pandas=True),
        }
    )
