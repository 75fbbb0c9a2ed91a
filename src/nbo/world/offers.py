"""The actions of the operator: what can be offered, through which channel, and what it does to whom.

An action is an offer through a channel. Who accepts and what it changes depend on the account's hidden
attitude (order of :data:`nbo.world.catalog.ATTITUDES`: optimised product, service first, over-consuming,
basic need, follower). All numbers are assumed but for the plans' factors and the broadband prices.
"""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog

__all__ = ["CHANNELS", "NOTHING", "OFFERS", "Channel", "Offer"]

PER_ATTITUDE = tuple[float, float, float, float, float]
NONE: PER_ATTITUDE = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Offer:
    """What can be offered.

    Parameters
    ----------
    offer_id : str
        As in the contacts table.
    accept : tuple of float, by attitude
        Log-odds that an account that was reached accepts, before its needs.
    hold : tuple of float, by attitude
        By how much the log hazard of leaving falls while it holds.
    hold_days : int
    cost : int
        Given to whoever accepts, fen.
    pull_back : float
        Share of the leaked traffic that comes back.
    mood : float
        Satisfaction gained by accepting.
    plan : int
        1 to 3 = growth plan A, B, C; 0 = none.
    product : str or None
        What is signed for.
    sells : bool
        Whether it is felt as selling.
    usual : float
        Log weight with which the operator's people choose it.
    """

    offer_id: str
    accept: PER_ATTITUDE = NONE
    hold: PER_ATTITUDE = NONE
    hold_days: int = 180
    cost: int = 0
    pull_back: float = 0.0
    mood: float = 0.0
    plan: int = 0
    product: str | None = None
    sells: bool = True
    usual: float = 0.0


# fmt: off
OFFERS = (
    Offer("none"),
    Offer("growth_plan_a", (-0.9, -2.0, -0.5, -3.0, -1.4), (1.8, 0.5, 2.2, 0.2, 1.2), 365,
          pull_back=0.75, mood=0.1, plan=1, usual=0.3),
    Offer("growth_plan_b", (-0.6, -1.8, -0.6, -2.4, -1.2), (1.9, 0.5, 1.9, 0.3, 1.3), 365,
          pull_back=0.7, mood=0.1, plan=2, usual=0.5),
    Offer("growth_plan_c", (-0.3, -1.6, -0.8, -1.7, -1.0), (1.7, 0.5, 1.5, 0.8, 1.3), 365,
          pull_back=0.6, mood=0.1, plan=3, usual=0.3),
    Offer("business_adsl_6m", (-2.4, -2.4, -2.0, -3.4, -2.2), (0.3, 0.3, 0.4, 0.1, 0.3), 180,
          cost=30_000, product="business_adsl", usual=-0.5),
    Offer("business_adsl_12m", (-2.2, -2.3, -2.0, -3.2, -2.0), (0.5, 0.4, 0.5, 0.1, 0.5), 365,
          cost=30_000, product="business_adsl", usual=0.0),
    Offer("extra_line", (-2.6, -2.4, -2.2, -3.6, -2.6), (0.1, 0.2, 0.3, 0.0, 0.1), 180,
          cost=10_000, product="pstn", usual=-0.5),
    Offer("centrex", (-2.8, -2.3, -2.6, -4.0, -2.6), (0.2, 0.4, 0.3, 0.0, 0.2), 365,
          cost=20_000, product="centrex", usual=-0.8),
    Offer("toll_free_800", (-3.0, -2.6, -2.6, -4.0, -3.0), (0.1, 0.2, 0.2, 0.0, 0.1), 180,
          cost=5_000, product="toll_free_800", usual=-1.0),
    Offer("leased_line", (-3.4, -2.6, -3.2, -4.5, -3.4), (0.3, 0.5, 0.3, 0.0, 0.3), 365,
          cost=80_000, product="leased", usual=-1.2),
    Offer("loyalty_gift", (0.9, 0.0, 0.6, 0.7, 1.1), (0.5, 0.2, 0.3, 0.2, 0.7), 180,
          cost=20_000, mood=0.05, usual=0.6),
    Offer("care_call", (0.0, 1.2, 0.0, -0.5, 0.3), (0.2, 2.0, 0.5, 0.3, 0.4), 240,
          cost=3_000, mood=0.45, sells=False, usual=0.2),
)
# fmt: on
NOTHING = 0
OFFER_IDS = [offer.offer_id for offer in OFFERS]
PLAN_PAYS = (1.1, 1.0, 0.9)
"""What an account of plan A, B, C pays, in plan bases; A is stated, B and C follow from the care rule."""
PLAN_USES = (1.5, 1.4, 1.25)
"""What it may use for that, in plan bases; 1.5 is stated for A, the others are assumed."""


@dataclass(frozen=True)
class Channel:
    """A way to reach an account.

    Parameters
    ----------
    name : str
        As in the contacts table.
    reach : float
        Chance that the offer is noticed at all.
    odds : float
        Log-odds added to the acceptance of whoever is reached.
    cost : int
        Of a contact, fen.
    intrusion : float
        How much a contact irritates an account of ordinary touchiness, in log hazard.
    """

    name: str
    reach: float
    odds: float
    cost: int
    intrusion: float


CHANNELS = (
    Channel("account_manager", reach=0.90, odds=-1.6, cost=6_000, intrusion=0.30),
    Channel("call_centre", reach=0.55, odds=-1.7, cost=800, intrusion=0.60),
    Channel("agent", reach=0.65, odds=-1.8, cost=2_500, intrusion=0.45),
    Channel("direct_mail", reach=0.35, odds=-2.4, cost=250, intrusion=0.10),
    Channel("web", reach=0.20, odds=-2.2, cost=20, intrusion=0.03),
)
CHANNEL_IDS = [channel.name for channel in CHANNELS]
TOUCHY = np.array([0.2, 0.7, 0.25, 1.8, 0.15])
"""How much a contact irritates, by attitude: who needs little is best left alone."""


def column(name: str) -> np.ndarray:
    """A number of all offers as an array, shape (12,) or (12, 5)."""
    return np.array([getattr(offer, name) for offer in OFFERS])


ACCEPT, HOLD, HOLD_DAYS, COST = column("accept"), column("hold"), column("hold_days"), column("cost")
PULL_BACK, MOOD, PLAN, SELLS = column("pull_back"), column("mood"), column("plan"), column("sells")
USUAL = column("usual")
PRODUCT = np.array(
    [-1 if offer.product is None else catalog.PRODUCT_IDS.index(offer.product) for offer in OFFERS]
)
"""Position in the catalog of what an offer signs for; -1 = nothing."""
REACH = np.array([channel.reach for channel in CHANNELS])
ODDS = np.array([channel.odds for channel in CHANNELS])
CHANNEL_COST = np.array([channel.cost for channel in CHANNELS])
INTRUSION = np.array([channel.intrusion for channel in CHANNELS])
