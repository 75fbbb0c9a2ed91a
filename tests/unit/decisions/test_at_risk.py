"""Whom to call: order, whom never to call, and what changed since the last date."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nbo.decisions.at_risk import (
    COLUMNS,
    AtRiskList,
    account_facts,
    at_risk,
    barred_accounts,
    holdout_reason,
    notes,
    ordered,
)
from nbo.decisions.scoring import score_accounts
from nbo.decisions.settings import ListSettings
from nbo.tables.store import Store

Changed = Callable[..., Store]
NOBODY = ListSettings(holdout_share=0)
Row = Mapping[str, Any]


def consent(allowed: bool, scope: str = "all", valid: int = 19_500, known: int = 19_500) -> Row:
    return {"scope": scope, "valid_day": valid, "known_day": known, "allowed": allowed}


LATE = {"valid": 19_995, "known": 20_001}
ON_THE_DATE = {"valid": 20_000, "known": 20_000}


def ticket(
    kind: str = "complaint", state: str = "open", valid: int = 19_990, known: int = 19_990, key: str = "T"
) -> Row:
    return {"ticket_id": key, "kind": kind, "state": state, "valid_day": valid, "known_day": known}


# fmt: off
CONSENTS: Mapping[str, tuple[str | None, Sequence[Row]]] = {
    "all channels refused": ("no consent", [consent(False)]),
    "calls refused": ("no consent", [consent(False, "call_centre")]),
    "visits refused": ("no consent", [consent(False, "account_manager")]),
    "letters refused": (None, [consent(False, "direct_mail")]),
    "shops refused": (None, [consent(False, "shop")]),
    "allowed": (None, [consent(True)]),
    "refused, then allowed": (None, [consent(False), consent(True, valid=19_600)]),
    "allowed, then refused": ("no consent", [consent(True), consent(False, valid=19_600)]),
    "calls allowed, all refused": ("no consent", [consent(True, "call_centre"), consent(False)]),
    "refused the day before": ("no consent", [consent(False, valid=19_999, known=20_000)]),
    "refused on the date": (None, [consent(False, valid=20_000, known=20_000)]),
    "refusal known a day late": (None, [consent(False, valid=19_990, known=20_001)]),
    "same day corrected": ("no consent", [consent(True, known=19_501), consent(False, known=19_502)]),
}
TICKETS: Mapping[str, tuple[str | None, Sequence[Row]]] = {
    "open complaint": ("open complaint", [ticket()]),
    "open dispute": ("open dispute", [ticket("dispute")]),
    "open fault": (None, [ticket("fault")]),
    "open request": (None, [ticket("request")]),
    "cancel intent": (None, [ticket("cancel_intent")]),
    "closed complaint": (None, [ticket(), ticket(state="closed", valid=19_995)]),
    "closed dispute": (None, [ticket("dispute"), ticket("dispute", "closed", valid=19_995)]),
    "closed on the date": ("open complaint", [ticket(), ticket(state="closed", **ON_THE_DATE)]),
    "closing known a day late": ("open complaint", [ticket(), ticket(state="closed", **LATE)]),
    "opened again": (
        "open complaint", [ticket(), ticket(state="closed", valid=19_992), ticket(valid=19_995)]
    ),
    "opened on the date": (None, [ticket(valid=20_000, known=20_000)]),
    "one closed, one open": ("open complaint", [ticket(state="closed"), ticket(key="U")]),
    "dispute and complaint": ("open dispute", [ticket(), ticket("dispute", key="U")]),
}
# fmt: on


@pytest.fixture(scope="module")
def barred(operator: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Why each account of the cases is barred; accounts are named by their case."""
    consents = [{"account_id": name, **row} for name, (_, rows) in CONSENTS.items() for row in rows]
    tickets = [
        {**row, "account_id": name, "ticket_id": f"{name} {row['ticket_id']}"}
        for name, (_, rows) in TICKETS.items()
        for row in rows
    ]
    consents.append({"account_id": "everything", **consent(False)})
    tickets.append({"account_id": "everything", **ticket("dispute"), "ticket_id": "everything"})
    root = tmp_path_factory.mktemp("barred")
    return barred_accounts(
        operator.with_tables(root / "store", consents=consents, tickets=tickets), operator.as_of
    )


