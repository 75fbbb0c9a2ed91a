"""Charts as SVG text: the same numbers give the same bytes, on any machine with the same matplotlib.

Words go in after drawing: matplotlib's own fonts hold no Chinese, and the reader's browser lays the
text out anyway. So a chart is drawn with a token for each text, and the tokens are replaced.
"""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from nbo.errors import DataError
from nbo.report.figures import (
    Estimate,
    bins,
    family_shares,
    gain_points,
    mapping,
    percent,
    sequence,
    slice_estimates,
)
from nbo.report.words import METRICS, Language, say

PAPER, INK, MUTED, GRID, ACCENT = "#ffffff", "#1b2430", "#566272", "#d5dbe3", "#0b5cad"
THEME = {PAPER: "--paper", INK: "--ink", MUTED: "--muted", GRID: "--grid", ACCENT: "--accent"}
"""The colours a chart is drawn in -> the page's variable for each."""

WIDTH = 4.9
SLICE_METRICS = ("auc", "lift_at_10")
MAX_LABEL = 24


@dataclass(frozen=True)
class Labels:
    """The texts of one chart; each is drawn as a token and comes in afterwards."""

    texts: list[str] = field(default_factory=list)

    def token(self, text: str) -> str:
        """Keep a text and return what is drawn in its place."""
        self.texts.append(text)
        return f"@{len(self.texts) - 1}@"


Draw = Callable[[Figure, Labels], None]


def calibration_svg(reliability: object, *, language: Language = "en") -> str:
    """Forecast against what happened, in groups of equal size.

    Parameters
    ----------
    reliability : sequence of mapping
        ``mean_score``, ``share_left`` (of pairs: ``share_taken``) and, where known, ``low`` and
        ``high``: shares, 0 to 1.
    language : {"en", "zh"}
        Of the words in the chart.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    DataError
        If no row has both shares.
    """
    found = bins(reliability)
    if not found:
        raise nothing_to_draw("reliability", "mean_score and share_left")
    of_pairs = any("share_taken" in mapping(row) for row in sequence(reliability))
    happened = say(language, "calibration.taken" if of_pairs else "calibration.left")
    top = 1.08 * max(max(one.mean_score, one.left.value, one.left.high or 0.0) for one in found)
    top = max(top, 0.001)

    def draw(figure: Figure, labels: Labels) -> None:
        axes = plot_area(figure, (0.13, 0.16, 0.83, 0.72))
        axes.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot([one.mean_score for one in found], [one.left.value for one in found], color=GRID)
        for one in found:
            interval(axes, [one.mean_score] * 2, edges(one.left))
            axes.plot(one.mean_score, one.left.value, "o", color=ACCENT, markersize=5.5)
        shares(axes, top)
        axis_words(axes, labels, say(language, "calibration.score"), happened)

    last = found[-1]
    detail = (
        f"{say(language, 'calibration.score')} {percent(last.mean_score)}: "
        f"{happened} {percent(last.left.value)}"
    )
    title, caption = say(language, "calibration"), say(language, "calibration.caption")
    return drawn("calibration", 3.7, draw, title, f"{caption}. {detail}.")


def gains_svg(gains: object, *, language: Language = "en") -> str:
    """Share of leavers reached when the list is worked from the top.

    Parameters
    ----------
    gains : sequence of mapping
        ``share`` of accounts called and ``captured`` of leavers reached: shares, 0 to 1.
    language : {"en", "zh"}
        Of the words in the chart.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    DataError
        If no row has both shares.
    """
    found = gain_points(gains)
    if not found:
        raise nothing_to_draw("gains", "share and captured")
    start = [] if found[0].share == 0 else [(0.0, 0.0)]
    points = start + [(one.share, one.captured) for one in found]

    def draw(figure: Figure, labels: Labels) -> None:
        axes = plot_area(figure, (0.13, 0.16, 0.83, 0.72))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(*zip(*points, strict=True), "o-", color=ACCENT, markersize=4, linewidth=2)
        shares(axes, 1.03)
        axis_words(axes, labels, say(language, "gains.share"), say(language, "gains.captured"))

    first = found[0]
    detail = say(language, "gains.text", share=percent(first.share), captured=percent(first.captured))
    return drawn("gains", 3.7, draw, say(language, "gains"), f"{say(language, 'gains.caption')}. {detail}")


def slices_svg(slices: object, *, language: Language = "en") -> str:
    """AUC and lift of each decision date, with intervals.

    Parameters
    ----------
    slices : mapping of str to mapping
        ISO date -> metric -> ``{"value", "low", "high"}``.
    language : {"en", "zh"}
        Of the words in the chart.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    DataError
        If no date has an AUC or a lift.
    """
    found = slice_estimates(slices)
    shown = [name for name in SLICE_METRICS if any(name in metrics for metrics in found.values())]
    if not shown:
        raise nothing_to_draw("slices", " or ".join(SLICE_METRICS))
    height = 0.85 + 0.3 * len(found)

    def draw(figure: Figure, labels: Labels) -> None:
        width = 0.78 / len(shown)
        for place, name in enumerate(shown):
            left = 0.19 + place * width
            axes = plot_area(figure, (left, 0.36 / height, width - 0.05, 1 - 0.78 / height))
            for row, metrics in enumerate(found.values()):
                if name in metrics:
                    interval(axes, edges(metrics[name]), [row, row])
                    axes.plot(metrics[name].value, row, "o", color=ACCENT, markersize=5.5)
            axes.set_ylim(len(found) - 0.5, -0.5)
            axes.set_yticks(range(len(found)), list(found) if place == 0 else [""] * len(found))
            axes.margins(x=0.12)
            axes.xaxis.set_major_locator(MaxNLocator(3))
            above(axes, labels, METRICS[name].in_language(language))

    title, caption = say(language, "slices"), say(language, "slices.caption")
    return drawn("slices", height, draw, title, f"{caption}: {', '.join(found)}.")


