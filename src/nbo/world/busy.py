"""How many calls find all lines busy."""

import numpy as np

from nbo.world.calendar import Floats
from nbo.world.columns import Ints

__all__ = ["blocked", "busy_share"]

BUSY_HOUR_SHARE = 0.12
"""Share of a working day's calls in its busiest hour."""
HOLDING_SECONDS = 120


def busy_share(calls_per_day: Floats, lines: Ints) -> Floats:
    """Share of the busiest hour's calls that find all lines of an account busy, shape (accounts,).

    Examples
    --------
    Two hundred calls a day are 0.8 Erlang in the busiest hour:

    >>> busy_share(np.array([200.0, 200.0]), np.array([1, 4])).round(3).tolist()
    [0.444, 0.008]
    """
    return blocked(calls_per_day * BUSY_HOUR_SHARE * HOLDING_SECONDS / 3600, np.maximum(lines, 1))


def blocked(load: Floats, lines: Ints) -> Floats:
    """Erlang's formula B: the chance that a call finds all of ``lines`` taken.

    Parameters
    ----------
    load : float array of shape (n,)
        Calls begun in the mean time that one lasts (Erlang).
    lines : int array of shape (n,)

    References
    ----------
    Erlang (1917), by the usual recursion B(k) = a B(k-1) / (k + a B(k-1)), B(0) = 1.

    Examples
    --------
    >>> blocked(np.array([1.0, 1.0]), np.array([1, 2])).tolist()
    [0.5, 0.2]
    """
    chance = np.ones(len(load))
    for k in range(1, int(lines.max(initial=0)) + 1):
        chance = np.where(k <= lines, load * chance / (k + load * chance), chance)
    return chance
