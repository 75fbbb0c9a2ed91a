"""The operator twin: a simulator that writes the raw tables of an operator with leaking customers.

In it the truth is known: :mod:`nbo.world.truth` tells what would become of each account under each action.
It is not imported here, because nothing that learns or decides may read it.
"""

from nbo.world.config import WorldConfig
from nbo.world.scenario import Scenario, read_scenario, scenario_names
from nbo.world.simulate import WorldSummary, simulate
from nbo.world.tuning import TUNING, Tuning

__all__ = [
    "TUNING",
    "Scenario",
    "Tuning",
    "WorldConfig",
    "WorldSummary",
    "read_scenario",
    "scenario_names",
    "simulate",
]
