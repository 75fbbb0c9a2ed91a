"""A small operator with a store, a feature snapshot and two bundles, and real servers over it.

Beside it a seller: the simulated operator's store, a trained next-product model, offers and a log.
"""

import asyncio
import csv
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbo.asof import AsOf, date_of, days
from nbo.bundle import IDENTITY, Bundle, BundleParts, Releases, Vocabulary, load_bundle, write_bundle
from nbo.decisions.log import DecisionLog, log_url, open_log
from nbo.decisions.scoring import score_accounts
from nbo.decisions.settings import value_settings
from nbo.features.build import build_features
from nbo.features.compile import compile_features
from nbo.features.compiled import CompiledFeatures
from nbo.features.families import FeatureSet
from nbo.features.spec import table
from nbo.tables.check import check_tables
from nbo.tables.contract import Words
from nbo.tables.mapping import load_mapping
from nbo.tables.store import Store
from nbo.workspace import Workspace, read_settings

ROOT = Path(__file__).resolve().parents[3]
Workspace.at(ROOT).module("serving")

KEY = b"k" * 32
AS_OF = AsOf.parse("2025-03-01")
LATER = AsOf.parse("2025-03-05")
SERVER = """
import sys
from pathlib import Path
from nbo.errors import NboError
from nbo.workspace import Workspace, read_settings
main = Workspace.at(Path.cwd()).module("serving.main")
workspace, store, host, drain, keys, as_of = sys.argv[1:]
try:
    main.run(main.ServeSettings(Path(workspace), Path(store), host=host, port=0, drain_seconds=float(drain),
        api_keys_file=Path(keys) if keys else None, as_of=as_of or None))
except NboError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def operator_rows(accounts: int) -> dict[str, list[dict[str, Any]]]:
    """Accounts A000… with a line each, 124 days of calls and four months of bills; A000 has no bill."""
    draw = random.Random(7)
    start = AS_OF.day - 120
    since = {"valid_date": date_of(start - 400), "known_time": date_of(start - 400)}
    rows: dict[str, list[dict[str, Any]]] = {"accounts": [], "lines": [], "calls": [], "bills": []}
    for number in range(accounts):
        account = {"account_id": f"A{number:03d}"}
        kind = draw.choice(["company", "sole_trader", ""])
        rows["accounts"].append({**account, **since, "kind": kind})
        rows["lines"].append({"line_id": f"L{number:03d}", **account, **since, "state": "active"})
        for day in range(start, LATER.day):
            if draw.random() < 0.3 or not number:
                rows["calls"].append(
                    {
                        "call_id": f"C{len(rows['calls']):06d}",
                        **account,
                        "event_time": f"{date_of(day)} 10:00:00",
                        "known_time": f"{date_of(day)} 18:00:00",
                        "direction": draw.choice(["out", "in"]),
                        "duration_seconds": draw.randint(1, 3_000),
                    }
                )
        for month in range(4 if number else 0):
            amount = draw.randint(10, 900)
            rows["bills"].append(
                {
                    "bill_id": f"B{number:03d}{month}",
                    **account,
                    "event_date": date_of(start + 30 * (month + 1) - 1),
                    "known_time": date_of(start + 30 * (month + 1)),
                    "family": "voice",
                    "bill_amount": f"{amount}.25",
                    "direct_cost_amount": f"{amount // 3}.00",
                }
            )
    return rows


def write_store(root: Path, accounts: int = 60) -> Store:
    """A store that ``nbo check`` made of CSV files."""
    raw = root / "raw"
    raw.mkdir()
    for name, rows in operator_rows(accounts).items():
        with (raw / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    report = check_tables(raw, root / "store", load_mapping(None, raw), key=KEY)
    assert report.ok, [violation.line for violation in report.violations]
    return Store.open(root / "store")


def declared() -> CompiledFeatures:
    calls = table("calls")
    sets = [
        FeatureSet(
            "calls",
            Words("Calls", "通话"),
            [
                calls.count(over=days(7, 30)).context(),
                calls.where(direction="out").sum("minutes", over=days(30)),
                calls.sum("minutes", over=days(30)).trend(),
            ],
        ),
        FeatureSet("account", Words("Account", "客户"), [table("accounts").attribute("kind").context()]),
    ]
    return compile_features(sets)


def train_bundle(workspace: Path, rows: pa.Table, compiled: CompiledFeatures, seed: int) -> str:
    """A small but real model of a made-up label; different seeds give different bundles."""
    vocabulary = Vocabulary.learn(rows, compiled)
    matrix = vocabulary.encode(rows, compiled)
    draw = np.random.default_rng(seed)
    label = (np.nan_to_num(matrix[:, 0]) + draw.normal(size=len(matrix)) < np.nanmedian(matrix[:, 0])).astype(
        int
    )
    parameters = {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 5, "verbose": -1, "seed": seed}
    boosters = [
        lgb.train(
            {**parameters, "num_threads": 1},
            lgb.Dataset(matrix, label, feature_name=list(compiled.names), params={"verbose": -1}),
            num_boost_round=20 + seed + turn,
        ).model_to_string()
        for turn in range(2)
    ]
    parts = BundleParts(
        model="churn",
        features=compiled,
        vocabulary=vocabulary,
        boosters=boosters,
        calibrator=IDENTITY,
        metadata={
            "model": "churn",
            "as_of_slices": {"train": ["2025-01-01"], "holdout": ["2025-02-01"]},
            "metrics": {"auc": {"value": 0.7, "low": 0.6, "high": 0.8}},
            "band_edges": {"high": 0.6, "medium": 0.3},
            "medians": dict.fromkeys(compiled.names, 1.0),
        },
        golden_rows=rows.slice(0, 10),
    )
    return write_bundle(workspace / "bundles", parts, KEY)


@dataclass(frozen=True)
class Operator:
    """A workspace with bundles ``first`` and ``second``, the first released, and its store."""

    workspace: Path
    store: Path
    first: str
    second: str

    def bundle(self, bundle_id: str) -> Bundle:
        return load_bundle(self.workspace / "bundles" / bundle_id, KEY)

    def rows(self, as_of: AsOf = AS_OF) -> pa.Table:
        return build_features(Store.open(self.store), declared(), as_of).read()

    def batch(self, bundle_id: str, as_of: AsOf = AS_OF) -> dict[str, float]:
        """Scores of all accounts as a batch gives them."""
        bundle, rows = self.bundle(bundle_id), self.rows(as_of)
        scores = bundle.score(bundle.encode(rows)).tolist()
        return dict(zip(rows["account_id"].to_pylist(), scores, strict=True))

    def batch_rows(self, bundle_id: str, out: Path) -> list[dict[str, Any]]:
        """Rows of a whole batch run, money and bands included."""
        settings = value_settings(read_settings(self.workspace / "nbo.toml"))
        run = score_accounts(Store.open(self.store), self.bundle(bundle_id), AS_OF, out, settings)
        return run.read().to_pylist()

    def promote(self, bundle_id: str) -> None:
        Releases(self.workspace).promote("churn", bundle_id, KEY, force=True, reason="test")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    root = tmp_path_factory.mktemp("operator")
    workspace = root / "workspace"
    workspace.mkdir()
    (workspace / "nbo.toml").write_text("[at_risk]\nhorizon_months = 6\n")
    store = write_store(root)
    rows = build_features(store, declared(), AS_OF).read()
    first, second = (train_bundle(workspace, rows, declared(), seed) for seed in (1, 2))
    operator = Operator(workspace, root / "store", first, second)
    operator.promote(first)
    return operator


@pytest.fixture
def operator(built: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """A copy that a test may change."""
    monkeypatch.setenv("NBO_BUNDLE_KEY", KEY.decode())
    shutil.copytree(built.workspace, tmp_path / "workspace")
    shutil.copytree(built.store, tmp_path / "store")
    return Operator(tmp_path / "workspace", tmp_path / "store", built.first, built.second)


@dataclass(frozen=True)
class Server:
    """A running ``nbo serve``."""

    process: "subprocess.Popen[str]"
    url: str
    greeting: str
    log: Path


@dataclass(frozen=True)
class Seller:
    """A workspace where churn and next-product are released, and the store of the simulated operator."""

    workspace: Path
    store: Path
    as_of: str
    accounts: tuple[str, ...]

    def log(self) -> "closing[DecisionLog]":
        """The decision log of the workspace, for a ``with`` block."""
        return closing(open_log(log_url(read_settings(self.workspace / "nbo.toml"), self.workspace)))


def arguments(
    operator: Operator | Seller, host: str = "127.0.0.1", drain: float = 0.0, keys: str = "", as_of: str = ""
) -> list[str]:
    places = [str(operator.workspace), str(operator.store)]
    return [sys.executable, "-c", SERVER, *places, host, str(drain), keys, as_of]


def environment(operator: Operator | Seller) -> dict[str, str]:
    """A seller's workspace has a key of its own."""
    key = {"NBO_BUNDLE_KEY": KEY.decode()} if isinstance(operator, Operator) else {}
    return {**os.environ, **key}


