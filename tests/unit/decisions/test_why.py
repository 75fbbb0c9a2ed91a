"""Why one account is at risk, and who is not an account."""

from collections.abc import Callable
from typing import Any

import pytest

from nbo.asof import AsOf
from nbo.decisions.scoring import score_accounts
from nbo.decisions.settings import ListSettings
from nbo.decisions.why import Why, explain
from nbo.errors import UsageError
from nbo.tables.store import Store

Changed = Callable[..., Store]
NOBODY = ListSettings()


@pytest.fixture
def why(operator: Any) -> Callable[..., Why]:
    def ask(account: str, store: Store | None = None, settings: ListSettings = NOBODY) -> Why:
        chosen = store or operator.store
        return explain(chosen, operator.bundle, operator.as_of, account, settings, operator.value)

    return ask


def test_the_score_is_that_of_the_batch(why: Callable[..., Why], operator: Any, tmp_path: Any) -> None:
    run = score_accounts(operator.store, operator.bundle, operator.as_of, tmp_path, operator.value)
    rows = {row["account_id"]: row for row in run.read().to_pylist()}
    for account in ("A00", "A30", "A59"):
        assert why(account).score == rows[account]


def test_reasons_push_up_and_the_strongest_is_first(why: Callable[..., Why]) -> None:
    told = [why(f"A{number:02d}").reasons for number in range(40, 60)]
    assert any(told)
    for reasons in told:
        pushes = [reason.contribution for reason in reasons]
        assert pushes == sorted(pushes, reverse=True)
        assert all(push > 0 for push in pushes)


def test_people_read_who_how_much_and_whether_to_call(why: Callable[..., Why]) -> None:
    found = why("A58")
    first, *reasons, last = found.lines("CNY")
    row = found.score
    assert first == (
        f"A58 as of 2024-10-04: p_churn {row['p_churn']:.4f} ({row['band']}), margin 350.00 CNY a month, "
        f"{row['margin_at_risk_amount']} at risk"
    )
    assert reasons == [f"  {n}. {reason.text}" for n, reason in enumerate(found.reasons, start=1)]
    assert last == "  may be called"


def test_an_unknown_margin_is_told_as_unknown(why: Callable[..., Why]) -> None:
    assert "margin unknown" in why("A59").lines("CNY")[0]


def test_an_account_below_the_average_is_told_so(why: Callable[..., Why]) -> None:
    calm = next(found for n in range(30) if not (found := why(f"A{n:02d}")).reasons)
    assert calm.lines("CNY")[1] == "  nothing pushes the risk above the average"


def test_who_is_kept_off_the_list_is_told_with_the_rule(why: Callable[..., Why], changed: Changed) -> None:
    row = {"account_id": "A05", "scope": "all", "valid_day": 19_000, "known_day": 19_000, "allowed": False}
    store = changed(consents=[row])
    assert why("A05", store).suppressed == "no consent"
    assert why("A05", store).lines("CNY")[-1] == "  kept off the list: no consent"
    assert why("A06", store).suppressed is None
    assert why("A06", settings=ListSettings(holdout_share=1)).suppressed == "hold-out group"


def test_machines_get_score_facts_reasons_and_rule_in_one(why: Callable[..., Why]) -> None:
    found = why("A58").result()
    assert found["account_id"] == "A58"
    assert found["owner"] == "李明"
    assert found["suppressed"] is None
    assert {"family", "feature", "contribution", "text"} == set(found["reasons"][0])


def test_an_unknown_account_shows_close_matches(why: Callable[..., Why]) -> None:
    with pytest.raises(UsageError, match="no such account") as told:
        why("A5 8")
    assert str(told.value) == "A5 8: no such account; did you mean A58?"


def test_an_account_without_an_active_line_is_told_apart(
    why: Callable[..., Why], operator: Any, changed: Changed
) -> None:
    lines = [dict(row) for row in operator.rows["lines"]]
    lines.append({**lines[3], "valid_day": 19_990, "known_day": 19_990, "state": "ended"})
    with pytest.raises(UsageError, match="no active line") as told:
        why("A03", changed(lines=lines))
    assert str(told.value) == "A03: no active line as of 2024-10-04."


def test_the_date_of_the_answer_is_the_one_asked_for(why: Callable[..., Why]) -> None:
    assert why("A01").as_of == AsOf(20_000)
