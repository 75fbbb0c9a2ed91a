"""Derived columns: the same in batch and for one row, told by the features they come from."""

from dataclasses import replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from nbo.bundle import (
    BundleParts,
    Derivation,
    Derived,
    load_bundle,
    probe_bundle,
    write_bundle,
)
from nbo.errors import BundleError

KEY = b"a key of the tests"
SOME = Derivation(
    (
        Derived("ratio", (0, 1)),
        Derived("rate", (4,), (0.5, 0.25, 0.125, 0.3, 0.4)),
        Derived("difference", (2, 3)),
        Derived("missing", (0, 1, 2)),
        Derived("sum", (0, 1)),
    )
)


@pytest.fixture
def derived_parts(parts: BundleParts, rows: pa.Table) -> BundleParts:
    """The small bundle again, its boosters trained with derived columns that decide."""
    matrix = SOME(parts.vocabulary.encode(rows, parts.features))
    label = np.nan_to_num(matrix[:, 5]) + np.nan_to_num(matrix[:, 7]) > 1
    names = [*parts.features.column_names, *SOME.names]
    data = lgb.Dataset(matrix, label=label.astype(float), feature_name=names)
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 20)
    return replace(parts, boosters=[booster.model_to_string()], derivation=SOME)


def test_each_kind_by_hand() -> None:
    matrix = np.array([[6.0, 3.0, 5.0, 1.0, 2.0], [np.nan, 0.0, 1.0, np.nan, np.nan]])
    wide = SOME(matrix)
    assert wide[:, :5] == pytest.approx(matrix, nan_ok=True)
    assert wide[0, 5:].tolist() == [2.0, 0.125, 4.0, 0.0, 9.0]
    assert wide[1, 5:] == pytest.approx([np.nan, 0.4, np.nan, 1.0, np.nan], nan_ok=True)


def test_a_division_by_zero_is_missing_not_infinite() -> None:
    assert np.isnan(Derivation((Derived("ratio", (0, 1)),))(np.array([[6.0, 0.0]]))[0, 2])


def test_a_code_never_seen_gets_the_rate_before_the_last() -> None:
    codes = np.array([[9.0]])
    assert Derivation((Derived("rate", (0,), (0.1, 0.2, 0.3)),))(codes).tolist() == [[9.0, 0.2]]


def test_one_row_alone_is_derived_as_in_a_batch(parts: BundleParts, rows: pa.Table) -> None:
    matrix = parts.vocabulary.encode(rows, parts.features)
    wide = SOME(matrix)
    for place in range(0, len(matrix), 97):
        assert SOME(matrix[place : place + 1]).tobytes() == wide[place : place + 1].tobytes()


def test_a_round_trip_keeps_every_bit() -> None:
    assert Derivation.from_json(SOME.to_json()).derived == SOME.derived


def test_contributions_are_told_by_features_and_add_up(
    derived_parts: BundleParts, rows: pa.Table, tmp_path: Path
) -> None:
    bundle = load_bundle(tmp_path / write_bundle(tmp_path, derived_parts, KEY), KEY)
    matrix = bundle.encode(rows.slice(0, 50))
    told = bundle.contributions(matrix)
    assert told.shape == matrix.shape
    [booster] = bundle.boosters
    whole = np.asarray(booster.predict(SOME(matrix), pred_contrib=True))[:, :-1]
    assert told.sum(axis=1) == pytest.approx(whole.sum(axis=1))
    assert np.abs(told[:, 0]).sum() > 0


def test_a_bundle_keeps_what_it_derives(derived_parts: BundleParts, rows: pa.Table, tmp_path: Path) -> None:
    bundle_id = write_bundle(tmp_path, derived_parts, KEY)
    bundle = load_bundle(tmp_path / bundle_id, KEY)
    assert bundle.derivation.derived == SOME.derived
    assert probe_bundle(tmp_path / bundle_id, KEY)
    matrix = bundle.encode(rows)
    alone = [bundle.score(matrix[place : place + 1])[0] for place in range(20)]
    assert np.array(alone).tobytes() == bundle.score(matrix)[:20].tobytes()


def test_a_bundle_without_its_derivation_is_refused(derived_parts: BundleParts, tmp_path: Path) -> None:
    bundle_id = write_bundle(tmp_path, derived_parts, KEY)
    (tmp_path / bundle_id / "derivation.json").unlink()
    with pytest.raises(BundleError, match=r"derivation\.json: expected a file, got none"):
        load_bundle(tmp_path / bundle_id, KEY)


def test_a_matrix_that_is_too_narrow_is_refused(derived_parts: BundleParts, tmp_path: Path) -> None:
    bundle = load_bundle(tmp_path / write_bundle(tmp_path, derived_parts, KEY), KEY)
    with pytest.raises(BundleError, match=r"matrix: expected shape \(n, 10\), got \(1, 2\)"):
        bundle.score(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"derived": [{"kind": "product", "columns": [0, 1], "rates": []}]}, "expected a known kind"),
        ({"derived": [{"kind": "ratio", "columns": [0], "rates": []}]}, "expected a known kind"),
        ({"derived": [{"kind": "missing", "columns": [], "rates": []}]}, "expected a known kind"),
        ({"derived": [{"kind": "rate", "columns": [0], "rates": []}]}, "expected finite rates"),
        (
            {"derived": [{"kind": "rate", "columns": [0], "rates": [0.1, float("nan")]}]},
            "expected finite rates",
        ),
        ({"derived": [{"kind": "ratio"}]}, "expected kinds, columns and rates"),
        ({}, "expected kinds, columns and rates"),
    ],
)
def test_what_is_no_derivation_is_refused(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(BundleError, match=text):
        Derivation.from_json(wrong)
