"""What is told of the different values of a column, of all dates of an account at once."""

import numpy as np

from nbo.engine import Embedded
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
from nbo.features.sweep.texts import Tallies

SEEN, ROWS, MOST, SQUARES, LOGS, BEFORE, FALL = range(7)
KINDS = {
    "seen": SEEN,
    "rows": ROWS,
    "most": MOST,
    "squares": SQUARES,
    "logs": LOGS,
    "before": BEFORE,
    "fall": FALL,
}
CELLS = 1 << 26
"""Numbers that the groups of an account take at most: half a GiB."""
CLASH = -1
"""In place of a number of groups: two values have the same digest."""


@compiled
def slots_for(values: int) -> int:
    """A power of two that leaves every other slot free."""
    size = 2
    while size < 2 * values:
        size *= 2
    return size


@compiled
def counts_here(bits: np.int64, needed: int, only: Int64s) -> bool:
    """Whether a row has all that is needed, and one of these where there are any."""
    if (bits & needed) != needed:
        return False
    for need in only:
        if (bits & need) == need:
            return True
    return len(only) == 0


@compiled
def group_values(
    rows: Int32s,
    value: int,
    needed: int,
    only: Int64s,
    slots: Int32s,
    groups: Int64s,
    group_of: Int64s,
) -> int:
    """Number the values of an account's rows: by row its group, -1 where the row does not count.

    ``slots`` are all -1 before and after; ``groups`` get digest, check and slot. Returns the number of
    groups, or ``CLASH``.
    """
    last_slot, count = slots_for(len(rows)) - 1, 0
    for row in range(len(rows)):
        group_of[row] = -1
        if not counts_here(whole(rows, row, BITS), needed, only):
            continue
        digest, check = whole(rows, row, value), rows[row, value + 2]
        slot = digest & last_slot
        while slots[slot] >= 0 and groups[slots[slot], 0] != digest:
            slot = (slot + 1) & last_slot
        here = slots[slot]
        if here < 0:
            here, count = count, count + 1
            slots[slot] = here
            groups[here, 0], groups[here, 1], groups[here, 2] = digest, check, slot
        elif groups[here, 1] != check:
            return CLASH
        group_of[row] = here
    for here in range(count):
        slots[groups[here, 2]] = -1
    return count


@compiled
def mark_groups(
    rows: Int32s,
    group_of: Int64s,
    dates: Int64s,
    buckets: Int64s,
    marks: Int64s,
    counts: Int64s,
    seen: Bools,
    masks: Int64s,
    numbers: Int64s,
) -> None:
    """Of an account's groups, by date: in which buckets they were seen, and their numbers of rows."""
    row_masks, longest = np.zeros(masks.shape[2], np.int64), len(buckets) - 1
    for row in range(len(rows)):
        here = group_of[row]
        if here < 0:
            continue
        day, bits, date = rows[row, EVENT], whole(rows, row, BITS), first_from(dates, rows[row, VISIBLE])
        row_masks[:] = 0
        for mark in range(len(marks)):
            if (bits & marks[mark, 2]) == marks[mark, 2]:
                row_masks[marks[mark, 0]] |= 1 << marks[mark, 1]
        while date < len(dates) and dates[date] - day <= longest:
            bucket = buckets[dates[date] - day]
            seen[here, date] = True
            for mask in range(len(row_masks)):
                masks[here, date, mask] |= row_masks[mask] << bucket
            for number in range(len(counts)):
                need = counts[number, 0]
                if bucket <= counts[number, 1] and (bits & need) == need:
                    numbers[here, date, number] += 1
            date += 1


@compiled
def tell(first: bool, masks: Int64s, numbers: Int64s, told: Int64s, logs: Int64s, found: Int64s) -> None:
    """Add what is told of a group; ``first`` of its account and date."""
    for item in range(len(told)):
        kind, one, two = told[item, 0], told[item, 1], told[item, 2]
        if kind == SEEN:
            hit = (masks[one] & two) != 0
            other = (masks[told[item, 3]] & told[item, 4]) != 0
            found[item] += hit and other != (told[item, 5] == 1)
        elif kind == ROWS:
            found[item] += numbers[one]
        elif kind == SQUARES:
            found[item] += numbers[one] * numbers[one]
        elif kind == LOGS:
            found[item] += logs[numbers[one]]
        elif kind == BEFORE:
            found[item] += numbers[one] - numbers[two]
        else:
            value = numbers[one] if kind == MOST else numbers[one] - 2 * numbers[two]
            found[item] = value if first else max(found[item], value)


