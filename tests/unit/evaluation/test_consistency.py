"""The band of a perfect model holds the ECE of a perfect model, and little else."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.isotonic import IsotonicRegression

from nbo.errors import DataError
from nbo.evaluation import ece, ece_of_perfect


def test_the_band_of_equal_probabilities_is_that_of_a_binomial() -> None:
    """One bin of 400 rows: the ECE is |k / 400 - p| with k ~ Binomial(400, p)."""
    p = 0.3
    k = np.arange(401)
    gaps, chances = np.abs(k / 400 - p), binom.pmf(k, 400, p)
    order = np.argsort(gaps)
    reached = np.cumsum(chances[order])
    low, high = (gaps[order][np.searchsorted(reached, share)] for share in (0.025, 0.975))
    told = ece_of_perfect(np.full(400, p), seed=1, draws=20_000)
    # Neighbouring values of the ECE lie 1 / 400 apart.
    assert told.low == pytest.approx(low, abs=1 / 400)
    assert told.high == pytest.approx(high, abs=1 / 400)


def test_every_draw_is_an_ece_of_labels_drawn_from_the_probabilities() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1, 5, 600)
    p[:100] = 0.125
    drawn = [ece((rng.random(600) < p).astype(float), p, draws=1).value for _ in range(400)]
    told = ece_of_perfect(p, seed=3, draws=4_000)
    # A quantile of 400 draws at .025 has a standard error of .008 in probability: three of them.
    low, high = np.quantile(drawn, [0.001, 0.05]), np.quantile(drawn, [0.95, 0.999])
    assert low[0] <= told.low <= low[1]
    assert high[0] <= told.high <= high[1]


def test_a_model_that_is_off_lies_above() -> None:
    rng = np.random.default_rng(4)
    p = rng.beta(2, 5, 3_000)
    y = (rng.random(3_000) < p).astype(float)
    assert ece(y, p, draws=2).value <= ece_of_perfect(p).high
    doubled = np.minimum(1, 2 * p)
    assert ece(y, doubled, draws=2).value > ece_of_perfect(doubled).high


def test_the_band_is_a_matter_of_seed_and_not_of_the_order_of_rows() -> None:
    p = np.random.default_rng(5).random(300)
    assert ece_of_perfect(p, seed=1) == ece_of_perfect(np.sort(p), seed=1)
    assert ece_of_perfect(p, seed=1) != ece_of_perfect(p, seed=2)


def test_blocks_of_draws_are_all_drawn() -> None:
    """More rows than a block holds at once: each draw is a block of its own."""
    told = ece_of_perfect(np.full(600_000, 0.5), seed=1, draws=12)
    assert 0 <= told.low < told.high < 0.003
    assert told.to_json() == {"low": told.low, "high": told.high}


@pytest.mark.parametrize(
    ("p", "text"),
    [
        ([], r"p: expected at least one probability, got none\."),
        ([0.5, 1.5], r"p: expected probabilities within \[0, 1\], got 1\.5; 1 of 2 rows\."),
        ([np.nan, 0.5], r"p: expected probabilities within \[0, 1\], got nan; 1 of 2 rows\."),
    ],
)
def test_what_is_no_probability_is_told(p: list[float], text: str) -> None:
    with pytest.raises(DataError, match=text):
        ece_of_perfect(p)


def test_a_calibrator_that_is_judged_by_its_own_rows_lies_below() -> None:
    """It is too good to be true: not even a perfect model is that near to labels drawn by chance."""
    rng = np.random.default_rng(5)
    p = rng.beta(2, 5, 4_000)
    y = (rng.random(4_000) < p).astype(float)
    learnt, unseen = slice(0, 2_000), slice(2_000, None)
    calibrator = IsotonicRegression(out_of_bounds="clip").fit(p[learnt], y[learnt])
    own, other = (calibrator.predict(p[part]) for part in (learnt, unseen))
    assert ece(y[learnt], own).value < ece_of_perfect(own, seed=1).low
    assert ece(y[unseen], other).value > ece_of_perfect(other, seed=1).low