@pytest.mark.parametrize("case", CONSENTS)
def test_consent_decides_as_it_was_visible(barred: Mapping[str, str], case: str) -> None:
    assert barred.get(case) == CONSENTS[case][0]


@pytest.mark.parametrize("case", TICKETS)
def test_open_tickets_decide_as_they_were_visible(barred: Mapping[str, str], case: str) -> None:
    assert barred.get(case) == TICKETS[case][0]


def test_consent_is_told_before_anything_else(barred: Mapping[str, str]) -> None:
    assert barred["everything"] == "no consent"


def test_a_store_without_consents_and_tickets_bars_nobody(operator: Any) -> None:
    assert barred_accounts(operator.store, operator.as_of) == {}


# Order


def scores(*rows: tuple[str, float, str | None]) -> pa.Table:
    accounts, p_churn, amounts = zip(*rows, strict=True)
    money = pa.array([None if a is None else Decimal(a) for a in amounts], pa.decimal128(18, 2))
    return pa.table({"account_id": accounts, "p_churn": p_churn, "margin_at_risk_amount": money})


def test_accounts_are_ordered_by_money_then_risk_then_id() -> None:
    table = scores(
        ("unknown but sure", 0.99, None),
        ("b", 0.2, "50.00"),
        ("loss", 0.9, "-10.00"),
        ("a", 0.2, "50.00"),
        ("riskier", 0.3, "50.00"),
        ("dear", 0.1, "900.00"),
        ("unknown", 0.5, None),
    )
    found = [row["account_id"] for row in ordered(table)]
    assert found == ["dear", "riskier", "a", "b", "loss", "unknown but sure", "unknown"]


# The list


@pytest.fixture
def listed(operator: Any, tmp_path: Path) -> Callable[..., AtRiskList]:
    """The list of a store at a date."""

    def make(
        store: Store | None = None,
        settings: ListSettings = NOBODY,
        top: int = 1000,
        **other: Any,
    ) -> AtRiskList:
        bundle = other.get("bundle", operator.bundle)
        as_of = other.get("as_of", operator.as_of)
        chosen = store or operator.store
        run = score_accounts(chosen, bundle, as_of, tmp_path / "scores", operator.value)
        return at_risk(chosen, bundle, run, settings, top=top)

    return make


def accounts(found: AtRiskList) -> list[str]:
    return [row["account_id"] for row in found.rows]


def test_the_list_has_every_column_and_is_ranked_from_one(
    listed: Callable[..., AtRiskList], operator: Any
) -> None:
    found = listed(top=5)
    assert all(set(row) == set(COLUMNS) for row in found.rows)
    assert [row["rank"] for row in found.rows] == [1, 2, 3, 4, 5]
    assert {row["bundle"] for row in found.rows} == {operator.bundle.id}
    assert {row["as_of"] for row in found.rows} == {"2024-10-04"}
    amounts = [row["margin_at_risk_amount"] for row in found.rows]
    assert amounts == sorted(amounts, reverse=True)
    assert found.as_of == operator.as_of


def test_the_list_is_complete_where_it_is_long_enough(listed: Callable[..., AtRiskList]) -> None:
    found = listed()
    assert len(set(accounts(found))) == 60
    assert (found.suppressed, found.counts) == ([], {})
    assert accounts(found)[-1] == "A59"  # the one without a bill
    assert found.rows[-1]["margin_at_risk_amount"] is None