@compiled
def tallies(
    starts: Int64s,
    rows: Int32s,
    value: int,
    dates: Int64s,
    buckets: Int64s,
    needed: int,
    only: Int64s,
    marks: Int64s,
    counts: Int64s,
    told: Int64s,
    logs: Int64s,
    cells: int,
    out: Int64s,
    there: Bools,
) -> bool:
    """What is told of the different values of a column, by date and account.

    Parameters
    ----------
    starts, rows, dates, buckets
        As of :func:`nbo.features.sweep.totals.totals`.
    value : int
        The first of three words of the value's digest.
    needed : int
        Bits that every row must have.
    only : (any,)
        Bits of which a row must have one; empty = every row counts.
    marks : (marks, 3)
        Mask, first bit, and the bits that a row must have.
    counts : (counts, 2)
        The bits that a row must have, and the last bucket.
    told : (told, 6)
        What is told, and its numbers.
    logs : (rows,)
        n ln n in whole steps.
    cells : int
        Numbers that an account's groups may take at most.
    out : (dates, told, accounts)
        Written; zeros before.
    there : (dates, accounts)
        Written: whether there is any group; false before.

    Returns
    -------
    bool
        Whether the digests told all values apart, as far as their checks show, and no account has too many.
    """
    most, masks_count = max(1, np.max(np.diff(starts))), 1 + np.max(marks[:, 0]) if len(marks) else 1
    slots, group_of = np.full(slots_for(most), -1, np.int32), np.empty(most, np.int64)
    values, room = np.empty((most, 3), np.int64), 0
    found = np.zeros((len(dates), len(told)), np.int64)
    for account in range(len(starts) - 1):
        own = rows[starts[account] : starts[account + 1]]
        groups = group_values(own, value, needed, only, slots, values, group_of)
        if groups == CLASH or groups * len(dates) * (masks_count + len(counts)) > cells:
            return False
        if account == 0 or groups > room:
            room = groups + 16
            seen = np.zeros((room, len(dates)), np.bool_)
            masks = np.zeros((room, len(dates), masks_count), np.int64)
            numbers = np.zeros((room, len(dates), len(counts)), np.int64)
        seen[:groups], masks[:groups], numbers[:groups], found[:] = False, 0, 0, 0
        mark_groups(own, group_of, dates, buckets, marks, counts, seen, masks, numbers)
        for here in range(groups):
            for date in range(len(dates)):
                if seen[here, date]:
                    first = not there[date, account]
                    tell(first, masks[here, date], numbers[here, date], told, logs, found[date])
                    there[date, account] = True
        for date in range(len(dates)):
            for item in range(len(told)):
                out[date, item, account] = found[date, item]
    return True


class TalliesLoop:
    """A relation of what is told of a column's values, ready to run over parts.

    Parameters
    ----------
    asked : Tallies
    reading : Reading
        Gets what the loop needs of a row.
    dates : (dates,)
        Ascending days.
    """

    def __init__(self, asked: Tallies, reading: Reading, dates: Int64s) -> None:
        self.name, self.columns = asked.name, [one.name for one in asked.told]
        self._dates, self._buckets = dates, bucket_of_age(asked.rows.edges)
        self._logs_sql, self._logs = asked.logs, np.zeros(1, np.int64)
        self._value = reading.value(asked.column)
        self._needed = reading.need(f"{asked.column} IS NOT NULL")
        self._only = np.array([reading.need(flag) for flag in asked.only], np.int64)
        self._marks = table_of([(one.mask, one.first, reading.need(one.flag)) for one in asked.marks], 3)
        self._counts = table_of([(reading.need(flag), last) for flag, last in asked.counts], 2)
        numbers = [(*one.numbers, *[0] * (5 - len(one.numbers))) for one in asked.told]
        self._told = table_of(
            [(KINDS[one.kind], *told) for one, told in zip(asked.told, numbers, strict=True)], 6
        )

    def prepare(self, engine: Embedded, most_rows: int) -> None:
        """The engine's own n ln n, up to the most rows of an account: another library's may differ in the
        last bit."""
        if self._logs_sql:
            numbers = f"SELECT unnest(range({most_rows + 1})) AS n"
            told = engine.query(f"SELECT n, {self._logs_sql} AS told FROM ({numbers}) ORDER BY n")
            self._logs = told["told"].to_numpy()

    def block(self, part: Part) -> Block | None:
        """None where two values have the same digest, or an account too many of them."""
        shape = (len(self._dates), len(self.columns), part.accounts)
        out, there = np.zeros(shape, np.int64), np.zeros((shape[0], shape[2]), np.bool_)
        exact = tallies(
            part.starts,
            part.rows,
            self._value,
            self._dates,
            self._buckets,
            self._needed,
            self._only,
            self._marks,
            self._counts,
            self._told,
            self._logs,
            CELLS,
            out,
            there,
        )
        return Block(out, np.zeros(shape, np.bool_), there) if exact else None
