"""Stores of invented calls that benchmarks keep: made once for a generator and a size."""

import sys
from pathlib import Path

from generated_calls import GENERATOR_VERSION, Size, calls_sql
from processes import Cost, cost_of

from nbo.tables.store import CONTRACT_VERSION

WORKER = Path(__file__).resolve().with_name("features_worker.py")


def work(role: str, store: Path, *more: str) -> Cost:
    """Play one role of the worker in a fresh process."""
    return cost_of([sys.executable, str(WORKER), role, str(store), *more])


def ready_store(folder: Path, size: Size) -> Path:
    """The store in a folder, made unless the one that is there came from this very generator and size."""
    store, said = folder / "store", folder / "generator.sql"
    made = f"-- generator {GENERATOR_VERSION}, contracts {CONTRACT_VERSION}, {size.accounts} accounts"
    sql = f"{made}\n{calls_sql(size)}\n"
    print(f"-- generator\n{sql}", flush=True)
    if not (said.is_file() and said.read_text(encoding="utf-8") == sql):
        said.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        work("generate", store, *(str(number) for number in (size.calls, size.accounts, size.days)))
        said.write_text(sql, encoding="utf-8")
    return store