def families_svg(families: object, *, language: Language = "en") -> str:
    """How much the model relies on each kind of signal, as bars.

    Parameters
    ----------
    families : sequence of mapping
        ``family``, ``words`` by language, and ``share``, 0 to 1.
    language : {"en", "zh"}
        Of the words in the chart.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    DataError
        If no row has a share.
    """
    found = family_shares(families, language)
    if not found:
        raise nothing_to_draw("families", "share")
    height = 0.3 + 0.32 * len(found)

    def draw(figure: Figure, labels: Labels) -> None:
        axes = plot_area(figure, (0.34, 0.1 / height, 0.54, 1 - 0.2 / height))
        axes.grid(visible=False)
        axes.barh(range(len(found)), [one.share for one in found], height=0.62, color=ACCENT)
        for row, one in enumerate(found):
            label = labels.token(percent(one.share))
            axes.annotate(label, (one.share, row), (5, 0), textcoords="offset points", va="center", color=INK)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlim(0, max(max(one.share for one in found), 0.001))
        axes.set_xticks([])
        axes.set_yticks(range(len(found)), [labels.token(short(one.name)) for one in found])

    caption = say(language, "families.caption")
    listed = ", ".join(f"{one.name} {percent(one.share)}" for one in found)
    return drawn("families", height, draw, caption, f"{caption}: {listed}.")


def charts_for_tracking(metadata: Mapping[str, Any], *, language: Language = "en") -> dict[str, str]:
    """The charts a model's metadata suffice for, as files beside its run.

    Parameters
    ----------
    metadata : mapping
        The bundle's metadata; what is missing in it gives no chart.
    language : {"en", "zh"}
        Of the words in the charts.

    Returns
    -------
    dict of str to str
        File name -> SVG text.
    """
    slices = mapping(metadata.get("metrics")).get("slices")
    makers: dict[str, tuple[Callable[..., str], object]] = {
        "calibration.svg": (calibration_svg, metadata.get("reliability")),
        "gains.svg": (gains_svg, metadata.get("gains")),
        "slices.svg": (slices_svg, slices),
        "families.svg": (families_svg, metadata.get("families")),
    }
    charts = {}
    for name, (make, rows) in makers.items():
        try:
            charts[name] = make(rows, language=language)
        except DataError:
            continue  # not measured for this model: the report says so in words
    return charts


def themed(svg: str) -> str:
    """The same chart in the page's own colours, which follow the reader's light or dark setting.

    Examples
    --------
    >>> themed("fill: #ffffff")
    'fill: var(--paper)'
    """
    for colour, variable in THEME.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def nothing_to_draw(where: str, wanted: str) -> DataError:
    return DataError(where, f"at least one row with {wanted}", "none", next_step="Leave the chart out")


def plot_area(figure: Figure, place: tuple[float, float, float, float]) -> Axes:
    axes = figure.add_axes(place, facecolor="none")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def shares(axes: Axes, top: float) -> None:
    """Both axes from 0 to ``top`` in percent; room below for a point that lies on 0."""
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        limit(-0.02 * top, top)
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(PercentFormatter(1))


def axis_words(axes: Axes, labels: Labels, below: str, beside: str) -> None:
    axes.set_xlabel(labels.token(below), color=MUTED)
    above(axes, labels, beside)


def above(axes: Axes, labels: Labels, text: str) -> None:
    """A label over the plot's left edge, upright: nobody tilts their head to read it."""
    axes.annotate(
        labels.token(text), (0, 1), (0, 7), xycoords="axes fraction", textcoords="offset points", color=MUTED
    )


def interval(axes: Axes, across: list[float], up: list[float]) -> None:
    axes.plot(across, up, color=ACCENT, linewidth=1.8, alpha=0.55)


def edges(found: Estimate) -> list[float]:
    """Both ends of an interval; the value itself twice where it has none."""
    if found.low is None or found.high is None:
        return [found.value, found.value]
    return [found.low, found.high]


def short(text: str) -> str:
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


def drawn(name: str, height: float, draw: Draw, title: str, description: str) -> str:
    labels, text = Labels(), io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a style of the machine's own would give other bytes
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "nbo", "font.size": 10.5})
        figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
        draw(figure, labels)
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", metadata=nothing)
    return finished(text.getvalue(), name, labels, title, description)


def finished(svg: str, name: str, labels: Labels, title: str, description: str) -> str:
    """One element that can stand in a page: named, with ids of its own and its words in place."""
    svg = svg[svg.index("<svg ") :].rstrip()
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", svg)
    head = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" \\g<1>>'
        f'\n <title id="{name}-title">@title@</title>\n <desc id="{name}-desc">@desc@</desc>'
    )
    svg = re.sub(r"<svg ([^>]*)>", head, svg, count=1)
    texts = {str(place): text for place, text in enumerate(labels.texts)}
    texts |= {"title": title, "desc": description}
    return re.sub(r"@(\w+)@", lambda match: escape(texts[match[1]]), svg)
