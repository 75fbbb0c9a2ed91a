"""From raw to calibrated probability, learnt from out-of-fold scores only."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from nbo.bundle import IDENTITY, Calibrator
from nbo.models.settings import ENOUGH_POSITIVES

Floats = npt.NDArray[np.float64]

ENOUGH_FOR_TWO_PARAMETERS = 20
PLATT_GRID = 129
SMALLEST = 1e-6


def fit_calibrator(scores: Floats, label: npt.NDArray[np.int8]) -> tuple[Calibrator, str]:
    """The calibrator that this many positives can carry, and its name.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Out-of-fold raw probabilities of the training slices, folds grouped by account.
    label : ndarray of shape (n,)
        0 or 1.

    Returns
    -------
    calibrator : Calibrator
        Non-decreasing knots.
    name : str
        ``isotonic`` from 100 positives, ``logistic`` from 20, else ``identity``.

    Notes
    -----
    Isotonic regression has as many degrees of freedom as the data have steps and needs
    hundreds of events; two parameters need about ten events each. Below that nothing
    can be learnt, and boosted log loss starts from the base rate and is left as it is.

    References
    ----------
    Niculescu-Mizil and Caruana (2005), *Predicting good probabilities with supervised learning*,
    ICML: isotonic overfits small calibration sets. Peduzzi et al. (1996), J. Clin. Epidemiol.
    49(12): ten events per variable.
    """
    positives = int(label.sum())
    if min(positives, label.size - positives) >= ENOUGH_POSITIVES:
        return isotonic(scores, label), "isotonic"
    if min(positives, label.size - positives) >= ENOUGH_FOR_TWO_PARAMETERS:
        return logistic(scores, label)
    return IDENTITY, "identity"


def isotonic(scores: Floats, label: npt.NDArray[np.int8]) -> Calibrator:
    """Centred isotonic regression: the steps of isotonic regression, joined at their centres.

    Plain isotonic steps give whole stretches of scores the same probability and so destroy
    the order within them; lines between the centres keep it.

    Notes
    -----
    Knots are (mean score, rate) of each step, with rates kept within ``[1/(n+2), 1 - 1/(n+2)]``
    (Laplace): n rows cannot tell a probability from 0 or 1.

    References
    ----------
    Oron and Flournoy (2017), *Centered isotonic regression*, Statistics in Biopharmaceutical
    Research 9(3). Zadrozny and Elkan (2002), KDD.
    """
    order = np.argsort(scores, kind="stable")
    x, y = scores[order], label[order].astype(np.float64)
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit_transform(x, y)
    starts = np.flatnonzero(np.r_[True, fitted[1:] != fitted[:-1]])
    sizes = np.diff(np.r_[starts, x.size])
    centres = np.add.reduceat(x, starts) / sizes
    rates = np.clip(fitted[starts], 1 / (x.size + 2), 1 - 1 / (x.size + 2))
    apart = np.r_[True, np.diff(centres) > 0]
    return Calibrator(centres[apart], np.maximum.accumulate(rates[apart]))


def logistic(scores: Floats, label: npt.NDArray[np.int8]) -> tuple[Calibrator, str]:
    """Two parameters on the log-odds, written as knots; identity if they would turn the order.

    Notes
    -----
    ``p = expit(a + b logit(score))`` by maximum likelihood against Platt's targets
    ``(n_1 + 1)/(n_1 + 2)`` and ``1/(n_0 + 2)``.

    References
    ----------
    Platt (1999), *Probabilistic outputs for support vector machines*, section 2.2.
    """
    positives = int(label.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (label.size - positives + 2)
    target = np.where(label == 1, high, low)
    odds = logit(np.clip(scores, SMALLEST, 1 - SMALLEST))

    def loss(ab: Floats) -> tuple[float, Floats]:
        z = ab[0] + ab[1] * odds
        residual = expit(z) - target
        value = np.mean(np.logaddexp(0, z) - target * z)
        return float(value), np.array([residual.mean(), (residual * odds).mean()])

    fit = minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS")
    a, b = fit.x
    if not np.isfinite(fit.x).all() or b <= 0:
        return IDENTITY, "identity"
    grid = np.linspace(logit(SMALLEST), logit(1 - SMALLEST), PLATT_GRID)
    return Calibrator(expit(grid), np.asarray(expit(a + b * grid))), "logistic"