def test_who_must_not_be_called_is_passed_over_and_counted(
    listed: Callable[..., AtRiskList], changed: Changed
) -> None:
    whole = accounts(listed())
    first, second, third = whole[0], whole[1], whole[2]
    store = changed(
        consents=[{"account_id": first, **consent(False)}],
        tickets=[{"account_id": second, **ticket()}, {**ticket("dispute", key="U"), "account_id": third}],
    )
    found = listed(store, top=10)
    assert accounts(found) == whole[3:13]
    assert found.counts == {"no consent": 1, "open complaint": 1, "open dispute": 1}
    told = [(row["account_id"], row["reason"]) for row in found.suppressed]
    assert told == [(first, "no consent"), (second, "open complaint"), (third, "open dispute")]
    assert all(row["p_churn"] > 0 and row["margin_at_risk_amount"] > 0 for row in found.suppressed)


def test_those_below_the_end_of_the_list_are_not_counted(
    listed: Callable[..., AtRiskList], changed: Changed
) -> None:
    whole = accounts(listed())
    store = changed(consents=[{"account_id": whole[5], **consent(False)}])
    assert listed(store, top=5).counts == {}
    assert listed(store, top=6).counts == {"no consent": 1}


def test_the_hold_out_group_is_passed_over(listed: Callable[..., AtRiskList]) -> None:
    settings = ListSettings(holdout_share=0.3)
    found = listed(settings=settings)
    held = {f"A{number:02d}" for number in range(60) if holdout_reason(f"A{number:02d}", settings)}
    assert 5 < len(held) < 35
    assert set(accounts(found)) == {f"A{number:02d}" for number in range(60)} - held
    assert found.counts == {"hold-out group": len(held)}


def test_the_hold_out_group_is_fixed_by_salt_and_id_and_of_the_share_asked_for() -> None:
    settings = ListSettings(holdout_share=0.05, holdout_salt="s")
    place = int.from_bytes(sha256(b"s:A1").digest()[:8]) / 2**64
    assert (holdout_reason("A1", settings) is not None) == (place < 0.05)
    above = ListSettings(holdout_share=place + 1e-9, holdout_salt="s")
    below = ListSettings(holdout_share=place - 1e-9, holdout_salt="s")
    assert holdout_reason("A1", above) == "hold-out group"
    assert holdout_reason("A1", below) is None
    held = sum(holdout_reason(f"A{n}", settings) is not None for n in range(20_000))
    assert 900 < held < 1_100  # 1,000 expected, six standard errors either way


@pytest.mark.parametrize(("share", "reason"), [(0.0, None), (1.0, "hold-out group")])
def test_a_share_of_nobody_and_of_everybody(share: float, reason: str | None) -> None:
    settings = ListSettings(holdout_share=share)
    assert {holdout_reason(f"A{n}", settings) for n in range(100)} == {reason}


def test_an_empty_list_is_no_error(listed: Callable[..., AtRiskList]) -> None:
    found = listed(settings=ListSettings(holdout_share=1))
    assert found.rows == []
    assert found.counts == {"hold-out group": 60}


# Change since the last date


def test_the_change_is_against_the_newest_earlier_date_of_the_same_bundle(
    listed: Callable[..., AtRiskList], operator: Any
) -> None:
    oldest = {row["account_id"]: row["p_churn"] for row in listed(as_of=operator.earlier.back(10)).rows}
    before = {row["account_id"]: row["p_churn"] for row in listed(as_of=operator.earlier).rows}
    listed(as_of=operator.as_of.back(-10))  # a later date counts for nothing
    now = listed().rows
    assert all(row["p_churn_change"] == row["p_churn"] - before[row["account_id"]] for row in now)
    assert any(row["p_churn_change"] != 0 for row in now)
    assert oldest != before


def test_there_is_no_change_on_the_first_date_or_by_another_bundle(
    listed: Callable[..., AtRiskList], operator: Any
) -> None:
    first = listed(as_of=operator.earlier)
    assert {row["p_churn_change"] for row in first.rows} == {None}
    other = listed(bundle=operator.other_bundle)
    assert {row["p_churn_change"] for row in other.rows} == {None}


