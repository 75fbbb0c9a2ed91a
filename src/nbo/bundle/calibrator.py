"""From a booster's raw probability to one that can be read as a frequency."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbo.errors import BundleError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibrator:
    """A non-decreasing, piecewise linear map given by its knots.

    Parameters
    ----------
    x : ndarray of shape (k,)
        Raw probabilities, strictly increasing, k >= 1.
    y : ndarray of shape (k,)
        Calibrated probabilities, non-decreasing, within [0, 1].

    Raises
    ------
    BundleError
        The knots break one of these rules.

    Examples
    --------
    >>> calibrator = Calibrator(np.array([0.2, 0.6]), np.array([0.1, 0.3]))
    >>> calibrator(np.array([0.0, 0.4, 1.0])).tolist()
    [0.1, 0.2, 0.3]
    >>> Calibrator(np.array([0.2, 0.2]), np.array([0.1, 0.3]))
    Traceback (most recent call last):
    nbo.errors.BundleError: calibrator: expected strictly increasing x, got 0.2 after 0.2.
    """

    x: Floats
    y: Floats

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.x.shape != self.y.shape or self.x.size == 0:
            raise BundleError(
                f"calibrator: expected as many x as y, at least one, got {self.x.shape} and {self.y.shape}"
            )
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise BundleError("calibrator: expected finite knots, got one that is not")
        steps = np.diff(self.x)
        if (steps <= 0).any():
            at = int(np.argmax(steps <= 0))
            raise BundleError(
                f"calibrator: expected strictly increasing x, got {self.x[at + 1]} after {self.x[at]}"
            )
        if (np.diff(self.y) < 0).any() or self.y[0] < 0 or self.y[-1] > 1:
            raise BundleError("calibrator: expected non-decreasing y within [0, 1], got others")

    def __call__(self, p: Floats) -> Floats:
        """Calibrated probabilities, shape of ``p``; outside the knots the nearest one holds."""
        return np.asarray(np.interp(p, self.x, self.y), dtype=np.float64)

    def to_json(self) -> dict[str, list[float]]:
        """A JSON object from which :meth:`from_json` gives the same knots bit for bit."""
        return {"x": self.x.tolist(), "y": self.y.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Calibrator":
        """Read knots; :class:`BundleError` unless they are two lists of numbers."""
        try:
            return cls(np.asarray(value["x"], dtype=np.float64), np.asarray(value["y"], dtype=np.float64))
        except (KeyError, TypeError, ValueError):
            raise BundleError("calibrator: expected lists x and y of numbers, got others") from None


IDENTITY = Calibrator(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
"""The map that changes nothing."""
