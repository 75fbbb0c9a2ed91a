"""Metrics of pairs equal those of single rows, draw by draw; hit rates by hand."""

import numpy as np
import pytest

from nbo.evaluation import bootstrap, reliability_table
from nbo.evaluation.weighted import auc_of, average_precision_of, brier_of, log_loss_of
from nbo.evaluation.weighted import ece_of as row_ece_of
from nbo.models.pair_metrics import (
    RankedPairs,
    ece_of,
    intervals,
    log_losses,
    mean_of,
    ranks,
    reliability_rows,
)

ACCOUNTS = 40


@pytest.fixture(params=["unlike scores", "many ties", "one score"])
def pairs(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and accounts of 300 pairs; some accounts have none."""
    rng = np.random.default_rng(3)
    score = rng.random(300)
    if request.param == "many ties":
        score = np.round(score, 1)
    if request.param == "one score":
        score[:] = 0.25
    label = rng.random(300) < 0.2 * score + 0.05
    return label, score, rng.integers(0, ACCOUNTS - 3, 300)


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    """How often each account is drawn, in 50 draws; the first takes each once."""
    rng = np.random.default_rng(4)
    drawn = rng.multinomial(ACCOUNTS, [1 / ACCOUNTS] * ACCOUNTS, 49)
    return np.r_[np.ones((1, ACCOUNTS)), drawn].astype(np.float64)


def test_every_draw_gives_what_it_gives_row_by_row(
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray], weights: np.ndarray
) -> None:
    label, score, accounts = pairs
    y, by_row = label.astype(np.float64), weights[:, accounts]
    ranked = RankedPairs.of(label, score, accounts, ACCOUNTS)
    told = [
        (ranked.auc, auc_of),
        (ranked.average_precision, average_precision_of),
        (mean_of((score - y) ** 2, accounts, ACCOUNTS), brier_of),
        (mean_of(log_losses(label, score), accounts, ACCOUNTS), log_loss_of),
        (ece_of(label, score, accounts, ACCOUNTS), row_ece_of),
    ]
    for found, expected in told:
        np.testing.assert_allclose(found(weights), expected(y, score)(by_row), rtol=1e-12)


def test_a_draw_without_a_taken_pair_has_no_value() -> None:
    label = np.array([True, False, False])
    ranked = RankedPairs.of(label, np.array([0.3, 0.2, 0.1]), np.array([0, 1, 1]), 2)
    nobody_took = np.array([[0.0, 2.0]])
    assert np.isnan(ranked.auc(nobody_took)).all()
    assert np.isnan(ranked.average_precision(nobody_took)).all()


def test_groups_of_reliability_are_those_of_the_evaluation(
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    label, score, accounts = pairs
    _, codes = np.unique(accounts, return_inverse=True)
    rows = reliability_rows(label, score, codes, int(codes.max()) + 1, seed=5)
    expected = reliability_table(label, score, clusters=accounts, seed=5)
    assert [row["count"] for row in rows] == [group.rows for group in expected]
    for row, group in zip(rows, expected, strict=True):
        assert row["mean_score"] == pytest.approx(group.told)
        assert row["share_taken"] == pytest.approx(group.found.value)
        assert (row["low"], row["high"]) == pytest.approx((group.found.low, group.found.high))


def test_intervals_are_those_of_the_same_draws_row_by_row(
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    label, score, accounts = pairs
    _, codes = np.unique(accounts, return_inverse=True)
    count = int(codes.max()) + 1
    ranked = RankedPairs.of(label, score, codes, count)
    told = intervals({"auc": ranked.auc}, count, 7, "pairs")["auc"]
    value = auc_of(label.astype(np.float64), score)
    [expected] = bootstrap(lambda w: value(w)[:, None], accounts, seed=7)
    assert (told.value, told.low, told.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_products_are_ranked_among_those_an_account_lacks() -> None:
    nan = float("nan")
    scores = np.array([[0.2, nan, 0.9, 0.5], [nan, 0.1, nan, 0.1]])
    assert ranks(scores).tolist() == [[2, 3, 0, 1], [2, 0, 3, 1]]
