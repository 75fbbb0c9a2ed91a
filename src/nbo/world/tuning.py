"""Every number that decides how the demo operator behaves, in one place.

Rates per week are hazards of a 7-day step. ``assumed`` numbers were set so that the targets in
``docs/world.md`` hold; none was estimated from a real operator.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

RANGES = {
    "_per_week": (0.0, 10.0),
    "_per_month": (0.0, 10.0),
    "_per_line_day": (0.01, 1000.0),
    "_median": (1.0, 1000.0),
    "_sd": (0.0, 5.0),
    "_rate": (0.0, 100.0),
    "_month": (1, 120),
    "_mean": (-5.0, 8.0),
    "_bias": (-20.0, 20.0),
    "_worth": (-20.0, 20.0),
}
"""What numbers may be, by the end of their names; all others lie between 0 and 100."""


def allowed(name: str) -> tuple[float, float]:
    """The range of a number."""
    return next((span for end, span in RANGES.items() if name.endswith(end)), (0.0, 100.0))


@dataclass(frozen=True)
class Tuning:
    """The knobs of the demo operator; all assumed unless ``docs/world.md`` names a source."""

    # Size: employees are log-normal; lines and calls follow.
    consumer_share: float = 0.0
    employees_log_mean: float = 1.1
    employees_log_sd: float = 1.6
    calls_per_line_day: float = 2.4
    join_per_month: float = 0.006

    # Rivals: who is approached, who bites.
    approach_per_week: float = 0.0185
    approach_by_worth: float = 0.35
    usual_worth: float = 2.7
    approach_by_pressure: float = 0.9
    approach_by_tower: float = 2.0
    bite_bias: float = -1.25
    bite_by_price: float = 0.8
    bite_by_satisfaction: float = 0.7
    bite_by_attachment: float = 0.6
    bite_lock: float = 0.8
    bite_by_tariff: float = 2.0
    onset_days_median: float = 24.0
    growth_days_median: float = 60.0
    seen_share: float = 0.75
    committed_share: float = 0.6
    substitution_share: float = 0.5
    leak_stop_per_week: float = 0.018
    habit_share: float = 0.08
    war_pull: float = 2.0
    war_bite: float = 1.5
    entry_strength: float = 1.2

    # Leaving: components of the weekly hazard.
    leave_without_trace: float = 0.0003
    leave_by_leak: float = 0.08
    leave_by_service: float = 0.00017
    leave_after_contract: float = 0.006
    leave_by_contact: float = 0.006
    leave_by_neighbours: float = 0.004
    leave_locked_factor: float = 0.35
    lead_days_median: float = 60.0
    cancel_intent_share: float = 0.2
    involuntary_per_week: float = 0.00035
    part_end_leaking: float = 0.012
    part_end_other: float = 0.0006

    # Service life.
    mood_by_busy: float = 2.0
    fault_per_week: float = 0.006
    outage_per_week: float = 0.012
    complaint_per_week: float = 0.004
    dispute_per_week: float = 0.0008
    request_per_week: float = 0.004
    survey_per_week: float = 0.004
    contact_per_week: float = 0.010
    contact_random_per_week: float = 0.003
    contact_follows_risk: float = 0.8
    contact_effect: float = 1.0
    contact_harm: float = 1.0
    fatigue: float = 0.5
    opt_out_per_week: float = 0.0008
    manager_change_per_week: float = 0.004
    order_per_month: float = 0.006
    order_done_share: float = 0.88

    # Taking products: what appeals to whom stands in wants.py.
    take_rate: float = 0.85
    take_by_cause: float = 1.0
    take_by_held: float = 1.0
    take_by_growth: float = 1.0
    take_by_account: float = 0.5
    take_by_family: float = 0.6
    take_most_per_month: float = 0.3
    take_second_broadband: float = 0.08
    take_when_new: float = 1.8
    holding_months: float = 14.0
    resign_share: float = 0.9
    newcomer_month: int = 6

    # Noise in use: autoregressive log factors and steps of business.
    activity_sd: float = 0.08
    distance_sd: float = 0.10
    business_step_per_week: float = 0.0022

    # Lateness of records.
    late_call_share: float = 0.02

    def changed(self, changes: Mapping[str, float]) -> "Tuning":
        """These numbers with some changed, each known and possible; whole numbers stay whole.

        Raises
        ------
        ValueError
            A name that is unknown, a share outside 0 to 1, a negative rate.

        Examples
        --------
        >>> TUNING.changed({"seen_share": 0.5}).seen_share
        0.5
        >>> TUNING.changed({"seen_share": 1.5})
        Traceback (most recent call last):
        ValueError: tuning.seen_share: expected a share from 0 to 1, got 1.5
        """
        known = {field.name: field.type for field in fields(Tuning)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"tuning.{name}: no such number; see docs/world.md")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
                raise ValueError(f"tuning.{name}: expected a number, got {value!r}")
            if known[name] is int and not isinstance(value, int):
                raise ValueError(f"tuning.{name}: expected a whole number, got {value}")
            if name.endswith("_share") and not 0 <= value <= 1:
                raise ValueError(f"tuning.{name}: expected a share from 0 to 1, got {value}")
            low, high = allowed(name)
            if not low <= value <= high:
                raise ValueError(f"tuning.{name}: expected {low:g} to {high:g}, got {value:g}")
        return replace(self, **changes)  # type: ignore[arg-type]


TUNING = Tuning()
