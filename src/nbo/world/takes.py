"""Which products accounts take during the run, week by week, beyond the lines they began with.

What comes as a line is ordered and starts some days later; everything else is a contract alone. A
contract ends with the account's main contract: it takes the term and the planned end of the one in
force on its day, none where there is none. It is signed again when the main contract is, else it
runs out with it.
"""

from dataclasses import dataclass, field

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import MONTH_DAYS, Floats
from nbo.world.columns import NEVER, Bools, Ints
from nbo.world.config import WorldConfig
from nbo.world.population import NEW_CUSTOMER_DAYS, ORDER_DAYS, Lines, Orders
from nbo.world.state import WEEK, Draw, Happenings, State
from nbo.world.wants import (
    COLUMN,
    IS_BROADBAND,
    IS_LINE,
    NEW_CLASS,
    NEWCOMER,
    WANTED,
    appetites,
    monthly_rates,
)

NOT_FREE_DAYS = 36
"""Days before an end that the account did not choose in which it takes nothing."""
OLDEST_DAYS = 900
ACCEPTED_DAYS = 7
"""Days from accepting an offered line to its first day."""
LAPSED_DAYS = 365
"""After a main contract ran out, what hung on it is not held for so long at the start of the run."""
GROWTH_WEEKS = 8
GROWTH_RISE = (0.3, 0.7)
"""Rise of log use over :data:`GROWTH_WEEKS` at which growth begins, and is full."""
ORDER_GROWTH_DAYS = 84
"""A further telephone line is a sign of growth for so long."""
FIRST_LINES = np.isin(
    WANTED, (catalog.LAN, catalog.WLAN_ADSL, catalog.BUSINESS_LAN, catalog.BROADBAND_TRADER)
)
"""Lines that are held from before the run, beside those of :func:`population.draw_lines`."""


@dataclass(frozen=True)
class MainContracts:
    """Main contracts of a chunk by account and day; of several in force the newest counts."""

    account: Ints
    day: Ints
    term: Ints
    planned: Ints

    @classmethod
    def of(cls, happenings: Happenings) -> "MainContracts":
        account, day, term, planned, _, _ = happenings.columns("contract", 6)
        order = np.lexsort((day, account))
        return cls(account[order], day[order], term[order], planned[order])

    def newest(self, accounts: Ints, days: Ints) -> Ints:
        """Row of the newest one signed by each account by each day; -1 = none."""
        keys = self.account * NEVER + self.day
        at = np.searchsorted(keys, accounts * NEVER + days, side="right") - 1
        found = at >= 0
        found[found] = self.account[at[found]] == accounts[found]
        return np.where(found, at, -1)

    def terms(self, accounts: Ints, days: Ints) -> tuple[Ints, Ints]:
        """Term and planned end of the one in force; -1 and :data:`NEVER` where there is none."""
        if not len(self.day):
            return np.full(len(accounts), -1), np.full(len(accounts), NEVER)
        row = self.newest(accounts, days)
        runs = (row >= 0) & (self.planned[row] >= days)
        return np.where(runs, self.term[row], -1), np.where(runs, self.planned[row], NEVER)


@dataclass(frozen=True)
class Spells:
    """Stretches of time over which products without a line are held, the last day excluded."""

    account: Ints
    product: Ints
    since: Ints
    until: Ints


@dataclass(frozen=True)
class Takes:
    """Contracts on products, arrays of shape (rows,), and what follows from them.

    Parameters
    ----------
    account, product, day, term, planned : int array of shape (rows,)
        ``product`` is a position in the catalog; ``term`` -1 and ``planned`` NEVER = open-ended.
    spells : Spells
        What is held by contract alone.
    ip_from, card_from, broadband_from : int array of shape (accounts,)
        First day on which the account calls by IP voice under a contract, by the business card, and
        on which broadband that it took is in service; NEVER = not at all.
    """

    account: Ints
    product: Ints
    day: Ints
    term: Ints
    planned: Ints
    spells: Spells
    ip_from: Ints
    card_from: Ints
    broadband_from: Ints


@dataclass
class Desk:
    """What each account holds this week, arrays of shape (accounts, wants), changed in place."""

    state: State
    config: WorldConfig
    main: MainContracts
    appetite: Floats
    held: Bools
    since: Ints
    until: Ints
    log: Happenings = field(default_factory=Happenings)

    @classmethod
    def open(cls, state: State, config: WorldConfig) -> "Desk":
        people, lines = state.population, state.lines
        shape = (people.count, len(WANTED))
        held = np.zeros(shape, dtype=bool)
        for column in np.flatnonzero(IS_LINE):
            held[lines.account[lines.product == WANTED[column]], column] = True
        return cls(
            state=state,
            config=config,
            main=MainContracts.of(state.happenings),
            appetite=appetites(people, lines.of(lines.start <= config.first_day), state.tuning),
            held=held,
            since=np.full(shape, NEVER),
            until=np.full(shape, NEVER),
        )

    def on_sale(self, day: int) -> Bools:
        """All wants but the newcomer before its month."""
        month = self.state.tuning.newcomer_month - 1
        open_ = np.ones(len(WANTED), dtype=bool)
        open_[NEWCOMER] = month < self.config.months and day >= self.config.month_starts[month]
        return open_

    def classes(self, day: int) -> Ints:
        people = self.state.population
        return np.where(day < people.join + NEW_CUSTOMER_DAYS, NEW_CLASS, people.account_class)

    def sign(self, accounts: Ints, wants: Ints, days: Ints) -> None:
        """Contracts on the terms of the main contract in force; services are held from their day."""
        term, planned = self.main.terms(accounts, days)
        self.log.add("signed", accounts, WANTED[wants], days, term, planned)
        self.held[accounts, wants] = True
        self.since[accounts, wants] = days
        self.until[accounts, wants] = np.where(IS_LINE[wants], NEVER, planned)


