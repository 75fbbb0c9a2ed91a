"""Every declared feature on a real Spark: the same SQL text, the same values as the embedded engine."""

import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nbo.engine import Spark, SparkPlace
from nbo.errors import StorageError, UsageError
from nbo.features import CompiledFeatures, FeatureSet, Words, compile_features
from nbo.features.build import build_features, feature_rows
from nbo.features.parameters import bind, read_parameters
from nbo.features.spec import Declared
from nbo.tables.store import Store
from nbo.workspace import Workspace

pytestmark = pytest.mark.needs("spark")
ROOT = Path(__file__).resolve().parents[2]
SETS = ("churn", "next_product", "offers")


def unequal(one: pa.Table, other: pa.Table) -> list[str]:
    """Columns that differ: whole numbers and words at all, other numbers by more than 1e-9 of their size."""
    assert one.schema == other.schema
    found = []
    for name in one.column_names:
        pairs = zip(one[name].to_pylist(), other[name].to_pylist(), strict=True)
        if pa.types.is_floating(one.schema.field(name).type):
            same = all(
                (a is None) == (b is None) and (a is None or a == pytest.approx(b, rel=1e-9))
                for a, b in pairs
            )
        else:
            same = all(a == b for a, b in pairs)
        if not same:
            found.append(name)
    return found


@cache
def every_feature() -> CompiledFeatures:
    """Every declared feature once."""
    families = [family for name in SETS for family in Workspace.find(ROOT).feature_sets(name)]
    unique = dict.fromkeys(feature for family in families for feature in family.features)
    return compile_features([FeatureSet("all", Words("All", "全部"), [Declared((one,)) for one in unique])])


def same_on(place: SparkPlace, store: Path, scratch: Path) -> None:
    """Every declared feature has on a Spark the values that the embedded engine gives it."""
    opened, compiled = Store.open(store), every_feature()
    as_of = opened.latest.back(45)
    expected = feature_rows(opened, compiled, as_of)
    with Spark(place, scratch) as engine:
        opened.show(engine)
        sql = bind(compiled.sql, read_parameters(opened, engine, compiled.sql, as_of, None))
        rows = engine.query(sql).select(expected.column_names).cast(expected.schema)
    assert expected.num_rows > 300 and unequal(expected, rows) == []


def test_every_declared_feature_is_the_same_on_spark(store: Path, tmp_path: Path) -> None:
    same_on(SparkPlace(master="local[2]"), store, tmp_path)


def test_a_snapshot_built_on_spark_is_read_by_everything_else(
    store: Path, nbo: Callable[..., Any], tmp_path: Path
) -> None:
    own_store = tmp_path / "store"
    shutil.copytree(store, own_store)
    opened = Store.open(own_store)
    as_of = opened.latest.back(77)
    compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
    words = ("features", "build", "--store", own_store, "--as-of", as_of, "--engine", "spark")
    ended = nbo(*words, "--master", "local[2]", "--json", cwd=ROOT)
    assert ended.code == 0, ended.err
    snapshot = build_features(opened, compiled, as_of)
    assert ended.result["rows"] == snapshot.manifest["rows"] > 300
    assert unequal(feature_rows(opened, compiled, as_of), snapshot.read()) == []
    assert [path.name for path in snapshot.folder.iterdir() if path.is_dir()] == []


def test_an_engine_that_does_not_exist_is_refused(store: Path, nbo: Callable[..., Any]) -> None:
    ended = nbo("features", "build", "--store", store, "--as-of", "latest", "--engine", "hive", cwd=ROOT)
    assert ended.code == 2 and "--engine: expected duckdb or spark, got 'hive'" in ended.err


def test_without_pyspark_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(
        UsageError, match=r"expected pyspark, which is not installed\. pip install nbo\[spark\]"
    ):
        Spark(SparkPlace(master="local[1]"), tmp_path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('master = "nowhere://here"', "nbo.toml spark.master: "),
        ("wait_seconds = 0", "nbo.toml spark.wait_seconds: "),
        ('mastr = "yarn"', "nbo.toml spark.mastr: unknown key; did you mean master?"),
        ('conf = { memory = "4g" }', "expected names that begin with spark., got memory"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    store: Path, nbo: Callable[..., Any], tmp_path: Path, settings: str, told: str
) -> None:
    (tmp_path / "nbo.toml").write_text(f"[spark]\n{settings}\n")
    words = ("features", "build", "--store", store, "--as-of", "latest", "--engine", "spark")
    ended = nbo(*words, cwd=tmp_path)
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1


def test_a_master_of_no_kind_is_refused_by_where_it_was_named(
    store: Path, nbo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("features", "build", "--store", store, "--as-of", "latest", "--engine", "spark")
    ended = nbo(*words, "--master", "nowhere://here", cwd=ROOT)
    assert ended.code == 2 and ended.err.startswith("nbo: --master: expected local[*], spark://HOST:PORT")
    monkeypatch.setenv("NBO_SPARK_MASTER", "here")
    ended = nbo(*words, cwd=ROOT)
    assert ended.code == 2 and ended.err.startswith("nbo: NBO_SPARK_MASTER: expected local[*]")


def test_what_spark_cannot_run_is_told_in_one_line(tmp_path: Path) -> None:
    with (
        Spark(SparkPlace(master="local[1]"), tmp_path) as engine,
        pytest.raises(StorageError, match=r"^Spark at .*no_such") as caught,
    ):
        engine.query("SELECT * FROM no_such")
    assert "\n" not in str(caught.value)
