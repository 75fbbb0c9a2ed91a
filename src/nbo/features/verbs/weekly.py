"""What the verbs share that look at the course of a total from week to week."""

from dataclasses import dataclass

from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.relations import Aggregate
from nbo.features.verbs.meaning import total_words, within
from nbo.tables.contract import Words


@dataclass(frozen=True)
class Weeks:
    """A total over the last week, the last two, and so on, each as SQL; 0 where there were no rows."""

    since: tuple[str, ...]

    @classmethod
    def of(cls, feature: Feature, plan: Plan) -> "Weeks":
        aggregate: Aggregate = "sum" if feature.inner == "sum" else "count"
        found = plan.weeks(feature.leaf, aggregate, feature.leaf.column)
        return cls(tuple(f"coalesce({reference}, 0)" for reference in found))

    @property
    def count(self) -> int:
        return len(self.since)

    @property
    def whole(self) -> str:
        """The total over the window."""
        return self.since[-1]

    @property
    def each(self) -> list[str]:
        """The total of each week, the last one first."""
        older = [f"({later} - {sooner})" for sooner, later in zip(self.since, self.since[1:], strict=False)]
        return [self.since[0], *older]

    @property
    def beyond_even(self) -> list[str]:
        """What the last k of n weeks have beyond an even spread, times n, for k = 1 to n - 1; exact."""
        n = self.count
        return [f"({n} * {total} - {k} * {self.whole})" for k, total in enumerate(self.since[:-1], 1)]


def weekly_words(feature: Feature) -> tuple[Words, Words]:
    """What is added up, and over which days."""
    return total_words(feature.inner or "count", feature.leaf), within(feature.leaf)
