"""The map from scores to probabilities finds the parameters that choices were drawn by."""

import numpy as np
import numpy.typing as npt
import pytest

from nbo.evaluation.ranking import HiddenProducts, hide_each
from nbo.models.choice import ChoiceMap, fit_choice_map, holder_shares

Floats = npt.NDArray[np.float64]


def drawn(slope: float, pull: float, n: int, k: int, seed: int) -> tuple[Floats, Floats, HiddenProducts]:
    """Customers who hold one hidden product each, drawn by a map with these parameters."""
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.02, 0.5, k)
    scores = 3 * rng.standard_normal((n, k))
    shown = rng.random((n, k)) < 0.2
    shown[:, 0] = False
    p = ChoiceMap(slope, pull).probabilities(scores, shares, ~shown)
    hidden = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return scores, shares, HiddenProducts(np.arange(n), shown, hidden)


def test_parameters_are_found_again() -> None:
    scores, shares, task = drawn(0.7, 0.4, 6_000, 6, seed=1)
    found = fit_choice_map(scores, shares, task)
    # 4 standard errors, 0.015 and 0.032 over 12 seeds: a false alarm in 8,000 seeds
    assert found.slope == pytest.approx(0.7, abs=0.06)
    assert found.pull == pytest.approx(0.4, abs=0.13)


def test_a_random_part_of_the_candidates_gives_the_same_parameters() -> None:
    scores, shares, task = drawn(0.7, 0.4, 12_000, 10, seed=2)
    some = task.candidates & (np.random.default_rng(3).random(task.shown.shape) < 0.5)
    some[np.arange(len(some)), task.hidden] = True
    found = fit_choice_map(np.where(some, scores, np.nan), shares, task, some)
    # 4 standard errors, 0.007 and 0.032 over 12 seeds: a false alarm in 8,000 seeds
    assert found.slope == pytest.approx(0.7, abs=0.03)
    assert found.pull == pytest.approx(0.4, abs=0.13)


def test_a_score_against_the_order_counts_for_nothing() -> None:
    scores, shares, task = drawn(0.7, 0.0, 2_000, 6, seed=4)
    assert fit_choice_map(-scores, shares, task).slope == 0


def test_a_score_without_news_leaves_what_is_common() -> None:
    rng = np.random.default_rng(5)
    held = rng.random((4_000, 5)) < np.array([0.6, 0.4, 0.3, 0.2, 0.1])
    task, shares = hide_each(held), holder_shares(held)
    found = fit_choice_map(rng.standard_normal(task.shown.shape), shares, task)
    assert found.slope < 0.05
    assert found.pull > 0.5


def test_scores_that_are_constant_or_separate_all_still_give_probabilities() -> None:
    shown = np.zeros((50, 3), dtype=bool)
    task = HiddenProducts(np.arange(50), shown, np.arange(50) % 3)
    shares = np.array([0.3, 0.3, 0.4])
    for scores in (np.zeros((50, 3)), np.eye(3)[task.hidden] * 1e6):
        found = fit_choice_map(scores, shares, task)
        p = found.probabilities(scores, shares, ~shown)
        assert p.sum(axis=1) == pytest.approx(np.ones(50))
    assert p[np.arange(50), task.hidden].min() > 0.99


def test_a_higher_score_is_never_less_likely_and_what_is_shown_has_no_chance() -> None:
    candidates = np.array([[True, True, True, False]])
    shares = np.full(4, 0.2)
    p = ChoiceMap(2.0, 0.5).probabilities(np.array([[1.0, 2.0, 0.0, np.nan]]), shares, candidates)[0]
    assert p[1] > p[0] > p[2] > 0
    assert p[3] == 0
    assert p.sum() == pytest.approx(1)


def test_a_share_of_holders_is_never_0() -> None:
    assert holder_shares(np.zeros((8, 2), dtype=bool)).tolist() == [0.1, 0.1]
    assert holder_shares(np.ones((8, 1), dtype=bool)).tolist() == [0.9]
