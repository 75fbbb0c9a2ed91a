"""Many dates in one pass: the sums and tallies of a compiled text, computed by loops instead of SQL.

Every date of a range asks the same rows for almost the same. SQL reads and groups them once for each date; a
sweep reads them once, and parts them by account, so that all dates of an account are computed while its rows
are at hand. It reads what to compute from the text itself, and gives the same whole numbers; what it cannot
read or not compute exactly stays with SQL.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nbo.asof import AsOf
from nbo.engine import Embedded
from nbo.features.parameters import bind
from nbo.features.stages import parted
from nbo.features.sweep.texts import Asked, asked_of

__all__ = ["SWEEP_ROWS", "Swept", "sweep"]

Swept = dict[AsOf, dict[str, Path]]
"""By date, the relations computed and the Parquet file of each."""
SWEEP_ROWS = 4_000_000
"""Rows of a table, times dates, from which on a pass costs less than SQL, loading the loops included."""


def sweep(
    engine: Embedded,
    sql: str,
    parameters: Mapping[AsOf, Mapping[str, str]],
    folder: Path,
) -> Swept:
    """Compute what loops can of a text, at several dates.

    Parameters
    ----------
    engine : Embedded
        Has the tables.
    sql : str
        From :func:`nbo.features.stages.whole`.
    parameters : mapping of AsOf to mapping
        The text's for all accounts, by date.
    folder : Path
        An existing one, for the results.

    Returns
    -------
    Swept
    """
    found: Swept = {date: {} for date in parameters}
    groups = alike(sql, parameters)
    rows = {
        table: int(str(engine.value(f"SELECT count(*) FROM {table}")))
        for table in dict.fromkeys(asked[0].rows.table for asked, _ in groups)
    }
    large = [
        (asked, dates) for asked, dates in groups if rows[asked[0].rows.table] * len(dates) >= SWEEP_ROWS
    ]
    if not large:
        return found
    # Its compiler takes longer to load than everything else.
    from nbo.features.sweep.passes import known_accounts, one_pass

    accounts = known_accounts(engine)
    for number, (asked, dates) in enumerate(large):
        here = folder / f"{number}"
        here.mkdir()
        for date, paths in one_pass(engine, asked, dates, accounts, here).items():
            found[date].update(paths)
    return found


def alike(
    sql: str, parameters: Mapping[AsOf, Mapping[str, str]]
) -> list[tuple[tuple[Asked, ...], Sequence[AsOf]]]:
    """What is asked of each table, with the dates, ascending, at which just this is asked.

    Lists of codes differ from date to date; where they do, so do the conditions.
    """
    found: dict[tuple[Asked, ...], list[AsOf]] = {}
    relations, _ = parted(sql)
    for date in sorted(parameters):
        told = {name: value for name, value in parameters[date].items() if name not in ("as_of", "accounts")}
        by_table: dict[str, list[Asked]] = {}
        for name, text in relations:
            if asked := asked_of(name, bind(text, told)):
                by_table.setdefault(asked.rows.table, []).append(asked)
        for asked_here in by_table.values():
            found.setdefault(tuple(asked_here), []).append(date)
    return list(found.items())
