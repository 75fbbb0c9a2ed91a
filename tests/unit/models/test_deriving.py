"""Derived columns are kept where they help, and a row never sees its own label in a rate."""

import numpy as np
import pytest

from nbo.bundle import Derived
from nbo.models.churn import fit_churn
from nbo.models.data import TrainingData
from nbo.models.deriving import derived_data, with_derived
from nbo.models.settings import BoosterSettings

SETTINGS = BoosterSettings(max_rounds=60, folds=3, seeds=1, patience_rounds=10, derive=True)
N = 3_000


def rows_of(columns: list[np.ndarray], p: np.ndarray, categories: tuple[int, ...] = ()) -> TrainingData:
    rng = np.random.default_rng(9)
    return TrainingData(
        matrix=np.stack(columns, axis=1).astype(np.float64),
        label=(rng.random(N) < p).astype(np.int8),
        account_ids=np.arange(N).astype(np.str_),
        as_of_days=np.zeros(N, dtype=np.int32),
        names=tuple(f"f{place}" for place in range(len(columns))),
        categories=categories,
    )


@pytest.fixture
def noise() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=N) for _ in range(4)]


def test_a_difference_that_decides_is_kept(noise: list[np.ndarray]) -> None:
    rng = np.random.default_rng(4)
    one, two = rng.uniform(0, 100, N), rng.uniform(0, 100, N)
    data = rows_of([one, two, *noise], np.where(np.abs(one - two) < 5, 0.9, 0.1))
    found = with_derived(data, SETTINGS, seed=1)
    assert Derived("difference", (0, 1)) in found.derivation.derived
    assert found.matrix.shape == (N, len(found.names))
    plain, fitted = (fit_churn(rows, SETTINGS, seed=1) for rows in (data, found))
    assert loss(fitted.score(data.matrix), data) < loss(plain.score(data.matrix), data)


def test_a_sum_that_decides_is_kept(noise: list[np.ndarray]) -> None:
    """What was used of late, where the table tells the mean of months and the change since."""
    rng = np.random.default_rng(4)
    mean, change = rng.uniform(0, 100, N), rng.uniform(-50, 50, N)
    data = rows_of([mean, change, *noise], np.where(np.abs(mean + change - 50) < 5, 0.9, 0.1))
    assert Derived("sum", (0, 1)) in with_derived(data, SETTINGS, seed=1).derivation.derived


def loss(p: np.ndarray, data: TrainingData) -> float:
    return float(-np.log(np.where(data.label == 1, p, 1 - p)).mean())


def test_nothing_is_kept_where_nothing_helps(noise: list[np.ndarray]) -> None:
    data = rows_of(noise, 1 / (1 + np.exp(-noise[0])))
    assert with_derived(data, SETTINGS, seed=1) is data


def test_few_positives_derive_nothing(noise: list[np.ndarray]) -> None:
    data = rows_of(noise, np.full(N, 0.01))
    assert not data.tunable
    assert with_derived(data, SETTINGS, seed=1) is data


def test_a_category_of_many_codes_is_told_by_its_rates(noise: list[np.ndarray]) -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 150, N).astype(np.float64)
    rates = rng.uniform(0.05, 0.9, 150)
    found = with_derived(rows_of([codes, *noise], rates[codes.astype(int)], (0,)), SETTINGS, seed=1)
    [rate] = [one for one in found.derivation.derived if one.kind == "rate"]
    assert rate.columns == (0,)
    assert len(rate.rates) == 152
    assert found.categories == ()


def test_a_row_does_not_see_its_own_label_in_a_rate() -> None:
    """One code a row: a rate that counted the row itself would be the label."""
    codes = np.arange(N, dtype=np.float64)
    data = rows_of([codes, codes % 7], np.full(N, 0.5), (0,))
    rate = derived_data(data, [Derived("rate", (0,), (0.0, 0.0))], 3, 1).matrix[:, 2]
    assert len(np.unique(rate)) == 3
    for fit, judge in data.folds(3, 1):
        assert rate[judge] == pytest.approx(data.label[fit].mean())


def test_the_same_seed_derives_the_same(noise: list[np.ndarray]) -> None:
    data = rows_of(noise, 1 / (1 + np.exp(-noise[0] * noise[1])))
    one, two = (with_derived(data, SETTINGS, seed=2) for _ in range(2))
    assert one.derivation.derived == two.derivation.derived
    assert one.matrix.tobytes() == two.matrix.tobytes()
