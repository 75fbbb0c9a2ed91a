"""Is the demo operator hard enough, and honest? Measured with the real features on fixed seeds.

The bounds are not tolerances around a truth but the difficulty we promise. With about 130 leavers on the
held-out months the standard error of an AUC is .025.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nbo.asof import LabelWindow
from nbo.bundle import Vocabulary
from nbo.features import CompiledFeatures, compile_features
from nbo.labels import churn_labels, plan_slices
from nbo.models import BoosterSettings, TrainingData, fit_churn
from nbo.models.slices import LabelledRows, labelled_rows
from nbo.tables.check import check_tables
from nbo.tables.mapping import load_mapping
from nbo.tables.store import Store
from nbo.workspace import Workspace
from nbo.world import WorldConfig, simulate

ROOT = Path(__file__).resolve().parents[2]
WINDOW = LabelWindow(gap_days=7, horizon_days=60)
FAST = BoosterSettings(seeds=1, folds=3, max_rounds=150)
SHUFFLES = 8
TENURE_AND_BILL = (
    "lines_days_since_first_3650d",
    "bills_bill_amount_sum_31d",
    "bills_bill_amount_sum_92d",
    "bills_bill_amount_mean_92d",
    "bills_bill_amount_max_92d",
)


class Operator:
    """Training and held-out rows of one simulated operator, encoded."""

    def __init__(self, store: Store, compiled: CompiledFeatures) -> None:
        plan = plan_slices(store, WINDOW, train=6, holdout=2, history_days=90)
        self.train = self._rows(store, compiled, plan.train)
        self.held = self._rows(store, compiled, plan.holdout)
        vocabulary = Vocabulary.learn(self.train.rows, compiled)
        self.compiled = compiled
        self.train_matrix = vocabulary.encode(self.train.rows, compiled)
        self.held_matrix = vocabulary.encode(self.held.rows, compiled)

    @staticmethod
    def _rows(store: Store, compiled: CompiledFeatures, dates: tuple) -> LabelledRows:  # type: ignore[type-arg]
        labels = [churn_labels(store, as_of, WINDOW) for as_of in dates]
        return labelled_rows(store, compiled, [(item.as_of, item.table) for item in labels])

    def data(self, label: np.ndarray, names: tuple[str, ...] = ()) -> TrainingData:
        """Training rows with some features, or all."""
        chosen = names or self.compiled.names
        places = [self.compiled.names.index(name) for name in chosen]
        features = [self.compiled.features[place] for place in places]
        return TrainingData(
            matrix=np.ascontiguousarray(self.train_matrix[:, places]),
            label=label,
            account_ids=self.train.account_ids,
            as_of_days=self.train.as_of_days,
            names=tuple(chosen),
            categories=tuple(n for n, feature in enumerate(features) if feature.kind == "category"),
        )


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    folder = tmp_path_factory.mktemp("demo")
    simulate(WorldConfig(accounts=3000, months=15, seed=1), folder / "raw", lambda _: None)
    report = check_tables(folder / "raw", folder / "store", load_mapping(None, folder / "raw"), key=b"k" * 32)
    assert report.ok
    compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
    return Operator(Store.open(folder / "store"), compiled)


def test_a_model_of_all_features_is_good_and_not_too_good(operator: Operator) -> None:
    fitted = fit_churn(operator.data(operator.train.label), BoosterSettings(), seed=1)
    auc = roc_auc_score(operator.held.label, fitted.score(operator.held_matrix))
    assert operator.held.positives > 100
    assert 0.75 <= auc <= 0.88


def test_tenure_and_bill_alone_tell_little(operator: Operator) -> None:
    fitted = fit_churn(operator.data(operator.train.label, TENURE_AND_BILL), BoosterSettings(), seed=1)
    places = [operator.compiled.names.index(name) for name in TENURE_AND_BILL]
    auc = roc_auc_score(operator.held.label, fitted.score(operator.held_matrix[:, places]))
    assert auc <= 0.70


def test_who_would_be_changed_is_worth_more_than_who_is_at_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best action for those it changes most, against the best single one for those most at risk.

    Both know the truth and contact a twentieth; what they gain is counted under futures that they did
    not choose by.
    """
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    judged = import_module("world_targeting").targeting(
        WorldConfig(accounts=1000, months=12, seed=1), month=9
    )
    assert judged["oracle"] >= 1.25 * judged["risk"] > 0


def test_no_single_feature_gives_it_away(operator: Operator) -> None:
    best = {}
    for place, name in enumerate(operator.compiled.names):
        values = operator.held_matrix[:, place]
        if np.isnan(values).all():
            continue
        auc = roc_auc_score(operator.held.label, np.nan_to_num(values, nan=np.nanmin(values) - 1))
        best[name] = max(auc, 1 - auc)
    assert len(best) > 80
    assert max(best.values()) <= 0.75, max(best, key=lambda name: best[name])


def test_shuffled_labels_teach_nothing(operator: Operator) -> None:
    """The mean of 8 independent AUCs has a standard error of .009.

    The bound of .03 is 3.3 of them: one false alarm in 1,000.
    """
    rng = np.random.default_rng(7)
    found = []
    for _ in range(SHUFFLES):
        fitted = fit_churn(operator.data(rng.permutation(operator.train.label)), FAST, seed=1)
        shuffled = rng.permutation(operator.held.label)
        found.append(roc_auc_score(shuffled, fitted.score(operator.held_matrix)))
    assert float(np.mean(found)) == pytest.approx(0.5, abs=0.03)
