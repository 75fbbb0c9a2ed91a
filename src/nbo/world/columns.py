"""From numpy arrays to the columns that an operator's export would hold."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEVER = 10**8
"""A day that never comes."""
DAY = 86_400


def dates(days: Ints) -> pa.Array:
    """Day numbers as dates; :data:`NEVER` and beyond become null."""
    return pa.array(np.where(days >= NEVER, 0, days).astype(np.int32), pa.int32(), mask=days >= NEVER).cast(
        pa.date32()
    )


def stamps(seconds: Ints) -> pa.Array:
    """Local seconds since 1970 as naive timestamps."""
    return pa.array(seconds.astype(np.int64)).cast(pa.timestamp("s"))


def money(fen: Ints, present: Bools | None = None) -> pa.Array:
    """Integer fen as exact decimals in CNY: 1234 becomes 12.34."""
    low = np.ascontiguousarray(fen, dtype=np.int64)
    words = np.column_stack([low, low >> 63])
    array = pa.Array.from_buffers(pa.decimal128(14, 2), len(low), [None, pa.py_buffer(words.tobytes())])
    return array if present is None else pc.if_else(pa.array(present), array, pa.scalar(None, array.type))


def coded(codes: Ints, words: Sequence[str]) -> pa.Array:
    """Codes as words of a list; negative codes become null."""
    return pa.array(list(words), pa.string()).take(pa.array(codes, pa.int64(), mask=codes < 0))


def whole(values: Ints, present: Bools | None = None) -> pa.Array:
    return pa.array(values.astype(np.int64), mask=None if present is None else ~present)


def ids(prefix: str, numbers: Ints, digits: int) -> pa.Array:
    """Keys such as ``A0000012``; negative numbers become null."""
    text = pa.array(numbers, pa.int64(), mask=numbers < 0).cast(pa.string())
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(text, digits, "0"), "")


def account_ids(numbers: Ints) -> pa.Array:
    return ids("A", numbers, 7)


def line_ids(numbers: Ints) -> pa.Array:
    return ids("L", numbers, 9)


def known_within(rng: np.random.Generator, days: Ints, low_hours: int = 9, high_hours: int = 48) -> Ints:
    """Arrival instants, local seconds: some hours after the 00:00 of each day."""
    return days * DAY + rng.integers(low_hours * 3600, high_hours * 3600, len(days))
