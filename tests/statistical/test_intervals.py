"""The intervals hold the truth as often as they say, on simulated accounts with known truth.

Tolerance: 300 simulations of a true coverage of .95 give a share with standard error
sqrt(.95 x .05 / 300) = .0126. The percentile bootstrap is known to cover a little less than it
says on few clusters (about .01 at 200), so the floor is .95 - .01 - 3 x .0126 = .902; the ceiling
.95 + 3 x .0126 = .988. False alarms of one test: about 1 in 700 per side over seeds; seeds are fixed.
"""

from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from nbo.evaluation import auc, average_precision, brier

SIMULATIONS = 300
FLOOR, CEILING = 0.902, 0.988


def test_auc_of_two_normals_is_covered() -> None:
    rng = np.random.default_rng(11)
    truth = NormalDist().cdf(1 / np.sqrt(2))
    covered = 0
    for seed in range(SIMULATIONS):
        y = np.r_[np.ones(80), np.zeros(240)]
        score = rng.normal(y, 1)
        told = auc(y, 1 / (1 + np.exp(-score)), seed=seed, draws=300)
        covered += told.low <= truth <= told.high
    assert FLOOR <= covered / SIMULATIONS <= CEILING


def test_average_precision_of_two_normals_is_covered() -> None:
    rng = np.random.default_rng(13)
    many = np.r_[np.ones(200_000), np.zeros(600_000)]
    # Of 800,000 rows: its standard error is .0005, a hundredth of the intervals' width.
    truth = average_precision_score(many, rng.normal(many, 1))
    covered = 0
    for seed in range(SIMULATIONS):
        y = np.r_[np.ones(80), np.zeros(240)]
        told = average_precision(y, 1 / (1 + np.exp(-rng.normal(y, 1))), seed=seed, draws=300)
        covered += told.low <= truth <= told.high
    assert FLOOR <= covered / SIMULATIONS <= CEILING


def clustered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """200 accounts of 5 rows that always share their label: five times fewer facts than rows."""
    p = np.repeat(rng.beta(2, 5, 200), 5)
    y = np.repeat((rng.random(200) < p[::5]).astype(float), 5)
    return y, p, np.repeat(np.arange(200), 5)


@pytest.mark.parametrize("by_account", [True, False])
def test_brier_of_clustered_rows_is_covered_only_by_drawing_accounts(by_account: bool) -> None:
    rng = np.random.default_rng(12)
    # E (p - y)^2 = E p (1 - p) for calibrated p ~ Beta(2, 5): 2 x 5 / (7 x 8).
    truth = 2 * 5 / (7 * 8)
    covered = 0
    for seed in range(SIMULATIONS):
        y, p, accounts = clustered(rng)
        told = brier(y, p, clusters=accounts if by_account else None, seed=seed, draws=300)
        covered += told.low <= truth <= told.high
    share = covered / SIMULATIONS
    if by_account:
        assert FLOOR <= share <= CEILING
    else:
        # Half widths shrink by sqrt(5): 1.96 / sqrt(5) = .88 standard errors cover .62.
        assert share == pytest.approx(0.62, abs=3 * 0.028)
