"""Commands on plain tables of ready attributes: judge the churn learner, train it, score with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import typer

from nbo.bundle import Bundle
from nbo.cli.answers import Json, answer, metric_lines, progress
from nbo.errors import UsageError
from nbo.files import write_atomic
from nbo.models.churn import counted
from nbo.models.labelled_table import LabelledTable, read_labelled_table
from nbo.models.table_card import MODEL, TableCard, check_options, judge_table
from nbo.models.table_rows import read_table_rows
from nbo.tracking import open_tracking
from nbo.workspace import Workspace

CHURN_TABLE = MODEL
ROW = "row"
"""What the column of row names is called where no column names the customer."""
P_CHURN = "p_churn"
Given = TypeVar("Given")

LABEL_WORDS = "Column that says whether the event happened: two values."
Customer = Annotated[
    str | None, typer.Option("--id", help="Column that names the customer; default: a row is a customer.")
]
Positive = Annotated[
    str | None,
    typer.Option(help="Value of the label that is 1; default: the 1, true, yes, y or churned of two."),
]
Drop = Annotated[str | None, typer.Option(help="Columns not to learn from, with commas.")]
OneOfStores = Annotated[
    Path | None, typer.Option("--store", help="Store written by nbo check. This or --table is required.")
]
TableFile = Annotated[
    Path | None, typer.Option(help="Plain table of customers instead: .csv, .csv.gz or .parquet.")
]
LabelColumn = Annotated[
    str | None, typer.Option(help=f"Of a table: {LABEL_WORDS[0].lower()}{LABEL_WORDS[1:]}")
]


def evaluate_table(
    file: Annotated[Path, typer.Argument(help="Table of customers: .csv, .csv.gz or .parquet.")],
    label: Annotated[str, typer.Option(help=LABEL_WORDS)],
    customer: Customer = None,
    positive: Positive = None,
    drop: Drop = None,
    folds: Annotated[int, typer.Option(help="Parts of the rows, each scored by the others, 2 to 20.")] = 5,
    trials: Annotated[
        int, typer.Option(help="Trials of the search for parameters, in each fold; 0 = no search.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Same file and seed, same figures.")] = 1,
    as_json: Json = False,
) -> None:
    """How good the churn learner is on any table of attributes, out of fold.

    Example: nbo evaluate table customers.csv --label churned --id customer
    """
    check_options(trials, seed)
    table = read_labelled_table(file, label, customer, positive, split_names(drop))
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


def trained_on_table(
    place: Workspace, table: LabelledTable, file: Path, trials: int | None, seed: int | None
) -> Any:
    """The outcome of the training run of ``nbo train churn --table``."""
    check_options(trials or 0, 1 if seed is None else seed)
    tracking = open_tracking(place.root, create=True)
    return place.module("training.churn_table").run(
        table, file, place, tracking, progress, trials=trials or 0, seed=1 if seed is None else seed
    )


def answer_table_training(outcome: Any, file: Path, as_json: bool) -> None:
    """What was learnt from, how well its order was found, and what to do next."""
    metadata = outcome.metadata
    lines = [
        f"bundle {outcome.bundle_id}: {metadata['rows']:,} rows of {file.name}, "
        f"{counted(metadata['positives'], 'positive')}; out of fold:",
        *metric_lines(metadata["metrics"]["train_out_of_fold"]),
        f"next: nbo score --table FILE --bundle {outcome.bundle_id} --out FILE",
    ]
    result = {"bundle": outcome.bundle_id, "run": outcome.run_id, "metrics": metadata["metrics"]}
    answer(result, lines, as_json=as_json, warnings=metadata["notes"])


def score_table(loaded: Bundle, file: Path, customer: str | None, out: Path) -> tuple[dict[str, Any], str]:
    """Score a plain table and write one row a customer; the result, and a line that says it."""
    if out.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--out: expected a .csv or .parquet file with --table, got {out}")
    read = read_table_rows(file, loaded.features.columns, loaded.metadata["date_formats"], customer)
    p_churn = loaded.score(loaded.encode(read.rows), threads=2)
    name, keys = (ROW, range(1, len(p_churn) + 1)) if customer is None else (customer, read.ids.tolist())
    if name == P_CHURN:
        raise UsageError(f"--id: expected a name that the scores do not have, got {customer!r}")
    scores = pa.table({name: list(keys), P_CHURN: p_churn})
    sink = pa.BufferOutputStream()
    if out.suffix == ".csv":
        pcsv.write_csv(scores, sink)
    else:
        pq.write_table(scores, sink)
    write_atomic(out, sink.getvalue().to_pybytes())
    result = {"file": str(out), "rows": len(p_churn), "bundle": loaded.id}
    return result, f"{len(p_churn):,} rows of {file.name} by {loaded.id}: {out}"


def split_names(text: str | None) -> list[str]:
    """Names with commas between them."""
    return [] if text is None else text.split(",")


def needed(option: str, value: Given | None) -> Given:
    """The value of an option that may not be left out here."""
    if value is None:
        raise UsageError(f"Missing option '{option}'")
    return value


def refuse_beside(option: str, others: Mapping[str, object]) -> None:
    """Refuse options that have no meaning beside another."""
    for name, value in others.items():
        if value is not None:
            raise UsageError(f"{name}: not used with {option}; leave one of them out")
