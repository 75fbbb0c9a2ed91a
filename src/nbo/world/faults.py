"""What goes wrong with the files of call records: a day is lost, a file comes twice, a file comes late."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import date_of
from nbo.world.columns import DAY, Ints
from nbo.world.scenario import DataFault

__all__ = ["repeat_file", "with_faults"]


def with_faults(
    calls: pa.Table, faults: tuple[DataFault, ...], first_day: int, days: Ints, block: int
) -> pa.Table:
    """The call records of a month as they are in the files.

    Parameters
    ----------
    calls : pyarrow.Table
        In the raw layout.
    first_day : int
        Of the run.
    days : int array
        Of the month.
    block : int
        Of the accounts; only the first block's file comes late.
    """
    for fault in faults:
        day = first_day + fault.day
        if not days[0] <= day <= days[-1]:
            continue
        if fault.kind == "missing_day":
            lost = pc.equal(calls["event_time"].cast(pa.date32()), pa.scalar(date_of(day)))
            calls = calls.filter(pc.invert(lost))
        elif fault.kind == "late_file" and block == 0:
            known = calls["known_time"].cast(pa.int64()).to_numpy() + fault.days * DAY
            place = calls.column_names.index("known_time")
            late = pa.array(np.asarray(known)).cast(pa.timestamp("s"))
            calls = calls.set_column(place, "known_time", late)
    return calls


def repeat_file(file: Path, faults: tuple[DataFault, ...], first_day: int, days: Ints) -> None:
    """Lay a month's file beside itself under another name, where a fault says so."""
    for fault in faults:
        if fault.kind == "duplicated_file" and days[0] <= first_day + fault.day <= days[-1]:
            shutil.copyfile(file, file.with_name(f"{file.stem}-again.parquet"))
