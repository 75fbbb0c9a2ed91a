"""The command that judges the churn learner on any table of ready attributes."""

from pathlib import Path
from typing import Annotated

import typer

from nbo.cli.answers import Json, answer, metric_lines, progress
from nbo.models.labelled_table import read_labelled_table
from nbo.models.settings import TuningSettings
from nbo.models.table_card import TableCard, check_options, judge_table

TRIALS = TuningSettings().trials


def evaluate_table(
    file: Annotated[Path, typer.Argument(help="Table of customers: .csv, .csv.gz or .parquet.")],
    label: Annotated[str, typer.Option(help="Column that says whether the event happened: two values.")],
    customer: Annotated[
        str | None, typer.Option("--id", help="Column that names the customer; default: a row is a customer.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Value of the label that is 1; default: the 1, true, yes, y or churned of two."),
    ] = None,
    drop: Annotated[str, typer.Option(help="Columns not to learn from, with commas.")] = "",
    folds: Annotated[int, typer.Option(help="Parts of the rows, each scored by the others, 2 to 20.")] = 5,
    trials: Annotated[
        int, typer.Option(help="Trials of the search for parameters, in each fold; 0 = no search.")
    ] = TRIALS,
    seed: Annotated[int, typer.Option(help="Same file and seed, same figures.")] = 1,
    as_json: Json = False,
) -> None:
    """How good the churn learner is on any table of attributes, out of fold.

    Example: nbo evaluate table customers.csv --label churned --id customer
    """
    check_options(folds, trials, seed)
    table = read_labelled_table(file, label, customer, positive, drop.split(","))
    card = judge_table(table, folds=folds, trials=trials, seed=seed, progress=progress)
    answer(card.to_json(), card_lines(card, label), as_json=as_json, warnings=card.notes)


def card_lines(card: TableCard, label: str) -> list[str]:
    """What was measured on, the metrics, and what a perfect calibration would show."""
    band = card.ece_of_perfect
    compared = "not above" if card.calibrated else "above"
    return [
        f"{card.rows:,} rows, {card.positives:,} positives ({label} = {card.positive}), "
        f"out of fold in {card.folds} folds",
        *metric_lines({name: interval.to_json() for name, interval in card.metrics.items()}),
        f"{'ece_of_perfect':18} {'':7}   95 % [{band.low:.4f}, {band.high:.4f}]: "
        f"the ece is {compared} what a perfectly calibrated model shows by chance",
    ]
