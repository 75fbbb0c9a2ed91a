"""How hard the simulated operator is to learn from: churn models on its features, judged on later months."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from nbo.asof import AsOf, LabelWindow
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

ROOT = Path(__file__).resolve().parents[1]
WINDOW = LabelWindow(gap_days=7, horizon_days=60)
KEY = b"benchmark" * 4
TENURE_AND_BILL = (
    "lines_days_since_first_3650d",
    "bills_bill_amount_sum_31d",
    "bills_bill_amount_sum_92d",
    "bills_bill_amount_mean_92d",
    "bills_bill_amount_max_92d",
)


@dataclass(frozen=True)
class Learnt:
    """AUC on held-out months, and how much there was to learn from."""

    rows: int
    leavers: int
    judged: int
    judged_leavers: int
    whole: float
    tenure_and_bill: float
    best: float
    best_name: str


@dataclass(frozen=True, eq=False)
class Operator:
    """Training and held-out rows of one simulated operator, encoded."""

    compiled: CompiledFeatures
    train: LabelledRows
    held: LabelledRows
    train_matrix: np.ndarray
    held_matrix: np.ndarray

    @classmethod
    def of(cls, accounts: int, months: int, seed: int) -> "Operator":
        """Simulate, check, and build the features that ``nbo train churn`` learns from."""
        with tempfile.TemporaryDirectory() as room:
            raw, out = Path(room) / "raw", Path(room) / "store"
            simulate(WorldConfig(accounts=accounts, months=months, seed=seed), raw, lambda _: None)
            report = check_tables(raw, out, load_mapping(None, raw), key=KEY)
            if not report.ok:
                raise SystemExit(report.failed[0].line)
            compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
            store = Store.open(out)
            plan = plan_slices(store, WINDOW, train=6, holdout=2, history_days=90)
            train, held = (labelled(store, compiled, dates) for dates in (plan.train, plan.holdout))
        vocabulary = Vocabulary.learn(train.rows, compiled)
        matrices = (vocabulary.encode(part.rows, compiled) for part in (train, held))
        return cls(compiled, train, held, *matrices)

    def data(self, label: np.ndarray, names: tuple[str, ...] = ()) -> TrainingData:
        """Training rows with some features, or all."""
        places = self.places(names)
        features = [self.compiled.features[place] for place in places]
        return TrainingData(
            matrix=np.ascontiguousarray(self.train_matrix[:, places]),
            label=label,
            account_ids=self.train.account_ids,
            as_of_days=self.train.as_of_days,
            names=tuple(self.compiled.names[place] for place in places),
            categories=tuple(n for n, feature in enumerate(features) if feature.kind == "category"),
        )

    def auc(self, settings: BoosterSettings, names: tuple[str, ...] = ()) -> float:
        """Of a model of some features, or all, on the held-out months."""
        fitted = fit_churn(self.data(self.train.label, names), settings, seed=1)
        matrix = np.ascontiguousarray(self.held_matrix[:, self.places(names)])
        return float(roc_auc_score(self.held.label, fitted.score(matrix)))

    def places(self, names: tuple[str, ...]) -> list[int]:
        return [self.compiled.names.index(name) for name in names or self.compiled.names]

    def single(self) -> dict[str, float]:
        """AUC of each feature alone, whichever way it points, on the held-out months."""
        found = {}
        for place, name in enumerate(self.compiled.names):
            values = self.held_matrix[:, place]
            if not np.isnan(values).all():
                auc = float(roc_auc_score(self.held.label, np.nan_to_num(values, nan=np.nanmin(values) - 1)))
                found[name] = max(auc, 1 - auc)
        return found


def labelled(store: Store, compiled: CompiledFeatures, dates: tuple[AsOf, ...]) -> LabelledRows:
    labels = [churn_labels(store, as_of, WINDOW) for as_of in dates]
    return labelled_rows(store, compiled, [(item.as_of, item.table) for item in labels])


def learnt(accounts: int, months: int, seed: int) -> Learnt:
    """Simulate an operator, learn from six months, judge on two later ones."""
    operator = Operator.of(accounts, months, seed)
    single = operator.single()
    best = max(single, key=lambda name: single[name])
    return Learnt(
        rows=len(operator.train.label),
        leavers=int(operator.train.label.sum()),
        judged=len(operator.held.label),
        judged_leavers=int(operator.held.label.sum()),
        whole=operator.auc(BoosterSettings()),
        tenure_and_bill=operator.auc(BoosterSettings(), TENURE_AND_BILL),
        best=single[best],
        best_name=best,
    )
