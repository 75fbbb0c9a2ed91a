"""An invented operator of any size with every table that a recommendation reads, written as a store.

Rows are drawn by quadratic congruences in SQL, so a seed gives the same store on every machine. Nothing
here behaves like a customer: it is for measuring time and memory, not models.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from generated_calls import CODES, COUNTERPARTIES, END_DAY, FIRST_DAY, NETWORKS, PRIME

from nbo.engine import Embedded, literal
from nbo.files import lock, spill_folder
from nbo.tables.catalog import contract
from nbo.tables.columns import FAMILIES
from nbo.tables.contract import Column
from nbo.tables.coverage import staircase
from nbo.tables.direct import write_direct_manifest
from nbo.tables.folder import claim_folder, clear_store
from nbo.tables.report import TableReport
from nbo.tables.writing import write_table

GENERATOR_VERSION = 1
SEED = 30
SITE_TYPES = ("office_tower", "shop_street", "factory", "business_park", "residential")
LATER = 400
"""State begins up to so many days before the first call."""


@dataclass(frozen=True)
class Rows:
    """A table's size and what is special about its columns.

    Parameters
    ----------
    per_account : float
        Mean rows of an account.
    fixed : dict of str to str
        SQL of columns that are not drawn by their kind.
    """

    per_account: float
    fixed: dict[str, str]


def tables(products: list[str]) -> dict[str, Rows]:
    """What each account has, on average."""
    product = {"product_id": f"list_extract({products}, CAST(1 + code % {len(products)} AS INTEGER))"}
    line = {"line_id": "'L' || lpad(CAST(account AS VARCHAR), 7, '0')"}
    family = {"family": f"list_extract({list(FAMILIES)[:4]}, CAST(1 + code % 4 AS INTEGER))"}
    active = {"state": "CASE WHEN code % 20 = 0 THEN 'ended' ELSE 'active' END", "reason": "NULL"}
    mostly = {"state": "CASE WHEN code % 10 = 0 THEN 'open' ELSE 'closed' END"}
    return {
        "accounts": Rows(1, {}),
        "sites": Rows(1.2, {}),
        "lines": Rows(2, {**product, **active, "site_id": "NULL"}),
        "contracts": Rows(1.5, {**product, "planned_end_day": f"{END_DAY} + code % 400 - 60"}),
        "calls": Rows(20, line),
        "usage": Rows(8, {**line, "service": "'broadband'"}),
        "bills": Rows(6, family),
        "payments": Rows(3, {}),
        "tickets": Rows(0.3, {**mostly, "line_id": "NULL"}),
        "orders": Rows(0.1, {**product, "state": "CASE WHEN code % 10 = 0 THEN 'open' ELSE 'done' END"}),
        "consents": Rows(1, {"scope": "'all'", "allowed": "code % 12 > 0"}),
        "contacts": Rows(0.5, {}),
        "surveys": Rows(0.1, {}),
    }


class Draws:
    """Integers drawn from a row's number ``i``."""

    def __init__(self, seed: int) -> None:
        self.constants = random.Random(seed)

    def below(self, limit: int) -> str:
        a, b = self.constants.randrange(10**8, PRIME), self.constants.randrange(PRIME)
        x = f"((i * {a} + {b}) % {PRIME})"
        return f"({x} * {x} % {PRIME} % {limit})"


def column_sql(column: Column, name: str, draws: Draws) -> str:
    """A column by its kind: a code of its contract, a key of its own, a moderate number."""
    made = {
        "account_id": "'A' || lpad(CAST(account AS VARCHAR), 7, '0')",
        "known_day": "event + 1 + late",
        "event_day": "event",
        "valid_day": f"event - {LATER}",
        "network_id": f"list_extract({list(NETWORKS)}, CAST(1 + {draws.below(len(NETWORKS))} AS INTEGER))",
        "access_code": f"CASE WHEN code % 20 = 0 THEN {literal(next(iter(CODES)))} END",
        "counterparty_id": f"md5(CAST(account * {COUNTERPARTIES} + code % 25 AS VARCHAR))[1:12]",
    }
    if column.name in made:
        return made[column.name]
    if column.codes:
        codes = list(column.codes)
        return f"list_extract({codes}, CAST(1 + {draws.below(len(codes))} AS INTEGER))"
    drawn = {
        "key": f"'{name[0].upper()}' || CAST(i AS VARCHAR)",
        "code": f"'c' || CAST({draws.below(12)} AS VARCHAR)",
        "text": "NULL",
        "flag": f"{draws.below(2)} = 1",
        "day": f"event + {draws.below(300)}",
        "second": draws.below(86_400),
        "number": f"{draws.below(1000)} / 1000.0",
    }
    return drawn.get(column.kind, draws.below(20_000))


