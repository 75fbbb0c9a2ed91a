"""The harness on tables is honest: no row is scored by what has seen its label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from sklearn.model_selection import StratifiedKFold

from nbo.errors import DataError, UsageError
from nbo.evaluation import METRICS, auc, brier, ece_of_perfect, evaluate_scores
from nbo.models.attributes import attribute_column
from nbo.models.labelled_table import LabelledTable
from nbo.models.settings import BoosterSettings
from nbo.models.table_card import TableCard, compiled_features, fit_table, judge_table
from nbo.models.telltale import telltale_notes

Labels = npt.NDArray[np.int8]
QUICK = BoosterSettings(
    learning_rate=0.15, num_leaves=7, min_data_in_leaf=20, max_rounds=40, patience_rounds=5, folds=3, seeds=1
)
HUNGRY = QUICK.model_copy(update={"num_leaves": 31, "min_data_in_leaf": 2, "lambda_l2": 0.0})
"""Learns its own rows by heart."""


def table_of(label: Labels, **attributes: Any) -> LabelledTable:
    found = [
        attribute_column(pa.chunked_array([pa.array(values)]), name, place)
        for place, (name, values) in enumerate(attributes.items())
    ]
    kept = [one for one in found if not isinstance(one, str)]
    return LabelledTable(
        label=label,
        ids=np.array([f"C{number}" for number in range(len(label))]),
        features=tuple(feature for feature, _, _ in kept),
        rows=pa.table({feature.name: values for feature, values, _ in kept}),
        positive="Yes",
        notes=("one note",),
    )


def lively(n: int = 600, seed: int = 1) -> LabelledTable:
    """A third leave; calls and the town say who, the noise says nothing."""
    rng = np.random.default_rng(seed)
    calls, town = rng.normal(0, 1, n), rng.integers(0, 3, n)
    log_odds = -1.2 + 1.5 * calls + 1.0 * (town == 2)
    label = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    names = ["北京", "上海", None]
    return table_of(label, calls=calls, town=[names[number] for number in town], noise=rng.random(n))


def random_labels(n: int, seed: int, share: float = 0.4) -> Labels:
    return (np.random.default_rng(seed).random(n) < share).astype(np.int8)


def judge(table: LabelledTable, booster: BoosterSettings = QUICK, **options: Any) -> TableCard:
    settled = {"folds": 3, "trials": 0, "seed": 1} | options
    return judge_table(table, **settled, progress=lambda _: None, booster=booster)


@pytest.fixture(scope="module")
def card() -> TableCard:
    return judge(lively())


def test_what_can_be_learnt_is_found_out_of_fold(card: TableCard) -> None:
    # The truth itself has an AUC of about .82 here.
    assert 0.74 < card.metrics["auc"].value < 0.87
    assert card.metrics["auc"].low < card.metrics["auc"].value < card.metrics["auc"].high
    assert card.calibrated
    assert tuple(card.metrics) == tuple(METRICS)
    assert (card.rows, card.folds, card.positive) == (600, 3, "Yes")
    assert card.positives == int(lively().label.sum())
    assert card.notes == ("one note",)


def test_the_same_seed_gives_the_same_figures(card: TableCard) -> None:
    assert judge(lively()) == card
    assert judge(lively(), seed=2).metrics != card.metrics


def test_a_search_is_made_within_each_training_part() -> None:
    told: list[str] = []
    judge_table(lively(1_000), folds=2, trials=2, seed=1, progress=told.append, booster=QUICK)
    assert [text.split(",")[0] for text in told] == [
        "fold 1 of 2: learning from 500 rows",
        "tuning: 1 of 2 trials",
        "tuning: 2 of 2 trials",
        "fold 2 of 2: learning from 500 rows",
        "tuning: 1 of 2 trials",
        "tuning: 2 of 2 trials",
    ]


def without_pattern() -> LabelledTable:
    """Labels drawn from a hat, beside a number and codes of which many are rare."""
    rng = np.random.default_rng(3)
    codes = [f"code {number}" for number in rng.integers(0, 60, 600)]
    return table_of(random_labels(600, 4), noise=rng.random(600), code=codes)


def test_noise_has_no_skill() -> None:
    """AUC of a worthless score: with 240 and 360 rows a standard error of .024; .07 is 2.9 of them."""
    assert judge(without_pattern(), HUNGRY).metrics["auc"].value == pytest.approx(0.5, abs=0.07)


def test_in_its_own_rows_the_same_fit_looks_far_better() -> None:
    """What makes the test above worth anything: scored by what has seen it, noise looks like skill."""
    table = without_pattern()
    learnt = fit_table(table, HUNGRY, trials=0, seed=1, progress=lambda _: None)
    within, outside = learnt.score(table.rows), judge(table, HUNGRY).metrics
    assert auc(table.label, within, seed=1).low > outside["auc"].high
    assert brier(table.label, within, seed=1).value < outside["brier"].value


def test_the_figures_are_those_of_models_that_saw_the_other_folds_only(card: TableCard) -> None:
    table, p = lively(), np.empty(600)
    splitter = StratifiedKFold(3, shuffle=True, random_state=1)
    for train, test in splitter.split(np.zeros(600), table.label):
        learnt = fit_table(table.part(train), QUICK, trials=0, seed=1, progress=lambda _: None)
        p[test] = learnt.score(table.rows.take(pa.array(test)))
    assert evaluate_scores(table.label, p, table.ids, 1) == card.metrics
    assert ece_of_perfect(p, seed=1) == card.ece_of_perfect


def test_a_constant_orders_nothing() -> None:
    found = judge(table_of(random_labels(300, 2), same=[1.0] * 300)).metrics
    # Folds differ in their base rates by a row at most.
    assert found["auc"].value == pytest.approx(0.5, abs=0.02)
    assert found["lift_at_10"].value == pytest.approx(1, abs=0.1)


def test_codes_of_rows_that_were_not_learnt_from_are_unknown() -> None:
    table = lively(300)
    learnt = fit_table(
        table_of(table.label[:200], town=["a", "b"] * 100), QUICK, trials=0, seed=1, progress=lambda _: None
    )
    assert learnt.vocabulary.codes == {"attribute_0": ("a", "b")}
    p = learnt.score(pa.table({"attribute_0": ["never seen", None, "a"]}))
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("booster", [QUICK, QUICK.model_copy(update={"derive": True})])
def test_thousands_of_codes_teach_nothing_by_heart(booster: BoosterSettings) -> None:
    rng = np.random.default_rng(5)
    n = 1_000
    codes = [f"code {number}" for number in rng.integers(0, 10_000, n)]
    found = judge(table_of(random_labels(n, 6), code=codes, noise=rng.random(n)), booster).metrics["auc"]
    # 400 positives in 1,000 rows: a standard error of .019.
    assert found.value == pytest.approx(0.5, abs=0.06)


def test_few_positives_are_a_caution_told_once() -> None:
    n = 300
    label = np.zeros(n, np.int8)
    label[: n // 10] = 1
    told = judge(table_of(label, noise=np.random.default_rng(7).random(n))).notes
    assert told[1] == (
        "only 20 positives to learn from: parameters were not tuned; treat the ranking as a test of "
        "the plumbing, not as evidence (3 of 3 folds)"
    )
    assert len(told) == len(set(told))


@pytest.mark.parametrize(("positives", "tuned"), [(90, False), (110, True)])
def test_tuned_is_what_a_search_was_made_for(positives: int, tuned: bool) -> None:
    """It is asked for in both; below 100 positives it is not made."""
    label = (np.arange(300) < positives).astype(np.int8)
    table = table_of(label, noise=np.random.default_rng(7).random(300))
    assert fit_table(table, QUICK, trials=1, seed=1, progress=lambda _: None).tuned is tuned


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (lambda label: label * 1.0, True),
        (lambda label: -1.0 * label, True),
        (lambda label: [None if one else 5.0 for one in label], True),
        (lambda label: [17_000.0 + n if one else None for n, one in enumerate(label)], True),
        (lambda label: ["final bill" if one else f"town {n % 3}" for n, one in enumerate(label)], True),
        (lambda label: ["moved" if one else None for one in label], True),
        (lambda label: np.arange(len(label)) % 7, False),
        (lambda label: [f"town {n % 7}" for n in range(len(label))], False),
        (lambda label: [f"name {n // 2}" for n in range(len(label))], False),
    ],
    ids=["copy", "turned", "missing", "day of leaving", "category", "reason", "number", "codes", "pairs"],
)
def test_a_column_that_holds_the_answer_is_asked_about(values: Any, told: bool) -> None:
    label = random_labels(400, 8)
    table = table_of(label, noise=np.random.default_rng(9).random(400), **{"the column": values(label)})
    notes = judge(table).notes[1:]
    expected = ("the column alone orders the rows with AUC 1.000: does it hold the answer?",)
    assert [note for note in notes if "does it hold" in note] == list(expected if told else ())


def test_a_category_of_one_positive_is_no_rate() -> None:
    label = np.zeros(30, np.int8)
    label[3] = 1
    table = table_of(label, town=["x" if one else "y" for one in label])
    assert telltale_notes(table, compiled_features(table), seed=1) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"folds": 1}, r"--folds: expected 2 to 20, got 1\."),
        ({"folds": 21}, r"--folds: expected 2 to 20, got 21\."),
        ({"trials": -1}, r"--trials: expected 0 or above, got -1\."),
        ({"seed": -1}, r"--seed: expected 0 or above, got -1\."),
    ],
)
def test_a_number_out_of_range_is_told(options: dict[str, int], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        judge(lively(60), **options)


@pytest.mark.parametrize(
    ("label", "folds", "text"),
    [
        ([1, 0, 1], 2, r"--label: expected at least 20 rows, got 3\. Bring more rows\."),
        (
            [1] * 4 + [0] * 40,
            3,
            r"--label: expected at least 5 positives, got 4 in 44 rows\. Bring",
        ),
        (
            [0] * 4 + [1] * 40,
            3,
            r"--label: expected at least 5 negatives, got 4 in 44 rows\. Bring",
        ),
        (
            [1] * 8 + [0] * 40,
            10,
            r"--label: expected at least 10 positives, one for each of 10 folds, got 8 in 48 rows\. Use",
        ),
    ],
)
def test_too_few_rows_are_told(label: Sequence[int], folds: int, text: str) -> None:
    table = table_of(np.array(label, np.int8), age=np.arange(len(label)))
    with pytest.raises(DataError, match=text):
        judge(table, folds=folds)


def test_the_fewest_rows_that_are_not_refused_are_judged() -> None:
    label = np.array([1] * 5 + [0] * 15, np.int8)
    found = judge(table_of(label, age=np.arange(20)), folds=5)
    assert (found.rows, found.positives) == (20, 5)
