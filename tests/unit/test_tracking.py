import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from nbo.asof import AsOf
from nbo.errors import StorageError, UsageError
from nbo.evaluation import Interval
from nbo.tracking import DATABASE, QUIET, Tracking, open_tracking


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One empty database; making it takes MLflow seconds."""
    workspace = tmp_path_factory.mktemp("migrated")
    open_tracking(workspace, create=True)
    return workspace / DATABASE


@pytest.fixture
def workspace(tmp_path: Path, migrated: Path) -> Path:
    """A workspace whose path holds what paths of people hold."""
    root = tmp_path / "工作 space"
    (root / DATABASE).parent.mkdir(parents=True)
    shutil.copy(migrated, root / DATABASE)
    return root


@pytest.fixture
def tracking(workspace: Path) -> Tracking:
    return open_tracking(workspace, create=False)


def files(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))


def test_a_run_keeps_config_metrics_tags_and_files(
    tracking: Tracking, workspace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "metadata.json").write_text("{}")
    with tracking.run("churn", "first") as run:
        run.log_config({"seed": 1, "label": {"gap_days": 7, "kinds": ["voluntary"]}})
        run.log_metrics({"auc": Interval(0.8, 0.7, 0.9)}, prefix="holdout_")
        run.log_tags({"bundle_id": "0123456789abcdef"})
        run.log_text("<svg/>", "charts/gains.svg")
        run.log_bytes(b"\x89PNG", "gains.png")
        run.log_folder(folder, "bundle")
    told = tracking.record(run.run_id)
    assert (told.name, told.experiment, told.status) == ("first", "churn", "finished")
    assert told.params == {"seed": "1", "label.gap_days": "7", "label.kinds": "['voluntary']"}
    assert told.metrics == {"holdout_auc": 0.8, "holdout_auc_low": 0.7, "holdout_auc_high": 0.9}
    assert told.tags == {"bundle_id": "0123456789abcdef"}
    place = files(told.artifacts)
    assert place.is_relative_to(workspace / "mlruns" / "artifacts" / "churn")
    assert json.loads((place / "config.json").read_text())["label"]["gap_days"] == 7
    assert (place / "charts" / "gains.svg").read_text() == "<svg/>"
    assert (place / "gains.png").read_bytes() == b"\x89PNG"
    assert (place / "bundle" / "metadata.json").read_text() == "{}"


def test_metrics_of_a_slice_stand_beside_those_of_all(tracking: Tracking) -> None:
    with tracking.run("churn", "slices") as run:
        run.log_metrics({"auc": Interval(0.8, 0.7, 0.9)}, prefix="holdout_")
        run.log_metrics(
            {"auc": {"value": 0.6, "low": 0.5, "high": 0.65}},
            prefix="holdout_",
            as_of=AsOf.parse("2025-03-01"),
        )
    told = tracking.record(run.run_id)
    assert (told.metrics["holdout_auc"], told.metrics["holdout_auc/2025-03-01"]) == (0.8, 0.6)
    assert told.metrics["holdout_auc_low/2025-03-01"] == 0.5
    assert told.tags == {"as_of.2025-03-01": "holdout"}


def test_runs_are_listed_newest_first_and_by_experiment(tracking: Tracking) -> None:
    assert tracking.list_runs("churn") == []
    for name in ("first", "second"):
        with tracking.run("churn", name):
            pass
    with tracking.run("leakage", "other"):
        pass
    listed = tracking.list_runs("churn")
    assert {run.name for run in listed} == {"first", "second"}
    assert [run.started for run in listed] == sorted((run.started for run in listed), reverse=True)


@pytest.mark.parametrize(
    ("error", "status"), [(UsageError("wrong"), "failed"), (KeyboardInterrupt("stop"), "killed")]
)
def test_a_run_that_breaks_says_so(tracking: Tracking, error: BaseException, status: str) -> None:
    with pytest.raises(type(error), match=r"wrong|stop"), tracking.run("churn", "broken"):
        raise error
    assert [run.status for run in tracking.list_runs("churn")] == [status]


def test_a_missing_database_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(
        StorageError, match=r"mlflow\.db: expected a record of runs, got none\. Run nbo train churn"
    ):
        open_tracking(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / DATABASE).parent.mkdir()
    (tmp_path / DATABASE).write_text("not a database" * 100)
    with pytest.raises(StorageError, match=r"mlflow\.db: .*"):
        open_tracking(tmp_path, create=False)


def test_an_unknown_run_is_told(tracking: Tracking) -> None:
    with pytest.raises(UsageError, match=r"run: .*0123456789.*Run nbo models list"):
        tracking.record("0123456789" * 3)


def test_a_missing_folder_is_not_recorded(tracking: Tracking, tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="expected a folder to record, got none"),
        tracking.run("churn", "x") as run,
    ):
        run.log_folder(tmp_path / "gone", "bundle")


def test_a_config_of_any_size_is_kept(tracking: Tracking) -> None:
    with tracking.run("churn", "large") as run:
        run.log_config({f"key_{k}": k for k in range(250)} | {"long": "x" * 10_000})
    params = tracking.record(run.run_id).params
    assert len(params) == 251 and len(params["long"]) == 6_000


def test_nothing_is_written_outside_the_workspace(
    tracking: Tracking, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with tracking.run("churn", "x") as run:
        run.log_text("hello", "hello.txt")
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in workspace.iterdir()) == ["mlruns"]


def test_pickles_and_telemetry_are_off(tracking: Tracking) -> None:
    assert {name: os.environ[name] for name in QUIET} == QUIET
    from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get() is False
    assert is_telemetry_disabled()


def test_importing_tracking_does_not_import_mlflow() -> None:
    code = "import sys, nbo.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
