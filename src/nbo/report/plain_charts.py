"""Charts of any numbers: columns by name and curves, drawn like the charts of a model's report."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nbo.report.charts import ACCENT, MUTED, Labels, above, axis_words, drawn, nothing_to_draw, plot_area

HEIGHT = 2.6
MOST_NAMES = 12


def columns_svg(
    name: str, title: str, points: Sequence[tuple[str, float]], *, below: str, beside: str
) -> str:
    """A column for each name, in the order given.

    Parameters
    ----------
    name : str
        Of the chart within its page: letters and hyphens.
    title : str
    points : sequence of (str, float)
        Beyond a dozen only some names are written under their columns.
    below, beside : str
        What the names are, and what is counted.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    DataError
        If there is no point.
    """
    if not points:
        raise nothing_to_draw(name, "a value")
    step = -(-len(points) // MOST_NAMES)

    def draw(figure: Figure, labels: Labels) -> None:
        axes = plot_area(figure, (0.13, 0.2, 0.83, 0.66))
        axes.grid(visible=False, axis="x")
        axes.bar(range(len(points)), [value for _, value in points], width=0.72, color=ACCENT)
        shown = range(0, len(points), step)
        axes.set_xticks(list(shown), [labels.token(points[place][0]) for place in shown])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axis_words(axes, labels, below, beside)

    listed = ", ".join(f"{one} {value:,.4g}" for one, value in points[:MOST_NAMES])
    return drawn(name, HEIGHT, draw, title, f"{title}: {listed}.")


def curve_svg(
    name: str,
    title: str,
    points: Sequence[tuple[float, float]],
    *,
    below: str,
    beside: str,
    even: bool = False,
) -> str:
    """A curve through points, upwards from 0.

    Parameters
    ----------
    name, title : str
        As for :func:`columns_svg`.
    points : sequence of (float, float)
    below, beside : str
        As for :func:`columns_svg`.
    even : bool
        Whether to draw the diagonal of equal shares beside it.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    DataError
        If there is no point.
    """
    if not points:
        raise nothing_to_draw(name, "a point")

    def draw(figure: Figure, labels: Labels) -> None:
        axes = plot_area(figure, (0.13, 0.2, 0.83, 0.66))
        if even:
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot([x for x, _ in points], [y for _, y in points], color=ACCENT, linewidth=1.8)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(labels.token(below), color=MUTED)
        above(axes, labels, beside)

    last = points[-1]
    return drawn(name, HEIGHT, draw, title, f"{title}: to {last[1]:,.4g} at {last[0]:,.4g}.")
