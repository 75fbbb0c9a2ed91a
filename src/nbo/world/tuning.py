"""Every number that decides how the demo operator behaves, in one place.

Rates per week are hazards of a 7-day step. ``assumed`` numbers were set so that the targets in
``docs/world.md`` hold; none was estimated from a real operator.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """The knobs of the demo operator; all assumed unless ``docs/world.md`` names a source."""

    # Size: employees are log-normal; lines and calls follow.
    employees_log_mean: float = 1.1
    employees_log_sd: float = 1.6
    calls_per_line_day: float = 0.72
    join_per_month: float = 0.006

    # Rivals: who is approached, who bites.
    approach_per_week: float = 0.0135
    approach_by_worth: float = 0.35
    approach_by_pressure: float = 0.9
    approach_by_tower: float = 2.0
    bite_bias: float = -1.25
    bite_by_price: float = 0.8
    bite_by_satisfaction: float = 0.7
    bite_by_attachment: float = 0.6
    bite_lock: float = 0.8
    onset_days_median: float = 24.0
    growth_days_median: float = 60.0
    seen_share: float = 0.7
    committed_share: float = 0.6
    leak_stop_per_week: float = 0.018
    habit_share: float = 0.08

    # Leaving: components of the weekly hazard.
    leave_without_trace: float = 0.00042
    leave_by_leak: float = 0.1
    leave_by_service: float = 0.00017
    leave_after_contract: float = 0.006
    leave_locked_factor: float = 0.35
    lead_days_median: float = 48.0
    cancel_intent_share: float = 0.2
    involuntary_per_week: float = 0.00035
    part_end_leaking: float = 0.012
    part_end_other: float = 0.0006

    # Service life.
    fault_per_week: float = 0.006
    outage_per_week: float = 0.012
    complaint_per_week: float = 0.004
    dispute_per_week: float = 0.0008
    request_per_week: float = 0.004
    survey_per_week: float = 0.004
    contact_per_week: float = 0.012
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
    activity_sd: float = 0.09
    distance_sd: float = 0.10
    business_step_per_week: float = 0.003

    # Lateness of records.
    late_call_share: float = 0.02


TUNING = Tuning()
