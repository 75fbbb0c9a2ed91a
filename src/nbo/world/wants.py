"""What makes an account want a product: visible traits, what it holds already, and a hidden appetite.

The monthly rate at which an account takes a product that it does not hold is::

    rate = per_month * exp(sum of weight * trait + sum of weight * held + growth + hidden appetite)

Traits are the account's own and can be seen in its tables, if through noise; the appetite cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import Bools, Ints
from nbo.world.population import Lines, Population
from nbo.world.tuning import Tuning

USUAL_CALLS = 3.3
"""Calls a day of a small account."""
NEW_CLASS = catalog.ACCOUNT_CLASSES.index("X")


@dataclass(frozen=True)
class Want:
    """Who takes a product.

    Parameters
    ----------
    product_id : str
    per_month : float
        Rate of an account with none of the causes.
    causes : mapping of trait to float
        Log rate per unit of a trait of :func:`traits`.
    after : mapping of product id to float
        Log rate where that product is held.
    growth : float
        Log rate while the account grows.
    needs : tuple of str
        Products of which one must be held; empty = none.
    classes : str
        Customer classes that may take it.
    sites : str
        First letters of the main site's types where it can be had: Office tower, Shop street,
        Factory, Business park, Residential.
    """

    product_id: str
    per_month: float
    causes: Mapping[str, float]
    after: Mapping[str, float] = field(default_factory=dict)
    growth: float = 0.0
    needs: tuple[str, ...] = ()
    classes: str = "ABCDX"
    sites: str = "osfbr"


# fmt: off
WANTS = (
    Want("adsl", 0.0018, {"dial_up": 3.0, "trader": 0.5, "calls": 0.2, "home": 0.5}, growth=1.2),
    Want("business_adsl", 0.0005, {"dial_up": 1.4, "size": 1.0, "trade": 1.1, "cafe": 2.4},
         {"adsl": 2.6}, growth=1.2),
    Want("leased", 0.00005, {"size": 1.8, "export": 0.6, "cafe": 2.0}, {"business_adsl": 2.6}, growth=1.0),
    Want("phs", 0.0015, {"trader": 1.3, "shop": 1.3, "estate": 1.0, "lines": 0.2}, growth=1.5),
    Want("lan", 0.0004, {"dial_up": 1.6, "tower": 1.8, "park": 1.4, "school": 1.6, "cafe": 2.0},
         growth=0.8, sites="obr"),
    Want("wlan_adsl", 0.0002, {"dial_up": 1.4, "home": 2.0, "consumer": 1.2}, {"adsl": 2.2}),
    Want("business_lan", 0.00015, {"size": 1.2, "tower": 1.4, "park": 1.8}, {"lan": 2.6},
         growth=1.0, sites="ob"),
    Want("broadband_trader", 0.00015, {"trader": 2.8, "dial_up": 1.6, "shop": 0.6}),
    Want("sky_wing", 0.0026, {"tower": 1.2, "park": 0.8, "agency": 1.4, "trade": 1.2, "size": 0.3},
         {"phs": 0.5}, needs=("adsl", "business_adsl", "lan", "wlan_adsl", "business_lan")),
    Want("aps", 0.0004, {"lines": 0.8, "park": 0.9, "school": 1.2}),
    Want("np", 0.0004, {"incoming": 0.7, "retail": 0.9}, growth=2.2),
    Want("stock_link", 0.0003, {"consumer": 3.0, "home": 1.3}),
    Want("change_at_will", 0.0005, {"home": 1.0, "incoming": 0.8, "estate": 1.6}, {"city_mobility": 0.8}),
    Want("business_link", 0.0003, {"lines": 1.2, "sites": 1.7, "trade": 0.5}, {"change_at_will": 0.7},
         growth=1.0, classes="ABCX"),
    Want("toll_free_800", 0.0003, {"incoming": 1.3, "agency": 2.8, "estate": 2.4, "retail": 1.7, "size": 0.5},
         classes="ABX"),
    Want("conference", 0.0003, {"size": 1.3, "sites": 1.9, "export": 1.1, "abroad": 0.4}, classes="ABX"),
    Want("video", 0.0006, {"size": 1.0, "export": 0.8, "school": 1.2}, {"conference": 2.2},
         needs=("business_adsl", "business_lan", "leased"), classes="AX"),
    Want("city_mobility", 0.0006, {"trader": 1.1, "shop": 0.7, "estate": 1.5}, {"phs": -1.0}),
    Want("group_mobile", 0.0003, {"size": 1.2, "sites": 0.9, "estate": 1.3, "managers": 1.3}, {"phs": 1.0},
         classes="AX"),
    Want("ip_17909", 0.0012, {"far": 1.0, "ip": 1.4, "export": 1.1, "trade": 1.0, "abroad": 0.3}),
    Want("card_96872", 0.0005, {"hkmt": 1.3, "card": 1.8, "export": 0.4}),
)
# fmt: on
"""Products that accounts take by themselves; nobody takes the others during the run."""
COLUMN = {want.product_id: column for column, want in enumerate(WANTS)}
WANTED = np.array([catalog.PRODUCT_IDS.index(product_id) for product_id in COLUMN])
"""Position in :data:`catalog.PRODUCTS` of each want, shape (wants,)."""
IS_LINE = np.isin(WANTED, catalog.LINE_PRODUCTS)
IS_BROADBAND = np.isin(WANTED, catalog.BROADBAND_PRODUCTS)
GROWTH = np.array([want.growth for want in WANTS])
AFTER = tuple(
    (column, COLUMN[before], weight)
    for column, want in enumerate(WANTS)
    for before, weight in want.after.items()
)
"""Column of a want, column of the product held, log rate."""
NEEDS = tuple((column, [COLUMN[p] for p in want.needs]) for column, want in enumerate(WANTS) if want.needs)
"""Column of a want, columns of which one must be held."""
CLASS_ALLOWED = np.array([[letter in want.classes for want in WANTS] for letter in catalog.ACCOUNT_CLASSES])
"""Which class may take which want, shape (5 classes, wants)."""
SITE_ALLOWED = np.array([[name[0] in want.sites for want in WANTS] for name in catalog.SITE_TYPES])
"""Where which want can be had, shape (5 site types, wants)."""
NEWCOMER = COLUMN["sky_wing"]
"""The want whose product comes to market during the run."""


def traits(people: Population, lines: Lines) -> dict[str, Floats]:
    """What can be seen of each account: 0 or 1, or about 0 on average with a spread near 1."""
    shares = people.destination_shares
    industry = {name: people.industry == place for place, name in enumerate(catalog.INDUSTRIES)}
    named = {
        "agency": industry["agency_advertising"],
        "trade": industry["trade_computer"],
        "retail": industry["retail"],
        "export": industry["manufacturing_export"],
        "school": industry["school"],
        "cafe": industry["net_cafe"],
        "estate": industry["real_estate_wholesale"],
        "managers": industry["property_management"],
        "trader": people.kind == 1,
        "consumer": people.kind == 2,
        "tower": people.site_type == 0,
        "shop": people.site_type == 1,
        "park": people.site_type == 3,
        "home": people.site_type == 4,
        "sites": np.bincount(people.sites.account, minlength=people.count) > 1,
        "dial_up": people.dial_up,
        "ip": people.ip_share > 0,
        "card": (people.ip_share > 0) & people.card,
        "size": np.clip((np.log(people.employees) - 1.1) / 1.5, -1, 3),
        "lines": np.log(np.maximum(np.bincount(lines.account[lines.voice], minlength=people.count), 1)),
        "calls": np.clip(np.log(people.calls_per_day / USUAL_CALLS), -2, 4),
        "incoming": (people.in_share - 0.46) / 0.13,
        "far": (1 - shares[:, 0] - 0.33) / 0.2,
        "hkmt": np.clip(shares[:, 2] / 0.03 - 1, -1, 3),
        "abroad": np.clip(shares[:, 3] / 0.03 - 1, -1, 3),
    }
    # A person's industry is nowhere written.
    seen = people.kind != 2
    return {
        name: np.where(seen | (name not in INDUSTRY_TRAITS), value, 0.0).astype(np.float64)
        for name, value in named.items()
    }


INDUSTRY_TRAITS = frozenset(("agency", "trade", "retail", "export", "school", "cafe", "estate", "managers"))


def appetites(people: Population, lines: Lines, tuning: Tuning) -> Floats:
    """Log monthly rates by traits and hidden appetite, shape (accounts, wants); -inf = not to be had."""
    rng = people.chunk.random(40)
    account = rng.normal(0, tuning.take_by_account, people.count)
    families = [catalog.PRODUCTS[product].family for product in WANTED]
    names = sorted(set(families))
    family = rng.normal(0, tuning.take_by_family, (people.count, len(names)))
    seen = traits(people, lines)
    columns = [
        np.log(want.per_month * tuning.take_rate)
        + tuning.take_by_cause * sum(weight * seen[name] for name, weight in want.causes.items())
        + account
        + family[:, names.index(families[column])]
        for column, want in enumerate(WANTS)
    ]
    return np.where(SITE_ALLOWED[people.site_type], np.column_stack(columns), -np.inf)


def monthly_rates(
    appetite: Floats, held: Bools, growing: Floats, classes: Ints, on_sale: Bools, tuning: Tuning
) -> Floats:
    """Rate at which each account takes each want that it may take and does not hold.

    Parameters
    ----------
    appetite : float array of shape (accounts, wants)
    held : bool array of shape (accounts, wants)
    growing : float array of shape (accounts,)
        0 = as ever, 1 = grows.
    classes : int array of shape (accounts,)
    on_sale : bool array of shape (wants,)

    Returns
    -------
    float array of shape (accounts, wants)
        A month; 0 where it cannot be taken.
    """
    log_rate = appetite + tuning.take_by_growth * growing[:, None] * GROWTH
    for column, before, weight in AFTER:
        log_rate[:, column] += tuning.take_by_held * weight * held[:, before]
    allowed = CLASS_ALLOWED[classes] & ~held & on_sale
    for column, needed in NEEDS:
        allowed[:, column] &= held[:, needed].any(axis=1)
    rate: Floats = np.minimum(np.exp(log_rate), tuning.take_most_per_month) * allowed
    connected = held[:, IS_BROADBAND].any(axis=1)
    rate[:, IS_BROADBAND] *= np.where(connected, tuning.take_second_broadband, 1.0)[:, None]
    return rate
