import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from nbo.models import BoosterSettings, TrainingData, TuningResult, TuningSettings, fit_churn, tune

Simulate = Callable[..., TrainingData]
QUICK = BoosterSettings(max_rounds=30, patience_rounds=5, folds=3, seeds=1, threads=1)
SEARCH = TuningSettings(trials=6, folds=2, seed=3, startup_trials=3)
CHILD = """
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from nbo.models import BoosterSettings, TuningSettings, tune
spec = spec_from_file_location("simulation", sys.argv[1])
simulation = module_from_spec(spec)
spec.loader.exec_module(simulation)
settings = TuningSettings(trials=500, folds=2, seed=3, startup_trials=3, storage=Path(sys.argv[2]))
told = lambda done, trials, best: print(done, flush=True)
tune(simulation.simulated(3000), settings, told, booster=BoosterSettings(**json.loads(sys.argv[3])))
"""


@pytest.fixture(scope="module")
def result(data: TrainingData) -> TuningResult:
    return tune(data, SEARCH, booster=QUICK)


def test_the_best_trial_is_the_one_with_the_lowest_loss(result: TuningResult) -> None:
    assert [trial.number for trial in result.history] == list(range(6))
    complete = {trial.log_loss: trial for trial in result.history if trial.log_loss is not None}
    best = complete[min(complete)]
    assert {name: result.parameters[name] for name in best.parameters} == best.parameters
    assert 1 <= result.parameters["rounds"] <= 30


def test_what_was_found_can_be_fitted(result: TuningResult, data: TrainingData) -> None:
    fitted = fit_churn(data, QUICK, tuned=result.parameters, seed=1)
    assert fitted.parameters["num_leaves"] == result.parameters["num_leaves"]
    assert fitted.parameters["rounds"] == result.parameters["rounds"]


def test_the_same_seed_finds_the_same(result: TuningResult, data: TrainingData) -> None:
    assert tune(data, SEARCH, booster=QUICK) == result
    assert tune(data, SEARCH.model_copy(update={"seed": 4}), booster=QUICK) != result


def test_progress_is_told_after_each_trial(data: TrainingData) -> None:
    told: list[tuple[int, int, float | None]] = []
    tune(data, SEARCH, lambda *now: told.append(now), booster=QUICK)
    assert [(done, trials) for done, trials, _ in told] == [(k, 6) for k in range(1, 7)]
    losses = [best for _, _, best in told if best is not None]
    assert losses == sorted(losses, reverse=True)


def test_poor_trials_are_pruned(data: TrainingData) -> None:
    found = tune(data, SEARCH.model_copy(update={"trials": 14}), booster=QUICK)
    assert {trial.state for trial in found.history} == {"complete", "pruned"}
    assert all(trial.log_loss is None for trial in found.history if trial.state == "pruned")


def test_few_leavers_or_no_trials_tune_nothing(data: TrainingData, simulate: Simulate) -> None:
    nothing = TuningResult({}, ())
    assert tune(simulate(3000, rate_shift=-6.0), SEARCH) == nothing
    assert tune(data, TuningSettings(trials=0)) == nothing


def test_a_search_goes_on_in_its_storage_and_stops_at_its_trials(data: TrainingData, tmp_path: Path) -> None:
    stored = SEARCH.model_copy(update={"storage": tmp_path / "deep" / "study.db"})
    first = tune(data, stored.model_copy(update={"trials": 2}), booster=QUICK)
    second = tune(data, stored, booster=QUICK)
    assert second.history[:2] == first.history and len(second.history) == 6
    assert len({tuple(trial.parameters.values()) for trial in second.history}) == 6
    assert tune(data, stored, booster=QUICK) == second


def test_other_data_do_not_share_a_study(data: TrainingData, simulate: Simulate, tmp_path: Path) -> None:
    stored = SEARCH.model_copy(update={"storage": tmp_path / "study.db", "trials": 2})
    tune(data, stored, booster=QUICK)
    assert len(tune(simulate(2000, seed=9), stored, booster=QUICK).history) == 2


def test_a_killed_search_goes_on_where_it_was(data: TrainingData, tmp_path: Path) -> None:
    storage = tmp_path / "study.db"
    simulation = Path(__file__).with_name("conftest.py")
    arguments = [str(simulation), str(storage), QUICK.model_dump_json()]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 3:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    url = f"sqlite:///{storage}"
    [name] = optuna.get_all_study_names(url)
    left = optuna.load_study(study_name=name, storage=url).trials
    done = sum(trial.state.is_finished() for trial in left)
    settings = TuningSettings(trials=done + 2, folds=2, seed=3, startup_trials=3, storage=storage)
    told: list[tuple[int, int, float | None]] = []
    found = tune(data, settings, lambda *now: told.append(now), booster=QUICK)
    assert done >= 3
    assert [now[:2] for now in told] == [(done + 1, done + 2), (done + 2, done + 2)]
    assert [trial.parameters for trial in found.history[:3]] == [trial.params for trial in left[:3]]


def test_the_first_trial_can_be_the_settings_own(data: TrainingData) -> None:
    own = QUICK.model_copy(update={"learning_rate": 0.11, "num_leaves": 9, "min_data_in_leaf": 25})
    first = tune(data, SEARCH.model_copy(update={"trials": 1, "own_first": True}), booster=own).history[0]
    asked = {name: value for name, value in own.model_dump().items() if name in first.parameters}
    assert len(asked) == 6
    assert {name: first.parameters[name] for name in asked} == asked


def test_a_setting_out_of_the_search_is_drawn_like_any(data: TrainingData) -> None:
    own = QUICK.model_copy(update={"learning_rate": 0.9})
    first = tune(data, SEARCH.model_copy(update={"trials": 1, "own_first": True}), booster=own).history[0]
    assert 0.02 <= first.parameters["learning_rate"] <= 0.2
