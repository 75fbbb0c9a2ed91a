from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nbo.evaluation import auc, ece
from nbo.models import BoosterSettings, FittedModel, TrainingData, fit_churn

Simulate = Callable[..., TrainingData]
QUICK = BoosterSettings(max_rounds=80, patience_rounds=10, folds=3, seeds=2, learning_rate=0.1, threads=1)


@pytest.fixture(scope="module")
def fitted(data: TrainingData) -> FittedModel:
    return fit_churn(data, QUICK, seed=4)


def test_a_fit_ranks_accounts_it_never_saw(
    fitted: FittedModel, data: TrainingData, simulate: Simulate
) -> None:
    later = simulate(3000, seed=2)
    # The truth itself has an AUC of about .82 here; at n_1 = 500 a standard error is .01.
    assert auc(later.label, fitted.score(later.matrix), draws=20).value > 0.77
    assert auc(data.label, fitted.oof_scores, draws=20).value > 0.77


def test_probabilities_of_new_accounts_are_calibrated(fitted: FittedModel, simulate: Simulate) -> None:
    later = simulate(6000, seed=3)
    p = fitted.score(later.matrix)
    # Ten bins of 600 rows: noise alone gives an ECE of about .01 at a rate of .15.
    assert ece(later.label, p, draws=20).value < 0.035
    assert p.mean() == pytest.approx(later.label.mean(), abs=0.03)


def test_the_same_seed_gives_the_same_texts_and_another_seed_others(
    fitted: FittedModel, data: TrainingData
) -> None:
    again = fit_churn(data, QUICK, seed=4)
    assert again.boosters == fitted.boosters
    assert again.oof_scores.tobytes() == fitted.oof_scores.tobytes()
    assert fit_churn(data, QUICK, seed=5).boosters != fitted.boosters


def test_one_booster_for_each_seed_and_all_unlike(fitted: FittedModel) -> None:
    assert len(set(fitted.boosters)) == 2


def test_the_score_of_an_account_out_of_fold_does_not_know_its_label(
    fitted: FittedModel, data: TrainingData
) -> None:
    one = np.flatnonzero(data.account_ids == data.account_ids[10])
    turned = data.label.copy()
    turned[one] = 1 - turned[one]
    settled = {"rounds": fitted.parameters["rounds"]}
    before = fit_churn(data, QUICK, tuned=settled, seed=4)
    after = fit_churn(replace(data, label=turned), QUICK, tuned=settled, seed=4)
    np.testing.assert_array_equal(after.oof_scores[one], before.oof_scores[one])
    assert (after.oof_scores != before.oof_scores).any()


def test_tuned_parameters_override_the_settings(data: TrainingData) -> None:
    told = fit_churn(data, QUICK, tuned={"num_leaves": 5, "rounds": 7}, seed=1)
    assert (told.parameters["num_leaves"], told.parameters["rounds"]) == (5, 7)
    assert told.boosters[0].count("\nTree=") == 7


def test_columns_that_cannot_separate_rows_stay_in_order_and_are_told(fitted: FittedModel) -> None:
    assert fitted.names[5:] == ("empty", "constant")
    assert "1 empty in every training row, not used: empty" in fitted.notes
    assert "1 constant in every training row, not used: constant" in fitted.notes


def test_the_category_is_split_as_a_category(fitted: FittedModel) -> None:
    assert "num_cat=0\n" in fitted.boosters[0] and any(
        f"num_cat={k}" in fitted.boosters[0] for k in range(1, 9)
    )


@pytest.mark.parametrize(
    ("rate_shift", "positives", "calibration", "note"),
    [
        (-5.5, range(20, 100), "logistic", "too few leavers for isotonic calibration"),
        (-8.0, range(1, 20), "identity", "too few leavers to calibrate"),
    ],
)
def test_few_leavers_mean_stated_defaults_and_a_plain_warning(
    simulate: Simulate, rate_shift: float, positives: range, calibration: str, note: str
) -> None:
    scarce = simulate(3000, rate_shift=rate_shift)
    told = fit_churn(scarce, QUICK, tuned={"num_leaves": 60, "rounds": 500}, seed=1)
    assert scarce.positives in positives
    assert (told.parameters["num_leaves"], told.parameters["rounds"]) == (4, 60)
    assert told.parameters["calibration"] == calibration
    assert told.notes[0] == (
        f"only {scarce.positives} leavers to learn from: parameters were not tuned; "
        "treat the ranking as a test of the plumbing, not as evidence"
    )
    assert any(text.startswith(note) for text in told.notes)
    assert np.isfinite(told.score(scarce.matrix)).all()


def test_a_single_leaver_still_gives_a_model(simulate: Simulate) -> None:
    rare = simulate(400)
    label = np.zeros(400, np.int8)
    label[7] = 1
    told = fit_churn(replace(rare, label=label), QUICK, seed=1)
    assert 0 <= told.score(rare.matrix).min() <= told.score(rare.matrix).max() < 0.1
