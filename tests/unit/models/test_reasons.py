from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from nbo.bundle import IDENTITY, Bundle, Vocabulary
from nbo.errors import UsageError
from nbo.features.codes import STAGES
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.models import Reason, reasons
from nbo.models.reasons import Teller, leading
from nbo.tables.contract import Words


def feature(name: str, unit: str, family: str, words: Words, kind: Any = "number") -> CompiledFeature:
    titles = {"rival": Words("rival traffic", "竞争对手话务"), "bills": Words("bills", "账单")}
    return CompiledFeature(
        name=name,
        kind=kind,
        unit=unit,
        family=family,
        family_words=titles.get(family, Words(family, family)),
        words=words,
        columns=("calls.x",),
        purposes=frozenset({"retention"}),
        null_means="no calls",
    )


RIVAL = feature(
    "rival_minutes",
    "minutes",
    "rival",
    Words("minutes of calls to rivals in the last 30 days", "近30天竞争对手通话分钟"),
)
SPEND = feature("spend", "money", "bills", Words("billed in the last 30 days", "近30天账单"))
SHARE = feature("rival_share", "share", "rival", Words("share of calls to rivals", "竞争对手通话占比"))
TREND = feature("rival_trend", "trend", "rival", Words("change in calls to rivals", "竞争对手通话变化"))
ENDS = feature("ends", "days", "contract", Words("days until the end", "距到期日的天数"))
STATE = replace(
    feature("state", "code", "line", Words("state", "状态"), "category"), columns=("lines.state",)
)
STAGE = replace(feature("stage", "stage", "segments", Words("stage", "阶段")), codes=STAGES)
GRADE = feature("grade", "code", "account", Words("grade", "等级"), kind="category")
MEDIANS = {"rival_minutes": 12.0, "spend": 123456.0, "rival_share": 0.251}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Risk rises with rival minutes and share, falls with spend."""
    rng = np.random.default_rng(1)
    matrix = np.c_[
        rng.uniform(0, 400, 2000),
        rng.uniform(0, 300_000, 2000),
        rng.random(2000),
        rng.integers(0, 2, 2000),
    ]
    odds = -3 + matrix[:, 0] / 100 - matrix[:, 1] / 100_000 + matrix[:, 2]
    label = rng.random(2000) < 1 / (1 + np.exp(-odds))
    compiled = CompiledFeatures.of((RIVAL, SPEND, SHARE, GRADE), "SELECT 1", "retention")
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 1}
    data = lgb.Dataset(matrix, label.astype(float), feature_name=list(compiled.names))
    booster = lgb.train(settings, data, 40)
    vocabulary = Vocabulary({"grade": ("A", "B")})
    return Bundle("0" * 16, "churn", compiled, vocabulary, (booster,), IDENTITY, {"medians": MEDIANS})


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return pa.table(
        {
            "account_id": ["a", "b", "c"],
            "rival_minutes": pa.array([390.0, 1.0, None]),
            "spend": pa.array([290_000, 1_000, None], pa.int64()),
            "rival_share": [0.9, 0.05, None],
            "grade": pa.array(["A", "B", None]),
        }
    )


def told(bundle: Bundle, rows: pa.Table, language: str = "en", top: int = 3) -> list[list[Reason]]:
    return reasons(bundle, bundle.encode(rows), rows, language, "CNY", 2, top=top)


def test_the_family_that_pushes_up_is_told_by_its_leading_feature(bundle: Bundle, rows: pa.Table) -> None:
    first = told(bundle, rows)[0][0]
    assert (first.family, first.feature) == ("rival", "rival_minutes")
    assert first.text == "Rival traffic – minutes of calls to rivals in the last 30 days: 390 (typically 12)"
    chinese = told(bundle, rows, "zh")[0][0]
    assert chinese.text == "竞争对手话务：近30天竞争对手通话分钟为390（通常12）"


def test_a_contribution_is_the_sum_of_its_family(bundle: Bundle, rows: pa.Table) -> None:
    contributions = bundle.contributions(bundle.encode(rows))
    assert told(bundle, rows)[0][0].contribution == pytest.approx(contributions[0, [0, 2]].sum())


def test_only_families_that_push_up_are_told(bundle: Bundle, rows: pa.Table) -> None:
    answers = told(bundle, rows)
    assert "bills" not in [reason.family for reason in answers[0]]
    assert "rival" not in [reason.family for reason in answers[1]]
    for answer in answers:
        pushes = [reason.contribution for reason in answer]
        assert all(push > 0 for push in pushes) and pushes == sorted(pushes, reverse=True)


def test_money_is_told_in_major_units_with_its_currency(bundle: Bundle, rows: pa.Table) -> None:
    [reason] = [reason for reason in told(bundle, rows)[1] if reason.family == "bills"]
    assert reason.text == "Bills – billed in the last 30 days: 10.00 CNY (typically 1,234.56 CNY)"


def test_top_bounds_the_reasons() -> None:
    contributions = np.array([0.5, 0.2, 0.3, -1.0, 0.2])
    columns = {"a": [0], "b": [1], "c": [2, 3], "d": [4]}
    assert leading(contributions, columns, 2) == [("a", 0, 0.5), ("b", 1, 0.2)]
    assert [family for family, *_ in leading(contributions, columns, 9)] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("one", "value", "en", "zh"),
    [
        (SPEND, 123_456, "1,234.56 CNY", "1,234.56 CNY"),
        (SHARE, 0.256, "26 %", "26 %"),
        (RIVAL, 12345.6, "12,346", "12,346"),
        (RIVAL, 0.5, "0.50", "0.50"),
        (RIVAL, None, "not known", "不详"),
        (RIVAL, float("nan"), "not known", "不详"),
        (TREND, -0.5, "-67 %", "-67 %"),
        (TREND, 0.2, "+50 %", "+50 %"),
        (TREND, -1.0, "all gone", "归零"),
        (TREND, 1.0, "new", "新增"),
        (ENDS, 30, "30", "30"),
        (ENDS, -12, "passed 12 days ago", "已过12天"),
        (STATE, "ended", "ended", "拆机"),
        (STAGE, 4, "decline", "衰退期"),
        (STAGE, 2.0, "growth", "成长期"),
        (STAGE, None, "not known", "不详"),
        (STATE, "frozen", "frozen", "frozen"),
        (GRADE, "金", "金", "金"),
        (GRADE, None, "not known", "不详"),
    ],
)
def test_values_are_shown_in_units_people_speak(
    one: CompiledFeature, value: object, en: str, zh: str
) -> None:
    assert Teller({}, "en", "CNY", 2).shown(one, value) == en
    assert Teller({}, "zh", "CNY", 2).shown(one, value) == zh


def test_a_code_is_told_without_a_typical_one() -> None:
    told = Teller({"stage": 2.5}, "en", "CNY", 2).sentence(STAGE, 4)
    assert told == "Segments – stage: decline"


def test_a_currency_without_minor_units_shows_none() -> None:
    assert Teller({}, "en", "JPY", 0).shown(SPEND, 123_456) == "123,456 JPY"


def test_without_a_typical_value_none_is_told(bundle: Bundle, rows: pa.Table) -> None:
    bare = replace(bundle, metadata={})
    assert told(bare, rows)[0][0].text.endswith("in the last 30 days: 390")


def test_another_language_or_other_rows_are_refused(bundle: Bundle, rows: pa.Table) -> None:
    with pytest.raises(UsageError, match="language: expected en or zh, got 'fr'"):
        told(bundle, rows, "fr")
    with pytest.raises(UsageError, match="rows: expected those of the matrix, 3, got 2"):
        reasons(bundle, bundle.encode(rows), rows.slice(0, 2), "en", "CNY", 2)
