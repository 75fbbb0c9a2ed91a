import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from nbo.errors import DataError
from nbo.evaluation import ece, gains_table, reliability_table


def test_reliability_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(1000)
    y = (rng.random(1000) < p**2).astype(float)
    table = reliability_table(y, p, draws=50)
    found, told = calibration_curve(y, p, n_bins=10, strategy="quantile")
    np.testing.assert_allclose([row.told for row in table], told, atol=1e-12)
    np.testing.assert_allclose([row.found.value for row in table], found, atol=1e-12)
    assert [row.rows for row in table] == [100] * 10
    assert all(row.found.low <= row.found.value <= row.found.high for row in table)
    gaps = sum(row.rows * abs(row.told - row.found.value) for row in table) / 1000
    assert gaps == pytest.approx(ece(y, p, draws=10).value, abs=1e-12)


def test_equal_probabilities_share_a_bin() -> None:
    table = reliability_table([0, 1, 0, 1, 1, 1] * 20, [0.2, 0.2, 0.2, 0.7, 0.7, 0.7] * 20, draws=20)
    assert [(row.rows, row.positives) for row in table] == [(60, 20), (60, 60)]
    assert table[0].to_json()["found"]["value"] == pytest.approx(1 / 3)


def test_gains_by_hand() -> None:
    y = [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    table = gains_table(y, np.linspace(0.9, 0.0, 10), cuts=5)
    assert [row.rows for row in table] == [2, 4, 6, 8, 10]
    assert [row.captured_share for row in table] == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert [row.lift for row in table] == pytest.approx([2.5, 2.5, 1 / 0.6, 1.25, 1.0])


def test_a_cut_within_equal_probabilities_takes_its_part() -> None:
    table = gains_table([1, 1, 0, 0], [0.5] * 4, cuts=4)
    assert [row.positives for row in table] == [0.5, 1.0, 1.5, 2.0]
    assert [row.lift for row in table] == [1.0] * 4


def test_a_list_shorter_than_the_cuts_has_fewer_rows() -> None:
    assert [row.rows for row in gains_table([1, 0, 0], [0.9, 0.5, 0.1])] == [1, 2, 3]


def test_one_class_has_no_table() -> None:
    with pytest.raises(DataError, match="y: expected labels of both classes"):
        gains_table([0, 0], [0.1, 0.2])
    with pytest.raises(DataError, match="y: expected labels of both classes"):
        reliability_table([0, 0], [0.1, 0.2])
