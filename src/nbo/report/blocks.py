"""What a section is made of; the template shows each kind in its own way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from markupsafe import Markup

from nbo.report.charts import themed
from nbo.report.figures import Estimate
from nbo.report.words import Language, say


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Heading:
    """A heading below the section's own."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values; long values (ids) may break anywhere."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A table whose first column names the row.

    Parameters
    ----------
    caption : str
        What the table shows.
    headings : tuple of str
        Of the columns.
    rows : tuple of tuple of str
        Cells, as shown.
    prose : frozenset of int
        Places of columns that hold words, not numbers.
    folded : bool
        Whether the reader opens the table first.
    """

    kind: ClassVar[str] = "grid"
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    prose: frozenset[int] = frozenset({0})
    folded: bool = False


@dataclass(frozen=True)
class Chart:
    """A picture and the table of the same numbers."""

    kind: ClassVar[str] = "chart"
    svg: Markup
    grid: Grid

    @classmethod
    def of(cls, svg: str, grid: Grid) -> "Chart":
        """``svg`` comes from nbo.report.charts, where every text in it was escaped."""
        return cls(Markup(themed(svg)), grid)


Block = Text | Heading | Bullets | Facts | Grid | Chart


@dataclass(frozen=True)
class Section:
    """One part of the report, with an anchor of its own."""

    anchor: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Card:
    """What is known of a model, and the language in which to tell it."""

    metadata: Mapping[str, Any]
    language: Language
    charts: Mapping[str, str] = field(default_factory=dict)

    def say(self, key: str, **fields: object) -> str:
        return say(self.language, key, **fields)

    def section(self, anchor: str, *blocks: Block) -> Section:
        return Section(anchor, self.say(anchor), blocks)

    def shown(self, value: Estimate | None, digits: int = 3) -> str:
        """A measured value with its interval, or the words for one that was not measured."""
        return self.say("missing") if value is None else value.text(self.language, digits)

    def joined(self, items: list[str]) -> str:
        return ("、" if self.language == "zh" else ", ").join(items)