class Direct:
    """Asks an ASGI app without a server between: for states that no server starts in."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://direct") as client:
                return await client.request(method, path, **how)

        return asyncio.run(asked())


@pytest.fixture
def direct() -> type[Direct]:
    return Direct


@contextmanager
def served(operator: Operator | Seller, log: Path, **how: Any) -> Iterator[Server]:
    with (
        log.open("w") as errors,
        subprocess.Popen(
            arguments(operator, **how),
            cwd=ROOT,
            env=environment(operator),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            greeting = process.stdout.readline().strip()
            assert greeting, log.read_text()
            yield Server(process, greeting.rsplit(" on ", 1)[1], greeting, log)
        finally:
            process.kill()


def refused(operator: Operator | Seller, **how: Any) -> "subprocess.CompletedProcess[str]":
    words = arguments(operator, **how)
    return subprocess.run(
        words, cwd=ROOT, env=environment(operator), capture_output=True, text=True, check=False
    )


@pytest.fixture
def serve(operator: Operator, tmp_path: Path) -> Callable[..., Any]:
    """Start a server of its own: ``with serve(drain=2) as server``."""
    return lambda **how: served(operator, tmp_path / "server.log", **how)


@pytest.fixture
def refused_start(operator: Operator) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Start a server that must not start."""
    return lambda **how: refused(operator, **how)


