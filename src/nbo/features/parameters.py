"""The parameters of a compiled SQL text, read as of the decision date.

Which codes belong to a rival is itself a fact that reached us on some day, so the lists are read
from the store under the same visibility rule as everything else.
"""

import re
from collections.abc import Mapping, Sequence

from nbo.asof import AsOf, visible_sql
from nbo.engine import Engine, literal
from nbo.features.rates import RATE
from nbo.features.relations import places_sql
from nbo.tables.catalog import contract
from nbo.tables.store import Store

PARAMETER = re.compile(r"\$(\w+)")
NETWORK_KINDS = tuple(contract("networks").column("kind").codes)

NEWEST_CODES = f"""
SELECT codes.access_code, codes.network_id, codes.use, networks.kind FROM (
  SELECT *, row_number() OVER (PARTITION BY access_code ORDER BY valid_day DESC, known_day DESC) AS newest
  FROM access_codes WHERE {visible_sql("valid_day")}) AS codes
JOIN networks ON networks.network_id = codes.network_id AND networks.known_day <= $as_of
WHERE newest = 1 AND state = 'active' ORDER BY 1"""
NEWEST_TARIFFS = f"""
SELECT tariffs.network_id, tariffs.destination, tariffs.minute_amount, networks.kind FROM (
  SELECT *, row_number() OVER (
    PARTITION BY network_id, destination ORDER BY valid_day DESC, known_day DESC) AS newest
  FROM tariffs WHERE {visible_sql("valid_day")}) AS tariffs
LEFT JOIN networks ON networks.network_id = tariffs.network_id AND networks.known_day <= $as_of
WHERE newest = 1 AND minute_amount IS NOT NULL ORDER BY 1, 2"""
VISIBLE_NETWORKS = "SELECT network_id, kind FROM networks WHERE known_day <= $as_of ORDER BY 1"


def bind(sql: str, parameters: Mapping[str, str]) -> str:
    """Put parameters into a SQL text; a ``$name`` without a value stays as it is.

    Examples
    --------
    >>> bind("event_day < $as_of", {"as_of": "20000"})
    'event_day < 20000'
    """
    return re.sub(PARAMETER, lambda match: parameters.get(match[1], match[0]), sql)


def read_parameters(
    store: Store, engine: Engine, sql: str, as_of: AsOf, accounts: Sequence[str] | None
) -> dict[str, str]:
    """Values of every parameter that ``sql`` names.

    Parameters
    ----------
    accounts : sequence of str or None
        Only these accounts; None = all.
    """
    asked = accounts_sql(accounts)
    found: dict[str, str] = {"as_of": str(as_of.day), "accounts": asked, "graph_accounts": asked}
    wanted = set(re.findall(PARAMETER, sql)) - set(found)
    for name in wanted:
        if name.startswith("first_"):
            first = store.first_day(name.removeprefix("first_"), as_of)
            found[name] = "CAST(NULL AS INTEGER)" if first is None else str(first)
        elif name.startswith("neighbours_"):
            found[name] = neighbours_sql(engine, name.removeprefix("neighbours_"), as_of, accounts)
    rates = {name for name in wanted if name.startswith("rate_")}
    if rates:
        found.update(rate_values(engine, rates, as_of))
    lists = {name for name in wanted if name.startswith(("codes_", "networks_"))}
    if lists:
        found.update(code_lists(engine, lists, as_of))
    return found


def accounts_sql(accounts: Sequence[str] | None) -> str:
    if accounts is None:
        return "TRUE"
    return f"account_id IN {sql_list(list(accounts))}"


def neighbours_sql(engine: Engine, place: str, as_of: AsOf, accounts: Sequence[str] | None) -> str:
    """The accounts asked for and those that share a place with any of them."""
    if accounts is None:
        return accounts_sql(None)
    at = f"({places_sql(place)})"
    asked = f"SELECT {place} FROM {at} WHERE {accounts_sql(accounts)}"
    around = f"SELECT DISTINCT account_id FROM {at} WHERE {place} IN ({asked}) ORDER BY 1"
    found = engine.query(bind(around, {"as_of": str(as_of.day)}))["account_id"].to_pylist()
    return accounts_sql([*accounts, *found])


def code_lists(engine: Engine, names: set[str], as_of: AsOf) -> dict[str, str]:
    """Network and access-code lists by class, as SQL lists of literals."""
    moment = {"as_of": str(as_of.day)}
    networks = engine.query(bind(VISIBLE_NETWORKS, moment)).to_pylist()
    codes = engine.query(bind(NEWEST_CODES, moment)).to_pylist()
    lists = {}
    for name in names:
        if name.startswith("networks_"):
            kind = name.removeprefix("networks_")
            lists[name] = sql_list([row["network_id"] for row in networks if row["kind"] == kind])
        elif name.startswith("codes_of_"):
            network = name.removeprefix("codes_of_")
            lists[name] = sql_list([row["access_code"] for row in codes if row["network_id"] == network])
        else:
            kind, _, use = name.removeprefix("codes_").partition("_")
            of = [row for row in codes if row["kind"] == kind and use in ("", row["use"])]
            lists[name] = sql_list([row["access_code"] for row in of])
    return lists


def rate_values(engine: Engine, names: set[str], as_of: AsOf) -> dict[str, str]:
    """The price of a minute by network, or the lowest of a class of networks, and destination."""
    rows = engine.query(bind(NEWEST_TARIFFS, {"as_of": str(as_of.day)})).to_pylist()
    found = {}
    for name in names:
        [(network, destination)] = RATE.findall(name)
        prices = [
            row["minute_amount"]
            for row in rows
            if row["destination"] == destination
            and network == (row["kind"] if network in NETWORK_KINDS else row["network_id"])
        ]
        found[name] = str(min(prices)) if prices else "CAST(NULL AS BIGINT)"
    return found


def sql_list(values: list[str]) -> str:
    """A SQL list of string literals; an empty one matches nothing.

    Examples
    --------
    >>> sql_list(["a", "b"]), sql_list([])
    ("('a', 'b')", "('')")
    """
    return "(" + (", ".join(literal(value) for value in values) or "''") + ")"
