"""Errors carry their facts and say what to do, in bounded length."""

from nbo.errors import BusyError, CheckFailed, DataError, NboError, UsageError, shorten


def test_a_data_error_names_place_rule_count_examples_and_next_step() -> None:
    error = DataError(
        "calls.duration_seconds", "seconds >= 0", "-5", count=3, total=1200,
        examples=["c1", "c2", "c3", "c4", "c5", "c6"], next_step="Correct the export",
    )  # fmt: skip
    assert str(error) == (
        "calls.duration_seconds: expected seconds >= 0, got -5; 3 of 1,200 rows, "
        "e.g. c1, c2, c3, c4, c5. Correct the export."
    )
    assert error.examples == ("c1", "c2", "c3", "c4", "c5")
    assert (error.where, error.count, error.total) == ("calls.duration_seconds", 3, 1200)


def test_exit_codes() -> None:
    assert NboError("x").exit_code == 2
    assert UsageError("x").exit_code == 2
    assert CheckFailed("x").exit_code == 1
    assert BusyError("x").exit_code == 75


def test_long_texts_keep_their_start_and_their_next_step() -> None:
    text = str(DataError("a.b", "x" * 2000, "y", next_step="Do this"))
    assert len(text) <= 600
    assert text.startswith("a.b: expected xxx")
    assert text.endswith("Do this.")
    assert shorten("short") == "short"
