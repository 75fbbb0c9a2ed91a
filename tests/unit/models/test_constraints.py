"""A booster keeps to the directions and groups that its settings give by name."""

import lightgbm as lgb
import numpy as np
import pytest

from nbo.bundle import Derivation, Derived
from nbo.errors import UsageError
from nbo.models.churn import FittedModel, fit_churn
from nbo.models.constraints import constrained_parameters, may_pair
from nbo.models.data import TrainingData
from nbo.models.deriving import with_derived
from nbo.models.settings import BoosterSettings

N = 2_000
QUICK = BoosterSettings(max_rounds=60, patience_rounds=10, folds=3, seeds=1, learning_rate=0.2)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """The odds rise with a, but for its middle, and with a third number where the second is high."""
    rng = np.random.default_rng(2)
    matrix = rng.uniform(0, 1, (N, 4))
    bent = matrix[:, 0] - 0.8 * (np.abs(matrix[:, 0] - 0.5) < 0.1)
    log_odds = 3 * bent - 2 + 3 * (matrix[:, 1] - 0.5) * (matrix[:, 2] - 0.5)
    matrix[:, 3] = rng.integers(0, 3, N)
    return TrainingData(
        matrix=matrix,
        label=(rng.random(N) < 1 / (1 + np.exp(-log_odds))).astype(np.int8),
        account_ids=np.arange(N).astype(np.str_),
        as_of_days=np.zeros(N, dtype=np.int32),
        names=("a", "b", "c", "kind"),
        categories=(3,),
    )


def falls(fitted: FittedModel) -> bool:
    """Whether the score falls anywhere as the first feature grows."""
    matrix = np.tile([0.0, 0.5, 0.5, 1.0], (200, 1))
    matrix[:, 0] = np.linspace(0, 1, 200)
    return bool((np.diff(fitted.score(matrix)) < 0).any())


def test_a_score_never_falls_where_it_may_not(data: TrainingData) -> None:
    assert falls(fit_churn(data, QUICK))
    rising = QUICK.model_copy(update={"monotone": {"a": 1}})
    assert not falls(fit_churn(data, rising))
    derived = with_derived(data, rising.model_copy(update={"derive": True}), seed=1)
    assert not falls(fit_churn(derived, rising))


def branches(node: dict[str, object], above: frozenset[int] = frozenset()) -> list[frozenset[int]]:
    """The features that meet on the way to each leaf."""
    if "split_feature" not in node:
        return [above]
    here = above | {int(str(node["split_feature"]))}
    sides = [node["left_child"], node["right_child"]]
    return [one for side in sides for one in branches(dict(side), here)]  # type: ignore[call-overload]


def test_only_features_of_a_group_meet_in_a_branch(data: TrainingData) -> None:
    settings = QUICK.model_copy(update={"interactions": (("a", "b"),)})
    booster = lgb.Booster(model_str=fit_churn(data, settings).boosters[0])
    trees = booster.dump_model()["tree_info"]
    met = {one for tree in trees for one in branches(tree["tree_structure"])}
    assert {frozenset({0, 1}), frozenset({2, 3})} & met
    assert all(one <= {0, 1} or one <= {2, 3} for one in met)


def test_a_derived_column_belongs_to_the_groups_that_hold_all_it_reads(data: TrainingData) -> None:
    derivation = Derivation((Derived("sum", (0, 1)), Derived("sum", (1, 2))))
    wide = TrainingData(
        derivation(data.matrix), data.label, data.account_ids, data.as_of_days,
        (*data.names, *derivation.names), data.categories, derivation,
    )  # fmt: skip
    settings = QUICK.model_copy(update={"interactions": (("a", "b"),)})
    groups = constrained_parameters(wide, settings, 1)["interaction_constraints"]
    assert groups == [[0, 1, 4], [2, 3]]


def test_what_may_be_paired() -> None:
    settings = BoosterSettings(monotone={"a": -1}, interactions=(("b", "c"),))
    pairs = [("a", "b"), ("b", "c"), ("b", "d"), ("d", "e")]
    assert [may_pair(pair, settings) for pair in pairs] == [False, True, False, True]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (BoosterSettings(monotone={"bb": 1}), "booster.monotone: no feature 'bb'; did you mean b"),
        (BoosterSettings(monotone={"kind": 1}), "expected a number, got kind, which is a category"),
        (BoosterSettings(interactions=(("a", "d"),)), "booster.interactions: no feature 'd'"),
    ],
)
def test_a_constraint_on_what_is_not_there_is_refused(
    settings: BoosterSettings, text: str, data: TrainingData
) -> None:
    with pytest.raises(UsageError, match=text):
        fit_churn(data, settings)
