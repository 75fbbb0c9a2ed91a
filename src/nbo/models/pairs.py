"""One row for each pair of an account and a product: what the next-product model reads.

A pair's row is the account's features followed by :data:`PAIR_COLUMNS`: what the product is, who
else holds it, and how it goes with what the account holds. So a single model serves all products,
and one that nobody has bought yet starts from its attributes.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from nbo.bundle import Bundle, Matrix, Vocabulary
from nbo.errors import DataError
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.models.products import (
    Flags,
    Floats,
    ProductStatistics,
    ProductTable,
    product_statistics,
)
from nbo.tables.contract import ALL_PURPOSES, Words

__all__ = [
    "PAIR_COLUMNS",
    "ProductStatistics",
    "ProductTable",
    "pair_matrix",
    "pair_rows",
    "product_statistics",
    "score_pairs",
]

BLOCK_PAIRS = 20_000
"""Pairs scored at once: their matrix stays near the processor's caches and within 20 MB or so."""
FAMILY, FAMILY_WORDS = "product", Words("Product", "产品")
NEW = "nobody held or took the product by the date"
NOTHING_HELD = "the account holds no product of the catalog"


def pair_column(name: str, unit: str, en: str, zh: str, source: str, null_means: str) -> CompiledFeature:
    """A column of the product's family; a code where the unit says so, else a number."""
    category = unit == "code"
    return CompiledFeature(
        name=name,
        kind="category" if category else "number",
        unit=unit,
        family=FAMILY,
        family_words=FAMILY_WORDS,
        words=Words(en, zh),
        columns=(source,),
        purposes=ALL_PURPOSES,
        null_means=null_means,
        sql_type="VARCHAR" if category else "DOUBLE",
    )


HOLDERS = "lines.product_id"
# fmt: off
PAIR_COLUMNS: tuple[CompiledFeature, ...] = (
    pair_column("product_id", "code", "product", "产品", "products.product_id", NEW),
    pair_column("product_family", "code", "product family", "产品族", "products.family", "never null"),
    pair_column("product_monthly_fee", "money", "monthly fee", "月费", "products.product_id",
                "the fee is not known"),
    pair_column("product_comparability", "step", "place from single product (1) to solution (4)",
                "从单一产品(1)到解决方案(4)的层次", "products.product_id", "the place is not known"),
    pair_column("product_held_share", "share", "share of customers that hold it", "持有该产品的客户占比",
                HOLDERS, NEW),
    pair_column("product_taken_yearly_share", "share",
                "share of customers without it that take it in a year", "未持有客户一年内办理的占比",
                HOLDERS, f"{NEW}, or everybody holds it, or history is too short"),
    pair_column("product_affinity_mean", "log_lift", "mean affinity to what is held",
                "与已持有产品的平均关联度", HOLDERS, f"{NEW}, or {NOTHING_HELD}"),
    pair_column("product_affinity_max", "log_lift", "closest affinity to what is held",
                "与已持有产品的最大关联度", HOLDERS, f"{NEW}, or {NOTHING_HELD}"),
    pair_column("products_held_count", "count", "products held", "已持有产品数", HOLDERS, "never null"),
    pair_column("products_held_in_family_count", "count", "products held of the same family",
                "已持有的同族产品数", HOLDERS, "never null"),
    pair_column("product_requirement_held", "flag", "a product it builds on is held (1) or not (0)",
                "已持有(1)或未持有(0)所需的基础产品", HOLDERS, "it builds on no product that is known of"),
)
# fmt: on
"""The columns of a pair, after the account's features: :meth:`CompiledFeatures.with_given`."""
CATEGORIES = 2
"""How many of :data:`PAIR_COLUMNS` are codes; they stand first."""
EXPERIENCE = (
    "product_id",
    "product_held_share",
    "product_taken_yearly_share",
    "product_affinity_mean",
    "product_affinity_max",
)
"""Columns that a new product does not have."""


def pair_matrix(
    vocabulary: Vocabulary,
    compiled: CompiledFeatures,
    account_rows: Matrix,
    held: Flags,
    products: ProductTable,
    statistics: ProductStatistics,
    wanted: Flags,
) -> Matrix:
    """The matrix of wanted pairs; a pair's row is the same alone and among any others.

    Parameters
    ----------
    vocabulary : Vocabulary
        Of the bundle: codes of the account's features, of products and of families.
    compiled : CompiledFeatures
        The account's features, with :data:`PAIR_COLUMNS` given.
    account_rows : ndarray of shape (n, Fa)
        The accounts' features, encoded by the vocabulary.
    held : ndarray of shape (n, k), bool
        What each account holds, in the order of the products.
    products, statistics
        The k products and who holds and takes them.
    wanted : ndarray of shape (n, k), bool
        The pairs.

    Returns
    -------
    ndarray of shape (p, F), float64
        One row for each wanted pair, account by account, products in their order.

    Raises
    ------
    DataError
        Shapes that do not fit, or features without the columns of pairs.
    """
    check_shapes(compiled, account_rows, held, products, statistics, wanted)
    accounts, places = np.nonzero(wanted)
    matrix = np.empty((accounts.size, len(compiled.columns)), dtype=np.float64)
    own = len(compiled.features)
    matrix[:, :own] = account_rows[accounts]
    codes = product_codes(vocabulary, products, statistics)
    matrix[:, own : own + CATEGORIES] = codes[places]
    matrix[:, own + CATEGORIES :] = pair_numbers(held, products, statistics, accounts, places)
    return matrix