def first_holdings(desk: Desk) -> None:
    """What is held when the run begins: as much as would have been taken in some months before."""
    people, tuning, first_day = desk.state.population, desk.state.tuning, desk.config.first_day
    rng = people.chunk.random(41)
    still = np.zeros(people.count)
    rates = monthly_rates(
        desk.appetite, desk.held, still, desk.classes(first_day), desk.on_sale(first_day), tuning
    )
    months = tuning.holding_months * np.clip((first_day - people.join) / 365, 0, 1)
    has = rng.random(rates.shape) < 1 - np.exp(-rates * months[:, None])
    has[:, IS_LINE & ~FIRST_LINES] = False
    connected = desk.held[:, IS_BROADBAND].any(axis=1) | people.dial_up
    first_broadband = np.cumsum(has & IS_BROADBAND, axis=1) == 1
    has &= ~IS_BROADBAND | (first_broadband & ~connected[:, None])
    since, early = earliest_days(desk), rng.random(rates.shape)
    account, want = np.nonzero(has & (since < first_day)[:, None])
    room = first_day - since[account]
    day = since[account] + (early[account, want] * room).astype(np.int64)
    lines = IS_LINE[want]
    desk.log.add("line", account[lines], WANTED[want[lines]], day[lines])
    desk.held[account, want] = True
    desk.sign(account[~lines], want[~lines], day[~lines])


def earliest_days(desk: Desk) -> Ints:
    """First day on which each account can have signed what it holds when the run begins.

    Not before the main contract in force, and not at all if one ran out a short while ago.
    """
    people, first_day = desk.state.population, desk.config.first_day
    everyone = np.arange(people.count)
    earliest = np.maximum(people.join, first_day - OLDEST_DAYS)
    if not len(desk.main.day):
        return earliest
    row = desk.main.newest(everyone, np.full(people.count, first_day - 1))
    signed, planned = desk.main.day[row], desk.main.planned[row]
    after = np.where(planned >= first_day, signed, planned + 1)
    lapsed = (planned < first_day) & (planned >= first_day - LAPSED_DAYS)
    earliest = np.where(row >= 0, np.maximum(earliest, after), earliest)
    return np.where((row >= 0) & lapsed, NEVER, earliest)


def growing(orders: Orders, activity: Floats, days: Ints, first: int) -> Floats:
    """How much each account grows in the weeks of these days, 0 to 1, shape (accounts, weeks)."""
    weeks = (days - first) // WEEK
    low, high = GROWTH_RISE
    rise = activity[:, weeks] - activity[:, weeks - GROWTH_WEEKS]
    found: Floats = np.clip((rise - low) / (high - low), 0, 1)
    for account, closed in zip(orders.account[orders.done], orders.closed[orders.done], strict=True):
        found[account, (days >= closed) & (days < closed + ORDER_GROWTH_DAYS)] = 1.0
    return found


def step_lapses(desk: Desk, day: int) -> None:
    """What hung on a main contract that was not renewed is over."""
    account, want = np.nonzero(desk.held & (desk.until < day))
    until = desk.until[account, want] + 1
    desk.log.add("spell", account, WANTED[want], desk.since[account, want], until)
    desk.held[account, want] = False
    desk.until[account, want] = NEVER


def step_takes(desk: Desk, day: int, growth: Floats) -> None:
    """At most one product a week: the chance is that of any, the choice goes by the rates."""
    state, tuning = desk.state, desk.state.tuning
    n = state.count
    rates = monthly_rates(desk.appetite, desk.held, growth, desk.classes(day), desk.on_sale(day), tuning)
    reach = rates.cumsum(axis=1)
    new = np.where(day < state.population.join + NEW_CUSTOMER_DAYS, tuning.take_when_new, 1.0)
    chance = 1 - np.exp(-reach[:, -1] * new * WEEK / MONTH_DAYS)
    free = (state.population.join <= day) & (day + WEEK <= state.decided) & (day + NOT_FREE_DAYS < state.gone)
    draws, picks, late, waits, done = state.random_on(Draw.TAKES, day).random((5, n))
    account = np.flatnonzero(free & (draws < chance))
    want = (reach[account] <= (picks[account] * reach[account, -1])[:, None]).sum(axis=1)
    when = day + (late[account] * WEEK).astype(np.int64)
    low, high = ORDER_DAYS
    closed = when + low + (waits[account] * (high - low)).astype(np.int64)
    lines = IS_LINE[want]
    comes = (done[account] < tuning.order_done_share) & (closed + 1 < state.end[account])
    desk.log.add("order", account[lines], WANTED[want[lines]], when[lines], closed[lines], comes[lines])
    signs = ~lines | comes
    desk.sign(account[signs], want[signs], when[signs])


