"""How good a model is: measurements with a plain reading of each, and where they hold."""

import math
from collections.abc import Mapping

from nbo.report.blocks import Block, Card, Chart, Grid, Section, Text
from nbo.report.figures import (
    Bin,
    Estimate,
    bins,
    estimate,
    estimates,
    gain_points,
    mapping,
    number,
    of_100,
    percent,
    slice_estimates,
)
from nbo.report.words import METRICS, READINGS, READINGS_WITHOUT_BASE, named

FEW_LEAVERS = 100
DIGITS = {"brier": 4, "log_loss": 4, "ece": 4, "lift_at_10": 2}


def quality_section(card: Card) -> Section:
    """Measurements on held-out dates beside those in training, each read in plain words."""
    measured = mapping(card.metadata.get("metrics"))
    columns = {name: estimates(measured.get(name)) for name in ("holdout", "train_out_of_fold")}
    columns = {name: metrics for name, metrics in columns.items() if metrics}
    if not columns:
        return card.section("quality", Text(card.say("quality.none")))
    base = base_rate(card)
    blocks: list[Block] = [Text(card.say("quality.intervals"))]
    if base is not None:
        blocks.append(Text(card.say("quality.base", share=percent(base))))
    positives = number(card.metadata.get("positives"))
    if positives is not None and positives < FEW_LEAVERS:
        blocks.append(Text(card.say("few_leavers", positives=f"{positives:.0f}")))
    blocks += [metrics_grid(card, columns, base), *champion_blocks(card)]
    return card.section("quality", *blocks)


def metrics_grid(card: Card, columns: Mapping[str, Mapping[str, Estimate]], base: float | None) -> Grid:
    rows = []
    for name in METRICS:
        values = [metrics.get(name) for metrics in columns.values()]
        if any(values):
            held = columns.get("holdout", {}).get(name)
            cells = [card.shown(value, DIGITS.get(name, 3)) for value in values]
            rows.append((named(METRICS, name, card.language), *cells, reading(card, name, held, base)))
    headings = (card.say("metric"), *(card.say(name) for name in columns), card.say("quality.reading"))
    prose = frozenset({0, len(headings) - 1})
    return Grid(card.say("quality.table"), headings, tuple(rows), prose)


def reading(card: Card, name: str, held: Estimate | None, base: float | None) -> str:
    """One sentence about a held-out measurement; empty where it was not measured.

    Notes
    -----
    Telling everybody the base rate b has Brier score b (1 - b) and log loss
    -(b ln b + (1 - b) ln (1 - b)).
    """
    if held is None:
        return ""
    fields = {"of_100": of_100(held.value), "points": f"{100 * held.value:.1f}", "times": f"{held.value:.1f}"}
    if base is None or not 0 < base < 1:
        words = READINGS_WITHOUT_BASE.get(name, READINGS[name])
        return words.in_language(card.language).format(**fields)
    entropy = -(base * math.log(base) + (1 - base) * math.log1p(-base))
    fields |= {
        "base_of_100": of_100(base),
        "top_of_100": of_100(min(1.0, base * held.value)),
        "base_brier": f"{base * (1 - base):.4f}",
        "base_log_loss": f"{entropy:.4f}",
    }
    return READINGS[name].in_language(card.language).format(**fields)


def base_rate(card: Card) -> float | None:
    """Share of accounts that left on held-out dates, 0 to 1."""
    return number(mapping(card.metadata.get("base_rate")).get("holdout"))


def key_figures(card: Card) -> tuple[tuple[str, str], ...]:
    """The two or three numbers a reader in a hurry takes away, each with its plain reading."""
    held = estimates(mapping(card.metadata.get("metrics")).get("holdout"))
    base = base_rate(card)
    return tuple(
        (
            f"{named(METRICS, name, card.language)} {held[name].value:.{DIGITS.get(name, 3)}f}",
            reading(card, name, held[name], base),
        )
        for name in ("lift_at_10", "auc", "ece")
        if name in held
    )


