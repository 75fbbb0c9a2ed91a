"""The command that measures ours beside its peers on any table of holdings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nbo.cli.answers import Json, answer, progress, table_lines
from nbo.errors import UsageError
from nbo.models.holdings_card import HoldingsCard, judge_holdings
from nbo.models.holdings_table import read_holdings_table

LOWEST_SHARE, HIGHEST_SHARE = 0.1, 0.5


def evaluate_next_product(
    file: Annotated[Path, typer.Argument(help="Table of customers: .csv, .csv.gz or .parquet.")],
    holdings: Annotated[str, typer.Option(help="Columns that say what is held (0 or 1), with commas.")],
    customer: Annotated[
        str | None, typer.Option("--id", help="Column that names the customer; default: a row is a customer.")
    ] = None,
    test_share: Annotated[float, typer.Option(help="Part of the customers judged by, 0.1 to 0.5.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Same file and seed, same figures.")] = 1,
    as_json: Json = False,
) -> None:
    """Next-product rankings on any table of holdings, beside three other methods.

    Example: nbo evaluate next-product customers.csv --holdings voice,adsl,trunk --id customer
    """
    if not LOWEST_SHARE <= test_share <= HIGHEST_SHARE:
        raise UsageError(f"--test-share: expected {LOWEST_SHARE} to {HIGHEST_SHARE}, got {test_share}")
    if seed < 0:
        raise UsageError(f"--seed: expected 0 or above, got {seed}")
    table = read_holdings_table(file, holdings.split(","), customer)
    card = judge_holdings(table, seed=seed, test_share=test_share, progress=progress)
    rows = card_rows(card)
    lines = [
        f"{len(table.products)} products; learnt from {card.train:,} customers, one product hidden of each "
        f"of {card.test:,} others; 95 % intervals",
        *table_lines(list(rows[0]), rows),
    ]
    answer(card.to_json(), lines, as_json=as_json, warnings=card.notes)


def refuse_options_before(context: typer.Context) -> None:
    """Options of ``evaluate`` itself mean nothing to a command after it: told, not dropped."""
    given = [parameter.opts[0] for parameter in context.command.params if context.params.get(parameter.name)]
    if given:
        told, name = ", ".join(given), context.invoked_subcommand
        raise UsageError(f"nbo evaluate {name}: expected its options after {name}, got {told} before it")


def card_rows(card: HoldingsCard) -> list[dict[str, Any]]:
    """One row a method that ran."""
    return [
        {"method": method} | {name: str(interval) for name, interval in metrics.items()}
        for method, metrics in card.metrics.items()
        if metrics is not None
    ]
