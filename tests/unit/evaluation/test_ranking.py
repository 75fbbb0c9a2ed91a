"""Values against cases worked by hand, ties against every order, hidden products against what must hold."""

from dataclasses import astuple
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest

from nbo.errors import DataError
from nbo.evaluation.ranking import (
    RANKING_METRICS,
    HiddenProducts,
    evaluate_rankings,
    hide_each,
    hide_one,
)

Floats = npt.NDArray[np.float64]

NOTHING_SHOWN = np.zeros((4, 4), dtype=bool)
TASK = HiddenProducts(np.arange(4), NOTHING_SHOWN, np.array([0, 0, 0, 0]))
RANKS_1_TO_4 = np.array(
    [[0.4, 0.3, 0.2, 0.1], [0.3, 0.4, 0.2, 0.1], [0.2, 0.4, 0.3, 0.1], [0.1, 0.4, 0.3, 0.2]]
)


def values(p: Floats, task: HiddenProducts) -> dict[str, float]:
    told = evaluate_rankings({"one": p}, task, seed=1, draws=20)["one"]
    return {name: interval.value for name, interval in told.items()}


def held(n: int, k: int, share: float, seed: int) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random((n, k)) < share


def test_values_are_those_worked_by_hand() -> None:
    told = values(RANKS_1_TO_4, TASK)
    assert tuple(told) == RANKING_METRICS
    assert told["hit_rate_at_1"] == 1 / 4
    assert told["hit_rate_at_3"] == 3 / 4
    assert told["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert told["log_loss"] == pytest.approx(-np.log([0.4, 0.3, 0.2, 0.1]).mean())


def test_a_product_that_is_shown_is_not_ranked() -> None:
    shown = NOTHING_SHOWN.copy()
    shown[:, 3] = True
    p = np.tile([0.5, 0.3, 0.2, 0.0], (4, 1))
    told = values(p, HiddenProducts(np.arange(4), shown, np.array([2, 2, 2, 2])))
    assert told["mrr"] == pytest.approx(1 / 3)
    assert told["hit_rate_at_3"] == 1


def test_a_tie_counts_as_the_mean_over_its_orders() -> None:
    p = np.tile([0.25, 0.25, 0.25, 0.25], (2, 1))
    p[1] = [0.1, 0.1, 0.1, 0.7]
    task = HiddenProducts(np.arange(2), np.zeros((2, 4), dtype=bool), np.array([0, 0]))
    orders = list(permutations(range(4)))
    first = [order.index(0) + 1 for order in orders]
    second = [2 + [place for place in order if place != 3].index(0) for order in orders]
    told = values(p, task)
    for cut, name in ((1, "hit_rate_at_1"), (3, "hit_rate_at_3")):
        expected = np.mean([np.mean([rank <= cut for rank in ranks]) for ranks in (first, second)])
        assert told[name] == pytest.approx(expected), name
    assert told["mrr"] == pytest.approx(np.mean([np.mean(1 / np.array(ranks)) for ranks in (first, second)]))


def test_a_hidden_product_of_probability_0_costs_36_nats() -> None:
    p = np.tile([0.0, 1.0, 0.0, 0.0], (4, 1))
    assert values(p, TASK)["log_loss"] == pytest.approx(52 * np.log(2))


def test_all_methods_meet_the_same_draws() -> None:
    task = hide_one(held(200, 5, 0.4, 3), seed=3)
    p = np.random.default_rng(4).random(task.shown.shape) * task.candidates
    p /= p.sum(axis=1, keepdims=True)
    even = task.candidates / task.candidates.sum(axis=1, keepdims=True)
    told = evaluate_rankings({"a": p, "even": even, "b": p}, task, seed=5, draws=100)
    alone = evaluate_rankings({"a": p}, task, seed=5, draws=100)["a"]
    other = evaluate_rankings({"a": p}, task, seed=6, draws=100)["a"]
    for name in RANKING_METRICS:
        assert astuple(told["a"][name]) == pytest.approx(astuple(told["b"][name]), rel=1e-12)
        assert astuple(told["a"][name]) == pytest.approx(astuple(alone[name]), rel=1e-12)
        assert told["a"][name].value != pytest.approx(told["even"][name].value, rel=1e-3)
    assert told["a"]["log_loss"].low != pytest.approx(other["log_loss"].low, rel=1e-6)


def test_an_interval_is_that_of_the_mean_of_customers() -> None:
    """The standard error of a hit rate is known: sqrt(r (1 - r) / n)."""
    n = 2_000
    shown = np.zeros((n, 2), dtype=bool)
    p = np.where((np.arange(n) % 4 == 0)[:, np.newaxis], [[0.9, 0.1]], [[0.1, 0.9]])
    task = HiddenProducts(np.arange(n), shown, np.zeros(n, dtype=np.int64))
    found = evaluate_rankings({"one": p}, task, seed=1)["one"]["hit_rate_at_1"]
    half = 1.96 * np.sqrt(0.25 * 0.75 / n)
    assert found.value == 0.25
    assert found.low == pytest.approx(0.25 - half, abs=half / 8)
    assert found.high == pytest.approx(0.25 + half, abs=half / 8)


def test_one_product_is_hidden_of_every_customer_that_holds_any() -> None:
    holdings = held(300, 6, 0.2, 1)
    task = hide_one(holdings, seed=2)
    assert task.customers.tolist() == np.flatnonzero(holdings.any(axis=1)).tolist()
    assert len(task.customers) < 300
    rows = np.arange(len(task.hidden))
    assert holdings[task.customers, task.hidden].all()
    assert not task.shown[rows, task.hidden].any()
    whole = task.shown.copy()
    whole[rows, task.hidden] = True
    assert (whole == holdings[task.customers]).all()
    assert (hide_one(holdings, seed=2).hidden == task.hidden).all()
    assert (hide_one(holdings, seed=3).hidden != task.hidden).any()


def test_each_held_product_is_hidden_with_the_same_chance() -> None:
    n = 6_000
    task = hide_one(np.tile([True, False, True, True], (n, 1)), seed=1)
    counts = np.bincount(task.hidden, minlength=4)
    assert counts[1] == 0
    # 4 standard errors of a share of 1/3: one false alarm in 5,000 seeds
    assert np.abs(counts[[0, 2, 3]] / n - 1 / 3).max() < 4 * np.sqrt(2 / 9 / n)


def test_every_held_product_is_hidden_once_with_the_chance_of_being_drawn() -> None:
    holdings = held(50, 5, 0.5, 7)
    task = hide_each(holdings)
    assert len(task.hidden) == holdings.sum()
    assert len(set(zip(task.customers.tolist(), task.hidden.tolist(), strict=True))) == len(task.hidden)
    total = np.bincount(task.customers, weights=task.weights, minlength=50)
    assert total == pytest.approx(holdings.any(axis=1).astype(float))


def test_what_is_hidden_must_not_be_shown() -> None:
    with pytest.raises(
        DataError, match=r"hidden products: expected places of products that are not shown, got one that is\."
    ):
        HiddenProducts(np.array([0]), np.array([[True, False]]), np.array([0]))
    with pytest.raises(
        DataError, match=r"expected customers, holdings and places of one length, got \(2, 1, 1\)"
    ):
        HiddenProducts(np.array([0, 1]), np.array([[True, False]]), np.array([1]))


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (np.full((4, 3), 1 / 3), r"one: expected probabilities of shape \(4, 4\), got \(4, 3\)\."),
        (
            np.vstack([RANKS_1_TO_4[:3], [[0.4, 0.3, 0.2, 0.2]]]),
            r"one: expected probabilities over the products that are not shown, with sum 1, "
            r"got a row with sum 1\.1; 1 of 4 rows\.",
        ),
        (np.tile([1.5, -0.5, 0, 0], (4, 1)), r"got a row with sum 1; 4 of 4 rows\."),
        (np.full((4, 4), np.nan), r"got a row with sum nan; 4 of 4 rows\."),
    ],
    ids=["shape", "sum", "negative", "nan"],
)
def test_what_is_no_distribution_is_refused(p: Floats, text: str) -> None:
    with pytest.raises(DataError, match=text):
        evaluate_rankings({"one": p}, TASK, seed=1, draws=10)


def test_probability_of_a_shown_product_is_refused() -> None:
    shown = NOTHING_SHOWN.copy()
    shown[1, 3] = True
    with pytest.raises(DataError, match=r"with sum 1, got a row with sum 1; 1 of 4 rows\."):
        evaluate_rankings(
            {"one": RANKS_1_TO_4}, HiddenProducts(np.arange(4), shown, TASK.hidden), seed=1, draws=10
        )


def test_one_customer_is_too_few_for_an_interval() -> None:
    with pytest.raises(
        DataError, match=r"customers with a hidden product: expected rows of at least 2 accounts"
    ):
        evaluate_rankings({"one": RANKS_1_TO_4[:1]}, TASK.rows(slice(0, 1)), seed=1)
