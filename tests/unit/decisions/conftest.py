"""A small operator of 60 accounts with a real bundle over it, and a way to change its tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.bundle import IDENTITY, Bundle, BundleParts, Vocabulary, load_bundle, write_bundle
from nbo.decisions.settings import ValueSettings
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import build_features
from nbo.features.compiled import CompiledFeatures
from nbo.tables.catalog import contract
from nbo.tables.direct import ARROW_TYPES, store_from_tables
from nbo.tables.store import Store

KEY = b"a key of the tests"
END_DAY = 20_100
ACCOUNTS = 60
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Operator:
    """The store of 60 accounts, two bundles over it, and the dates that tests use."""

    rows: Mapping[str, Rows]
    store: Store
    bundle: Bundle
    other_bundle: Bundle
    as_of: AsOf
    earlier: AsOf
    value: ValueSettings

    def with_tables(self, out: Path, **changed: Rows) -> Store:
        """The same operator with other rows in some tables."""
        return write(out, {**self.rows, **changed})


def arrow(name: str, rows: Rows) -> pa.Table:
    """Rows with the contract's types; columns that no row has are left out."""
    kinds = {c.name: ARROW_TYPES[c.sql_type] for c in contract(name).columns}
    given = [column for column in kinds if any(column in row for row in rows)]
    return pa.table({column: pa.array([row.get(column) for row in rows], kinds[column]) for column in given})


def write(out: Path, rows: Mapping[str, Rows]) -> Store:
    return store_from_tables(
        out,
        {name: arrow(name, some) for name, some in rows.items()},
        end_day=END_DAY,
        covers_from={"calls": 19_700, "bills": 19_700},
    )


def operator_rows() -> dict[str, Rows]:
    """Accounts A00 to A59: ever fewer calls, ever higher bills; A59 was never billed."""
    draw = np.random.default_rng(3)
    old = {"valid_day": 19_000, "known_day": 19_000}
    ids = [f"A{number:02d}" for number in range(ACCOUNTS)]
    calls = [
        {
            "call_id": f"{account}-{day}",
            "account_id": account,
            "event_day": day,
            "known_day": day + 1,
            "event_second": 36_000,
            "direction": str(draw.choice(["in", "out"])),
            "duration_seconds": int(draw.integers(1, 4_000)),
        }
        for number, account in enumerate(ids)
        for day in range(19_900, END_DAY)
        if draw.random() < (70 - number) / 80
    ]
    bills = [
        {
            "bill_id": f"{account}-{day}",
            "account_id": account,
            "event_day": day,
            "known_day": day,
            "family": "voice",
            "bill_amount": 10_000 + 500 * number,
            "direct_cost_amount": 4_000,
        }
        for number, account in enumerate(ids[:-1])
        for day in range(19_880, END_DAY, 30)
    ]
    return {
        "accounts": [
            {"account_id": account, **old, "contact": f"陈{account}", "owner": "李明", "kind": "company"}
            for account in ids
        ],
        "lines": [
            {"line_id": f"L{account}", "account_id": account, "product_id": "P", **old, "state": "active"}
            for account in ids
        ],
        "calls": calls,
        "bills": bills,
    }


def declared() -> CompiledFeatures:
    calls = table("calls")
    return compile_features(
        [
            FeatureSet(
                "calls",
                Words("Calls", "通话"),
                [
                    calls.count(over=days(7, 30)),
                    calls.where(direction="out").sum("minutes", over=days(30)),
                    calls.sum("minutes", over=days(30)).trend(),
                ],
            ),
            FeatureSet("account", Words("Account", "客户"), [table("accounts").attribute("kind")]),
        ]
    )


def trained(root: Path, rows: pa.Table, compiled: CompiledFeatures, seed: int) -> Bundle:
    """A model of a made-up label: few calls, more risk."""
    vocabulary = Vocabulary.learn(rows, compiled)
    matrix = vocabulary.encode(rows, compiled)
    draw = np.random.default_rng(seed)
    label = matrix[:, 1] + draw.normal(0, 3, len(matrix)) < np.median(matrix[:, 1])
    settings = {
        "objective": "binary",
        "num_leaves": 7,
        "min_data_in_leaf": 5,
        "verbose": -1,
        "num_threads": 1,
    }
    data = lgb.Dataset(matrix, label.astype(float), feature_name=list(compiled.names), params={"verbose": -1})
    boosters = [lgb.train({**settings, "seed": seed + n}, data, 15 + 5 * n).model_to_string() for n in (0, 1)]
    metadata = {
        "medians": dict.fromkeys(compiled.names[:-1], 10.0),
        "band_edges": {"high": 0.7, "medium": 0.4},
        "cautions": ["a note of the bundle"],
    }
    parts = BundleParts("churn", compiled, vocabulary, boosters, IDENTITY, metadata, rows.slice(0, 10))
    return load_bundle(root / write_bundle(root, parts, KEY), KEY)


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    root = tmp_path_factory.mktemp("decisions")
    rows = operator_rows()
    store = write(root / "store", rows)
    compiled = declared()
    as_of = AsOf(20_000)
    snapshot = build_features(store, compiled, as_of).read()
    one, two = (trained(root / "bundles", snapshot, compiled, seed) for seed in (1, 2))
    return Operator(rows, store, one, two, as_of, as_of.back(20), ValueSettings())


@pytest.fixture
def changed(operator: Operator, tmp_path: Path) -> Callable[..., Store]:
    """The operator's store with other rows: ``changed(tickets=[...])``."""
    return lambda **rows: operator.with_tables(tmp_path / "changed", **rows)
