"""What the compiled loops of a sweep share: how a row is written, and how rows are put in order.

A row is some words of 32 bits: those of :data:`ACCOUNT` to :data:`BITS`, then its measures and the digests
of its values. Compiled code is kept beside its module or in the user's cache folder; where it can be kept
nowhere, each process compiles anew.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from nbo.files import sha256_file

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])

ACCOUNT, EVENT, VISIBLE, BITS, FURTHER = 0, 1, 2, 3, 5
"""Words of a row: the number of its account, the day on which it happened, the day from which on it is
visible, the conditions that hold (two words); the first of those that follow."""


SHARED = sha256_file(Path(__file__))[:8]
"""Part of the names of what is kept: numba sees that a loop's own module changed, not that this one did."""


def compiled(function: F) -> F:
    """The function as machine code that holds no lock of Python's."""
    function.__qualname__ += f"_{SHARED}"
    try:
        return cast(F, njit(cache=True, nogil=True)(function))
    except RuntimeError:
        # Neither folder can be written.
        return cast(F, njit(nogil=True)(function))


@compiled
def whole(rows: Int32s, row: int, word: int) -> np.int64:
    """The whole number of two words, the lower one first."""
    return (np.int64(rows[row, word + 1]) << 32) | (np.int64(rows[row, word]) & 0xFFFFFFFF)


@compiled
def group(numbers: Int32s, starts: Int64s, rows: Int32s, out: Int32s) -> None:
    """Write the rows number after number; ``starts`` (zeros before) becomes where each begins.

    Rows of a number below 0 are left out.
    """
    for number in numbers:
        if number >= 0:
            starts[number + 1] += 1
    for number in range(len(starts) - 1):
        starts[number + 1] += starts[number]
    next_place = starts[:-1].copy()
    for row in range(len(numbers)):
        number = numbers[row]
        if number >= 0:
            for word in range(rows.shape[1]):
                out[next_place[number], word] = rows[row, word]
            next_place[number] += 1


def grouped(numbers: Int32s, count: int, rows: Int32s) -> tuple[Int64s, Int32s]:
    """Where each of ``count`` numbers begins, and the rows in that order."""
    starts = np.zeros(count + 1, np.int64)
    out = np.empty((np.count_nonzero(numbers >= 0), rows.shape[1]), np.int32)
    group(numbers, starts, rows, out)
    return starts, out


@compiled
def first_from(dates: Int64s, day: int) -> int:
    """The first date that is not before the day; their number where all are. There are few."""
    place = 0
    while place < len(dates) and dates[place] < day:
        place += 1
    return place


def bucket_of_age(edges: tuple[int, ...]) -> Int64s:
    """The bucket of each age in days up to the last edge; an age is at least 1.

    Examples
    --------
    >>> bucket_of_age((2, 5)).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    return np.searchsorted(np.array(edges), np.arange(edges[-1] + 1)).astype(np.int64)


def table_of(rows: Sequence[tuple[int, ...]], columns: int) -> Int64s:
    """What a loop is told, a row a task."""
    return np.array(rows, np.int64).reshape(len(rows), columns)
