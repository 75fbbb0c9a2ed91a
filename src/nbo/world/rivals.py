"""The rivals: how good and how dear they are, where they are, since when, and how they pull."""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import Bools, Ints
from nbo.world.config import WorldConfig
from nbo.world.tuning import Tuning

__all__ = ["RIVALS", "Field", "Rival", "draw_field"]

ENTRY_DAYS = 1200
"""Rivals came to an area within so many days before the run, a few soon after it began."""
ENTRY_RAMP_DAYS = 60


@dataclass(frozen=True)
class Rival:
    """One rival; tiers are those of the operator's own table, 1 = low to 3 = high.

    Parameters
    ----------
    network_id : str
    voice, data : tuple of (quality, price) or None
        None = does not sell it.
    coverage : float
        Share of the exchange areas that it can serve.
    minute : int
        Domestic long-distance minute by its access code, fen.
    substitutes : bool
        Whether it can take all calls of an account to another kind of phone.
    """

    network_id: str
    voice: tuple[int, int] | None
    data: tuple[int, int] | None
    coverage: float
    minute: int
    substitutes: bool = False


# fmt: off
RIVALS = (
    Rival("netcom", voice=(2, 2), data=(3, 2), coverage=0.7, minute=24),
    Rival("mobile", voice=(2, 2), data=None, coverage=1.0, minute=24, substitutes=True),
    Rival("unicom", voice=(1, 1), data=(1, 1), coverage=0.8, minute=18),
    Rival("tietong", voice=(1, 1), data=None, coverage=0.5, minute=16),
    Rival("jitong", voice=(2, 1), data=None, coverage=0.3, minute=20),
)
# fmt: on
SELLS_DATA = np.array([rival.data is not None for rival in RIVALS])
SUBSTITUTES = np.array([rival.substitutes for rival in RIVALS])
MINUTE = np.array([rival.minute for rival in RIVALS])


@dataclass(frozen=True)
class Field:
    """The rivals of a neighbourhood, arrays of shape (areas, 5).

    Parameters
    ----------
    strength : float array
        What a rival's quality, price and sales force amount to in an area; 0 = cannot serve it.
    entry : int array
        First day on which it sells there.
    """

    strength: Floats
    entry: Ints

    def present(self, day: int) -> Floats:
        """Strength of each rival in each area on a day, shape (areas, 5)."""
        told: Floats = self.strength * np.clip((day - self.entry) / ENTRY_RAMP_DAYS, 0, 1)
        return told


def appeal(rival: Rival) -> float:
    """What a rival offers, before its luck in an area: good and cheap sells best.

    Examples
    --------
    >>> [round(appeal(rival), 2) for rival in RIVALS[:3]]
    [1.05, 0.7, 0.65]
    """
    offers = [offer for offer in (rival.voice, rival.data) if offer is not None]
    best = max(quality - price for quality, price in offers)
    return 0.5 + 0.2 * best + 0.15 * (len(offers) - 1) + 0.2 * (offers[0][0] - 1)


def draw_field(rng: np.random.Generator, config: WorldConfig, tuning: Tuning) -> Field:
    """Where which rival sells how strongly, with the entries that the scenario tells."""
    shape = (catalog.AREAS, len(RIVALS))
    luck = rng.uniform(0.4, 1.6, shape)
    covered: Bools = rng.random(shape) < np.array([rival.coverage for rival in RIVALS])
    entry = config.first_day + rng.integers(-ENTRY_DAYS, ENTRY_RAMP_DAYS, shape)
    strength = luck * np.array([appeal(rival) for rival in RIVALS]) * covered
    told = config.schedule.entered(entry)
    return Field(np.where(told != entry, tuning.entry_strength, strength), told)
