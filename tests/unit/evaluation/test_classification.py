"""Values against scikit-learn, edge cases against words, intervals against what must hold."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from nbo.errors import DataError, UsageError
from nbo.evaluation import (
    METRICS,
    Interval,
    auc,
    average_precision,
    brier,
    difference,
    ece,
    evaluate_scores,
    lift_at,
    log_loss,
)

Floats = npt.NDArray[np.float64]


def scores(n: int, seed: int, *, decimals: int | None = None) -> tuple[Floats, Floats]:
    """Labels and calibrated probabilities; rounded ones are full of ties."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 6, n)
    y = (rng.random(n) < p).astype(float)
    return y, p if decimals is None else p.round(decimals)


CASES = [scores(50, 1), scores(997, 2), scores(997, 3, decimals=1), scores(300, 4, decimals=2)]


@pytest.mark.parametrize(("y", "p"), CASES)
def test_values_are_those_of_scikit_learn(y: Floats, p: Floats) -> None:
    assert auc(y, p, draws=10).value == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    expected = metrics.average_precision_score(y, p)
    assert average_precision(y, p, draws=10).value == pytest.approx(expected, abs=1e-12)
    assert brier(y, p, draws=10).value == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
    assert log_loss(y, p, draws=10).value == pytest.approx(metrics.log_loss(y, p), abs=1e-12)


@pytest.mark.parametrize(("y", "p"), CASES)
def test_weighted_values_are_those_of_scikit_learn(y: Floats, p: Floats) -> None:
    weights = np.random.default_rng(8).integers(0, 4, (3, y.size)).astype(float)
    oracles = {
        "auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
        "brier": metrics.brier_score_loss,
        "log_loss": metrics.log_loss,
    }
    for name, oracle in oracles.items():
        expected = [oracle(y, p, sample_weight=w) for w in weights]
        np.testing.assert_allclose(METRICS[name](y, p)(weights), expected, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in METRICS if name != "ece"])
def test_a_weight_is_the_same_as_repeated_rows(name: str) -> None:
    y, p = scores(400, 5, decimals=2)
    weights = np.random.default_rng(9).integers(0, 4, y.size)
    repeated = METRICS[name](np.repeat(y, weights), np.repeat(p, weights))(np.ones((1, weights.sum())))
    np.testing.assert_allclose(METRICS[name](y, p)(weights[None, :].astype(float)), repeated, atol=1e-12)


def test_log_loss_of_a_wrong_certainty_is_finite() -> None:
    assert log_loss([0, 1] * 10, [1.0, 0.0] * 10, draws=10).value == pytest.approx(36.04, abs=0.01)


def test_lift_by_hand() -> None:
    y = [1, 1, 0, 0, 1, 0, 0, 0, 0, 0] * 2
    p = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0] * 2
    assert lift_at(0.1, y, p, draws=10).value == pytest.approx(10 / 3)
    assert lift_at(0.5, y, p, draws=10).value == pytest.approx(2.0)
    assert lift_at(1.0, y, p, draws=10).value == pytest.approx(1.0)


def test_lift_of_equal_probabilities_is_one_whatever_the_order_of_rows() -> None:
    y = np.r_[np.ones(10), np.zeros(90)]
    assert lift_at(0.1, y, np.full(100, 0.1), draws=10).value == pytest.approx(1.0)
    assert lift_at(0.1, y[::-1], np.full(100, 0.1), draws=10).value == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_lift_of_no_share_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match=rf"share: expected a part .* \(0, 1\], got {share}"):
        lift_at(share, [0, 1], [0.1, 0.2])


def test_ece_by_hand() -> None:
    p = np.repeat(np.arange(1, 11) / 20, 20)
    y = np.tile(np.r_[np.ones(5), np.zeros(15)], 10)
    expected = np.abs(np.arange(1, 11) / 20 - 0.25).mean()
    assert ece(y, p, draws=10).value == pytest.approx(expected, abs=1e-12)


