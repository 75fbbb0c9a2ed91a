"""The demo operator: a simulator that writes the raw tables of an operator with leaking customers.

First version. Its command line and its raw tables are final; a later release makes its life richer.
"""

from nbo.world.config import WorldConfig
from nbo.world.simulate import WorldSummary, simulate
from nbo.world.tuning import TUNING, Tuning

__all__ = ["TUNING", "Tuning", "WorldConfig", "WorldSummary", "simulate"]