def test_an_account_that_was_not_scored_before_has_no_change(
    listed: Callable[..., AtRiskList], operator: Any, changed: Changed
) -> None:
    lines = [dict(row) for row in operator.rows["lines"]]
    lines[7] |= {"valid_day": 19_985, "known_day": 19_985}
    store = changed(lines=lines)
    listed(store, as_of=operator.earlier)
    change = {row["account_id"]: row["p_churn_change"] for row in listed(store).rows}
    assert [account for account, value in change.items() if value is None] == ["A07"]


# People, reasons, notes


def test_people_sites_and_contract_ends_are_those_visible_at_the_date(
    operator: Any, changed: Changed
) -> None:
    old = {"account_id": "A01", "valid_day": 19_500, "known_day": 19_500}
    new = {"account_id": "A01", "valid_day": 19_999, "known_day": 20_001}
    store = changed(
        accounts=[
            {**old, "contact": "陈先生", "owner": "李明"},
            {**old, "valid_day": 19_600, "known_day": 19_600, "contact": "王女士", "owner": "李明"},
            {**new, "contact": "known too late"},
        ],
        sites=[
            {"site_id": "S1", **old, "district": "龙华", "site_type": "factory"},
            {"site_id": "S1", **new, "district": "known too late"},
        ],
        contracts=[
            {"contract_id": f"K{day}", "account_id": "A01", "product_id": "P", "event_day": day}
            | {"known_day": day, "planned_end_day": end}
            for day, end in ((19_300, 20_300), (19_800, 20_045), (20_000, 20_500))
        ],
    )
    assert account_facts(store, operator.as_of, ["A01", "A02"], "en") == {
        "A01": {
            "account_id": "A01",
            "contact": "王女士",
            "owner": "李明",
            "site": "龙华 factory",
            "days_to_contract_end": 45,
        }
    }


def test_accounts_with_quotes_in_their_names_are_looked_up(operator: Any, changed: Changed) -> None:
    rows = [{"account_id": "O'Hara", "valid_day": 1, "known_day": 1, "contact": "it's"}]
    assert (
        account_facts(changed(accounts=rows), operator.as_of, ["O'Hara"], "zh")["O'Hara"]["contact"] == "it's"
    )


@pytest.mark.parametrize(("language", "family"), [("en", "Calls"), ("zh", "通话")])
def test_reasons_are_told_in_the_language_of_the_people(
    listed: Callable[..., AtRiskList], language: Any, family: str
) -> None:
    rows = listed(settings=ListSettings(language=language)).rows
    told = [row["reason_1"] for row in rows if row["reason_1"]]
    assert told
    assert {text[: len(family)] for text in told} == {family}
    assert {row["reason_3"] for row in rows} == {""}  # the bundle has two families


def test_unknown_margins_order_by_risk_and_say_so(
    listed: Callable[..., AtRiskList], operator: Any, changed: Changed
) -> None:
    found = listed(changed(bills=[{**operator.rows["bills"][0], "event_day": 19_800}]))
    risks = [row["p_churn"] for row in found.rows]
    assert risks == sorted(risks, reverse=True)
    assert {row["margin_at_risk_amount"] for row in found.rows} == {None}
    assert found.notes == [
        "a note of the bundle",
        "margins are unknown (no bills, or bills without direct cost and no money.margin_share in nbo.toml): "
        "the list is ordered by p_churn",
    ]


def test_known_margins_need_no_note(listed: Callable[..., AtRiskList], operator: Any) -> None:
    assert listed().notes == ["a note of the bundle"]
    assert notes([], operator.bundle) == ["a note of the bundle"]


def test_making_a_list_twice_gives_the_same_list(listed: Callable[..., AtRiskList]) -> None:
    def twice() -> Iterator[AtRiskList]:
        yield listed()
        yield listed()

    one, two = twice()
    assert one == two
