"""Simulated slices with a known truth: two numbers and a category matter, the rest is noise."""

from collections.abc import Callable

import numpy as np
import pytest

from nbo.models import TrainingData

NAMES = ("calls", "spend", "grade", "noise", "more_noise", "empty", "constant")


def simulated(n: int, *, rate_shift: float = -2.2, seed: int = 1, per_account: int = 2) -> TrainingData:
    """n rows of n / per_account accounts; ``rate_shift`` sets how rare the event is."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 1, (n, len(NAMES)))
    matrix[:, 2] = rng.integers(0, 4, n)
    matrix[rng.random(n) < 0.1, 1] = np.nan
    matrix[:, 5], matrix[:, 6] = np.nan, 7.0
    log_odds = rate_shift + 1.2 * matrix[:, 0] + 0.8 * np.nan_to_num(matrix[:, 1]) + 1.0 * (matrix[:, 2] == 3)
    label = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    accounts = np.array([f"A{k // per_account:05}" for k in range(n)])
    days = np.full(n, 20_000, np.int32) + np.arange(n, dtype=np.int32) % per_account * 30
    return TrainingData(matrix, label, accounts, days, NAMES, (2,))


@pytest.fixture(scope="session")
def simulate() -> Callable[..., TrainingData]:
    return simulated


@pytest.fixture(scope="session")
def data() -> TrainingData:
    return simulated(3000)
