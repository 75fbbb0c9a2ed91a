"""Each peer against its definition, and that none is held back."""

import sys
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from nbo.errors import DataError
from nbo.evaluation.ranking import hide_one
from nbo.models import peers
from nbo.models.choice import holder_shares

Flags = npt.NDArray[np.bool_]


def groups(n: int, seed: int) -> Flags:
    """Six products in two groups of three; customers hold two of one group, now and then another."""
    rng = np.random.default_rng(seed)
    held = np.zeros((n, 6), dtype=bool)
    group = rng.integers(0, 2, n)
    for row in range(n):
        held[row, 3 * group[row] + rng.permutation(3)[:2]] = True
    return held | (rng.random((n, 6)) < 0.02)


def test_popularity_is_the_share_of_holders() -> None:
    held = groups(200, 1)
    scores = peers.popularity_scores(held, held[:7])
    assert scores.shape == (7, 6)
    assert scores[3].tolist() == held.mean(axis=0).tolist()


def test_popularity_over_the_candidates_is_renormalised_and_sharpened_alike() -> None:
    held = np.random.default_rng(2).random((3_000, 4)) < np.array([0.7, 0.4, 0.2, 0.1])
    task = hide_one(held, seed=1)
    fitted = peers.fit_peer("popularity", held, seed=1)
    p = fitted.probabilities(task)
    powers = holder_shares(held) ** (fitted.choice.slope + fitted.choice.pull)
    expected = powers * task.candidates
    assert p == pytest.approx(expected / expected.sum(axis=1, keepdims=True))
    order = np.argsort(-held.mean(axis=0))
    assert (np.diff(np.where(task.candidates, p, np.nan)[:, order], axis=1) > 0).sum() == 0


def test_item_knn_is_the_cosine_of_holders_summed_over_what_is_held() -> None:
    held = groups(300, 3)
    asked = groups(20, 4)
    similarity = cosine_similarity(held.T.astype(float))
    np.fill_diagonal(similarity, 0)
    every = peers.item_knn(held, asked, {"neighbours": 5}, 0)
    assert every == pytest.approx(asked.astype(float) @ similarity)
    nearest = np.where(similarity == similarity.max(axis=1, keepdims=True), similarity, 0)
    assert peers.item_knn(held, asked, {"neighbours": 1}, 0) == pytest.approx(asked @ nearest.T)


def test_item_knn_of_a_product_that_nobody_holds_is_0() -> None:
    held = np.hstack([groups(50, 5), np.zeros((50, 1), dtype=bool)])
    scores = peers.item_knn_scores(held, held, seed=1)
    assert np.isfinite(scores).all()
    assert (scores[:, 6] == 0).all()


@pytest.mark.parametrize("name", ["item_knn", "implicit"])
def test_a_peer_that_sees_what_goes_together_beats_what_is_common(name: str) -> None:
    held = groups(900, 6)
    task = hide_one(groups(300, 7), seed=1)
    own = np.arange(len(task.hidden)), task.hidden
    fitted = peers.fit_peer(name, held, seed=1)
    common = peers.fit_peer("popularity", held, seed=1).probabilities(task)
    p = fitted.probabilities(task)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)))
    assert -np.log(p[own]).mean() < -np.log(common[own]).mean() - 0.3
    assert fitted.parameters in peers.grid(name, 6)


def test_implicit_gives_the_same_scores_again_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    held = groups(150, 8)
    asked = np.vstack([held[:5], np.zeros((1, 6), dtype=bool)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = peers.implicit_scores(held, asked, seed=3)
    assert first.dtype == np.float64
    assert first.shape == (6, 6)
    assert np.isfinite(first).all()
    assert (peers.implicit_scores(held, asked, seed=3) == first).all()
    told = capfd.readouterr()
    assert told.out == told.err == ""


def test_the_parameters_of_implicit_reach_it() -> None:
    held = groups(150, 9)
    one = {"factors": 8, "regularization": 1.0, "alpha": 1.0}
    first = peers.least_squares(held, held, one, 1)
    for changed in ({"factors": 2}, {"regularization": 30.0}, {"alpha": 5.0}):
        assert np.abs(peers.least_squares(held, held, one | changed, 1) - first).max() > 1e-3, changed


def test_without_the_package_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert peers.installed()
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    assert not peers.installed()
    with pytest.raises(ImportError, match="implicit"):
        peers.implicit_scores(groups(50, 1), groups(5, 2), seed=1)


def test_importing_the_peers_does_not_import_implicit() -> None:
    import subprocess

    code = "import sys; import nbo.models.peers, nbo.cli.app; print('implicit' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_customers_who_hold_nothing_cannot_be_learnt_from() -> None:
    with pytest.raises(DataError, match=r"customers: expected some that hold a product, got none\."):
        peers.fit_peer("popularity", np.zeros((30, 3), dtype=bool), seed=1)
