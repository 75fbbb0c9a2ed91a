"""Whole numbers that stand for something: stages of life, bands of a number, segments by use.

::

    TENURE = Bands("tenure", Words("tenure", "在网时长"), edges=(91, 365), codes=(
        Words("under 3 months", "不满3个月"), Words("to 1 year", "1年内"), Words("longer", "1年以上")))

What each number means goes with the compiled feature, so that a list, a reason or a rule can say it.
"""

from dataclasses import dataclass
from itertools import pairwise

from nbo.errors import UsageError
from nbo.tables.contract import Table, Words

__all__ = ["LINES_IN_USE", "STAGES", "TENURE", "Bands", "Codes", "Parts"]

Codes = tuple[tuple[int, Words], ...]
"""What each whole number means, ascending."""

PROSPECT, ACQUISITION, GROWTH, MATURITY, DECLINE, ENDED, WON_BACK = range(7)
STAGES: Codes = (
    (PROSPECT, Words("prospect", "潜在期")),
    (ACQUISITION, Words("acquisition", "获取期")),
    (GROWTH, Words("growth", "成长期")),
    (MATURITY, Words("maturity", "成熟期")),
    (DECLINE, Words("decline", "衰退期")),
    (ENDED, Words("ended", "终止")),
    (WON_BACK, Words("won back", "赢回")),
)
"""Stages of an account's life with a service; in another service it may be in another one."""
MIXED = Words("mixed", "混合型")
NOTHING = Words("none of them", "均无")


@dataclass(frozen=True)
class Bands:
    """Bands of a number: 0 below the first edge, 1 from it to below the second, and so on.

    Parameters
    ----------
    name : str
        Part of the feature's name.
    words : Words
        What is put into bands.
    edges : tuple of int or float
        Ascending, in the unit of the number; money in minor units.
    codes : tuple of Words
        What each band means, one more than there are edges.

    Raises
    ------
    UsageError
        Edges that do not ascend, or words for more or fewer bands than there are.
    """

    name: str
    words: Words
    edges: tuple[int | float, ...]
    codes: tuple[Words, ...]

    def __post_init__(self) -> None:
        if not self.edges or any(low >= high for low, high in pairwise(self.edges)):
            raise UsageError(f"bands {self.name}: expected ascending edges, got {self.edges}")
        if len(self.codes) != len(self.edges) + 1:
            raise UsageError(
                f"bands {self.name}: expected words for {len(self.edges) + 1} bands, got {len(self.codes)}"
            )

    def meant(self) -> Codes:
        """What each band's number means."""
        return tuple(enumerate(self.codes))


@dataclass(frozen=True)
class Parts:
    """Values of a code column of which an account's use is made up.

    Parameters
    ----------
    column : str
    values : tuple of str
        In the order of their numbers.
    """

    column: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, table: Table, column: str, values: list[str] | None = None) -> "Parts":
        """All codes of a column, or some; :class:`UsageError` where there are none or an unknown one."""
        codes = table.column(column).codes
        wrong = [value for value in values or codes if value not in codes]
        if wrong or len(values or codes) < 2:
            known = ", ".join(codes) or "a column with codes"
            raise UsageError(
                f"{table.name}.{column}: expected two or more of {known}, got {values or column!r}"
            )
        return cls(column, tuple(values or codes))

    def words(self, table: Table) -> tuple[Words, ...]:
        """What each value means, in order."""
        return tuple(table.column(self.column).codes[value] for value in self.values)


TENURE = Bands(
    "tenure",
    Words("tenure", "在网时长"),
    edges=(91, 182, 365, 1095),
    codes=(
        Words("under 3 months", "不满3个月"),
        Words("3 to 6 months", "3至6个月"),
        Words("6 to 12 months", "6至12个月"),
        Words("1 to 3 years", "1至3年"),
        Words("3 years and more", "3年以上"),
    ),
)
LINES_IN_USE = Bands(
    "lines_in_use",
    Words("lines in use", "在用线路"),
    edges=(1, 2, 5, 20),
    codes=(
        Words("none", "无"),
        Words("one line", "1条"),
        Words("2 to 4 lines", "2至4条"),
        Words("5 to 19 lines", "5至19条"),
        Words("20 lines and more", "20条以上"),
    ),
)