def table_sql(name: str, rows: Rows, accounts: int, draws: Draws) -> str:
    """All rows of one table."""
    count = round(accounts * rows.per_account)
    # The first rows give every account one; what a table has beyond is spread at random.
    account = f"CASE WHEN i < {accounts} THEN i ELSE {draws.below(accounts)} END"
    chosen = [
        f"CAST({rows.fixed.get(column.name) or column_sql(column, name, draws)} AS {column.sql_type}) "
        f"AS {column.name}"
        for column in contract(name).columns
    ]
    days = END_DAY - FIRST_DAY
    return (
        f"SELECT {', '.join(chosen)} FROM (SELECT i, {account} AS account, {draws.below(1000)} AS code, "
        f"CASE WHEN {draws.below(50)} = 0 THEN {draws.below(40)} ELSE 0 END AS late, "
        f"{FIRST_DAY} + i * {days} // {count} AS event FROM range({count}) AS numbers(i))"
    )


def code_tables_sql(products: list[str]) -> dict[str, str]:
    """Networks, access codes and products, known before the first day."""
    known = f"CAST({FIRST_DAY} AS INTEGER) AS known_day"
    networks = ", ".join(f"({literal(name)}, {literal(kind)})" for name, kind in NETWORKS.items())
    codes = ", ".join(f"({literal(code)}, {literal(network)})" for code, network in CODES.items())
    listed = ", ".join(f"({literal(name)})" for name in products)
    valid = f"CAST({FIRST_DAY - 1} AS INTEGER) AS valid_day"
    return {
        "networks": f"SELECT network_id, {known}, kind FROM (VALUES {networks}) AS t(network_id, kind)",
        "access_codes": f"SELECT access_code, {valid}, {known}, network_id, 'ip_voice' AS use, "
        f"'active' AS state FROM (VALUES {codes}) AS t(access_code, network_id)",
        "products": f"SELECT product_id, {known}, 'data' AS family, 'functional' AS kind "
        f"FROM (VALUES {listed}) AS t(product_id)",
    }


def generate_operator(out: Path, accounts: int, products: list[str]) -> None:
    """Write the store; ``accounts`` accounts that hold and take ``products``."""
    draws = Draws(SEED)
    texts = {name: table_sql(name, rows, accounts, draws) for name, rows in tables(products).items()}
    texts |= code_tables_sql(products)
    with (
        lock(out),
        spill_folder(out) as spill,
        Embedded(memory_limit="6GiB", spill_folder=spill) as engine,
    ):
        claim_folder(out)
        clear_store(out)
        reports = {name: written(engine, out, name, sql) for name, sql in texts.items()}
        write_direct_manifest(out, reports, end_day=END_DAY, zone="Asia/Shanghai", currency="CNY")


def written(engine: Embedded, out: Path, name: str, sql: str) -> TableReport:
    """Write one table and tell what is in it."""
    made = contract(name)
    engine.execute(f"CREATE OR REPLACE VIEW drawn AS {sql}")
    columns = [column for column in made.column_names if f" AS {column}" in sql or f"{column}," in sql]
    write_table(engine, "drawn", made, columns, out / "tables" / name)
    count = engine.value("SELECT count(*) FROM drawn")
    event = made.event_column
    return TableReport(
        rows=int(str(count)),
        raw_rows=int(str(count)),
        columns=tuple(columns),
        covers_from=FIRST_DAY - LATER if made.shape == "log" else None,
        first_visible=staircase(engine, "drawn", event) if event else (),
    )
