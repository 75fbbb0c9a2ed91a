"""Sums, counts and extremes over windows, of all dates of an account at once."""

import numpy as np

from nbo.features.sweep.compiled import (
    BITS,
    EVENT,
    VISIBLE,
    Bools,
    Int32s,
    Int64s,
    bucket_of_age,
    compiled,
    first_from,
    table_of,
    whole,
)
from nbo.features.sweep.rows import Block, Part, Reading
from nbo.features.sweep.texts import Totals

COUNT, SUM, MAX, MIN = range(4)
"""What a partial does with the rows that count; ``COUNT`` is null only where there is no row at all."""
KINDS = {"count": COUNT, "present": COUNT, "sum": SUM, "max": MAX, "min": MIN}


@compiled
def measure(rows: Int32s, row: int, partial: Int64s) -> np.int64:
    return whole(rows, row, partial[2]) if partial[3] else np.int64(rows[row, partial[2]])


@compiled
def tell(bits: np.int64, rows: Int32s, row: int, partials: Int64s, give: Int64s, told: Int64s) -> None:
    """What a row adds to each partial, and whether it counts there; nothing to an extreme."""
    for part in range(len(partials)):
        kind, need = partials[part, 0], partials[part, 1]
        counts = np.int64((bits & need) == need)
        if kind == COUNT:
            give[part] = counts
        elif kind == SUM:
            told[part] = counts
            give[part] = counts * measure(rows, row, partials[part])


@compiled
def add_extremes(
    bits: np.int64, rows: Int32s, row: int, partials: Int64s, extremes: Int64s, sums: Int64s, made: Int64s
) -> None:
    for part in extremes:
        need = partials[part, 1]
        if (bits & need) == need:
            value = measure(rows, row, partials[part])
            value = -value if partials[part, 0] == MIN else value
            if made[part] == 0 or value > sums[part]:
                sums[part] = value
            made[part] += 1


@compiled
def roll_up(
    kinds: Int64s, windows: Int64s, sums: Int64s, made: Int64s, account: int, out: Int64s, null: Bools
) -> None:
    """From disjoint buckets to windows, which begin with the first: of one account and date."""
    for bucket in range(1, len(sums)):
        for part in range(len(kinds)):
            older, before, here = sums[bucket - 1, part], made[bucket - 1, part], made[bucket, part]
            if kinds[part] < MAX:
                sums[bucket, part] += older
            elif before > 0 and (here == 0 or older > sums[bucket, part]):
                sums[bucket, part] = older
            made[bucket, part] = before + here
    for window in range(len(windows)):
        part, bucket = windows[window, 0], windows[window, 1]
        value = sums[bucket, part]
        out[window, account] = -value if kinds[part] == MIN else value
        null[window, account] = made[bucket, part] == 0


@compiled
def totals(
    starts: Int64s,
    rows: Int32s,
    dates: Int64s,
    buckets: Int64s,
    partials: Int64s,
    windows: Int64s,
    out: Int64s,
    null: Bools,
    there: Bools,
) -> None:
    """Aggregates over windows, by date and account.

    Parameters
    ----------
    starts, rows
        Rows account after account, and where each begins.
    dates : (dates,)
        Ascending days.
    buckets : (longest window + 1,)
        The bucket of an age in days.
    partials : (partials, 4)
        What it does, the bits that a row must have, the word of its measure, and whether that has two.
    windows : (windows, 2)
        Partial and last bucket.
    out, null : (dates, windows, accounts)
        Written; ``out`` is 0 and ``null`` true before.
    there : (dates, accounts)
        Written: whether any row is visible; false before.
    """
    longest, kinds = len(buckets) - 1, partials[:, 0].copy()
    extremes = np.nonzero(kinds >= MAX)[0]
    sums = np.zeros((len(dates), buckets[-1] + 1, len(partials)), np.int64)
    # Of how many rows a sum is made; of a count, how many rows there are.
    made = np.zeros_like(sums)
    give, told = np.zeros(len(partials), np.int64), (kinds == COUNT).astype(np.int64)
    for account in range(len(starts) - 1):
        for row in range(starts[account], starts[account + 1]):
            day, bits, date = rows[row, EVENT], whole(rows, row, BITS), first_from(dates, rows[row, VISIBLE])
            if date == len(dates) or dates[date] - day > longest:
                continue
            tell(bits, rows, row, partials, give, told)
            while date < len(dates) and dates[date] - day <= longest:
                bucket = buckets[dates[date] - day]
                there[date, account] = True
                sums_here, made_here = sums[date, bucket], made[date, bucket]
                for part in range(len(give)):
                    sums_here[part] += give[part]
                    made_here[part] += told[part]
                add_extremes(bits, rows, row, partials, extremes, sums_here, made_here)
                date += 1
        for date in range(len(dates)):
            if there[date, account]:
                roll_up(kinds, windows, sums[date], made[date], account, out[date], null[date])
                sums[date] = 0
                made[date] = 0


class TotalsLoop:
    """A relation of totals, ready to run over parts.

    Parameters
    ----------
    asked : Totals
    reading : Reading
        Gets what the loop needs of a row.
    dates : (dates,)
        Ascending days.
    """

    def __init__(self, asked: Totals, reading: Reading, dates: Int64s) -> None:
        self.name, self.columns = asked.name, [name for name, _, _ in asked.windows]
        self._dates, self._buckets = dates, bucket_of_age(asked.rows.edges)
        partials = []
        for one in asked.partials:
            there = f"{one.measure} IS NOT NULL" if one.measure else ""
            word = reading.measure(one.measure) if KINDS[one.kind] != COUNT else (0, 0)
            partials.append((KINDS[one.kind], reading.need(one.flag, there), *word))
        self._partials = table_of(partials, 4)
        self._windows = table_of([(partial, last) for _, partial, last in asked.windows], 2)

    def block(self, part: Part) -> Block:
        shape = (len(self._dates), len(self.columns), part.accounts)
        out, null = np.zeros(shape, np.int64), np.ones(shape, np.bool_)
        there = np.zeros((shape[0], shape[2]), np.bool_)
        totals(
            part.starts,
            part.rows,
            self._dates,
            self._buckets,
            self._partials,
            self._windows,
            out,
            null,
            there,
        )
        return Block(out, null, there)
