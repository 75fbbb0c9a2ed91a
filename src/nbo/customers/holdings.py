"""Which products an account holds on a date, and on which days products were acquired.

An account holds a product if one of its lines of that product is active; for a product that no
line of the account ever had, if a contract on it was signed and has not run out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import AsOf, visible_sql
from nbo.features.parameters import accounts_sql, bind
from nbo.tables.store import Store

Flags = npt.NDArray[np.bool_]

# A line may change its account or product, so its newest row is sought among all of its rows.
HOLDINGS_SQL = f"""
WITH line_rows AS (
  SELECT account_id, product_id, state,
    row_number() OVER (PARTITION BY line_id ORDER BY valid_day DESC, known_day DESC) AS newest
  FROM lines WHERE {visible_sql("valid_day")}),
by_lines AS (
  SELECT account_id, product_id, bool_or(newest = 1 AND state = 'active') AS held
  FROM line_rows WHERE product_id IS NOT NULL AND $accounts GROUP BY account_id, product_id),
by_contracts AS (
  SELECT DISTINCT account_id, product_id FROM contracts
  WHERE {visible_sql()} AND coalesce(planned_end_day >= $as_of, TRUE)
    AND product_id IS NOT NULL AND $accounts)
SELECT account_id, product_id FROM by_lines WHERE held
UNION ALL
SELECT by_contracts.account_id, by_contracts.product_id FROM by_contracts
LEFT JOIN by_lines ON by_lines.account_id = by_contracts.account_id
  AND by_lines.product_id = by_contracts.product_id
WHERE by_lines.product_id IS NULL"""
"""account_id, product_id of every product held at ``$as_of`` by the ``$accounts``; no repeats."""

ACQUIRED_SQL = """
SELECT account_id, product_id, valid_day AS day, known_day FROM (
  SELECT account_id, product_id, valid_day, known_day, row_number() OVER
    (PARTITION BY line_id, account_id, product_id ORDER BY valid_day) AS first
  FROM (
    SELECT *, row_number() OVER (PARTITION BY line_id, valid_day ORDER BY known_day DESC) AS newest
    FROM lines WHERE known_day <= $known_by)
  WHERE newest = 1 AND state = 'active')
WHERE first = 1 AND product_id IS NOT NULL
UNION ALL
SELECT account_id, product_id, event_day, known_day FROM contracts
WHERE known_day <= $known_by AND product_id IS NOT NULL"""
"""account_id, product_id, day, known_day: the first day on which a line is active under this account
and product, and the signing of a contract, as known by ``$known_by``. Pairs repeat, and may have
been held already: that is the reader's business."""


def holdings(store: Store, as_of: AsOf, accounts: Sequence[str] | None = None) -> pa.Table:
    """The products that accounts hold.

    Parameters
    ----------
    accounts : sequence of str or None
        Only these; None = all.

    Returns
    -------
    pa.Table
        ``account_id`` and ``product_id``, both string, sorted by both, no repeats; no row for an
        account that holds nothing.
    """
    sql = f"{HOLDINGS_SQL}\nORDER BY 1, 2"
    with store.connect() as engine:
        return engine.query(bind(sql, {"as_of": str(as_of.day), "accounts": accounts_sql(accounts)}))


def held_matrix(table: pa.Table, accounts: Sequence[str], products: Sequence[str]) -> Flags:
    """Pairs of account and product as flags.

    Parameters
    ----------
    table : pa.Table
        ``account_id`` and ``product_id``, as :func:`holdings` gives them.
    accounts, products : sequence of str
        The rows and columns wanted; pairs of others are left out.

    Returns
    -------
    ndarray of shape (n, k), bool

    Examples
    --------
    >>> pairs = pa.table({"account_id": ["A", "B", "B"], "product_id": ["phs", "adsl", "lan"]})
    >>> held_matrix(pairs, ["B", "C"], ["phs", "adsl"]).tolist()
    [[False, True], [False, False]]
    """
    flags = np.zeros((len(accounts), len(products)), dtype=np.bool_)
    rows = pc.index_in(table["account_id"], value_set=pa.array(accounts, pa.string()))
    columns = pc.index_in(table["product_id"], value_set=pa.array(products, pa.string()))
    known = pc.and_(pc.is_valid(rows), pc.is_valid(columns))
    flags[rows.filter(known).to_numpy(), columns.filter(known).to_numpy()] = True
    return flags
