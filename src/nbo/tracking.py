"""What was trained, with what, and how good it was: the only module that knows MLflow.

MLflow remembers, it does not serve: nothing here is on a request's path. It is imported when
tracking is opened and not before, because importing it costs seconds.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging import WARNING, getLogger
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from nbo.asof import AsOf
from nbo.errors import NboError, StorageError, UsageError
from nbo.evaluation import Interval
from nbo.files import told_storage_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = Path("mlruns", "mlflow.db")
ARTIFACTS = Path("mlruns", "artifacts")
MAX_PARAM = 6_000
MAX_TAG = 8_000
MAX_PARAMS_A_CALL = 100
MAX_RUNS = 1_000
QUIET = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""MLflow's environment: it loads no pickles and calls nobody."""


@dataclass(frozen=True)
class RunRecord:
    """A recorded run, as plain data.

    Parameters
    ----------
    run_id, name : str
        MLflow's id, and the name it was given.
    experiment : str
        Such as ``churn``.
    status : str
        ``running``, ``finished``, ``failed`` or ``killed``.
    started : str
        ISO time in UTC.
    params, tags : mapping of str to str
        As logged; MLflow's own tags are left out.
    metrics : mapping of str to float
        As logged.
    artifacts : str
        Where its files are.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    started: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: str = ""


class Run:
    """A run that is being recorded; :meth:`Tracking.run` gives one.

    Parameters
    ----------
    client : MlflowClient
        Of the workspace's database.
    run_id : str
        MLflow's id.
    """

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Record a nested config: each leaf as a parameter ``a.b``, the whole as ``config.json``."""
        from mlflow.entities import Param

        leaves = [Param(name, str(value)[:MAX_PARAM]) for name, value in flattened(config)]
        with told_tracking_errors():
            for start in range(0, len(leaves), MAX_PARAMS_A_CALL):
                self._client.log_batch(self.run_id, params=leaves[start : start + MAX_PARAMS_A_CALL])
            self._client.log_dict(self.run_id, dict(config), "config.json")

    def log_metrics(
        self,
        metrics: Mapping[str, Interval | Mapping[str, float]],
        *,
        prefix: str = "",
        as_of: AsOf | None = None,
    ) -> None:
        """Record metrics with their intervals as ``name``, ``name_low`` and ``name_high``.

        Parameters
        ----------
        metrics : mapping
            Intervals, or their JSON form, by name.
        prefix : str
            Put before each name.
        as_of : AsOf or None
            The slice they are of: each name then ends in ``/<date>`` and the date becomes a tag.
        """
        from mlflow.entities import Metric

        suffix = "" if as_of is None else f"/{as_of}"
        now = int(datetime.now(UTC).timestamp() * 1000)
        entries = []
        for name, told in metrics.items():
            interval = told if isinstance(told, Interval) else Interval.from_json(told)
            for ending, value in (("", interval.value), ("_low", interval.low), ("_high", interval.high)):
                entries.append(Metric(f"{prefix}{name}{ending}{suffix}", value, now, 0))
        with told_tracking_errors():
            self._client.log_batch(self.run_id, metrics=entries)
        if as_of is not None:
            self.log_tags({f"as_of.{as_of}": prefix.rstrip("_") or "slice"})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record hashes, ids and other words to find the run by."""
        with told_tracking_errors():
            for name, value in tags.items():
                self._client.set_tag(self.run_id, name, str(value)[:MAX_TAG])

    def log_text(self, text: str, path: str) -> None:
        """Record a text file under the run's artifacts."""
        self.log_bytes(text.encode(), path)

    def log_bytes(self, content: bytes, path: str) -> None:
        """Record a file, such as a picture, under the run's artifacts."""
        place = PurePosixPath(path)
        with tempfile.TemporaryDirectory() as folder, told_tracking_errors():
            local = Path(folder, place.name)
            local.write_bytes(content)
            parent = None if place.parent == PurePosixPath() else str(place.parent)
            self._client.log_artifact(self.run_id, str(local), parent)

    def log_folder(self, folder: Path, path: str) -> None:
        """Record a copy of a folder under the run's artifacts."""
        if not folder.is_dir():
            raise StorageError(f"{folder}: expected a folder to record, got none")
        with told_tracking_errors():
            self._client.log_artifacts(self.run_id, str(folder), path)


