"""Whom to contact, judged by the truth of the simulated operator: by what a contact changes, or by risk."""

import numpy as np

from nbo.world import WorldConfig
from nbo.world.truth import NOTHING_DONE, Action, Outcomes, potential_outcomes

ACTIONS = (
    NOTHING_DONE,
    Action("care_call", "call_centre"),
    Action("growth_plan_b", "call_centre"),
    Action("growth_plan_c", "account_manager"),
    Action("loyalty_gift", "call_centre"),
)
CAPACITY = 0.05
"""Share of the accounts that can be contacted."""
LUCKS = 6
"""Futures that the choice is made by, and as many others that it is judged by."""


def targeting(config: WorldConfig, month: int) -> dict[str, float]:
    """Incremental margin of a year, CNY, of contacting a share of the accounts on a month's first day.

    Returns
    -------
    dict of str to float
        ``oracle``: the best action for each of those it changes most. ``risk``: those most likely to
        leave if left alone, all met with the one action that gains most among them. ``risk_times_margin``:
        the same, ranked by risk times margin. ``..._own``: as these, but each is met with the action that is
        best for itself, which only the truth can tell. ``accounts``: how many can be contacted at all.
    """
    as_of = config.month_starts[month]
    known = potential_outcomes(config, as_of, ACTIONS, lucks=range(1, LUCKS + 1))
    other = potential_outcomes(config, as_of, ACTIONS, lucks=range(LUCKS + 1, 2 * LUCKS + 1))
    gain, real = gains(known), gains(other)
    size = int(CAPACITY * len(gain))
    best = gain.argmax(axis=1)
    most = np.argsort(-gain.max(axis=1), kind="stable")[:size]
    risk = known.leaves[:, 0]
    at_stake = risk * np.maximum(known.margin[:, 0], 0)
    return {
        "oracle": float(real[most, best[most]].sum()),
        "risk": by_rank(risk, gain, real, size),
        "risk_times_margin": by_rank(at_stake, gain, real, size),
        "risk_own": by_rank(risk, gain, real, size, own=True),
        "risk_times_margin_own": by_rank(at_stake, gain, real, size, own=True),
        "accounts": float(len(gain)),
    }


def gains(outcomes: Outcomes) -> np.ndarray:
    """Margin against nothing done, shape (accounts, actions); 0 where the action may not be offered."""
    return np.where(outcomes.may, outcomes.margin - outcomes.margin[:, :1], 0.0)


def by_rank(rank: np.ndarray, gain: np.ndarray, real: np.ndarray, size: int, *, own: bool = False) -> float:
    """What the highest ranked gain by the one action that seems best for them, or each by its own best."""
    chosen = np.argsort(-rank, kind="stable")[:size]
    if own:
        return float(real[chosen, gain[chosen].argmax(axis=1)].sum())
    action = 1 + int(gain[chosen, 1:].sum(axis=0).argmax())
    return float(real[chosen, action].sum())
