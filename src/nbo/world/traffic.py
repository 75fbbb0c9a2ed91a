"""Settlement records and line-day use, made beside the calls of one chunk in one month."""

from dataclasses import dataclass

import numpy as np

from nbo.world import catalog
from nbo.world.calls import Calls, active_lines, data_leak, use_factors
from nbo.world.columns import DAY, Ints, known_within
from nbo.world.life import Life
from nbo.world.numbers import mix, remainder
from nbo.world.tariffs import DIAL_UP, RIVAL_CODE, SALES_CALL

SETTLEMENT_FEN_PER_MINUTE = 6
NUMBERS = 10_000
"""Owners of a chunk, its accounts and rivals' heavy users, are numbered below this."""
RIVAL_USERS = 25
"""Heavy users of rivals per chunk whose numbers appear in the settlement records."""
BROADBAND_BYTES = 60_000_000
"""Median of a line-day."""
BROADBAND, DIAL_UP_SERVICE, MESSAGE = range(3)
SERVICES = ["broadband", "dial_up", "message"]


@dataclass(frozen=True)
class Settlements:
    """Traffic exchanged with rivals per day and pair; ``account`` is -1 where it is not ours."""

    account: Ints
    day: Ints
    known: Ints
    outgoing: Ints
    counterparty: Ints
    prefix: Ints
    network: Ints
    calls: Ints
    duration: Ints
    amount: Ints


@dataclass(frozen=True)
class Usage:
    """Use of a line on a day by service; ``data`` is -1 where it is not measured."""

    account: Ints
    line: Ints
    day: Ints
    known: Ints
    service: Ints
    sessions: Ints
    data: Ints
    duration: Ints


def settle(life: Life, calls: Calls, days: Ints, month: int) -> Settlements:
    """Own accounts' calls with rival networks, and rivals' heavy users calling into ours."""
    rng = life.population.chunk.random(11, month)
    rows = np.isin(calls.network, catalog.RIVALS) & (calls.duration > 0)
    keys = np.stack(
        [
            calls.account[rows],
            calls.seconds[rows] // DAY,
            calls.outgoing[rows],
            calls.network[rows],
            calls.prefix[rows],
            settled_number(calls)[rows],
        ]
    )
    unique, inverse = np.unique(keys, axis=1, return_inverse=True)
    inverse = inverse.ravel()
    count = np.bincount(inverse, minlength=unique.shape[1])
    duration = np.bincount(inverse, calls.duration[rows], minlength=unique.shape[1]).astype(np.int64)
    foreign = rival_users(rng, life, days)
    account, day, outgoing, network, prefix, number = (
        np.concatenate([own, other]) for own, other in zip(unique, foreign[:6], strict=True)
    )
    count, duration = np.concatenate([count, foreign[6]]), np.concatenate([duration, foreign[7]])
    return Settlements(
        account=account,
        day=day,
        known=known_within(rng, day, 5 * 24, 35 * 24),
        outgoing=outgoing,
        counterparty=number,
        prefix=prefix,
        network=network,
        calls=count,
        duration=duration,
        amount=-(-duration // 60) * SETTLEMENT_FEN_PER_MINUTE,
    )


def settled_number(calls: Calls) -> Ints:
    """Settlement names the gateway where the number behind an access code is not seen."""
    codes = np.array([int(code) for code in catalog.CODES])
    gateway = np.isin(calls.what, (RIVAL_CODE, SALES_CALL))
    return np.where(gateway, codes[calls.code], calls.counterparty)


def rival_users(rng: np.random.Generator, life: Life, days: Ints) -> tuple[Ints, ...]:
    """Heavy callers on rivals' lines, some of them our own accounts' second lines (unseen leakage)."""
    chunk, people = life.population.chunk, life.population
    steady = chunk.random(12)
    weeks = life.weeks_of(days)
    leakers = np.flatnonzero(((life.leak * ~life.seen)[:, weeks] > 0.1).any(axis=1))
    owner = np.concatenate([leakers, people.count + np.arange(RIVAL_USERS)])
    base = 40_000_000 + remainder(mix(owner + chunk.number * NUMBERS, owner * 0 + chunk.seed), 39_000_000)
    others = np.repeat(steady.integers(1, 6, RIVAL_USERS)[:, None], len(days), axis=1)
    network = np.concatenate([life.rival[leakers][:, weeks], others])
    rate = np.concatenate([people.calls_per_day[leakers] * 0.3, steady.gamma(2, 4, RIVAL_USERS)])
    counts = rng.poisson(np.repeat(rate, len(days)))
    some = rng.permutation(np.flatnonzero(counts))
    who, day = some // len(days), days[some % len(days)]
    count = counts[some].astype(np.int64)
    duration = np.rint(count * 80 * rng.lognormal(0, 0.4, len(some))).astype(np.int64)
    zero = np.zeros(len(some), dtype=np.int64)
    return zero - 1, day, zero, network.ravel()[some], zero, base[who], count, duration


def draw_usage(life: Life, calls: Calls, days: Ints, month: int) -> Usage:
    """Broadband and message use per line and day, and dial-up sessions from the calls."""
    rng = life.population.chunk.random(13, month)
    lines, factors = life.lines, use_factors(life, days)
    active = active_lines(life, days)
    kept = 1 - data_leak(life, days)
    traits = life.population.chunk.random(14).normal(0, 0.9, len(lines.account))
    parts: list[tuple[Ints, ...]] = []
    for service, products in ((BROADBAND, catalog.DATA_PRODUCTS), (MESSAGE, (catalog.PHS,))):
        chosen = np.flatnonzero(np.isin(lines.product, products))
        owner = lines.account[chosen]
        rows, columns = np.nonzero(active[chosen] & (rng.random((len(chosen), len(days))) < 0.93))
        level = np.exp(traits[chosen][rows]) * np.sqrt(factors[owner[rows], columns])
        level = level * kept[owner[rows], columns]
        sessions = rng.poisson(3 * level).astype(np.int64)
        data = np.rint(BROADBAND_BYTES * level * rng.lognormal(0, 0.7, len(rows))).astype(np.int64)
        time = np.minimum(np.rint(9000 * level * rng.lognormal(0, 0.5, len(rows))), DAY).astype(np.int64)
        silent = np.full(len(rows), -1)
        measured = service == BROADBAND
        parts.append(
            (
                owner[rows],
                chosen[rows],
                days[columns],
                np.full(len(rows), service),
                sessions,
                data if measured else silent,
                time if measured else silent,
            )
        )
    parts.append(dial_up_days(calls))
    account, line, day, service_code, sessions, data, time = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    known = known_within(rng, day, 24, 48)
    return Usage(account, line, day, known, service_code, sessions, data, time)


def dial_up_days(calls: Calls) -> tuple[Ints, ...]:
    """Dial-up calls summed per line and day."""
    rows = calls.what == DIAL_UP
    keys = np.stack([calls.account[rows], calls.line[rows], calls.seconds[rows] // DAY])
    unique, inverse = np.unique(keys, axis=1, return_inverse=True)
    inverse = inverse.ravel()
    n = unique.shape[1]
    sessions = np.bincount(inverse, minlength=n)
    time = np.bincount(inverse, calls.duration[rows], minlength=n).astype(np.int64)
    return (*unique, np.full(n, DIAL_UP_SERVICE), sessions, np.full(n, -1), time)
