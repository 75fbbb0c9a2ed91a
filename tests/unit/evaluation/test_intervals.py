import numpy as np
import pytest

from nbo.evaluation import bootstrap
from nbo.evaluation.intervals import cluster_codes, cluster_weights


def test_every_draw_takes_as_many_clusters_as_there_are() -> None:
    weights = cluster_weights(np.random.default_rng(1), 50, 30)
    assert weights.shape == (50, 30) and (weights.sum(axis=1) == 30).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=5 / np.sqrt(50))


def test_rows_of_a_cluster_share_its_code() -> None:
    codes, count = cluster_codes(["b", "a", "b"])
    assert (codes.tolist(), count) == ([1, 0, 1], 2)


def test_blocks_of_any_size_cover_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def mean(weights: np.ndarray) -> np.ndarray:
        seen.append(len(weights))
        return (weights @ np.arange(10.0) / 10)[:, None]

    monkeypatch.setattr("nbo.evaluation.intervals.BLOCK_WEIGHTS", 70)
    bootstrap(mean, np.arange(10), seed=1, draws=20)
    assert seen == [1, 7, 7, 6]


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(2).normal(0, 1, 4000)
    [told] = bootstrap(lambda w: (w @ values / w.sum(axis=1))[:, None], np.arange(4000), seed=3)
    half = 1.96 * values.std() / np.sqrt(4000)
    # A 2.5 % quantile of 1,000 draws has a standard error of about 5 % of the half width.
    assert told.low == pytest.approx(values.mean() - half, abs=0.2 * half)
    assert told.high == pytest.approx(values.mean() + half, abs=0.2 * half)
