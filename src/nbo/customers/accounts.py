"""Which accounts there are."""

from nbo.asof import AsOf
from nbo.tables.contract import close_matches
from nbo.tables.store import Store


def unknown_account(store: Store, account: str, as_of: AsOf) -> str:
    """Whether the account is unknown or merely without an active line."""
    with store.connect() as engine:
        known = engine.query("SELECT DISTINCT account_id FROM accounts ORDER BY 1")["account_id"].to_pylist()
    if account in known:
        return f"no active line as of {as_of}"
    return f"no such account{close_matches(account, known)}"
