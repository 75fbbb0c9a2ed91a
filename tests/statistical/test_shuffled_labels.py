"""Labels without any truth: whatever the fit does, it must not rank.

With n_1 positives and n_0 negatives in the judged rows the AUC of a worthless score has the
standard error sqrt((n_1 + n_0 + 1) / (12 n_1 n_0)) (Mann-Whitney); for 2,000 and 18,000 it is
.0068, so .03 is 4.4 standard errors: one false alarm in 90,000 seeds. The seed is fixed.
"""

import numpy as np
import pytest

from nbo.bundle import averaged, parsed_booster
from nbo.evaluation import auc
from nbo.models import BoosterSettings, TrainingData, fit_churn

TOLERANCE = 0.03


@pytest.fixture(scope="module")
def shuffled() -> TrainingData:
    """20,000 rows whose labels were drawn from a hat, in accounts of two rows."""
    rng = np.random.default_rng(21)
    n = 20_000
    label = rng.permutation(np.r_[np.ones(2_000, np.int8), np.zeros(18_000, np.int8)])
    accounts = np.array([f"A{k // 2}" for k in range(n)])
    names = tuple(f"x{k}" for k in range(8))
    return TrainingData(rng.normal(size=(n, 8)), label, accounts, np.zeros(n, np.int32), names, ())


def test_shuffled_labels_cannot_be_ranked(shuffled: TrainingData) -> None:
    fitted = fit_churn(shuffled, BoosterSettings(folds=3, seeds=1, threads=1), tuned={"rounds": 60}, seed=1)
    out_of_fold = auc(shuffled.label, fitted.oof_scores, clusters=shuffled.account_ids, draws=50)
    assert out_of_fold.value == pytest.approx(0.5, abs=TOLERANCE)
    rng = np.random.default_rng(22)
    later = auc(rng.permutation(shuffled.label), fitted.score(rng.normal(size=(20_000, 8))), draws=50)
    assert later.value == pytest.approx(0.5, abs=TOLERANCE)


def test_the_fit_had_learnt_its_own_rows(shuffled: TrainingData) -> None:
    """What makes the test above worth anything: in its own rows the same fit does rank."""
    fitted = fit_churn(shuffled, BoosterSettings(folds=3, seeds=1, threads=1), tuned={"rounds": 60}, seed=1)
    boosters = [parsed_booster(text, fitted.names) for text in fitted.boosters]
    raw = averaged(boosters, shuffled.matrix)
    assert auc(shuffled.label, raw, draws=50).value > 0.5 + 5 * TOLERANCE