def test_ece_of_the_base_rate_is_zero() -> None:
    assert ece([0, 0, 0, 1] * 25, [0.25] * 100, draws=10).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("y", "p", "match"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3], "y: expected labels of both classes, got 0 positives in 3 rows"),
        ([1, 1, 1], [0.1, 0.2, 0.3], "y: expected labels of both classes, got 3 positives in 3 rows"),
        ([], [], "y: expected labels of both classes, got 0 positives in 0 rows"),
        ([0, 1, 2], [0.1, 0.2, 0.3], r"y: expected labels 0 or 1, got 2\.0; 1 of 3 rows"),
        ([0, 1, np.nan], [0.1, 0.2, 0.3], "y: expected labels 0 or 1, got nan; 1 of 3 rows"),
        ([0, 1, 1], [0.1, np.nan, 0.3], r"p: expected probabilities within \[0, 1\], got nan; 1 of 3 rows"),
        ([0, 1, 1], [0.1, 1.5, -1], r"p: expected probabilities within \[0, 1\], got 1\.5; 2 of 3 rows"),
        ([0, 1], [0.1, 0.2, 0.3], r"three arrays of one length, got \(2,\), \(3,\) and \(2,\)"),
    ],
)
@pytest.mark.parametrize("metric", [auc, average_precision, brier, log_loss, ece])
def test_values_that_do_not_fit_are_refused(
    metric: object, y: list[float], p: list[float], match: str
) -> None:
    with pytest.raises(DataError, match=match):
        metric(y, p)  # type: ignore[operator]


def test_too_few_positives_for_an_interval_are_refused() -> None:
    y = np.r_[1, np.zeros(199)]
    with pytest.raises(DataError, match=r"both classes in at least 95 % .*, got too few rows of one class"):
        auc(y, np.linspace(0, 1, 200))


def test_one_account_has_no_interval() -> None:
    with pytest.raises(DataError, match="y: expected rows of at least 2 accounts, got 1"):
        auc([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], clusters=["a"] * 4)


def test_all_metrics_at_once_are_the_metrics_one_by_one() -> None:
    y, p = scores(600, 6, decimals=2)
    p = np.sort(p)[::-1]
    told = evaluate_scores(y, p, None, seed=3, draws=50)
    assert list(told) == ["auc", "average_precision", "lift_at_10", "brier", "log_loss", "ece"]
    alone = {
        "auc": auc,
        "average_precision": average_precision,
        "brier": brier,
        "log_loss": log_loss,
        "ece": ece,
    }
    for name, metric in alone.items():
        one = metric(y, p, seed=3, draws=50)
        assert (told[name].value, told[name].low, told[name].high) == pytest.approx(
            (one.value, one.low, one.high), abs=1e-12
        )
    assert told["lift_at_10"].value == pytest.approx(lift_at(0.1, y, p, seed=3, draws=50).value)


def test_the_order_of_rows_changes_nothing_in_the_value_and_the_seed_fixes_the_interval() -> None:
    y, p = scores(500, 7)
    accounts = np.arange(500) // 5
    turned = np.random.default_rng(1).permutation(500)
    first = evaluate_scores(y, p, accounts, seed=1, draws=100)
    second = evaluate_scores(y[turned], p[turned], accounts[turned], seed=1, draws=100)
    for name in METRICS:
        assert second[name].low == pytest.approx(first[name].low, abs=1e-12)
        assert second[name].value == pytest.approx(first[name].value, abs=1e-12)
    other = evaluate_scores(y, p, accounts, seed=2, draws=100)
    assert other["auc"].low != first["auc"].low


def test_an_account_with_many_rows_widens_the_interval() -> None:
    y, p = scores(100, 8)
    alone = auc(y, p, seed=1)
    repeated = auc(np.repeat(y, 10), np.repeat(p, 10), clusters=np.repeat(np.arange(100), 10), seed=1)
    naive = auc(np.repeat(y, 10), np.repeat(p, 10), seed=1)
    assert repeated == alone
    assert naive.high - naive.low < 0.5 * (alone.high - alone.low)


def test_a_score_against_itself_makes_no_difference() -> None:
    y, p = scores(300, 9)
    for name in METRICS:
        assert difference(y, p, p, name, draws=50) == Interval(0.0, 0.0, 0.0)


def test_a_paired_difference_is_narrower_than_either_interval() -> None:
    y, p = scores(2000, 10)
    noisy = np.clip(p + np.random.default_rng(1).normal(0, 0.05, p.size), 0, 1)
    gap = difference(y, p, noisy, "auc", seed=2)
    own = auc(y, p, seed=2)
    assert gap.value == pytest.approx(own.value - auc(y, noisy, draws=10).value)
    assert gap.low > 0 and gap.high - gap.low < own.high - own.low


def test_an_unknown_metric_is_told_with_close_matches() -> None:
    with pytest.raises(UsageError, match="no such metric 'acu'; did you mean auc"):
        difference([0, 1], [0.1, 0.2], [0.1, 0.2], "acu")


def test_an_interval_survives_json() -> None:
    told = Interval(0.5, 0.4, 0.6)
    assert Interval.from_json(told.to_json()) == told and str(told) == "0.500 [0.400, 0.600]"
