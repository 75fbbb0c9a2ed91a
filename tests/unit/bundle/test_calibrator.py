import numpy as np
import pytest

from nbo.bundle import IDENTITY, Calibrator
from nbo.errors import BundleError


def test_probabilities_between_knots_are_interpolated_and_outside_clipped() -> None:
    calibrator = Calibrator(np.array([0.1, 0.3]), np.array([0.2, 0.6]))
    np.testing.assert_allclose(calibrator(np.array([0.0, 0.1, 0.15, 0.3, 0.9])), [0.2, 0.2, 0.3, 0.6, 0.6])


def test_one_value_maps_exactly_as_inside_any_batch() -> None:
    rng = np.random.default_rng(1)
    calibrator = Calibrator(np.sort(rng.random(300)), np.sort(rng.random(300)))
    p = rng.random(5000)
    batch = calibrator(p)
    assert [float(calibrator(p[k : k + 1])[0]).hex() for k in range(5000)] == [float(v).hex() for v in batch]


def test_knots_survive_json_bit_for_bit() -> None:
    rng = np.random.default_rng(2)
    calibrator = Calibrator(np.sort(rng.random(40)), np.sort(rng.random(40)))
    again = Calibrator.from_json(calibrator.to_json())
    assert again.x.tobytes() == calibrator.x.tobytes() and again.y.tobytes() == calibrator.y.tobytes()


def test_identity_changes_nothing() -> None:
    p = np.random.default_rng(3).random(1000)
    np.testing.assert_array_equal(IDENTITY(p), p)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"x": [0.1]}, "expected lists x and y of numbers"),
        ({"x": ["a"], "y": ["b"]}, "expected lists x and y of numbers"),
        ({"x": [], "y": []}, "expected as many x as y, at least one"),
        ({"x": [0.1, 0.2], "y": [0.1]}, "expected as many x as y"),
        ({"x": [0.2, 0.1], "y": [0.1, 0.2]}, "expected strictly increasing x"),
        ({"x": [0.1, 0.2], "y": [0.2, 0.1]}, "expected non-decreasing y within"),
        ({"x": [0.1, 0.2], "y": [0.2, 1.1]}, "expected non-decreasing y within"),
        ({"x": [0.1, float("nan")], "y": [0.2, 0.3]}, "expected finite knots"),
    ],
)
def test_unfit_knots_are_refused(value: dict[str, list[float]], match: str) -> None:
    with pytest.raises(BundleError, match=match):
        Calibrator.from_json(value)
