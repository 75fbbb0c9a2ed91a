"""What a perfect model would show on the same rows: the yardstick beside a calibration error."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from nbo.errors import DataError
from nbo.evaluation.classification import checked_probabilities
from nbo.evaluation.intervals import BLOCK_WEIGHTS, COVERAGE, DRAWS
from nbo.evaluation.weighted import ECE_BINS, equal_mass_bins

__all__ = ["Band", "ece_of_perfect"]


@dataclass(frozen=True)
class Band:
    """Where a figure falls by chance alone in 95 of 100 cases.

    Parameters
    ----------
    low, high : float
        The 2.5 and 97.5 % quantiles.
    """

    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """The two numbers by name."""
        return asdict(self)


def ece_of_perfect(p: npt.ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Band:
    """The ECE of a perfectly calibrated model that tells these probabilities.

    An ECE is never 0, for labels are drawn: one within this band shows no miscalibration, one
    above it does. It depends on the number of rows, so compare on the same rows only.

    Parameters
    ----------
    p : array of shape (n,)
        Probabilities in [0, 1].
    seed : int
        Of the simulated labels.
    draws : int
        Simulated sets of labels.

    Returns
    -------
    Band
        Of :func:`nbo.evaluation.ece`.

    Raises
    ------
    DataError
        No probabilities, or values outside [0, 1].

    Notes
    -----
    Draw ``d`` takes ``y_i ~ Bernoulli(p_i)`` for every row and gives
    ``ECE_d = sum_b |sum_(i in b) (p_i - y_i)| / n`` over the same equal-mass bins. Bins depend on
    ``p`` alone, and so are those of the ECE that is judged.

    References
    ----------
    Bröcker and Smith (2007), *Increasing the reliability of reliability diagrams*, Weather and
    Forecasting 22(3), section 3: consistency resampling, here with the probabilities kept.

    Examples
    --------
    >>> ece_of_perfect([0.0, 0.0, 1.0, 1.0])
    Band(low=0.0, high=0.0)
    >>> ece_of_perfect([0.5, 0.5], seed=1)
    Band(low=0.0, high=0.5)
    """
    scores = checked_probabilities(np.asarray(p, dtype=np.float64))
    if scores.size == 0:
        raise DataError("p", "at least one probability", "none")
    order = np.argsort(scores, kind="stable")
    told = scores[order]
    starts = np.unique(equal_mass_bins(told, ECE_BINS), return_index=True)[1]
    expected = np.add.reduceat(told, starts)
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    block = max(1, BLOCK_WEIGHTS // told.size)
    for start in range(0, draws, block):
        labels = rng.random((min(block, draws - start), told.size)) < told
        positives = np.add.reduceat(labels, starts, axis=1, dtype=np.float64)
        found[start : start + block] = np.abs(expected - positives).sum(axis=1) / told.size
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Band(float(low), float(high))
