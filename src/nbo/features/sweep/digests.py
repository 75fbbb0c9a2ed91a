"""Texts as numbers: 96 bits of any text, and the numbers of known ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nbo.features.sweep.compiled import Int32s, compiled

Uint32s = npt.NDArray[np.uint32]
Uint64s = npt.NDArray[np.uint64]


@compiled
def digest(
    offsets: Int32s,
    data: npt.NDArray[np.uint8],
    digests: Uint64s,
    checks: Uint32s,
) -> None:
    """96 bits of each text: two texts that differ and share them all are not expected in any store.

    Two chains over words of 8 bytes, each a multiplication and a shift that mix all bits of a word, with
    constants of MurmurHash3's and SplitMix64's finalizers.
    """
    for row in range(len(offsets) - 1):
        place, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        one = np.uint64(0x9E3779B97F4A7C15) ^ (end - place)
        two = np.uint64(0xC2B2AE3D27D4EB4F)
        while place < end:
            word = np.uint64(0)
            if place + np.uint64(8) <= end:
                # Written out, it becomes one load.
                word = (
                    np.uint64(data[place])
                    | np.uint64(data[place + np.uint64(1)]) << np.uint64(8)
                    | np.uint64(data[place + np.uint64(2)]) << np.uint64(16)
                    | np.uint64(data[place + np.uint64(3)]) << np.uint64(24)
                    | np.uint64(data[place + np.uint64(4)]) << np.uint64(32)
                    | np.uint64(data[place + np.uint64(5)]) << np.uint64(40)
                    | np.uint64(data[place + np.uint64(6)]) << np.uint64(48)
                    | np.uint64(data[place + np.uint64(7)]) << np.uint64(56)
                )
            else:
                for byte in range(end - place):
                    word |= np.uint64(data[place + np.uint64(byte)]) << np.uint64(8 * byte)
            one = (one ^ word) * np.uint64(0xFF51AFD7ED558CCD)
            one ^= one >> np.uint64(32)
            two = (two + word) * np.uint64(0xC4CEB9FE1A85EC53)
            two ^= two >> np.uint64(29)
            place += np.uint64(8)
        one = (one ^ (one >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        two = (two ^ (two >> np.uint64(31))) * np.uint64(0xFF51AFD7ED558CCD)
        digests[row] = one ^ (one >> np.uint64(33))
        checks[row] = np.uint32(two >> np.uint64(32))


@compiled
def fill_table(
    digests: Uint64s,
    checks: Uint32s,
    slots: Int32s,
    slot_digests: Uint64s,
    slot_checks: Uint32s,
) -> None:
    """Put numbers 0, 1, ... under their digests; ``slots`` are a power of two, all -1 before."""
    last = np.uint64(len(slots) - 1)
    for number in range(len(digests)):
        slot = digests[number] & last
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & last
        slots[slot], slot_digests[slot], slot_checks[slot] = number, digests[number], checks[number]


@compiled
def look_up(
    digests: Uint64s,
    checks: Uint32s,
    slots: Int32s,
    slot_digests: Uint64s,
    slot_checks: Uint32s,
    numbers: Int32s,
) -> None:
    """The number of each digest, -1 where there is none."""
    last = np.uint64(len(slots) - 1)
    for row in range(len(digests)):
        slot = digests[row] & last
        while slots[slot] >= 0 and (slot_digests[slot] != digests[row] or slot_checks[slot] != checks[row]):
            slot = (slot + np.uint64(1)) & last
        numbers[row] = slots[slot]


@dataclass(frozen=True)
class Digests:
    """96 bits of each text."""

    low: Uint64s
    checks: Uint32s

    @classmethod
    def of(cls, texts: pa.Array) -> "Digests":
        """Of an array of strings; of a null they mean nothing."""
        texts = texts.cast(pa.string())
        _, offsets, data = texts.buffers()
        found = cls(np.empty(len(texts), np.uint64), np.empty(len(texts), np.uint32))
        digest(
            np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1],
            np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8),
            found.low,
            found.checks,
        )
        return found


class Numbers:
    """Accounts by number, in ascending order.

    Parameters
    ----------
    texts : pa.Array
        All different.
    """

    def __init__(self, texts: pa.Array) -> None:
        self.texts = texts
        told = Digests.of(texts)
        size = 1 << max(1, int(2 * len(texts)).bit_length())
        self._table = (np.full(size, -1, np.int32), np.zeros(size, np.uint64), np.zeros(size, np.uint32))
        fill_table(told.low, told.checks, *self._table)
        back = self.of(texts)
        self.told_apart = bool((back == np.arange(len(texts))).all())
        """Whether no two of them have the same digest."""

    def of(self, texts: pa.Array) -> Int32s:
        """The number of each, -1 where it is none of them."""
        told, found = Digests.of(texts), np.empty(len(texts), np.int32)
        look_up(told.low, told.checks, *self._table, found)
        return found
