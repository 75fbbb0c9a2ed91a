"""A small trained bundle: four numbers, one category, two boosters, nulls and unlike columns."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from nbo.bundle import BundleParts, Calibrator, Vocabulary, write_bundle
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.tables.contract import Words

KEY = b"a key of the tests"


def feature(name: str, kind: str = "number", unit: str = "minutes", family: str = "usage") -> CompiledFeature:
    return CompiledFeature(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        unit=unit,
        family=family,
        family_words=Words(family, family),
        words=Words(name, name),
        columns=(f"calls.{name}",),
        purposes=frozenset({"retention"}),
        null_means="never",
    )


@pytest.fixture(scope="session")
def compiled() -> CompiledFeatures:
    numbers = tuple(feature(name) for name in ("calls", "minutes", "spend", "days"))
    return CompiledFeatures.of((*numbers, feature("grade", kind="category")), "SELECT 1", "retention")


@pytest.fixture(scope="session")
def rows() -> pa.Table:
    rng = np.random.default_rng(5)
    n = 1500
    values = rng.lognormal(1.0, 2.0, (n, 4))
    values[rng.random((n, 4)) < 0.1] = np.nan
    grades = np.array(["gold", "iron", "oak", None], dtype=object)[rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])]
    names = ("calls", "minutes", "spend", "days")
    columns = {name: pa.array(values[:, k], from_pandas=True) for k, name in enumerate(names)}
    return pa.table({**columns, "grade": pa.array(grades, pa.string())})


@pytest.fixture(scope="session")
def parts(compiled: CompiledFeatures, rows: pa.Table) -> BundleParts:
    rng = np.random.default_rng(6)
    vocabulary = Vocabulary.learn(rows, compiled)
    matrix = vocabulary.encode(rows, compiled)
    log_odds = np.nan_to_num(np.log(matrix[:, 0])) - 1.5 * (matrix[:, 4] == 1) - 1
    label = rng.random(len(matrix)) < 1 / (1 + np.exp(-log_odds))
    texts = []
    for seed in (1, 2):
        data = lgb.Dataset(
            matrix, label.astype(float), feature_name=list(compiled.names), categorical_feature=[4]
        )
        settings = {
            "objective": "binary",
            "verbosity": -1,
            "num_threads": 1,
            "seed": seed,
            "bagging_freq": 1,
            "bagging_fraction": 0.7,
            "num_leaves": 15,
            "min_data_in_leaf": 10,
        }
        texts.append(lgb.train(settings, data, 40).model_to_string())
    calibrator = Calibrator(np.linspace(0.01, 0.9, 50), np.linspace(0.0, 0.8, 50) ** 1.3)
    return BundleParts("churn", compiled, vocabulary, texts, calibrator, {"rows": 1500}, rows.slice(0, 20))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def folder(workspace: Path, parts: BundleParts) -> Path:
    return workspace / "bundles" / write_bundle(workspace / "bundles", parts, KEY)


@pytest.fixture
def write(workspace: Path, parts: BundleParts) -> Callable[..., str]:
    """Write a variant of the bundle; keyword arguments are its metadata."""
    return lambda **metadata: write_bundle(workspace / "bundles", replace(parts, metadata=metadata), KEY)