def champion_blocks(card: Card) -> list[Block]:
    """Whether the model is better than the one in use, by the interval of their difference."""
    champion = mapping(card.metadata.get("champion"))
    bundle = champion.get("bundle_id")
    if not bundle:
        return [Text(card.say("champion.none"))]
    found = {name: estimate(value) for name, value in mapping(champion.get("difference")).items()}
    sentences: list[Block] = []
    for name, value in found.items():
        if value is not None:
            fields = {
                "metric": named(METRICS, name, card.language),
                "bundle": bundle,
                "difference": value.text(card.language, DIGITS.get(name, 3), "+"),
            }
            sentences.append(Text(card.say(f"champion.{verdict(name, value)}", **fields)))
    return sentences or [Text(card.say("champion.unmeasured", bundle=bundle))]


def verdict(metric: str, difference: Estimate) -> str:
    """``better``, ``worse`` or ``same``; an interval that holds 0, or none at all, tells nothing apart.

    Examples
    --------
    >>> verdict("auc", Estimate(0.02, 0.01, 0.03)), verdict("brier", Estimate(0.02, 0.01, 0.03))
    ('better', 'worse')
    >>> verdict("auc", Estimate(0.02, -0.01, 0.05))
    'same'
    """
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "same"
    smaller_is_better = metric in ("brier", "log_loss", "ece")
    return "better" if (difference.low > 0) != smaller_is_better else "worse"


def calibration_section(card: Card) -> Section:
    """Forecast against what happened, in groups of equal size."""
    found = bins(card.metadata.get("reliability"))
    if not found:
        return card.section("calibration", Text(card.say("calibration.none")))
    headings = ("calibration.score", "calibration.left", "interval", "count")
    rows = tuple(
        (
            percent(one.mean_score, 2),
            percent(one.left.value, 2),
            interval_text(card, one),
            count_text(card, one),
        )
        for one in found
    )
    caption = card.say("calibration.caption")
    grid = Grid(caption, tuple(map(card.say, headings)), rows, frozenset(), folded=True)
    return card.section("calibration", *hits(card, found), Chart.of(card.charts["calibration.svg"], grid))


def hits(card: Card, found: list[Bin]) -> list[Block]:
    """In how many groups the forecast lies inside the interval; nothing where no group has one."""
    inside = [
        one.left.low <= one.mean_score <= one.left.high
        for one in found
        if one.left.low is not None and one.left.high is not None
    ]
    if not inside:
        return []
    return [Text(card.say("calibration.text", inside=sum(inside), groups=len(inside)))]


def interval_text(card: Card, one: Bin) -> str:
    if one.left.low is None or one.left.high is None:
        return card.say("missing")
    return f"{percent(one.left.low, 2)} – {percent(one.left.high, 2)}"


def count_text(card: Card, one: Bin) -> str:
    return card.say("missing") if one.count is None else f"{one.count:,.0f}"


def gains_section(card: Card) -> Section:
    """How many leavers a call list of a given length reaches."""
    found = gain_points(card.metadata.get("gains"))
    if not found:
        return card.section("gains", Text(card.say("gains.none")))
    tenth = min(found, key=lambda one: abs(one.share - 0.1))
    sentence = card.say("gains.text", share=percent(tenth.share, 0), captured=percent(tenth.captured))
    headings = ("gains.share", "gains.captured", "gains.lift")
    rows = tuple(
        (
            percent(one.share, 0),
            percent(one.captured),
            card.say("missing") if one.lift is None else f"{one.lift:.2f}",
        )
        for one in found
    )
    grid = Grid(card.say("gains.caption"), tuple(map(card.say, headings)), rows, frozenset(), folded=True)
    return card.section("gains", Text(sentence), Chart.of(card.charts["gains.svg"], grid))


def slices_section(card: Card) -> Section:
    """The same measurements for each decision date."""
    found = slice_estimates(mapping(card.metadata.get("metrics")).get("slices"))
    if not found:
        return card.section("slices", Text(card.say("slices.none")))
    names = [name for name in METRICS if any(name in metrics for metrics in found.values())]
    headings = (card.say("slices.date"), *(named(METRICS, name, card.language) for name in names))
    rows = tuple(
        (date, *(card.shown(metrics.get(name), DIGITS.get(name, 3)) for name in names))
        for date, metrics in found.items()
    )
    svg = card.charts.get("slices.svg")
    grid = Grid(card.say("slices.caption"), headings, rows, folded=svg is not None)
    return card.section("slices", Text(card.say("slices.text")), Chart.of(svg, grid) if svg else grid)
