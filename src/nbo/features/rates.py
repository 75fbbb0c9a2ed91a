"""Prices by destination: of one network, or the lowest of a class of networks."""

import re
from dataclasses import dataclass

from nbo.errors import UsageError
from nbo.features.conditions import BY_CODE, Condition, check_counterparty
from nbo.tables.contract import Table, Words

DESTINATION = "destination"
"""The column of rows that says what they are priced by."""
RATE = re.compile(r"\brate_(\w+)_([a-z]+)\b")
"""The name of a parameter that holds a price: whose, and of which destination."""


@dataclass(frozen=True)
class Rates:
    """Prices of a minute by destination: a network's, or the lowest of a class of networks.

    Parameters
    ----------
    network : str
        A network, or whose: ``own``, ``rival`` or ``other``.
    destinations : tuple of str
    """

    network: str
    destinations: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.network

    def parameter(self, destination: str) -> str:
        """The parameter of the SQL text that holds a price in minor units, null where none is known."""
        return f"$rate_{self.network}_{destination}"

    def words(self) -> Words:
        """Whose tariffs."""
        of = {
            "own": Words("our lowest tariffs", "本网最低资费"),
            "rival": Words("rivals' lowest tariffs", "竞争对手最低资费"),
            "other": Words("other networks' lowest tariffs", "其他网络最低资费"),
        }
        return of.get(self.network, Words(f"tariffs of {self.network}", f"{self.network}的资费"))


def rates_of(network: str, table: Table, conditions: tuple[Condition, ...]) -> Rates:
    """The prices of a network for the destinations that such rows of a table can have."""
    check_counterparty(table, (network,))
    if network.endswith(BY_CODE):
        raise UsageError(f"price_gap: expected own, rival, other or a network id, got {network!r}")
    named = [set(c.values) for c in conditions if c.column == DESTINATION]
    codes = table.column(DESTINATION).codes
    return Rates(network, tuple(code for code in codes if all(code in values for values in named)))