def step_resigning(desk: Desk, day: int) -> None:
    """Who signs a main contract this week signs again for most of what hung on the one before."""
    main = desk.main
    row = np.flatnonzero((main.day >= day) & (main.day < day + WEEK))
    last = np.r_[main.account[row][1:] != main.account[row][:-1], True][: len(row)]
    row = row[last]
    account = main.account[row]
    due = desk.held[account] & (desk.until[account] < NEVER) & (desk.since[account] < main.day[row, None])
    due &= (
        desk.state.random_on(Draw.RESIGNING, day).random(desk.held.shape)[account]
        < desk.state.tuning.resign_share
    )
    which, want = np.nonzero(due)
    row, account = row[which], account[which]
    desk.log.add("signed", account, WANTED[want], main.day[row], main.term[row], main.planned[row])
    desk.until[account, want] = main.planned[row]


def step_accepted(desk: Desk, day: int) -> None:
    """What was accepted in this week's contacts is signed for, and comes some days later if it is a line."""
    account, when, product = desk.state.happenings.columns("accepted", 3)
    now = (when >= day) & (when < day + WEEK)
    account, when, product = account[now], when[now], product[now]
    column = np.array([COLUMN.get(catalog.PRODUCT_IDS[one], -1) for one in product], dtype=np.int64)
    fresh = (column < 0) | ~desk.held[account, column]
    account, when, product, column = account[fresh], when[fresh], product[fresh], column[fresh]
    closed = when + ACCEPTED_DAYS
    lines = (column < 0) | IS_LINE[column]
    comes = closed + 1 < desk.state.end[account]
    desk.log.add(
        "order", account[lines], product[lines], when[lines], closed[lines], comes[lines].astype(np.int64)
    )
    signs = (column >= 0) & (~lines | comes)
    desk.sign(account[signs], column[signs], when[signs])


def draw_takes(
    state: State, orders: Orders, activity: Floats, config: WorldConfig, first: int, until: int
) -> tuple[Takes, Lines, Orders]:
    """What is held and taken over the run, the lines of it, and the orders of those lines.

    Parameters
    ----------
    state : State
        After its last week: whoever decides to leave takes nothing more.
    orders : Orders
        Of telephone lines.
    activity : float array of shape (accounts, weeks)
        Log use; the first week begins on ``first``.
    until : int
        First day on which nothing is taken any more.
    """
    desk = Desk.open(state, config)
    first_holdings(desk)
    days = np.arange(config.first_day, until, WEEK)
    growth = growing(orders, activity, days, first)
    for week, day in enumerate(days.tolist()):
        step_lapses(desk, day)
        step_accepted(desk, day)
        step_takes(desk, day, growth[:, week])
        step_resigning(desk, day)
    close(desk)
    account, product, ordered, closed, comes = desk.log.columns("order", 5)
    done = comes > 0
    held = desk.log.columns("line", 3)
    owner, kind, start = (
        np.concatenate([old, new[done]]) for old, new in zip(held, (account, product, closed), strict=True)
    )
    more = Lines(owner, owner, kind, start)
    return takes_of(desk, more), more, Orders(account, product, ordered, closed, done)


def close(desk: Desk) -> None:
    """What is held at the end of the run goes on, or runs out with its contract."""
    account, want = np.nonzero(desk.held & ~IS_LINE)
    until = np.minimum(desk.until[account, want], NEVER - 1) + 1
    desk.log.add("spell", account, WANTED[want], desk.since[account, want], until)


def takes_of(desk: Desk, more: Lines) -> Takes:
    account, product, day, term, planned = desk.log.columns("signed", 5)
    n = desk.state.count
    by_ip = np.isin(product, (catalog.IP_17909, catalog.CARD_96872))
    by_card = product == catalog.CARD_96872
    broadband = np.isin(more.product, catalog.BROADBAND_PRODUCTS)
    return Takes(
        account=account,
        product=product,
        day=day,
        term=term,
        planned=planned,
        spells=Spells(*desk.log.columns("spell", 4)),
        ip_from=first_days(n, account[by_ip], day[by_ip]),
        card_from=first_days(n, account[by_card], day[by_card]),
        broadband_from=first_days(n, more.account[broadband], more.start[broadband]),
    )


def first_days(count: int, accounts: Ints, days: Ints) -> Ints:
    """The first of each account's days, shape (count,); NEVER where it has none."""
    first = np.full(count, NEVER)
    np.minimum.at(first, accounts, days)
    return first
