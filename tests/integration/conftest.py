"""A simulated operator, checked once; a workspace of its own; one training of a few trials."""

import io
import json
import shutil
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from nbo.cli.app import run
from nbo.tables.check import check_tables
from nbo.tables.mapping import load_mapping
from nbo.world import WorldConfig, simulate
from nbo.world.tuning import TUNING

ROOT = Path(__file__).resolve().parents[2]
KEY = b"a key of the tests"
FEW_CALLS_MANY_LEAVERS = replace(
    TUNING,
    employees_log_mean=0.4,
    employees_log_sd=1.0,
    calls_per_line_day=0.12,
    leave_without_trace=0.001,
    leave_after_contract=0.12,
    leave_by_leak=1.0,
    leave_by_service=0.003,
    cancel_intent_share=0.8,
    complaint_per_week=0.01,
    take_rate=1.3,
)
CONFIG = """
seed = 1
[slices]
train = 6
holdout = 2
history_days = 90
[tuning]
trials = 3
folds = 2
[booster]
folds = 3
seeds = 1
max_rounds = 40
patience_rounds = 10
"""


PRODUCT_CONFIG = """
seed = 1
[slices]
train = 3
holdout = 1
history_days = 90
[booster]
folds = 2
seeds = 1
max_rounds = 40
patience_rounds = 10
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its code and what it said."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        return dict(json.loads(self.out))

    @property
    def result(self) -> Any:
        """What the command answered; it must have ended well."""
        assert self.code == 0, self.err
        return self.envelope["result"]


Nbo = Callable[..., Ended]


def ended(*words: str | Path, cwd: Path) -> Ended:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run([str(word) for word in words])
    return Ended(code, out.getvalue(), err.getvalue())


def copied_workspace(folder: Path) -> Path:
    """The checkout's declarations and pipelines, with a config of few trials."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "nbo.toml", folder)
    for name in ("features", "training", "serving"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "training" / "configs" / "churn.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of 800 accounts over 13 months."""
    root = tmp_path_factory.mktemp("operator")
    config = WorldConfig(accounts=800, months=13, seed=3)
    simulate(config, root / "raw", lambda _: None, tuning=FEW_CALLS_MANY_LEAVERS)
    report = check_tables(root / "raw", root / "store", load_mapping(None, root / "raw"), key=KEY)
    assert report.ok, [violation.line for violation in report.violations]
    return root / "store"


@pytest.fixture(scope="session")
def trained(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A workspace with one trained bundle that is not released, and what the training said."""
    workspace = copied_workspace(tmp_path_factory.mktemp("trained") / "workspace")
    return workspace, ended("train", "churn", "--store", store, "--json", cwd=workspace)


@pytest.fixture(scope="session")
def bundle_id(trained: tuple[Path, Ended]) -> str:
    """The id of the trained bundle."""
    return str(trained[1].result["bundle"])


@pytest.fixture(scope="session")
def released(trained: tuple[Path, Ended], bundle_id: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained workspace whose bundle is in use; tests that change it copy it again."""
    workspace = tmp_path_factory.mktemp("released") / "workspace"
    shutil.copytree(trained[0], workspace)
    promoted = ended("promote", "churn", "--bundle", bundle_id, cwd=workspace)
    assert promoted.code == 0, promoted.err
    return workspace


@pytest.fixture(scope="session")
def selling(released: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace where churn and next-product are in use; tests that change it copy it again."""
    workspace = Path(shutil.copytree(released, tmp_path_factory.mktemp("selling") / "workspace"))
    (workspace / "training" / "configs" / "next_product.toml").write_text(PRODUCT_CONFIG)
    trained = ended("train", "next-product", "--store", store, "--json", cwd=workspace)
    promoted = ended("promote", "next-product", "--bundle", trained.result["bundle"], cwd=workspace)
    assert promoted.code == 0, promoted.err
    return workspace


@pytest.fixture
def own_selling(selling: Path, tmp_path: Path) -> Path:
    """A workspace of one's own where both models are in use, with a log of its own."""
    return Path(
        shutil.copytree(selling, tmp_path / "selling", ignore=shutil.ignore_patterns("decisions.db*", "runs"))
    )


@pytest.fixture
def workspace(trained: tuple[Path, Ended], tmp_path: Path) -> Path:
    """A workspace of one's own with the trained bundle, nothing released."""
    return Path(shutil.copytree(trained[0], tmp_path / "workspace"))


@pytest.fixture
def own_released(released: Path, tmp_path: Path) -> Path:
    """A workspace of one's own with the trained bundle released."""
    return Path(shutil.copytree(released, tmp_path / "released"))


@pytest.fixture
def new_workspace(tmp_path: Path) -> Path:
    """A workspace of one's own where nothing was trained and no record of runs exists."""
    return copied_workspace(tmp_path / "new")


@pytest.fixture
def bare_workspace(trained: tuple[Path, Ended], tmp_path: Path) -> Path:
    """A workspace of one's own without bundles; its record of runs is a copy, for making one is slow."""
    workspace = copied_workspace(tmp_path / "bare")
    (workspace / "mlruns").mkdir()
    shutil.copy(trained[0] / "mlruns" / "mlflow.db", workspace / "mlruns")
    return workspace


@pytest.fixture(scope="session")
def nbo() -> Nbo:
    """``nbo("score", "--store", store, cwd=workspace)`` runs a command in this process."""
    return ended
