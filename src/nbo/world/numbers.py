"""The numbers at the other end: a circle of partners that slowly turns over, and strangers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.world import catalog
from nbo.world.columns import Ints, coded
from nbo.world.life import Life

STRANGER_SHARE = 0.12
PARTNER_LIFE_DAYS = (60, 1500)
AREA_CODES = np.array([10, 20, 21, 22, 23, 24, 25, 27, 28, 29, 311, 371, 512, 571, 591, 731, 757, 769])
HKMT_CODES = np.array([852, 852, 852, 853, 886])
COUNTRY_CODES = np.array([1, 81, 82, 44, 49, 65, 66, 61])
MOBILE_PERCENT, RIVAL_PERCENT = 30, 3
"""Partners with a mobile phone, and on a rival's fixed network, out of 100; assumed."""
TENANT_PERCENT, NEARBY_PERCENT = 15, 15
"""Local partners on our own fixed lines who are an account of the same building, and one of the same
neighbourhood, out of 100; assumed. The others are numbers of lines that no account of the world has."""
FIRST_LINE_NUMBER = 80_000_000
"""The numbers of the accounts' lines; other partners on fixed lines have lower ones."""
PREFIXES = ["", "0", "00"]


@dataclass(frozen=True)
class Numbers:
    """Numbers as dialled: an index into ``PREFIXES`` and the digits after it; -1 = not seen."""

    number: Ints
    prefix: Ints
    network: Ints


def mix(*parts: Ints) -> npt.NDArray[np.uint64]:
    """One well-mixed 64-bit number per row of these integers (splitmix64)."""
    value = np.zeros(len(parts[0]), dtype=np.uint64)
    for part in parts:
        value = (value ^ part.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        value = value ^ (value >> np.uint64(31))
    return value


def remainder(value: npt.NDArray[np.uint64], modulus: int) -> Ints:
    return (value % np.uint64(modulus)).astype(np.int64)


def phone_numbers(numbers: Ints, prefixes: Ints) -> pa.Array:
    """Numbers as dialled; -1 becomes null."""
    digits = pa.array(numbers, pa.int64(), mask=numbers < 0).cast(pa.string())
    return pc.binary_join_element_wise(coded(prefixes, PREFIXES), digits, "")


def line_numbers(life: Life, lines: Ints) -> Ints:
    """The telephone number of each of these lines."""
    return FIRST_LINE_NUMBER + life.population.chunk.keys(lines)


def counterparties(rng: np.random.Generator, life: Life, account: Ints, day: Ints, what: Ints) -> Numbers:
    """The partner of each call: few partners take most calls, each stays for a while."""
    n, people = len(account), life.population
    slot = (people.circle[account] * rng.random(n) ** 2.2).astype(np.int64)
    whole_world = account + people.chunk.first_account
    low, high = PARTNER_LIFE_DAYS
    trait = mix(whole_world, slot)
    stays = low + remainder(trait, high - low)
    generation = (day + remainder(trait >> np.uint64(20), 5000)) // stays
    partner = mix(whole_world, slot, generation, what)
    strangers = rng.random(n) < STRANGER_SHARE
    partner = np.where(strangers, rng.integers(0, 2**63, n).astype(np.uint64), partner)
    number, prefix, network = dial(partner, np.minimum(what, 3))
    whom = known_partners(life, account, day, partner)
    main_line = np.searchsorted(life.lines.account, whom)
    ours = (what == 0) & (network == catalog.OWN) & (whom >= 0)
    number = np.where(ours, line_numbers(life, main_line), number)
    code = np.array([int(c) for c in catalog.CODES])
    special = np.select([what == 5, what == 6, what == 7], [code[2], code[4], code[5]], -1)
    return Numbers(
        number=np.where(what <= 3, number, special),
        prefix=np.where(what <= 3, prefix, 0),
        network=np.where(what <= 3, network, catalog.OWN),
    )


def known_partners(life: Life, account: Ints, day: Ints, partner: npt.NDArray[np.uint64]) -> Ints:
    """The account of the neighbourhood that a partner would be: often one of the same building; -1 = none.

    One that is not there yet, or no more, is none: whoever left has another number.
    """
    people = life.population
    draw = mix(partner.astype(np.int64))
    percent, place = remainder(draw, 100), remainder(draw >> np.uint64(20), 2**32)
    tenants = np.argsort(people.building, kind="stable")
    count = np.bincount(people.building)
    first = np.cumsum(count) - count
    building = people.building[account]
    whom = np.where(
        percent < TENANT_PERCENT,
        tenants[first[building] + place % count[building]],
        np.where(percent < TENANT_PERCENT + NEARBY_PERCENT, place % people.count, -1),
    )
    there = (people.join[whom] <= day) & (day < life.end[whom]) & (whom != account)
    return np.where(there, whom, -1)


def dial(partner: npt.NDArray[np.uint64], destination: Ints) -> tuple[Ints, Ints, Ints]:
    """Digits, prefix and network of a partner at a destination (0 local to 3 international)."""
    kind = remainder(partner, 100)
    rest = partner >> np.uint64(8)
    subscriber = 20_000_000 + remainder(rest, 60_000_000)
    area = remainder(partner >> np.uint64(40), 1 << 20)
    mobile = (kind < MOBILE_PERCENT) & (destination <= 1)
    local = np.where(mobile, 13_000_000_000 + remainder(rest, 1_000_000_000), subscriber)
    national = np.where(mobile, local, AREA_CODES[area % len(AREA_CODES)] * 10**8 + subscriber)
    hkmt = HKMT_CODES[area % len(HKMT_CODES)] * 10**8 + subscriber
    abroad = COUNTRY_CODES[area % len(COUNTRY_CODES)] * 10**9 + remainder(rest, 10**9)
    number = np.select(
        [destination == 0, destination == 1, destination == 2], [local, national, hkmt], abroad
    )
    prefix = np.where((destination == 1), 1, np.where(destination >= 2, 2, 0))
    rival = 1 + remainder(partner >> np.uint64(16), 5)
    fixed_rival = (kind >= 100 - RIVAL_PERCENT) & (destination <= 1)
    network = np.select(
        [mobile | (destination >= 2), fixed_rival], [np.full(len(kind), catalog.OTHER), rival], catalog.OWN
    )
    return number, prefix, network
