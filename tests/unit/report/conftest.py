"""A model's metadata as a training run leaves them, and a short at-risk list."""

from typing import Any

import pytest


def interval(value: float, width: float) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


def metrics(shift: float = 0.0) -> dict[str, Any]:
    return {
        "auc": interval(0.80 + shift, 0.03),
        "average_precision": interval(0.21 + shift, 0.04),
        "lift_at_10": interval(4.1 + 10 * shift, 0.6),
        "brier": interval(0.0266, 0.002),
        "log_loss": interval(0.1121, 0.006),
        "ece": interval(0.0061, 0.003),
    }


@pytest.fixture
def metadata() -> dict[str, Any]:
    captured = [0.0, 0.41, 0.60, 0.71, 0.79, 0.85, 0.90, 0.94, 0.97, 0.99, 1.0]
    scores = [0.003, 0.006, 0.009, 0.012, 0.016, 0.021, 0.028, 0.039, 0.06, 0.128]
    names = [("calls", "Calls", "通话"), ("rivals", "Traffic to rivals", "竞争对手流量")]
    names += [("bills", "Bills & payments", "账单与缴费"), ("tickets", "Tickets", "工单")]
    shares = [0.4, 0.31, 0.2, 0.09]
    return {
        "model": "churn",
        "purpose": "retention",
        "as_of_slices": {"train": ["2024-06-01", "2024-07-01"], "holdout": ["2024-09-01", "2024-10-01"]},
        "config": {"label": {"gap_days": 30, "horizon_days": 90}, "seeds": [1, 2, 3]},
        "store_id": "0f3c9a1b2d4e5f60",
        "feature_hash": "a1b2c3d4e5f60718",
        "bundle_id": "77aa88bb99cc00dd",
        "currency": "CNY",
        "rows": 24000,
        "positives": 720,
        "accounts": 6100,
        "censored": {"2024-06-01": {"left not by choice": 3, "left before the window": 2}},
        "metrics": {
            "holdout": metrics(),
            "train_out_of_fold": metrics(0.02),
            "slices": {"2024-10-01": metrics(-0.01), "2024-09-01": metrics(0.01)},
        },
        "base_rate": {"holdout": 0.03},
        "reliability": [
            {"mean_score": s, "share_left": s * 1.05, "low": s * 0.6, "high": s * 1.5, "count": 610}
            for s in scores
        ],
        "gains": [
            {"share": i / 10, "captured": c, "lift": c / (i / 10) if i else None}
            for i, c in enumerate(captured)
        ],
        "families": [
            {"family": name, "words": {"en": en, "zh": zh}, "share": share}
            for (name, en, zh), share in zip(names, shares, strict=True)
        ],
        "top_features": [
            {
                "name": "calls_out_count_30d",
                "words": {"en": "Outgoing calls in 30 days", "zh": "近 30 天呼出次数"},
                "share": 0.08,
                "median": 12.0,
                "unit": "count",
            },
            {
                "name": "region",
                "words": {"en": "Region", "zh": "地区"},
                "share": 0.02,
                "median": None,
                "unit": "code",
            },
        ],
        "band_edges": {"high": 0.1, "medium": 0.04},
        "notes": ["surveys: no table in this store"],
        "null_features": {"survey_score_last": "surveys is absent"},
        "champion": {
            "bundle_id": "1122334455667788",
            "difference": {"average_precision": {"value": 0.012, "low": -0.004, "high": 0.027}},
        },
        "versions": {"lightgbm": "4.7.0", "numpy": "2.4.6"},
        "parameters": {"num_leaves": 31, "learning_rate": 0.05},
        "tuned": True,
    }


@pytest.fixture
def at_risk() -> list[dict[str, Any]]:
    return [
        {
            "rank": rank,
            "account_id": f"A{rank:05d}",
            "site": "Longhua, building 3",
            "band": "high" if rank < 8 else "medium",
            "p_churn": 0.31 / rank,
            "margin_at_risk_amount": 5400.0 / rank,
            "reason_1": "Outgoing calls fell by 60 %",
            "reason_2": "Contract ends in 24 days",
            "reason_3": None,
            "as_of": "2024-11-01",
        }
        for rank in range(1, 26)
    ]
