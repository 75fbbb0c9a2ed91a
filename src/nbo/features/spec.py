"""The words in which features are declared.

::

    calls = table("calls")
    out = calls.where(direction="out")

    CALLS = FeatureSet("calls", Words("Calls", "通话"), [
        out.count(over=days(7, 30, 90)),
        out.sum("minutes", over=days(30)).trend(),
        calls.where(counterparty="rival").sum("minutes", over=days(30)).share_of(out),
        calls.distinct("counterparty_id", over=days(30)),
    ])

A declaration holds no data and no SQL. It can only name columns of the contracts and windows
that end at the decision date, so it has no way to say "later".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nbo.asof import Window
from nbo.errors import UsageError
from nbo.features.codes import Bands, Parts
from nbo.features.conditions import Condition, condition
from nbo.features.declared import CHARGE, SECONDS, Feature, Graph, Leaf, Which
from nbo.features.rates import rates_of
from nbo.features.refusals import (
    learnable,
    named,
    only_charges,
    only_counts,
    only_distinct,
    only_graphs,
    only_lengths,
    only_numbers,
    only_one_amount,
    only_one_window,
    only_peaks,
    only_priced,
    only_same_table,
    only_shared,
    only_sums_of_money,
    only_talks,
    only_totals,
    only_whole_weeks,
    refuse_untimed,
    summable,
    told,
    window_lengths,
)
from nbo.tables.catalog import contract
from nbo.tables.contract import Table


@dataclass(frozen=True)
class Declared:
    """The features of one line of a declaration, one per window."""

    features: tuple[Feature, ...]

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    @property
    def written(self) -> str:
        """What stands here, for those who expected something else."""
        return f"a feature ({self.features[0].verb})"

    def trend(self) -> "Declared":
        """Each total against the same length just before it, from -1 (gone) to 1 (new)."""
        return self._of_totals("trend")

    def year_on_year(self) -> "Declared":
        """Each total against the same days a year before, from -1 (gone) to 1 (new)."""
        return self._of_totals("year_on_year")

    def share_of(self, source: "Source") -> "Declared":
        """Each total as a share of the same total over ``source``'s rows, of which these are a part."""
        return self._of_totals("share", source)

    def share_beside(self, source: "Source") -> "Declared":
        """Each total as a share of itself and the same total over ``source``'s rows, which are others."""
        return self._of_totals("share_beside", source)

    def priced_like(self, source: "Source") -> "Declared":
        """Each total of minutes at what a minute of ``source``'s rows cost the account, in minor units."""
        only_lengths("priced_like", self.features)
        made = self._of_totals("priced_like", source)
        only_priced("priced_like", source.table)
        return made

    def wallet(self, rivals: "Source", *, like: "Source") -> "Declared":
        """Each total of money and what ``rivals``' rows are worth at the price of ``like``'s."""
        return self._of_money("wallet", rivals, like)

    def wallet_share(self, rivals: "Source", *, like: "Source") -> "Declared":
        """Each total of money as a share of what :meth:`wallet` tells, 0 to 1."""
        return self._of_money("wallet_share", rivals, like)

    def price_gap(self, network: str) -> "Declared":
        """The part of each charge that the same calls would save by the tariffs of ``network``, up to 1.

        ``network`` is the id of one, or ``"rival"``: the lowest of all rivals for each destination.
        """
        only_charges("price_gap", self.features)
        rates = [rates_of(network, f.leaf.table, f.leaf.conditions) for f in self]
        made = zip(self, rates, strict=True)
        return Declared(tuple(Feature("price_gap", f.leaf, inner=f.verb, by=by) for f, by in made))

    def beyond(self, base: "Declared") -> "Declared":
        """The part of each total of money beyond an attribute such as ``plan_base_amount``, 0 to 1."""
        only_sums_of_money("beyond", self.features)
        limits = base.features if isinstance(base, Declared) else ()
        only_one_amount("beyond", limits, told(base))
        return Declared(tuple(Feature("beyond", f.leaf, inner=f.verb, other=limits[0].leaf) for f in self))

    def trend_against(self, source: "Source") -> "Declared":
        """Each trend less the trend of the same total over ``source``'s rows, from -2 to 2."""
        return self._of_totals("trend_against", source)

    def stage(self) -> "Declared":
        """Lifecycle stage by each total over the window, the one before and the one before that."""
        return self._of_totals("stage")

    def mix(self, column: str, values: list[str] | None = None) -> "Declared":
        """The one code of ``column`` (of ``values``) with more than half of each total; 0 = none."""
        return self._by("mix", column, values)

    def structure(self, column: str, values: list[str] | None = None) -> "Declared":
        """Which codes of ``column`` have any of each total, as a sum of 1, 2, 4, 8 …"""
        return self._by("structure", column, values)

    def banded(self, bands: Bands) -> "Declared":
        """The band that each number falls into, 0 for the lowest."""
        only_numbers("banded", self.features)
        return Declared(tuple(Feature("banded", f.leaf, inner=f.verb, by=bands) for f in self.features))

    def slope(self) -> "Declared":
        """Change from week to week of a straight line through the window, as a share of a mean week."""
        return self._of_weeks("slope")

    def cusum(self) -> "Declared":
        """How far the total of the weeks before or after one moment is from an even spread, -1 to 1."""
        return self._of_weeks("cusum")

    def cusum_days(self) -> "Declared":
        """Days since the moment that :meth:`cusum` finds."""
        return self._of_weeks("cusum_days")

    def ewma_gap(self) -> "Declared":
        """The last week against the exponentially weighted mean of those before, -1 to 1."""
        return self._of_weeks("ewma_gap")

    def zero_streak(self) -> "Declared":
        """Weeks without any, up to the decision date."""
        return self._of_weeks("zero_streak")

    def burstiness(self) -> "Declared":
        """How unevenly the total is spread over the weeks, -1 (even) to 1 (all in one)."""
        return self._of_weeks("burstiness")

    def neighbours(self, place: str | Graph) -> "Declared":
        """Share of the other accounts at the same place, or in touch with this one, that have such a row.

        ``place`` is a column of ``sites`` that several of them share, such as a building, or a graph such as
        ``calls.graph(over=days(90))``.
        """
        if isinstance(place, str):
            only_shared(place)
        else:
            only_graphs("neighbours", place)
        return self._around("neighbours", place)

    def spread(self, graph: Graph) -> "Declared":
        """How far the ways through a graph lead to accounts that have such a row, 0 to 1."""
        only_graphs("spread", graph)
        return self._around("spread", graph)

    def per(self, column: str) -> "Declared":
        """Each peak for each different value of ``column`` that was used."""
        only_peaks("per", self.features)
        made = [replace(f.leaf, column=named(f.leaf.table, column)) for f in self.features]
        return Declared(tuple(Feature("per", leaf, inner="peak") for leaf in made))

    def new(self) -> "Declared":
        """How many of the different values were not there in as long before the window."""
        return self._turnover("new")

    def lost(self) -> "Declared":
        """How many different values were there in as long before the window, and are in it no more."""
        return self._turnover("lost")

    def lost_share(self) -> "Declared":
        """Share of the different values of as long before the window that are in it no more, 0 to 1."""
        return self._turnover("lost_share")

    def kept(self) -> "Declared":
        """Share of the different values of both spans that are in both, 0 to 1."""
        return self._turnover("kept")

    def context(self) -> "Declared":
        """The same features, whose values a channel may override at the time of a call; stands last.

        For what a person in a conversation can know before the data do: counts, days since, flags, codes.
        """
        return Declared(tuple(replace(feature, context=True) for feature in self.features))

    def _around(self, verb: str, place: str | Graph) -> "Declared":
        only_counts(verb, self.features)
        made = [replace(f.leaf, place=place) for f in self.features]
        return Declared(tuple(Feature(verb, leaf, inner="count") for leaf in made))

    def _by(self, verb: str, column: str, values: list[str] | None) -> "Declared":
        made = self._of_totals(verb).features
        return Declared(tuple(replace(f, by=Parts.of(f.leaf.table, column, values)) for f in made))

    def _of_money(self, verb: str, rivals: "Source", like: "Source") -> "Declared":
        only_sums_of_money(verb, self.features)
        for source in (rivals, like):
            if not isinstance(source, Source):
                raise UsageError(
                    f"{verb}: expected rows such as calls.where(direction='out'), got {told(source)}"
                )
            only_priced(verb, source.table)
        return Declared(
            tuple(
                Feature(
                    verb,
                    f.leaf,
                    inner=f.verb,
                    other=Leaf(rivals.table.name, rivals.conditions, SECONDS, f.leaf.window_days),
                    like=Leaf(like.table.name, like.conditions, CHARGE, f.leaf.window_days),
                )
                for f in self.features
            )
        )

    def _turnover(self, verb: str) -> "Declared":
        only_distinct(verb, self.features)
        return Declared(tuple(Feature(verb, f.leaf, inner=f.verb) for f in self.features))

    def _of_weeks(self, verb: str) -> "Declared":
        only_whole_weeks(verb, self.features)
        return self._of_totals(verb)

    def _of_totals(self, verb: str, source: "Source | None" = None) -> "Declared":
        only_totals(verb, self.features)
        return Declared(tuple(derived(verb, feature, source) for feature in self.features))


