from dataclasses import replace

import numpy as np
import pytest

from nbo.errors import DataError
from nbo.models import TrainingData


def test_no_account_stands_on_both_sides_of_a_fold(data: TrainingData) -> None:
    judged = []
    for fit, judge in data.folds(5, seed=3):
        assert not set(data.account_ids[fit]) & set(data.account_ids[judge])
        judged.extend(judge.tolist())
    assert sorted(judged) == list(range(3000))


def test_folds_follow_from_the_seed(data: TrainingData) -> None:
    first, again, other = (data.folds(3, seed=seed)[0][1].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_there_are_no_more_folds_than_accounts(data: TrainingData) -> None:
    few = TrainingData(
        data.matrix[:6],
        np.array([0, 1] * 3, np.int8),
        data.account_ids[:6],
        data.as_of_days[:6],
        data.names,
        (2,),
    )
    assert len(few.folds(5, seed=1)) == 3


def test_columns_that_cannot_separate_rows_are_named(data: TrainingData) -> None:
    assert list(data.idle_columns()) == [("empty", "empty"), ("constant", "constant")]


@pytest.mark.parametrize(
    ("label", "match"),
    [
        (np.zeros(3000, np.int8), r"rows of both classes, got no leavers in 3,000 rows .*\. Choose earlier"),
        (np.ones(3000, np.int8), r"rows of both classes, got no stayers in 3,000 rows"),
        (np.full(3000, 2, np.int8), r"label: expected 0 or 1, got \[2\]"),
        (np.zeros(2999, np.int8), r"expected 2999 rows x 7 features throughout, got \(3000, 7\)"),
    ],
)
def test_labels_that_cannot_be_learnt_from_are_refused(
    data: TrainingData, label: np.ndarray, match: str
) -> None:
    with pytest.raises(DataError, match=match):
        replace(data, label=label)


def test_one_account_is_refused(data: TrainingData) -> None:
    with pytest.raises(DataError, match="expected rows of at least 2 accounts, got 1"):
        replace(data, account_ids=np.full(3000, "A"))
