"""``nbo evaluate --price-of-compliance``: what it costs to leave out the features that a purpose bars."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nbo.cli.answers import answer, progress, table_lines
from nbo.errors import UsageError, listed
from nbo.evaluation import Interval
from nbo.models.churn import counted
from nbo.models.config import ChurnConfig
from nbo.tables.store import Store
from nbo.workspace import Workspace

SELLING = "marketing"
PriceOfCompliance = Annotated[
    bool,
    typer.Option(
        "--price-of-compliance",
        help="Compare a model of all features with one of those permitted for a purpose; neither is kept.",
    ),
]
PricedPurpose = Annotated[
    str | None, typer.Option("--purpose", help="With --price-of-compliance: default marketing.")
]
FIGURES = {
    "auc": "auc",
    "average_precision": "average_precision",
    "lift_at_10": "lift_at_10",
    "found_margin_amount": "margin of leavers on the list",
}


def refuse_without_price(options: Mapping[str, object]) -> None:
    """Options that only the price asks for mean nothing to a bundle that is judged again."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name}: expected --price-of-compliance beside it", "Add it, or leave this out")


def answer_price(place: Workspace, store: Store, config: ChurnConfig, purpose: str, as_json: bool) -> None:
    """Fit both models on the training months, judge both on the held-out ones, keep neither."""
    found = place.module("training.churn").price(config, place, store, purpose, progress)
    price = found["price"]
    if price is None:
        line = f"all {found['features']} features are permitted for {purpose}: nothing is left out"
        answer(found, [line], as_json=as_json)
        return
    heads = ("", "all features", f"permitted for {purpose}", "the price, 95 %")
    rows = [
        dict(zip(heads, figure_row(name, words, price), strict=True))
        for name, words in FIGURES.items()
        if name in price["all"]
    ]
    lines = [
        f"{found['features']} features against the {found['permitted']} permitted for {purpose}, on "
        f"{', '.join(found['holdout'])}: {found['rows']:,} rows, {counted(found['leavers'], 'leaver')}",
        *table_lines(heads, rows),
        f"left out: {listed(found['barred'])}",
        verdict(price["difference"], purpose),
        "neither model was kept",
    ]
    answer(found, lines, as_json=as_json, warnings=notes(price, found["currency"]))


def figure_row(name: str, words: str, price: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """One figure of both models and their difference."""
    told = [Interval.from_json(price[side][name]) for side in ("all", "permitted", "difference")]
    if name == "found_margin_amount":
        shown = [f"{one.value:,.0f} [{one.low:,.0f}, {one.high:,.0f}]" for one in told]
        return words, shown[0], shown[1], shown[2]
    return words, str(told[0]), str(told[1]), str(told[2])


def verdict(difference: Mapping[str, Any], purpose: str) -> str:
    """What the intervals say, in a sentence."""
    costs = [FIGURES[name] for name, one in difference.items() if one["low"] > 0]
    gains = [FIGURES[name] for name, one in difference.items() if one["high"] < 0]
    if costs:
        return f"keeping to what is permitted for {purpose} costs {', '.join(costs)}"
    if gains:
        return f"the model permitted for {purpose} is the better one by {', '.join(gains)}"
    return f"no interval leaves out 0: these months show no price of keeping to {purpose}"


def notes(price: Mapping[str, Any], currency: str) -> list[str]:
    """What the reader must know of the money."""
    known = price["known_margins"]
    if known == 0:
        return ["no margin is known: the list is not told in money"]
    told = [
        f"margin of leavers on the list: {currency} a month, of those who left among the tenth of the "
        "accounts with most margin at risk, in the mean of the held-out months"
    ]
    if known < 1:
        told.append(f"the margin of {1 - known:.0%} of the rows is not known; they count as 0")
    return told
