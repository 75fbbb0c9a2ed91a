"""What an account is expected to be charged, by its state alone: the mean of what the calls would be."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from nbo.world import catalog
from nbo.world.calendar import MONTH_DAYS, Floats
from nbo.world.columns import Bools
from nbo.world.population import Lines, Population
from nbo.world.tariffs import (
    DIAL_UP,
    DIAL_UP_PER_DAY,
    FAILED_SHARE,
    FEES,
    HKMT,
    INTERNATIONAL,
    LOCAL,
    MAX_SECONDS,
    MEDIAN_SECONDS,
    NATIONAL,
    RIVAL_CODE,
    SPREAD,
    charges,
)

__all__ = ["Habits", "Levels", "mean_charge"]

FAR = (NATIONAL, HKMT, INTERNATIONAL)
TYPICAL_DAY = 0.87
"""Use on a day of any week against a working day, about."""
MOST_FAR = 0.9
SUBSTITUTED = 0.7
"""Share of an account's local calls that follow its leaked far calls, in a substitution."""
BUSY_OUT = 0.5
"""Outgoing calls that are never made, per share of the busiest hour's calls that find no line."""


def mean_charge(what: int, code: int = -1) -> float:
    """Expected charge of an outgoing call that is not known to fail, in fen.

    Examples
    --------
    >>> round(mean_charge(LOCAL), 1), round(mean_charge(NATIONAL), 1)
    (23.7, 238.7)
    """
    points = norm.ppf((np.arange(2000) + 0.5) / 2000)
    duration = np.clip(np.rint(MEDIAN_SECONDS[what] * np.exp(SPREAD * points)), 1, MAX_SECONDS)
    n = len(points)
    charged = charges(np.full(n, what), np.full(n, 1), np.full(n, code), duration.astype(np.int64))
    return float(charged.mean()) * (1 - FAILED_SHARE)


TRUNK = np.array([mean_charge(what) for what in FAR])
BY_IP = np.array([mean_charge(what, catalog.OWN_IP) for what in FAR])
MEAN_FAR_MINUTES = TRUNK[0] / catalog.TRUNK_MINUTE[NATIONAL]
"""Minutes charged for a far call, on average."""
LOCAL_CALL, RIVALS_CODE_CALL, DIAL_UP_CALL = (mean_charge(what) for what in (LOCAL, RIVAL_CODE, DIAL_UP))


@dataclass(frozen=True)
class Habits:
    """What each account's own ways amount to, arrays of shape (accounts,); fen a working day.

    Parameters
    ----------
    out_per_day : float array
        Outgoing calls of telephone lines.
    far_share : float array
        Share of them that go far, in ordinary times.
    trunk, by_ip : float array
        Mean charge of a far call, by trunk and by own IP voice.
    dial_up : float array
        Charges of dial-up.
    line_fees : float array
        Monthly fees of the lines the account began with.
    """

    people: Population
    out_per_day: Floats
    far_share: Floats
    trunk: Floats
    by_ip: Floats
    dial_up: Floats
    line_fees: Floats

    @classmethod
    def of(cls, people: Population, lines: Lines, begun: Bools) -> "Habits":
        """The habits of accounts; ``begun``, shape (lines,), tells the lines they began with."""
        shares = people.destination_shares
        far = shares[:, 1:] / shares[:, 1:].sum(axis=1, keepdims=True)
        return cls(
            people=people,
            out_per_day=people.calls_per_day * (1 - people.in_share),
            far_share=1 - shares[:, 0],
            trunk=far @ TRUNK,
            by_ip=far @ BY_IP,
            dial_up=people.dial_up.astype(np.float64) * (DIAL_UP_PER_DAY * DIAL_UP_CALL),
            line_fees=np.asarray(
                np.bincount(lines.account[begun], FEES[lines.product[begun]], people.count), np.float64
            ),
        )

    def amounts(self, now: "Levels") -> Floats:
        """Expected charges of a day's calls in fen, shape (accounts, 4): families of the bills."""
        people = self.people
        far = np.minimum(self.far_share * np.exp(now.distance), MOST_FAR)
        kept = (1 - now.leak) * (1 - people.habit)
        coded = np.where(now.seen, now.leak, 0.0) + (1 - now.leak) * people.habit
        near = (1 - far) * (1 - np.where(now.substitutes, SUBSTITUTED * now.leak, 0.0))
        out = self.out_per_day * now.level * (1 - BUSY_OUT * now.busy)
        voice = out * (near * LOCAL_CALL + far * coded * RIVALS_CODE_CALL)
        ip = people.ip_share if now.ip_share is None else now.ip_share
        minute = now.long_distance * ((1 - ip) * self.trunk + ip * self.by_ip)
        dial_up = self.dial_up * now.level * now.dials
        return np.column_stack([voice, out * far * kept * minute, dial_up, np.zeros(people.count)])

    def monthly_spend(self, now: "Levels") -> Floats:
        """Expected bill of a month of such days with the first lines' fees, fen, shape (accounts,)."""
        spend: Floats = self.amounts(now).sum(axis=1) * MONTH_DAYS + self.line_fees
        return spend

    def leaked_amount(self, now: "Levels", minute: Floats) -> Floats:
        """What the far calls that leaked cost in a month of such days at a rival's minute, fen."""
        far = np.minimum(self.far_share * np.exp(now.distance), MOST_FAR)
        calls = self.out_per_day * now.level * MONTH_DAYS * far * now.leak
        amount: Floats = calls * MEAN_FAR_MINUTES * minute
        return amount


@dataclass(frozen=True)
class Levels:
    """The state that decides how much is called, arrays of shape (accounts,).

    Parameters
    ----------
    level : float array
        All use against an ordinary working day.
    distance : float array
        Log factor of the share of far calls.
    leak : float array
        Share of far calls gone to a rival.
    seen, substitutes : bool array
    busy : float array
        Share of the busiest hour's calls that find all lines taken.
    ip_share : float array or None
        Share of far calls by own IP voice; None = the account's habit.
    dials : float array or float
        Share of its dial-up use that is still made with us.
    long_distance : float
        Factor of our long-distance rates.
    """

    level: Floats
    distance: Floats
    leak: Floats
    seen: Bools
    substitutes: Bools
    busy: Floats
    ip_share: Floats | None = None
    dials: Floats | float = 1.0
    long_distance: float = 1.0
