"""The operator's file of rules: what it may hold, and how it is told what is wrong with it."""

import doctest
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbo.errors import DataError, LeakageError, UsageError
from nbo.features import FeatureSet, compile_features, days, table
from nbo.offers.parsing import parse
from nbo.offers.rules import MAX_RULES, Rule, Rules, read_rules
from nbo.tables.contract import Words
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "serving" / "offers" / "rules.toml"
COMPILED = compile_features(Workspace.find(ROOT).feature_sets("offers"), "marketing")

RULE = {
    "id": "open_order",
    "layer": "applicability",
    "owner": "order desk",
    "allow": 'not any(t.state == "open" for t in orders)',
    "reason": {"en": "already ordered", "zh": "已经下单"},
}


def told(value: object) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {told(item)}" for name, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def rules_file(folder: Path, *rules: Mapping[str, Any]) -> Path:
    path = folder / "rules.toml"
    texts = [
        "[[rules]]\n" + "".join(f"{key} = {told(value)}\n" for key, value in rule.items()) for rule in rules
    ]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def test_layers_come_in_their_order_and_rules_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = rules_file(
        tmp_path,
        {**RULE, "id": "late", "layer": "suitability"},
        {**RULE, "id": "second", "layer": "applicability"},
        {**RULE, "id": "first", "layer": "eligibility"},
        {**RULE, "id": "third", "layer": "applicability"},
    )
    rules = read_rules(path, COMPILED)
    assert [rule.id for rule in rules.rules] == ["first", "second", "third", "late"]
    assert rules.rules[1] == Rule(
        "second",
        "applicability",
        "order desk",
        parse(RULE["allow"], {}),
        Words("already ordered", "已经下单"),
    )


def test_the_shipped_rules_are_those_that_channels_know() -> None:
    rules = read_rules(SHIPPED, COMPILED)
    assert [(rule.layer, rule.id) for rule in rules.rules] == [
        ("eligibility", "not_on_sale"),
        ("eligibility", "class_matrix"),
        ("eligibility", "channel"),
        ("eligibility", "not_deliverable"),
        ("applicability", "already_holds"),
        ("applicability", "needs_product"),
        ("applicability", "open_order"),
        ("suitability", "no_consent"),
        ("suitability", "open_dispute"),
        ("suitability", "open_complaint"),
        ("suitability", "open_repair"),
        ("suitability", "open_order_any"),
        ("suitability", "dearer_for_same_use"),
    ]
    assert rules.columns == {
        "consents": {"allowed": "flag", "scope": "text"},
        "holdings": {"product_id": "text"},
        "orders": {"product_id": "text", "state": "text"},
        "sites": {"exchange_area": "text", "site_type": "text"},
        "tickets": {"kind": "text", "state": "text"},
    }
    assert set(rules.features) <= set(COMPILED.names)


def test_rules_survive_a_round_trip_and_a_change_changes_the_hash() -> None:
    rules = read_rules(SHIPPED, COMPILED)
    read = Rules.from_json(json.loads(json.dumps(rules.to_json())))
    assert read == rules
    assert len(rules.hash) == 16
    other = Rules.of((*rules.rules[:-1], replace(rules.rules[-1], owner="legal")))
    assert other.hash != rules.hash


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"hash": "0" * 16}, "rules: expected content with hash 0{16}"),
        ({"rules": [{"id": "x"}]}, "rules: expected features, rules and hash"),
        ({"rules": 3}, "rules: expected features, rules and hash"),
        ({"features": None}, "rules: expected features, rules and hash"),
    ],
)
def test_recorded_rules_that_were_changed_are_refused(change: dict[str, Any], refusal: str) -> None:
    value = {**read_rules(SHIPPED, COMPILED).to_json(), **change}
    with pytest.raises(DataError, match=refusal):
        Rules.from_json(value)


def test_a_recorded_layer_that_is_none_is_refused() -> None:
    value = read_rules(SHIPPED, COMPILED).to_json()
    value["rules"][0]["layer"] = "whim"
    with pytest.raises(DataError, match="rules: expected features, rules and hash, got ValueError"):
        Rules.from_json(value)