@pytest.fixture(scope="session")
def server(built: Operator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only ask."""
    with served(built, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running


@pytest.fixture(scope="session")
def sold(selling: Path, store: Path, nbo: Any, tmp_path_factory: pytest.TempPathFactory) -> Seller:
    """The seller, made once; tests that change it take a copy."""
    workspace = Path(shutil.copytree(selling, tmp_path_factory.mktemp("sold") / "workspace"))
    out = tmp_path_factory.mktemp("scores")
    scored = nbo("score", "--store", store, "--as-of", "latest", "--out", out, "--json", cwd=workspace)
    part = Path(scored.result["folder"]) / "part-00000.parquet"
    accounts = pq.read_table(part, columns=["account_id"], partitioning=None)["account_id"].to_pylist()
    return Seller(workspace, store, scored.envelope["as_of"], tuple(accounts))


@pytest.fixture
def seller(sold: Seller, tmp_path: Path) -> Seller:
    """A copy of the workspace that a test may change, without decisions; the store is shared."""
    workspace = tmp_path / "seller"
    shutil.copytree(sold.workspace, workspace, ignore=shutil.ignore_patterns("decisions.db*"))
    return replace(sold, workspace=workspace)


@pytest.fixture
def sell(seller: Seller, tmp_path: Path) -> Callable[..., Any]:
    """Start a server over one's own seller: ``with sell() as server``."""
    return lambda **how: served(seller, tmp_path / "server.log", **how)


@pytest.fixture
def refused_seller(seller: Seller) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Start a server over one's own seller that must not start."""
    return lambda **how: refused(seller, **how)


@pytest.fixture(scope="session")
def shop(sold: Seller, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server that recommends, for all tests that only ask."""
    with served(sold, tmp_path_factory.mktemp("log") / "shop.log") as running:
        yield running
