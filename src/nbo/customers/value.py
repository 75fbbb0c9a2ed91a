"""What an account is worth a month, from its own bills."""

from collections.abc import Sequence

import pyarrow as pa

from nbo.asof import AsOf, visible_sql
from nbo.features.parameters import accounts_sql, bind
from nbo.tables.store import Store

BILLED_DAYS = 92
"""Three months of bills, whatever the lengths of the months."""

MARGINS = f"""
SELECT account_id, CASE WHEN count(margin) = count(*) THEN
  CAST(round(sum(margin) / count(DISTINCT bill_id)) AS BIGINT) END AS monthly_margin_amount
FROM (
  SELECT account_id, bill_id, CAST(bill_amount AS DOUBLE) - coalesce(
    CAST(direct_cost_amount AS DOUBLE), CAST(bill_amount AS DOUBLE) * $cost_share) AS margin
  FROM bills WHERE {visible_sql()} AND event_day >= $as_of - {BILLED_DAYS} AND $accounts)
GROUP BY account_id ORDER BY account_id"""


def monthly_margins(
    store: Store,
    as_of: AsOf,
    accounts: Sequence[str] | None = None,
    *,
    margin_share: float | None = None,
) -> pa.Table:
    """Mean monthly margin of each account over the bills of the last three months.

    Parameters
    ----------
    accounts : sequence of str or None
        Only these; None = all that were billed.
    margin_share : float or None
        Margin as a share of revenue (0 to 1) for bills without a direct cost; None leaves the
        margin of an account with such a bill unknown.

    Returns
    -------
    pa.Table
        ``account_id`` string, ``monthly_margin_amount`` int64 in minor units, null where unknown;
        sorted by account; no row for an account without a visible bill.

    Notes
    -----
    ``margin = sum(bill_amount - direct_cost_amount) / number of bills``: direct product profit,
    before the cost of serving the account.
    """
    cost_share = "CAST(NULL AS DOUBLE)" if margin_share is None else str(1 - margin_share)
    values = {"as_of": str(as_of.day), "cost_share": cost_share, "accounts": accounts_sql(accounts)}
    with store.connect() as engine:
        return engine.query(bind(MARGINS, values))
