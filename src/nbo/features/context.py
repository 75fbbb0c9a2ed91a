"""Context: features that a channel may know better at the time of a call than the data did.

A snapshot is of a date. Who has the customer on the line knows that a ticket was opened a minute ago, or that
the call is about leaving. A declaration says of which features that may be said, and the verb says in which
range; everything else only the data tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbo.errors import DataError, UsageError
from nbo.features.declared import Feature

ContextValue = float | str | None
MOST_COUNT = 1_000
"""A count above this is a slip of who says it: nobody has so many of what a channel can know."""


@dataclass(frozen=True)
class Context:
    """What may be said of one feature at the time of a call.

    Parameters
    ----------
    most : int
        Whole numbers from 0 to this one; of no meaning where there are codes.
    codes : tuple of str
        The codes of a category; empty for a number.
    nullable : bool
        Whether null may be said: not known, or no such row within the window.

    Examples
    --------
    >>> Context(90).words, Context(0, ("no", "yes"), nullable=False).words
    ('a whole number from 0 to 90, or null', 'one of no, yes')
    """

    most: int
    codes: tuple[str, ...] = ()
    nullable: bool = True

    @property
    def words(self) -> str:
        """The range as an error tells it."""
        told = f"one of {', '.join(self.codes)}" if self.codes else f"a whole number from 0 to {self.most}"
        return f"{told}, or null" if self.nullable else told

    def allows(self, value: object) -> bool:
        """Whether the value is of the right type and within the range.

        Examples
        --------
        >>> [Context(90).allows(value) for value in (0, 90.0, None, 91, 1.5, True, "1", float("nan"))]
        [True, True, True, False, False, False, False, False]
        """
        if value is None:
            return self.nullable
        if self.codes:
            return isinstance(value, str) and value in self.codes
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return 0 <= value <= self.most and value == int(value)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives an equal value."""
        return {"most": self.most, "codes": list(self.codes), "nullable": self.nullable}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Context":
        """Read a range; :class:`DataError` if it is none."""
        try:
            return cls(int(value["most"]), tuple(value["codes"]), bool(value["nullable"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("context", "most, codes and nullable", repr(error)) from None


def context_of(feature: Feature) -> Context:
    """What may be said of a feature that is declared as context.

    Raises
    ------
    UsageError
        Its verb gives nothing that a person in a conversation can know.

    Examples
    --------
    >>> from nbo.asof import days
    >>> from nbo.features.spec import table
    >>> (told,) = table("tickets").where(kind="complaint").days_since("last", over=days(90))
    >>> context_of(told)
    Context(most=90, codes=(), nullable=True)
    >>> (told,) = table("bills").sum("bill_amount", over=days(90))
    >>> context_of(told)
    Traceback (most recent call last):
    nbo.errors.UsageError: context: expected a count, days since, a flag or a code, got sum of bills.
    """
    leaf = feature.leaf
    if feature.verb == "count":
        return Context(MOST_COUNT, nullable=False)
    if feature.verb == "days_since":
        return Context(leaf.window_days or 0)
    if feature.verb == "attribute":
        column = leaf.table.column(leaf.column or "")
        if column.codes:
            return Context(0, tuple(column.codes))
        if column.kind == "flag":
            return Context(1)
    raise UsageError(
        f"context: expected a count, days since, a flag or a code, got {feature.verb} of {leaf.source}"
    )
