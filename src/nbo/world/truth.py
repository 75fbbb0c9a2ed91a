"""The truth of the simulated operator: what would become of an account under each action.

Only tests and benchmarks read it. No feature, model or policy may import this module; an import contract
and a test see to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nbo.errors import UsageError
from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import account_ids
from nbo.world.config import Chunk, WorldConfig
from nbo.world.contacts import acceptance, may_offer
from nbo.world.expectation import MONTH_DAYS
from nbo.world.life import Course, Life
from nbo.world.margins import expected_margin, expected_use, levels_of
from nbo.world.offers import CHANNEL_IDS, NOTHING, OFFER_IDS
from nbo.world.rivals import MINUTE
from nbo.world.state import WEEK, Forced
from nbo.world.tuning import TUNING, Tuning

__all__ = ["NOTHING_DONE", "Action", "Outcomes", "potential_outcomes", "wallets"]

HORIZON_DAYS = 365


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
        Share of the lucks under which it has left by its own will within the horizon.
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
    config, tuning
        Of the simulated operator, as they were given to :func:`nbo.world.simulate`.
    as_of : int
        Day of the run in whose week of the simulation the action is taken; counting begins with that week.
    actions : sequence of Action
    lucks : sequence of int
        Numbers of the random futures whose mean is taken, the same ones for every action. 0 is the
        world that was written: under the action that was truly taken, the outcome is what the tables
        show. Many others give the expected outcome given all that is true of the account.
    horizon_days : int
        Days from ``as_of`` to which leaving and margin are counted, >= 1; it may reach beyond the run.

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
    if not config.first_day <= as_of < config.end_day:
        raise UsageError(f"as_of: expected a day of the run, {config.first_day} to {config.end_day - 1}")
    if not actions or not lucks or min(lucks) < 0 or horizon_days < 1:
        raise UsageError("expected an action, a horizon of a day, and a luck of 0 or above, at least")
    told = config.scenario.tuned(tuning)
    parts = [
        chunk_outcomes(chunk, config, told, as_of, actions, lucks, horizon_days) for chunk in config.chunks
    ]
    names, may, accepts, leaves, margin = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Outcomes(names, tuple(actions), may, accepts, leaves, margin)


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
    before = course_before(chunk, config, tuning, as_of, end)
    state = before.state.copy()
    state.day = before.day
    who = np.flatnonzero(state.free(before.day))
    allowed = may_offer(state)
    shape = (len(who), len(actions))
    may, accepts, leaves, margin = np.empty(shape, bool), np.empty(shape), np.empty(shape), np.empty(shape)
    for column, action in enumerate(actions):
        offer, channel = (np.full(state.count, place) for place in action.places)
        may[:, column] = allowed[who, offer[who]]
        accepts[:, column] = acceptance(state, offer, channel)[who]
        left, earned = [], []
        for life in lives_under(before, Forced(as_of, offer, channel), lucks, end):
            left.append((life.leave[who] < np.minimum(end, life.gone[who])).astype(np.float64))
            earned.append(expected_margin(life, before.day, end)[who] / 100)
        leaves[:, column], margin[:, column] = np.mean(left, axis=0), np.mean(earned, axis=0)
    names = np.array(account_ids(chunk.first_account + who).to_pylist())
    return names, may, accepts, leaves, margin


def course_before(chunk: Chunk, config: WorldConfig, tuning: Tuning, as_of: int, end: int) -> Course:
    """The chunk just before the week of a day; what its neighbours will go through is known already."""
    course = Course.begin(chunk, config, tuning)
    course.walk(as_of - WEEK + 1)
    before = course.branch(None)
    course.walk(end)
    return before


def lives_under(before: Course, forced: Forced, lucks: Sequence[int], end: int) -> Iterator[Life]:
    """The lives that follow from an action, one for each luck."""
    for luck in lucks:
        course = before.branch(forced, luck)
        course.walk(end)
        yield course.life(end)


def wallets(config: WorldConfig, as_of: int, *, tuning: Tuning = TUNING) -> pa.Table:
    """What each active account spends a month with us and with rivals, by family, on a day.

    Returns
    -------
    pyarrow.Table
        ``account_id``, ``family``, ``own_amount`` (CNY at our prices), ``rival_amount`` (CNY at the
        rival's), ``rival`` (network or null), ``wallet_share`` (own part of both; null where both are 0).
    """
    tables = []
    for chunk in config.chunks:
        course = Course.begin(chunk, config, config.scenario.tuned(tuning))
        course.walk(as_of + WEEK)
        tables.append(chunk_wallets(course.life(min(as_of + WEEK, config.end_day)), as_of))
    return pa.concat_tables(tables)


def chunk_wallets(life: Life, as_of: int) -> pa.Table:
    days = np.arange(as_of, as_of + 1)
    week = int(life.weeks_of(days)[0])
    who = np.flatnonzero((life.population.join <= as_of) & (as_of < life.end))
    own = expected_use(life, days)[who] * MONTH_DAYS / 100
    minute = MINUTE[life.rival[:, week] - 1].astype(np.float64)
    lost = life.habits.leaked_amount(levels_of(life, days), minute)[who] / 100
    rival = np.zeros_like(own)
    rival[:, catalog.BILL_FAMILIES.index("long_distance")] = lost
    leaks = life.leak[who, week] > 0
    names = np.array(catalog.NETWORK_IDS, dtype=object)[life.rival[who, week]]
    names[~leaks] = None
    width = len(catalog.BILL_FAMILIES)
    both = own + rival
    share = np.divide(own, both, out=np.full(own.shape, np.nan), where=both > 0)
    return pa.table(
        {
            "account_id": np.repeat(
                account_ids(life.population.chunk.first_account + who).to_pylist(), width
            ),
            "family": list(catalog.BILL_FAMILIES) * len(who),
            "own_amount": own.ravel(),
            "rival_amount": rival.ravel(),
            "rival": pa.array(np.repeat(names, width).tolist(), pa.string()),
            "wallet_share": pa.array(share.ravel(), from_pandas=True),
        }
    )
