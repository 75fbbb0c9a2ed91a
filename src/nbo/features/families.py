"""A family of features: what one file declares, and one heading of the reasons tells of."""

from collections.abc import Sequence
from dataclasses import dataclass

from nbo.errors import UsageError
from nbo.features.declared import Feature
from nbo.features.refusals import told
from nbo.features.spec import Declared
from nbo.tables.contract import Words


@dataclass(frozen=True)
class FeatureSet:
    """A named family of features: one file of declarations, one heading in the reasons.

    Parameters
    ----------
    name, words : str, Words
    lines : sequence of Declared
    idea : str
        Where the idea comes from that these say something: a source of the literature, or of the trade.
    purposes : sequence of str or None
        What it is meant for, if for less than its columns allow; for more is refused. None = all they allow.
    """

    name: str
    words: Words
    lines: Sequence[Declared]
    idea: str = ""
    purposes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.words, Words):
            raise UsageError(f'{self.name}: expected Words("Calls", "通话"), got {told(self.words)}')
        if not isinstance(self.lines, list | tuple):
            raise UsageError(f"{self.name}: expected a list of features, got {told(self.lines)}")
        for place, line in enumerate(self.lines, 1):
            if not isinstance(line, Declared):
                raise UsageError(
                    f"{self.name}: expected features such as calls.count(over=days(30)), got {told(line)} "
                    f"as number {place} of the list"
                )

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(feature for line in self.lines for feature in line)

    @property
    def written(self) -> str:
        """What stands here, for those who expected something else."""
        return f"the family {self.name}"
