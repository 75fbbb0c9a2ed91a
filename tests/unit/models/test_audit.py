"""What the audit says of a feature: alarms for what leaks and what is too good."""

import numpy as np
import pyarrow as pa
import pytest

from nbo.errors import DataError
from nbo.features import FeatureSet, Words, compile_features, days, table
from nbo.models.audit import audit_features
from nbo.models.slices import LabelledRows

calls = table("calls")
COMPILED = compile_features(
    [
        FeatureSet(
            "calls",
            Words("Calls", "通话"),
            [calls.count(over=days(7, 30)), table("accounts").attribute("industry")],
        )
    ]
)
WEEK, MONTH, INDUSTRY = COMPILED.names
ROWS = 400


def labelled(label: np.ndarray, **columns: object) -> LabelledRows:
    rng = np.random.default_rng(5)
    given = {
        "account_id": [f"A{n}" for n in range(ROWS)],
        WEEK: rng.integers(0, 9, ROWS),
        MONTH: pa.array(rng.integers(0, 9, ROWS), mask=np.arange(ROWS) % 4 == 0),
        INDUSTRY: rng.choice(["retail", "school"], ROWS),
        **columns,
    }
    rows = pa.table(given)
    ids = np.asarray(rows["account_id"].to_pylist(), dtype=np.str_)
    return LabelledRows(rows, label.astype(np.int8), ids, np.zeros(ROWS, dtype=np.int32))


def some_left() -> np.ndarray:
    return (np.random.default_rng(7).random(ROWS) < 0.2).astype(np.int8)


def test_honest_features_give_no_alarm() -> None:
    found = audit_features(COMPILED, labelled(some_left()), [], 1)
    assert [one.alarms for one in found] == [()] * 3
    assert [one.auc for one in found] == sorted((one.auc for one in found), reverse=True)
    assert {one.name: one.null_share for one in found}[MONTH] == 0.25


def test_the_label_in_other_words_is_too_good_and_comes_first() -> None:
    label = some_left()
    first = audit_features(COMPILED, labelled(label, **{MONTH: 3 - 2 * label}), [], 1)[0]
    assert first.name == MONTH and first.auc == 1.0
    assert first.alarms == ("too good: AUC 1.000 by itself",)


def test_a_category_that_is_the_label_is_too_good() -> None:
    label = some_left()
    words = np.where(label == 1, "school", "retail")
    first = audit_features(COMPILED, labelled(label, **{INDUSTRY: words}), [], 1)[0]
    assert first.name == INDUSTRY and first.alarms


def test_a_leak_is_told_whatever_the_feature_is_worth() -> None:
    first, *others = audit_features(COMPILED, labelled(some_left()), [WEEK], 1)
    assert first.name == WEEK and first.alarms == ("leaks: it changes with the future alone",)
    assert not any(one.alarms for one in others)
    assert first.to_json()["alarms"] == list(first.alarms)


def test_a_population_that_leaks_takes_every_feature_with_it() -> None:
    assert all(one.leaks for one in audit_features(COMPILED, labelled(some_left()), ["account_id"], 1))


@pytest.mark.parametrize("value", [0, 1])
def test_rows_of_one_class_are_refused(value: int) -> None:
    with pytest.raises(DataError, match=r"expected accounts that left and accounts that stayed, got"):
        audit_features(COMPILED, labelled(np.full(ROWS, value)), [], 1)
