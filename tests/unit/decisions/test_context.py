"""Context in a recommendation: the model's row and the rules' facts change together, and are recorded."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nbo.asof import days
from nbo.bundle import Bundle, Overridden
from nbo.decisions.context import inputs_in_context
from nbo.decisions.recommender import AccountInputs, Request
from nbo.errors import UsageError
from nbo.features import CompiledFeatures, FeatureSet, Words, compile_features, table
from nbo.features.context import Context
from nbo.offers.facts import AccountFacts

FACTS = AccountFacts({"calls_count_7d": 3.0, "tickets_open_count_now": 0.0}, {"tickets": [{"state": "open"}]})


@pytest.fixture
def bundle(operator: Any) -> Bundle:
    """The model, to which a channel may tell the count of calls."""
    compiled = operator.bundle.features
    said = tuple(
        replace(one, context=Context(100, nullable=False) if one.name == "calls_count_7d" else None)
        for one in compiled.features
    )
    return replace(operator.bundle, features=replace(compiled, features=said))


@pytest.fixture
def rules() -> CompiledFeatures:
    """What rules may read: a count of the model, one of their own, one that no rule reads."""
    tickets = table("tickets").now
    lines = [
        table("calls").count(over=days(7)),
        tickets.where(state="open").count().context(),
        tickets.where(kind="fault").count().context(),
    ]
    return compile_features([FeatureSet("offers", Words("Offers", "适配"), lines)], "marketing")


@pytest.fixture
def inputs(bundle: Bundle) -> AccountInputs:
    row = np.arange(len(bundle.features.features), dtype=np.float64)
    return AccountInputs("A1", row, ("adsl",), FACTS)


def test_one_feature_has_one_value_in_a_decision(
    bundle: Bundle, rules: CompiledFeatures, inputs: AccountInputs
) -> None:
    told = inputs_in_context(inputs, bundle, rules, {"tickets_open_count_now": 2, "calls_count_7d": 9})
    assert told.row.tolist() == [9.0, *inputs.row.tolist()[1:]]
    assert told.facts.features == {"calls_count_7d": 9, "tickets_open_count_now": 2}
    assert told.facts.tables == FACTS.tables
    assert set(told.overridden) == {
        Overridden("calls_count_7d", 9, 0.0),
        Overridden("tickets_open_count_now", 2, 0.0),
    }
    assert (inputs.row[0], inputs.facts, inputs.overridden) == (0.0, FACTS, ())


def test_the_record_gives_the_same_inputs_again(
    bundle: Bundle, rules: CompiledFeatures, inputs: AccountInputs
) -> None:
    told = inputs_in_context(inputs, bundle, rules, {"calls_count_7d": 9})
    again = AccountInputs.from_bytes(told.to_bytes())
    assert again.row.tobytes() == told.row.tobytes()
    assert (again.overridden, again.facts, again.held) == (told.overridden, told.facts, told.held)
    assert b"overridden" not in inputs.to_bytes()
    assert AccountInputs.from_bytes(inputs.to_bytes()).overridden == ()


def test_nothing_said_changes_nothing(bundle: Bundle, rules: CompiledFeatures, inputs: AccountInputs) -> None:
    assert inputs_in_context(inputs, bundle, rules, {}) is inputs


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"tickets_fault_count_now": 1}, r"context\.tickets_fault_count_now: expected a context feature"),
        (
            {"calls_count_30d": 1},
            r"one that only the data tell\. Context features are calls_count_7d, tickets_op",
        ),
        (
            {"calls_count_7d": 101},
            r"context\.calls_count_7d: expected a whole number from 0 to 100 \(count\)",
        ),
    ],
)
def test_what_neither_model_nor_rules_take_is_refused(
    bundle: Bundle, rules: CompiledFeatures, inputs: AccountInputs, said: dict[str, float], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        inputs_in_context(inputs, bundle, rules, said)


def test_a_request_without_context_reads_as_before() -> None:
    plain, said = Request("A1", "shop"), Request("A1", "shop", context={"calls_count_7d": 1.0})
    assert "context" not in plain.to_json()
    assert said.to_json()["context"] == {"calls_count_7d": 1.0}
    assert [Request.from_json(one.to_json()) for one in (plain, said)] == [plain, said]