class Tracking:
    """The runs of a workspace; :func:`open_tracking` opens it.

    Parameters
    ----------
    client : MlflowClient
        Of the workspace's database.
    artifacts : Path
        Where files of new experiments go.
    """

    def __init__(self, client: "MlflowClient", artifacts: Path) -> None:
        self._client = client
        self._artifacts = artifacts

    @contextmanager
    def run(self, experiment: str, name: str) -> Iterator[Run]:
        """Record a run: finished when the block ends well, else failed or killed."""
        with told_tracking_errors():
            experiment_id = self.experiment_id(experiment)
            started = self._client.create_run(experiment_id, run_name=name)
        run = Run(self._client, started.info.run_id)
        status = "FAILED"
        try:
            yield run
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            with told_tracking_errors():
                self._client.set_terminated(run.run_id, status)

    def list_runs(self, experiment: str) -> list[RunRecord]:
        """Runs of an experiment, newest first; empty before the first."""
        with told_tracking_errors():
            found = self._client.get_experiment_by_name(experiment)
            if found is None:
                return []
            runs = self._client.search_runs(
                [found.experiment_id], max_results=MAX_RUNS, order_by=["attributes.start_time DESC"]
            )
            return [record(run, experiment) for run in runs]

    def record(self, run_id: str) -> RunRecord:
        """One run; :class:`UsageError` where there is none of this id."""
        with told_tracking_errors():
            run = self._client.get_run(run_id)
            return record(run, self._client.get_experiment(run.info.experiment_id).name)

    def experiment_id(self, name: str) -> str:
        """The id of an experiment, made with an explicit artifact folder where it is new."""
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=(self._artifacts / name).as_uri()))


def open_tracking(workspace: Path, *, create: bool) -> Tracking:
    """Open the workspace's record of runs.

    Parameters
    ----------
    workspace : Path
        Its ``mlruns/mlflow.db`` is the database, ``mlruns/artifacts`` holds the files.
    create : bool
        Whether a missing database is made; it takes some seconds once.

    Raises
    ------
    StorageError
        The database is missing and ``create`` is false, or cannot be opened.
    """
    root = workspace.absolute()
    database = root / DATABASE
    if not database.is_file():
        # MLflow makes a database at any mistyped path without a word.
        if not create:
            raise StorageError(f"{database}: expected a record of runs, got none", "Run nbo train churn")
        with told_storage_errors(database):
            database.parent.mkdir(parents=True, exist_ok=True)
    os.environ.update(QUIET)
    from mlflow import MlflowClient

    # Only now: MLflow sets its own levels while it is imported.
    for name in ("mlflow", "alembic"):
        getLogger(name).setLevel(WARNING)
    uri = f"sqlite:///{database}"
    with told_tracking_errors(database):
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return Tracking(client, root / ARTIFACTS)


@contextmanager
def told_tracking_errors(database: Path = DATABASE) -> Iterator[None]:
    """Turn MLflow's and the database's errors into ours."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except NboError:
        raise
    except MlflowException as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise UsageError(f"run: {first}", "Run nbo models list") from None
        raise StorageError(f"{database}: {first}") from error
    except SQLAlchemyError as error:
        first = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StorageError(f"{database}: {first}", "Move the file away to start a new record") from error
    except OSError as error:
        raise StorageError(f"{database}: {error.strerror or error}") from error


def record(run: Any, experiment: str) -> RunRecord:
    """A run of MLflow as plain data."""
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        experiment=experiment,
        status=run.info.status.lower(),
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC).isoformat(timespec="seconds"),
        params=dict(run.data.params),
        tags={name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")},
        metrics=dict(run.data.metrics),
        artifacts=run.info.artifact_uri,
    )


def flattened(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The leaves of a nested config by dotted name.

    Examples
    --------
    >>> flattened({"a": {"b": 1}, "c": [2, 3]})
    [('a.b', 1), ('c', [2, 3])]
    """
    leaves: list[tuple[str, Any]] = []
    for name, value in config.items():
        if isinstance(value, Mapping):
            leaves.extend(flattened(value, f"{prefix}{name}."))
        else:
            leaves.append((f"{prefix}{name}", value))
    return leaves
