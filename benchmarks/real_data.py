"""The data sets of ``bench-real``: where each is found, and how every method gets the same of it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from real_folds import digest_of

from nbo.models.labelled_table import LabelledTable, read_labelled_table

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / ".venv-peers/bin/python"
LABEL = "churned"
"""The label's column among the rows that the peers read."""


@dataclass(frozen=True)
class DataSet:
    """A public table of customers.

    Parameters
    ----------
    name : str
        As on the command line.
    words : str
        As in the report.
    label : str
        The column that says whether the customer left.
    customer : str or None
        The column that names the customer.
    file : str or None
        Under the folder of public data; None = a package carries it.
    """

    name: str
    words: str
    label: str
    customer: str | None
    file: str | None = None


SETS = (
    DataSet("cell2cell", "cell2cell", "Churn", "CustomerID", "cell2cell/cell2celltrain.csv.gz"),
    DataSet("sato2015", "sato2015", "Class", None, "sato2015/sato2015.csv.gz"),
    DataSet("ibm-telco", "IBM telco", "churn", "rownames"),
    DataSet("mlc-churn", "MLC++ churn", "churn", "rownames"),
    DataSet("tv-operator", "TV operator", "churn", None),
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set that is there.

    Parameters
    ----------
    known : DataSet
    file : Path
        What ours reads.
    rows : Path
        What the peers read: the columns that the reader of ours kept, and the label.
    table : LabelledTable
        The file as ours reads it.
    digest, rows_digest : str
        Of the two files.
    """

    known: DataSet
    file: Path
    rows: Path
    table: LabelledTable
    digest: str
    rows_digest: str


def data_folder() -> Path:
    return Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data")


def write_packaged(folder: Path) -> None:
    """The sets that packages of the peers' environment carry, as files."""
    script = ROOT / "benchmarks/real_packaged.py"
    done = subprocess.run([PEERS_PYTHON, script, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script.name}: {done.stderr.strip()}")


def found(known: DataSet, folder: Path) -> Path | None:
    """The set's file, or None with a message."""
    if known.file is None:
        return folder / f"{known.name}.csv"
    path = data_folder() / known.file
    if path.is_file():
        return path
    print(
        f"{path}: not there, {known.name} is not measured. "
        f"Name a folder that holds {known.file} by NBO_BENCH_DATA."
    )
    return None


def prepared(known: DataSet, file: Path, folder: Path) -> Prepared:
    """The set, read once; what the peers read of it is written to the folder."""
    table = read_labelled_table(file, known.label, known.customer)
    rows = folder / f"{known.name}.parquet"
    pq.write_table(table.rows.append_column(LABEL, pa.array(table.label)), rows)
    return Prepared(known, file, rows, table, digest_of(file), digest_of(rows))
