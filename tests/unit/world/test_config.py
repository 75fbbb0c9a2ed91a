"""What a simulated operator may be asked for."""

from datetime import date

import pytest

from nbo.errors import UsageError
from nbo.world import WorldConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accounts": 0}, r"accounts: expected a whole number from 1 to 5000000, got 0"),
        ({"accounts": True}, r"accounts: expected a whole number .* got True"),
        ({"months": 0}, r"months: expected a whole number from 1 to 120, got 0"),
        ({"months": 121}, r"months: expected a whole number from 1 to 120, got 121"),
        ({"seed": -1}, r"seed: expected a whole number from 0 .* got -1"),
        ({"start": date(2024, 1, 2)}, r"start: expected the first day of a month, got 2024-01-02"),
        ({"start": date(1999, 1, 1)}, r"start and months: expected a run within 2000 to 2030"),
        ({"start": date(2030, 6, 1), "months": 8}, r"got 8 months from 2030-06-01"),
        ({"zone": "Mars/Olympus"}, r"zone: expected an IANA zone like Asia/Shanghai, got 'Mars/Olympus'"),
    ],
)
def test_a_wrong_setting_is_told(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"accounts": 10, "months": 1, "seed": 0}
    with pytest.raises(UsageError, match=message):
        WorldConfig(**{**good, **change})  # type: ignore[arg-type]


def test_months_roll_over_the_year_and_know_leap_days() -> None:
    config = WorldConfig(accounts=1, months=4, seed=0, start=date(2023, 12, 1))
    lengths = [b - a for a, b in zip(config.month_starts, config.month_starts[1:], strict=False)]
    assert lengths == [31, 31, 29, 31]


def test_the_last_month_may_be_december_of_the_last_year() -> None:
    assert WorldConfig(accounts=1, months=12, seed=0, start=date(2030, 1, 1)).months == 12


def test_accounts_fall_into_chunks_that_cover_them_once() -> None:
    chunks = WorldConfig(accounts=1001, months=1, seed=0).chunks
    assert [(c.number, c.first_account, c.accounts) for c in chunks] == [
        (0, 0, 500),
        (1, 500, 500),
        (2, 1000, 1),
    ]


def test_streams_of_random_numbers_differ_by_purpose_and_month() -> None:
    chunk = WorldConfig(accounts=1, months=1, seed=0).chunks[0]
    draws = {float(chunk.random(p, m).random()) for p in (1, 2) for m in (0, 1)}
    assert len(draws) == 4