WRONG = {
    "no id": ({"id": None}, "rules.1.id: expected an id of small letters, digits and _, got none"),
    "an id of other signs": ({"id": "Open order"}, "rules.Open order.id: expected an id of small letters"),
    "an unknown layer": (
        {"layer": "suitabilty"},
        r"rules.open_order.layer: expected one of eligibility, .*, got 'suitabilty'; did you mean suit",
    ),
    "no owner": ({"owner": " "}, "rules.open_order.owner: expected who answers for the rule, got ' '"),
    "an owner that is none": (
        {"owner": 3},
        "rules.open_order.owner: expected who answers for the rule, got 3",
    ),
    "no rule": ({"allow": None}, "rules.open_order.allow: expected an expression, got none"),
    "a reason in one language": (
        {"reason": {"en": "no"}},
        "rules.open_order.reason.zh: expected a text, got none",
    ),
    "a reason that is a text": ({"reason": "no"}, r"rules.open_order.reason: expected \{ en = "),
    "a third language": (
        {"reason": {"en": "no", "zh": "否", "de": "nein"}},
        "rules.open_order.reason.de: unknown key; known: en, zh",
    ),
    "an unknown key": ({"alow": "True"}, r"rules.open_order.alow: unknown key; did you mean allow\?"),
    "a wrong expression": (
        {"allow": "accounts_clas is null"},
        r"rules.open_order.allow: expected a name that is known, got accounts_clas",
    ),
    "a code that no account has": (
        {"allow": 'accounts_account_class == "E"'},
        "rules.open_order.allow: expected a code of accounts_account_class, got 'E'",
    ),
}


@pytest.mark.parametrize(("change", "refusal"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule_is_told_with_its_place(change: dict[str, Any], refusal: str, tmp_path: Path) -> None:
    rule = {key: value for key, value in {**RULE, **change}.items() if value is not None}
    with pytest.raises(UsageError, match=refusal):
        read_rules(rules_file(tmp_path, rule), COMPILED)


FILES = {
    "": r"rules.toml rules: expected 1 to 100 rules, each under \[\[rules\]\], got none",
    "rules = []": "rules: expected 1 to 100 rules, .* got 0",
    "[rules]\nid = 'x'": "rules: expected 1 to 100 rules, .* got one of its keys",
    "rules = [3]": "rules.1: expected a table of keys, got 3",
    "[[rule]]\nid = 'x'": r"rule: unknown key; did you mean rules\?",
    "[[rules]": "expected TOML in UTF-8, got ",
}


@pytest.mark.parametrize(("text", "refusal"), FILES.items(), ids=map(repr, FILES))
def test_a_file_that_holds_no_rules_is_refused(text: str, refusal: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=refusal):
        read_rules(path, COMPILED)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml: no such file of rules"):
        read_rules(tmp_path / "nowhere.toml", COMPILED)
    with pytest.raises(UsageError, match="cannot be read"):
        read_rules(tmp_path, COMPILED)
    (tmp_path / "latin.toml").write_bytes("owner = 'café'".encode("latin-1"))
    with pytest.raises(UsageError, match="expected TOML in UTF-8"):
        read_rules(tmp_path / "latin.toml", COMPILED)


def test_an_id_is_used_once_and_rules_are_not_without_number(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"rules.open_order.id: expected a new id, got one used before"):
        read_rules(rules_file(tmp_path, RULE, RULE), COMPILED)
    many = [{**RULE, "id": f"r{number}"} for number in range(MAX_RULES + 1)]
    with pytest.raises(UsageError, match=r"expected 1 to 100 rules, .* got 101"):
        read_rules(rules_file(tmp_path, *many), COMPILED)


def test_a_column_or_feature_barred_from_marketing_is_refused(tmp_path: Path) -> None:
    named = {**RULE, "allow": 'any(t.owner == "Li" for t in accounts)'}
    with pytest.raises(LeakageError, match=r"rules.open_order.allow: .* got accounts.owner"):
        read_rules(rules_file(tmp_path, named), COMPILED)
    settled = [FeatureSet("s", Words("s", "s"), [table("interconnect").sum("minutes", over=days(60))])]
    with pytest.raises(
        LeakageError, match="got interconnect_minutes_sum_60d, permitted for retention, service"
    ):
        read_rules(rules_file(tmp_path, RULE), compile_features(settled, "retention"))


def test_the_examples_of_the_page_run() -> None:
    result = doctest.testfile(str(ROOT / "docs" / "rules.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= 5
    assert result.failed == 0
