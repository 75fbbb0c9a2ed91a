import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from nbo.models import fit_calibrator
from nbo.models.calibration import isotonic, logistic


def overconfident(n: int, seed: int, shift: float = -2.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose log-odds are twice too wide."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(shift, 1, n)
    return expit(2 * odds), (rng.random(n) < expit(odds)).astype(np.int8)


@pytest.mark.parametrize(
    ("positives", "name"),
    [(19, "identity"), (20, "logistic"), (99, "logistic"), (100, "isotonic")],
)
def test_the_map_has_no_more_freedom_than_the_positives_allow(positives: int, name: str) -> None:
    label = np.zeros(2000, np.int8)
    label[:positives] = 1
    scores = np.where(label == 1, 0.5, 0.2) + np.random.default_rng(1).uniform(0, 0.2, 2000)
    assert fit_calibrator(scores, label)[1] == name


def test_isotonic_rates_are_those_of_plain_isotonic_at_the_centres() -> None:
    scores, label = overconfident(4000, 2)
    calibrator = isotonic(scores, label)
    plain = IsotonicRegression(out_of_bounds="clip").fit(scores, label)
    inner = (calibrator.y > 0.001) & (calibrator.y < 0.99)
    np.testing.assert_allclose(calibrator.y[inner], plain.predict(calibrator.x[inner]), atol=1e-12)


def test_isotonic_keeps_the_order_between_its_centres() -> None:
    scores, label = overconfident(4000, 3)
    calibrator = isotonic(scores, label)
    inner = np.sort(scores[(scores > calibrator.x[0]) & (scores < calibrator.x[-1])])
    assert (np.diff(calibrator(inner)) > 0).all()


def test_isotonic_mends_overconfidence_on_new_rows() -> None:
    calibrator = isotonic(*overconfident(20_000, 4))
    odds = np.linspace(-3.5, -0.5, 30)
    # Some 300 rows lie near each point: standard errors to .03 at the top.
    np.testing.assert_allclose(calibrator(expit(2 * odds)), expit(odds), atol=0.06)


def test_isotonic_never_says_never() -> None:
    label = np.r_[np.zeros(500, np.int8), np.ones(500, np.int8)]
    calibrator = isotonic(np.linspace(0, 1, 1000), label)
    assert calibrator.y.tolist() == pytest.approx([1 / 1002, 1001 / 1002])


def test_scores_without_order_give_everyone_the_base_rate() -> None:
    label = np.r_[np.ones(300, np.int8), np.zeros(700, np.int8)]
    calibrator = isotonic(np.linspace(0, 1, 1000), label)
    assert calibrator.x.size == 1 and calibrator.y[0] == pytest.approx(0.3)


def test_equal_scores_give_everyone_the_base_rate() -> None:
    label = np.r_[np.ones(300, np.int8), np.zeros(700, np.int8)]
    assert isotonic(np.full(1000, 0.2), label)(np.array([0.9])).tolist() == pytest.approx([0.3])


def test_logistic_halves_log_odds_that_are_twice_too_wide() -> None:
    calibrator, name = logistic(*overconfident(30_000, 5))
    assert name == "logistic"
    odds = np.array([-4.0, -2.0, 0.0])
    # Slope and shift have standard errors of about .02 at 5,000 positives.
    np.testing.assert_allclose(logit(calibrator(expit(2 * odds))), odds, atol=0.15)


def test_a_logistic_map_that_would_turn_the_order_is_not_used() -> None:
    scores, label = overconfident(500, 6)
    assert logistic(1 - scores, label)[1] == "identity"
