"""A new log in each database, and decisions to put into it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbo.decisions.log import DecisionLog, NewDecision, open_log

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))]
AT = "2024-06-03T02:00:00.000Z"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a file that does not exist yet."""
    return f"sqlite:///{tmp_path}/decisions.db"


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest) -> str:
    """The address of a new database of either kind."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def log(url: str) -> Iterator[DecisionLog]:
    opened = open_log(url)
    yield opened
    opened.close()


@pytest.fixture
def decided() -> Callable[..., NewDecision]:
    """``decided("d1", account_id="A2")``: a decision in which the offers P1 and P2 were made."""

    def made(decision_id: str, *, offers: tuple[str, ...] = ("P1", "P2"), **changed: Any) -> NewDecision:
        ranked = [{"rank": rank, "offer_id": offer} for rank, offer in enumerate(offers, start=1)]
        answer = {"decision_id": decision_id, "offers": ranked, "others": [{"offer_id": "P3"}]}
        fields: dict[str, Any] = {
            "account_id": "A1",
            "channel": "call_centre",
            "as_of": 19_877,
            "decided_at": AT,
            "request_hash": "asked",
            "idempotency_key": None,
            "run_id": None,
            "answer": json.dumps(answer, ensure_ascii=False),
            "inputs": None,
            "versions": "{}",
        }
        return NewDecision(decision_id, **{**fields, **changed})

    return made
