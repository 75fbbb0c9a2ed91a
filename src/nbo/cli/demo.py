"""The main job on a small simulated operator, stage by stage, with what to open next."""

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from nbo.bundle import Bundle, Releases
from nbo.cli.answers import metric_lines, progress
from nbo.cli.learning import prepared
from nbo.cli.recommending import decided, decision_lines, recommender_of, suggester
from nbo.cli.using import list_lines, scored, write_list
from nbo.decisions.at_risk import at_risk
from nbo.decisions.log import log_url, open_log
from nbo.decisions.recommend_all import PART, Batch, recommend_all
from nbo.decisions.recommender import Request
from nbo.decisions.settings import list_settings, offers_settings
from nbo.errors import DataError, UsageError
from nbo.files import lock, write_atomic
from nbo.keys import bundle_key
from nbo.report import render_report
from nbo.tables.check import check_tables
from nbo.tables.mapping import load_mapping
from nbo.tables.store import Store
from nbo.tracking import open_tracking
from nbo.workspace import Workspace
from nbo.world import WorldConfig, simulate

OWNED = ".nbo-demo"
STAGES = 7
LISTED, SHOWN = 100, 10


def run_demo(place: Workspace, out: Path, *, accounts: int, months: int, seed: int) -> None:
    """Simulate, check, train, promote, score, list, recommend; every file under ``out``."""
    with lock(out):
        claim(out)
        started = time.monotonic()
        with stage(1, f"simulate {accounts:,} accounts over {months} months"):
            config = WorldConfig(accounts=accounts, months=months, seed=seed)
            simulate(config, out / "raw", progress, workers=None)
        with stage(2, "check the tables and write the store"):
            report = check_tables(
                out / "raw",
                out / "store",
                load_mapping(None, out / "raw"),
                key=bundle_key(place.root),
                progress=progress,
            )
            if not report.ok:
                raise DataError("demo", "simulated tables that pass their check", report.failed[0].line)
        learn_and_list(place, out)
        print(f"\ndone in {time.monotonic() - started:.0f} s")


def learn_and_list(place: Workspace, out: Path) -> None:
    """Train, promote, score, list, recommend and report on the demo's store."""
    store = Store.open(out / "store")
    with stage(3, "churn: build features, tune and train, judge on held-out months, promote"):
        bundle = trained(place, store, "churn")
    with stage(4, "next product: train on the take-ups of past months, judge, promote"):
        trained(place, store, "next-product")
    with stage(5, f"score every account as of {store.latest}"):
        run = scored(place, store, store.latest, bundle, out / "scores")
    with stage(6, "list whom to call and what to offer, and report"):
        suggest = suggester(place, store, store.latest, None)
        found = at_risk(store, bundle, run, list_settings(place.settings), top=LISTED, suggest=suggest)
        write_list(found, out / "at_risk.csv")
        operator = str(place.settings.get("operator", {}).get("name", "Demo operator"))
        card = {**bundle.metadata, "bundle_id": bundle.id}
        write_atomic(out / "report.html", render_report(card, found.rows, operator=operator, language="en"))
    with stage(7, "recommend for every account, each decision in the log"):
        example = recommended(place, store, out)
    shown = type(found)(found.as_of, found.rows[:SHOWN], found.suppressed, found.counts)
    print("\n" + "\n".join(list_lines(shown, store.currency)))
    print("\n" + "\n".join(decision_lines(example)))
    print("\n" + "\n".join(next_steps(place, out, example)))


def trained(place: Workspace, store: Store, model: str) -> Bundle:
    """Train a model and put it into use; its held-out metrics are printed."""
    config = prepared(place, None, model)
    pipeline = place.module(f"training.{model.replace('-', '_')}")
    outcome = pipeline.run(config, place, store, open_tracking(place.root, create=True), progress)
    print("\n".join("      " + line for line in metric_lines(outcome.metadata["metrics"]["holdout"])))
    key, releases = bundle_key(place.root), Releases(place.root)
    releases.promote(model, outcome.bundle_id, key, force=True, reason="demo")
    return releases.load(model, key)


def recommended(place: Workspace, store: Store, out: Path) -> dict[str, Any]:
    """Recommend for everyone into ``recommendations.parquet``; the decision of the best account."""
    recommender, files = recommender_of(place, store, "latest", None)
    channel = offers_settings(place.settings).channel
    with closing(open_log(log_url(place.settings, place.root))) as log:
        run = recommend_all(store, Batch(recommender, files.features, channel), out / "recommendations", log)
        write_atomic(out / "recommendations.parquet", (run.folder / PART).read_bytes())
        best = pc.sort_indices(run.read(), sort_keys=[("expected_margin_amount", "descending", "at_end")])
        account = run.read()["account_id"][best[0].as_py()].as_py()
        return decided(store, recommender, files, Request(account, channel), log, None)


def claim(out: Path) -> None:
    """Empty the demo's own folder; never one that it did not make."""
    if out.exists() and any(out.iterdir()) and not (out / OWNED).exists():
        raise UsageError(f"--out {out}: expected a new, empty or earlier demo folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / OWNED).touch()


@contextmanager
def stage(number: int, what: str) -> Iterator[None]:
    """A numbered line with the seconds it took."""
    print(f"[{number}/{STAGES}] {what}", flush=True)
    started = time.monotonic()
    yield
    print(f"      {time.monotonic() - started:.1f} s", flush=True)


def next_steps(place: Workspace, out: Path, example: Mapping[str, Any]) -> list[str]:
    """What to open and run next."""
    database = place.root / "mlruns" / "mlflow.db"
    return [
        f"the whole list     {out / 'at_risk.csv'} (kept off it: {out / 'suppressed.csv'})",
        f"every account      {out / 'recommendations.parquet'}",
        f"why that offer     {runnable('nbo')} replay {example['decision_id']}",
        f"the report         {out / 'report.html'}",
        f"tracked runs       {runnable('mlflow')} ui --backend-store-uri sqlite:///{database}",
        f"ask over HTTP      {runnable('nbo')} serve --store {out / 'store'}",
    ]


def runnable(name: str) -> str:
    """A command as it can be typed here: by its name, or by where this Python keeps it."""
    if shutil.which(name):
        return name
    folder = Path(sys.executable).parent
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder) + f"/{name}"
