"""The measured process of Featuretools: ``features_featuretools_worker.py STORE OUT DAY``.

Runs in the environment of ``constraints/featuretools.txt``, which knows nothing of this project. With no
arguments it imports and ends, which is what starting costs.
"""

import re
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from features_featuretools import features  # noqa: E402

READ = (
    "call_id",
    "account_id",
    "event_day",
    "event_second",
    "known_day",
    "direction",
    "counterparty_id",
    "network_id",
    "access_code",
    "destination",
    "duration_seconds",
)
OURS = {
    "COUNT": "count",
    "SUM": "minutes_sum",
    "MEAN": "minutes_mean",
    "MAX": "minutes_max",
    "NUM_UNIQUE": "counterparty_id_distinct",
}
NAMED = re.compile(r"([A-Z_]+)\(calls(?:\.\w+)? WHERE (\w+) = True\) (\d+d)")


def our_name(name: str) -> str:
    """What the product calls a feature of Featuretools.

    Examples
    --------
    >>> our_name("SUM(calls.duration_seconds WHERE calls_out = True) 30d")
    'calls_out_minutes_sum_30d'
    """
    found = NAMED.fullmatch(name)
    return f"{found[2]}_{OURS[found[1]]}_{found[3]}" if found else name


def main(arguments: list[str]) -> None:
    if not arguments:
        return
    store, out, day = Path(arguments[0]), arguments[1], int(arguments[2])
    calls = pd.read_parquet(store / "tables/calls", columns=list(READ))
    lines = pd.read_parquet(store / "tables/lines", columns=["account_id"])
    found = features(calls, lines, pd.Timestamp(day, unit="D"))
    found.rename(columns=our_name).reset_index().to_parquet(out, index=False)


if __name__ == "__main__":
    main(sys.argv[1:])