def check_shapes(
    compiled: CompiledFeatures,
    account_rows: Matrix,
    held: Flags,
    products: ProductTable,
    statistics: ProductStatistics,
    wanted: Flags,
) -> None:
    """Refuse what cannot be put side by side."""
    n, k = len(account_rows), len(products.product_ids)
    shapes = (account_rows.shape, held.shape, wanted.shape, statistics.holders.shape)
    if shapes != ((n, len(compiled.features)), (n, k), (n, k), (k,)):
        expected = f"{n} accounts with {len(compiled.features)} features, {k} products throughout"
        raise DataError("pairs", expected, " ".join(str(shape) for shape in shapes))
    names = [column.name for column in compiled.given]
    if names != [column.name for column in PAIR_COLUMNS]:
        given = ", ".join(names) or "none"
        raise DataError("pairs", "features with the columns of pairs given", f"{given:.200}")


def product_codes(vocabulary: Vocabulary, products: ProductTable, statistics: ProductStatistics) -> Matrix:
    """Codes of product and family as the vocabulary encodes them, shape (k, 2); NaN = a new product."""
    product, family = PAIR_COLUMNS[:CATEGORIES]
    ids, families = vocabulary.known(product), vocabulary.known(family)
    codes = np.empty((len(products.product_ids), CATEGORIES), dtype=np.float64)
    codes[:, 0] = [ids.index(name) if name in ids else len(ids) for name in products.product_ids]
    codes[:, 1] = [families.index(name) if name in families else len(families) for name in products.families]
    codes[~statistics.known, 0] = np.nan
    return codes


def pair_numbers(
    held: Flags,
    products: ProductTable,
    statistics: ProductStatistics,
    accounts: Sequence[int] | np.ndarray,
    places: Sequence[int] | np.ndarray,
) -> Matrix:
    """The number columns of the pairs (accounts[i], places[i]), shape (p, 9).

    Elementwise in the products' order, so that no value depends on which pairs stand together.
    """
    total = np.zeros(held.shape, dtype=np.float64)
    closest = np.full(held.shape, -np.inf)
    in_family = np.zeros(held.shape, dtype=np.float64)
    requirement = np.tile(products.unmet, (len(held), 1))
    for place in np.flatnonzero(held.any(axis=0)):
        holds, lift = held[:, place, np.newaxis], statistics.affinity[:, place]
        total += np.where(holds, lift, 0.0)
        closest = np.maximum(closest, np.where(holds, lift, -np.inf))
        in_family += holds & products.same_family[place]
        requirement[holds & products.needs[:, place]] = 1.0
    count = held.sum(axis=1).astype(np.float64)
    some = count[:, np.newaxis] > 0
    mean = np.where(some, total / np.maximum(count, 1)[:, np.newaxis], np.nan)
    numbers = np.empty((len(accounts), len(PAIR_COLUMNS) - CATEGORIES), dtype=np.float64)
    numbers[:, 0] = products.monthly_fees[places]
    numbers[:, 1] = products.comparability[places]
    numbers[:, 2] = statistics.held_share[places]
    numbers[:, 3] = statistics.taken_yearly[places]
    numbers[:, 4] = mean[accounts, places]
    numbers[:, 5] = np.where(some, closest, np.nan)[accounts, places]
    numbers[:, 6] = count[accounts]
    numbers[:, 7] = in_family[accounts, places]
    numbers[:, 8] = requirement[accounts, places]
    return numbers


def pair_rows(
    feature_rows: pa.Table,
    held: Flags,
    products: ProductTable,
    statistics: ProductStatistics,
    chosen: Sequence[tuple[int, int]],
) -> pa.Table:
    """The raw values behind a few rows of :func:`pair_matrix`, to tell reasons by.

    Parameters
    ----------
    feature_rows : pa.Table
        The accounts' raw features, n rows.
    held, products, statistics
        As for :func:`pair_matrix`.
    chosen : sequence of (int, int)
        Pairs: a row of ``feature_rows``, a place among the products.

    Returns
    -------
    pa.Table
        In the order chosen: the columns of ``feature_rows``, then those of pairs. The id of a new
        product is null.
    """
    accounts = np.array([account for account, _ in chosen], dtype=np.int64)
    places = np.array([place for _, place in chosen], dtype=np.int64)
    rows = feature_rows.take(pa.array(accounts))
    ids = [products.product_ids[place] if statistics.known[place] else None for place in places]
    families = [products.families[place] for place in places]
    numbers = pair_numbers(held[accounts], products, statistics, np.arange(accounts.size), places)
    columns = [pa.array(ids, pa.string()), pa.array(families, pa.string())]
    columns += [pa.array(column, from_pandas=True) for column in np.ascontiguousarray(numbers.T)]
    for column, values in zip(PAIR_COLUMNS, columns, strict=True):
        rows = rows.append_column(column.name, values)
    return rows


def score_pairs(
    bundle: Bundle,
    account_rows: Matrix,
    held: Flags,
    products: ProductTable,
    statistics: ProductStatistics,
    wanted: Flags,
    threads: int = 1,
) -> Floats:
    """The probability that each account takes each wanted product by itself within the horizon.

    Parameters
    ----------
    bundle : Bundle
        A next-product model.
    account_rows, held, products, statistics, wanted
        As for :func:`pair_matrix`.
    threads : int
        Of the model; no effect on any value.

    Returns
    -------
    ndarray of shape (n, k), float64
        ``p_take``; NaN where it was not wanted.
    """
    p_take = np.full(wanted.shape, np.nan)
    step = max(1, BLOCK_PAIRS // len(products.product_ids))
    for start in range(0, len(account_rows), step):
        block = slice(start, start + step)
        matrix = pair_matrix(
            bundle.vocabulary, bundle.features, account_rows[block], held[block], products, statistics,
            wanted[block],
        )  # fmt: skip
        p_take[block][wanted[block]] = bundle.score(matrix, threads=threads)
    return p_take