def derived(verb: str, feature: Feature, source: "Source | None") -> Feature:
    """A feature made of a total, and of the same total over other rows where ``source`` names them."""
    leaf = feature.leaf
    if feature.context:
        raise UsageError(f"{verb}: expected context() to stand last, got it before")
    if source is None:
        return Feature(verb, leaf, inner=feature.verb)
    if not isinstance(source, Source):
        raise UsageError(f"{verb}: expected rows such as calls.where(direction='out'), got {told(source)}")
    if verb == "share":
        only_same_table("share_of", leaf.table, source.table)
    if leaf.column is not None:
        source.table.column(leaf.column)
    other = replace(leaf, source=source.table.name, conditions=source.conditions)
    return Feature(verb, leaf, inner=feature.verb, other=other)


@dataclass(frozen=True)
class Source:
    """Rows of a table, narrowed by conditions; the subject of every verb."""

    table: Table
    conditions: tuple[Condition, ...] = ()
    state_now: bool = False

    @property
    def written(self) -> str:
        """What stands here, for those who expected something else."""
        return f"rows of {self.table.name} without a verb"

    def where(self, **conditions: str | int | bool | Sequence[str | int]) -> "Source":
        """Only rows whose columns have these values.

        Three names are no columns: ``counterparty=`` takes a class of networks or a network, ``time=`` a
        part of the day or the week, ``length=`` how long something lasted.

        Raises
        ------
        UsageError
            Unknown column or code; close matches are shown.
        """
        added = tuple(condition(self.table, name, value) for name, value in conditions.items())
        return replace(self, conditions=self.conditions + added)

    @property
    def now(self) -> "Source":
        """The state at the decision date: the newest visible row of each key of a change log."""
        if self.table.shape != "log":
            raise UsageError(f"{self.table.name}: expected a change log for .now, got {self.table.shape}")
        return replace(self, state_now=True)

    def count(self, over: Sequence[Window] | None = None) -> Declared:
        """Number of rows."""
        return self._each("count", None, over)

    def sum(self, column: str, over: Sequence[Window] | None = None) -> Declared:
        """Total of a summable column."""
        return self._each("sum", summable(self.table, column), over)

    def mean(self, column: str, over: Sequence[Window] | None = None) -> Declared:
        """Mean of a column over the rows that have it."""
        return self._each("mean", summable(self.table, column), over)

    def max(self, column: str, over: Sequence[Window] | None = None) -> Declared:
        """Largest value of a column."""
        return self._each("max", summable(self.table, column), over)

    def distinct(self, column: str, over: Sequence[Window] | None = None) -> Declared:
        """Number of different values of a column, exact."""
        return self._each("distinct", named(self.table, column), over)

    def concentration(self, column: str, over: Sequence[Window]) -> Declared:
        """Chance that two rows drawn at random have the same value, 0 to 1."""
        return self._each("concentration", named(self.table, column), over)

    def entropy(self, column: str, over: Sequence[Window]) -> Declared:
        """How evenly the rows are spread over the values of a column, in nats, 0 to ln of their number."""
        return self._each("entropy", named(self.table, column), over)

    def top_share(self, column: str, over: Sequence[Window]) -> Declared:
        """Share of the rows that have the most frequent value, 0 to 1."""
        return self._each("top_share", named(self.table, column), over)

    def steepest_fall(self, column: str, over: Sequence[Window]) -> Declared:
        """Rows that the value which fell most lost against as long before, as a share of all rows then."""
        return self._each("steepest_fall", named(self.table, column), over)

    def peak(self, over: Sequence[Window]) -> Declared:
        """The most rows that went on at the same time."""
        refuse_untimed(self.table)
        return self._each("peak", None, over)

    def degree(self, over: Sequence[Window]) -> Declared:
        """Number of other accounts of ours at the other end."""
        only_talks("degree", self.table)
        return self._each("degree", None, over)

    def pagerank(self, over: Sequence[Window]) -> Declared:
        """Place of an account among all that call each other, from 0.15 (nobody calls it) on."""
        only_talks("pagerank", self.table)
        return self._each("pagerank", None, over)

    def graph(self, over: Sequence[Window]) -> Graph:
        """Who talks with whom, for :meth:`Declared.neighbours` and :meth:`Declared.spread`; one window."""
        only_talks("graph", self.table)
        lengths = window_lengths(self.table, "graph", over, state_now=self.state_now)
        return Graph(Leaf(self.table.name, self.conditions, None, only_one_window("graph", lengths)))

    def days_since(self, which: Which, over: Sequence[Window]) -> Declared:
        """Days from the last (or first) row within the window to the decision date."""
        if which not in ("last", "first"):
            raise UsageError(f"days_since: expected 'last' or 'first', got {which!r}")
        windowed = self._each("days_since", None, over)
        return Declared(tuple(replace(f, leaf=replace(f.leaf, which=which)) for f in windowed))

    def days_until(self, column: str) -> Declared:
        """Days from the decision date to a day named in the newest visible row."""
        if self.table.column(column).kind != "day":
            raise UsageError(f"{self.table.name}.{column}: expected a day column for days_until")
        return Declared((Feature("days_until", Leaf(self.table.name, self.conditions, column)),))

    def attribute(self, column: str) -> Declared:
        """The value in the account's newest visible row."""
        leaf = Leaf(self.table.name, self.conditions, learnable(self.table, column))
        return Declared((Feature("attribute", leaf),))

    def _each(self, verb: str, column: str | None, over: Sequence[Window] | None) -> Declared:
        lengths = window_lengths(self.table, verb, over, state_now=self.state_now)
        return Declared(
            tuple(Feature(verb, Leaf(self.table.name, self.conditions, column, length)) for length in lengths)
        )


def table(name: str) -> Source:
    """All rows of a table, as the start of a declaration.

    Raises
    ------
    UsageError
        No such table, or one whose rows belong to no account.
    """
    found = contract(name)
    if "account_id" not in found.column_names:
        raise UsageError(f"{name}: expected a table with account_id; rows of {name} belong to no account")
    return Source(found)
