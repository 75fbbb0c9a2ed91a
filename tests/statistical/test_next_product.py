"""A shop whose truth is known: is ``p_take`` that truth, also for a product that nobody has bought yet?

Account i takes product j with probability expit(-2.5 - fee_j / 6,000 + 1.2 size_i [j is data]). The
share of pairs taken in training has a relative standard error of 1 / sqrt(take-ups), about 3 % here,
and the mean told probability inherits it: the tolerance of 12 % is four of them, one false alarm in
15,000 seeds. All seeds are fixed.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit

from nbo.asof import AsOf
from nbo.bundle import Bundle, parsed_booster
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.models.config import NextProductConfig
from nbo.models.next_product import PairSlice, fit_next_product, pair_vocabulary, training_pairs
from nbo.models.next_product_card import taken_by
from nbo.models.pairs import PAIR_COLUMNS, ProductStatistics, ProductTable
from nbo.tables.contract import ALL_PURPOSES, Words

FEES = np.array([2_000.0, 6_000.0, 10_000.0, 14_000.0] * 2)
FAMILIES = ("data",) * 4 + ("voice",) * 4
NEW_FEE = 8_000.0
TOLERANCE = 0.12
SIZE = CompiledFeature(
    "size", "number", "count", "bills", Words("Bills", "账单"), Words("size", "规模"), ("bills.x",),
    ALL_PURPOSES, "never",
)  # fmt: skip
COMPILED = CompiledFeatures.of((SIZE,), "SELECT 1", "marketing").with_given(PAIR_COLUMNS)


def products(fees: np.ndarray, families: tuple[str, ...]) -> ProductTable:
    ids = tuple(f"P{k}" for k in range(len(fees)))
    return ProductTable(ids, families, fees, np.ones(len(fees)), ((),) * len(fees))


def truth(size: np.ndarray, fees: np.ndarray, families: tuple[str, ...]) -> np.ndarray:
    data = np.array([family == "data" for family in families])
    return np.asarray(expit(-2.5 - fees / 6_000 + 1.2 * size[:, np.newaxis] * data))


def drawn(seed: int, n: int = 4_000) -> tuple[PairSlice, np.ndarray]:
    """A slice and the true probability of its pairs; what is held tells nothing."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    held = rng.random((n, len(FEES))) < 0.1
    p = truth(size, FEES, FAMILIES)
    taken = ~held & (rng.random(p.shape) < p)
    rows = pa.table({"account_id": [f"A{k:05}" for k in range(n)], "size": size})
    earlier = (rng.random(p.shape) < p).sum(axis=0)
    statistics = replace(ProductStatistics.of_matrix(held), takes=earlier, taken_days=180)
    return PairSlice(AsOf(20_000), rows, held, ~held, taken, statistics), p


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    train, config = [drawn(1)[0]], NextProductConfig()
    vocabulary = pair_vocabulary(train, COMPILED, products(FEES, FAMILIES))
    data = training_pairs(train, vocabulary, COMPILED, products(FEES, FAMILIES), config)
    fitted = fit_next_product(data, config, None)
    boosters = tuple(parsed_booster(text, COMPILED.column_names) for text in fitted.boosters)
    return Bundle("b" * 16, "next-product", COMPILED, vocabulary, boosters, fitted.calibrator, {})


def test_the_probability_told_is_the_true_one(bundle: Bundle) -> None:
    later, p = drawn(2)
    told = taken_by(bundle, [later], products(FEES, FAMILIES))
    wanted = later.wanted
    assert told[wanted].mean() == pytest.approx(p[wanted].mean(), rel=TOLERANCE)
    for family in ("data", "voice"):
        column = wanted & (np.array(FAMILIES) == family)
        # Half of the take-ups each: sqrt(2) times the standard error.
        assert told[column].mean() == pytest.approx(p[column].mean(), rel=1.5 * TOLERANCE)
    # The correlation with the truth, account by account and product by product.
    assert np.corrcoef(told[wanted], p[wanted])[0, 1] > 0.9


def test_a_product_nobody_bought_yet_is_told_by_what_it_costs_and_is(bundle: Bundle) -> None:
    later, _ = drawn(3)
    fees, families = np.r_[FEES, NEW_FEE, NEW_FEE], (*FAMILIES, "data", "voice")
    held = np.c_[later.held, np.zeros((len(later.held), 2), dtype=bool)]
    wanted = np.zeros_like(held)
    wanted[:, 8:] = True
    asked = replace(later, held=held, wanted=wanted, statistics=ProductStatistics.of_matrix(held))
    told = taken_by(bundle, [asked], products(fees, families))[:, 8:]
    p = truth(later.rows["size"].to_numpy(), np.array([NEW_FEE] * 2), ("data", "voice"))
    # Between two fees seen a step must be guessed: the truth doubles from one fee to the next.
    for column in (0, 1):
        assert p[:, column].mean() / 2 < told[:, column].mean() < 2 * p[:, column].mean()
    assert np.corrcoef(told[:, 0], p[:, 0])[0, 1] > 0.9
    assert told[:, 0].std() > 5 * told[:, 1].std()


def test_take_ups_drawn_from_a_hat_teach_nothing_of_accounts() -> None:
    """The mean told is still the rate, and no account stands out of it."""
    train, _ = drawn(4)
    rng = np.random.default_rng(5)
    hat = replace(train, taken=train.wanted & (rng.random(train.taken.shape) < 0.03))
    config = NextProductConfig(new_product_share=0.0)
    vocabulary = pair_vocabulary([hat], COMPILED, products(FEES, FAMILIES))
    data = training_pairs([hat], vocabulary, COMPILED, products(FEES, FAMILIES), config)
    fitted = fit_next_product(data, config, None)
    told = fitted.score(data.matrix)
    assert told.mean() == pytest.approx(0.03, rel=TOLERANCE)
    assert np.quantile(told, 0.99) < 2 * 0.03
