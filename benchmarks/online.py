"""Measure online rows: one account's features out of a mapped file, at a million accounts and 300 features.

A seeded snapshot (270 numbers, some of them whole, and 30 categories; a tenth of the values null) is
written as ``nbo features build`` writes one, and a booster is fitted to a made-up label. Everything after
runs through the package: the file is derived, opened in fresh processes, asked at random, and compared with
the batch. Scores of single online rows and of the batch must be equal in every bit, or the command fails.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import MIB, machine_words

from nbo.asof import AsOf
from nbo.bundle import IDENTITY, Bundle, BundleRows, Vocabulary, parsed_booster
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.features.online import ONLINE, online_rows, write_online
from nbo.features.snapshots import PART, Snapshot
from nbo.files import read_manifest, write_manifest
from nbo.tables.contract import Words

ROOT = Path(__file__).resolve().parents[1]
AS_OF = AsOf.parse("2025-04-01")
BATCH = 50_000
MOST_MICROSECONDS, MOST_SECONDS = 100.0, 1.0
"""Targets: a look-up's p99, and a cold start."""
CODES = ["company", "sole_trader", "school", "hospital", "office"]
FRESH = """
import json, sys, time
from pathlib import Path
from nbo.asof import AsOf
from nbo.features.snapshots import Snapshot
from nbo.features.online import online_rows
from nbo.files import read_manifest

def memory():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return [int(lines[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile")]

folder, accounts = Path(sys.argv[1]), json.load(sys.stdin)
before = memory()
begun = time.perf_counter()
rows = online_rows(Snapshot(folder, AsOf.parse("2025-04-01"), read_manifest(folder, "")))
rows.values(rows.place(accounts[0]))
seconds = time.perf_counter() - begun
for account in accounts:
    rows.values(rows.place(account))
after = memory()
print(json.dumps([seconds, after[0] - before[0], after[1] - before[1]]))
"""


def compiled_features(columns: int) -> CompiledFeatures:
    """Numbers, every third of them whole, and a tenth categories."""
    words, found = Words("made up", "虚构"), []
    for place in range(columns):
        kind = "category" if place % 10 == 9 else "number"
        sql_type = "VARCHAR" if kind == "category" else ("BIGINT" if place % 3 == 0 else "DOUBLE")
        found.append(
            CompiledFeature(
                f"f{place:03d}", kind, "count", "made_up", words, words, (), frozenset(), "", sql_type
            )
        )
    return CompiledFeatures.of(tuple(found), "SELECT 1", "retention")


def batches(compiled: CompiledFeatures, accounts: int) -> Iterator[pa.Table]:
    """The rows, some at a time; account ids are pseudonyms of 16 characters that ascend."""
    rng = np.random.default_rng(1)
    for start in range(0, accounts, BATCH):
        count = min(BATCH, accounts - start)
        columns = {"account_id": pa.array([f"A{(start + n) * 4_294_967:015x}" for n in range(count)])}
        for feature in compiled.features:
            null = rng.random(count) < 0.1
            if feature.kind == "category":
                values = pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, len(CODES), count)), CODES)
                columns[feature.name] = pa.compute.if_else(pa.array(null), None, values.cast(pa.string()))
            elif feature.sql_type == "BIGINT":
                columns[feature.name] = pa.array(rng.poisson(20, count), pa.int64(), mask=null)
            else:
                columns[feature.name] = pa.array(rng.gamma(2.0, 30.0, count), pa.float64(), mask=null)
        yield pa.table(columns)


def made_snapshot(folder: Path, compiled: CompiledFeatures, accounts: int) -> Snapshot:
    """The snapshot, written once for each size."""
    if not (folder / "MANIFEST.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        writer = None
        for table in batches(compiled, accounts):
            writer = writer or pq.ParquetWriter(folder / PART, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=BATCH)
        if writer:
            writer.close()
        facts = {"as_of": str(AS_OF), "feature_hash": compiled.hash, "store_id": "benchmark"}
        write_manifest(folder, {**facts, "rows": accounts})
    return Snapshot(folder, AS_OF, read_manifest(folder, "Remove it"))


def fitted(snapshot: Snapshot, compiled: CompiledFeatures) -> Bundle:
    """100 trees of 31 leaves on the first rows and a label made of some of their columns."""
    rows = pa.Table.from_batches([next(snapshot.batches(BATCH))])
    vocabulary = Vocabulary.learn(rows, compiled)
    matrix = vocabulary.encode(rows, compiled)
    some = matrix[:, :40]
    odds = np.nan_to_num(some) @ np.random.default_rng(2).normal(size=some.shape[1])
    label = (odds > np.median(odds)).astype(int)
    parameters = {"objective": "binary", "num_leaves": 31, "num_threads": 2, "verbose": -1, "seed": 1}
    data = lgb.Dataset(matrix, label, feature_name=list(compiled.names), params={"verbose": -1})
    text = lgb.train(parameters, data, num_boost_round=100).model_to_string()
    booster = parsed_booster(text, compiled.names)
    return Bundle("0" * 16, "churn", compiled, vocabulary, (booster,), IDENTITY, {})


def evict(path: Path) -> None:
    """Ask the system to forget the file's pages."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fresh(snapshot: Snapshot, accounts: list[str]) -> tuple[float, float, float]:
    """What a fresh process needs after its imports.

    Returns
    -------
    tuple
        Seconds to open the file and give the first row; MiB that the process holds more of its own after all
        rows were asked for; MiB of mapped pages that are then in memory.
    """
    command = [sys.executable, "-c", FRESH, str(snapshot.folder)]
    done = subprocess.run(command, input=json.dumps(accounts), capture_output=True, check=True, text=True)
    seconds, own, mapped = json.loads(done.stdout)
    return float(seconds), float(own), float(mapped)


def timed(live: BundleRows, accounts: list[str]) -> list[float]:
    """Microseconds of each look-up of an encoded row."""
    times = []
    for account in accounts:
        begun = time.perf_counter()
        live.row(account)
        times.append(1e6 * (time.perf_counter() - begun))
    return times


def equal_rows(live: BundleRows, snapshot: Snapshot, bundle: Bundle, scored: int) -> tuple[int, int]:
    """Rows compared with the batch in every bit, and single scores compared so."""
    compared = scores = 0
    wanted = set(random.Random(3).sample(range(len(live)), scored))
    for batch in snapshot.batches(BATCH):
        matrix = bundle.encode(pa.Table.from_batches([batch]))
        accounts = batch.column("account_id").to_pylist()
        if live.matrix(accounts).tobytes() != matrix.tobytes():
            raise SystemExit(f"rows {compared:,} and later differ from the batch")
        told = bundle.score(matrix, threads=2)
        for place in sorted(wanted & set(range(compared, compared + len(accounts)))):
            one = bundle.score(live.row(accounts[place - compared])[np.newaxis])
            if one.tobytes() != told[place - compared].tobytes():
                raise SystemExit(f"the score of row {place:,} differs from the batch's")
            scores += 1
        compared += len(accounts)
    return compared, scores


def quantiles(what: str, times: list[float]) -> str:
    half, most, last = np.percentile(times, [50, 99, 99.9])
    return f"| {what} | {len(times):,} | {half:.1f} | {most:.1f} | {last:.1f} |"


def measured(folder: Path, accounts: int, columns: int, lookups: int) -> str:
    """Measure, compare, and tell it as the published table."""
    compiled = compiled_features(columns)
    snapshot = made_snapshot(folder, compiled, accounts)
    bundle = fitted(snapshot, compiled)
    path = snapshot.folder / ONLINE
    begun = time.perf_counter()
    write_online(snapshot, path)
    derived = time.perf_counter() - begun
    ids = list(online_rows(snapshot).accounts())
    draw = random.Random(2)
    asked = draw.choices(ids, k=lookups)
    evict(path)
    off_disk = fresh(snapshot, asked[:1])[0]
    cached = float(np.median([fresh(snapshot, asked[:1])[0] for _ in range(5)]))
    evict(path)
    live = BundleRows.of(snapshot, bundle)
    first = timed(live, asked[:2_000])
    with path.open("rb") as file:
        while file.read(64 * MIB):  # the file's pages come into the system's cache
            pass
    warm = timed(live, asked)
    _, own, mapped = fresh(snapshot, asked)
    rows, scores = equal_rows(live, snapshot, bundle, min(20_000, accounts))
    p99 = float(np.percentile(warm, 99))
    sizes = path.stat().st_size / MIB, (snapshot.folder / PART).stat().st_size / MIB
    lines = [
        f"{accounts:,} accounts, {columns} features. {datetime.now(UTC):%Y-%m-%d}; {machine_words()}.",
        "",
        "| one encoded row by account id | look-ups | p50, µs | p99, µs | p99.9, µs |",
        "|---|---:|---:|---:|---:|",
        quantiles("file in the system's cache", warm),
        quantiles("file evicted before: first touches come from the disk", first),
        "",
        "| | |",
        "|---|---:|",
        f"| file, MiB | {sizes[0]:,.0f} |",
        f"| the snapshot's Parquet part, MiB | {sizes[1]:,.0f} |",
        f"| derived from the snapshot once, s | {derived:.1f} |",
        f"| opened and one row read in a fresh process, file in the cache, ms | {1e3 * cached:.1f} |",
        f"| the same, file evicted, ms | {1e3 * off_disk:.1f} |",
        f"| memory that a fresh process holds for it after {lookups:,} look-ups, MiB | {own:,.1f} |",
        f"| mapped pages then in memory, shared and given back when wanted, MiB | {mapped:,.0f} |",
        f"| rows equal to the batch's matrix in every bit | {rows:,} of {accounts:,} |",
        f"| single scores equal to the batch's in every bit | {scores:,} of {scores:,} |",
        "",
        "| target | measured | at most | |",
        "|---|---:|---:|---|",
        target("look-up, file in the cache, p99, µs", p99, MOST_MICROSECONDS),
        target("cold start, file evicted, s", off_disk, MOST_SECONDS),
        "",
    ]
    return "\n".join(lines)


def target(what: str, value: float, most: float) -> str:
    return f"| {what} | {value:.2f} | {most:.2f} | {'met' if value <= most else 'MISSED'} |"


def main() -> int:
    """Make the snapshot, measure, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=300)
    parser.add_argument("--lookups", type=int, default=200_000)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    arguments = parser.parse_args()
    size = f"{arguments.accounts}x{arguments.features}"
    folder = arguments.out.resolve() / "data" / f"online-{size}" / f"as_of={AS_OF}"
    table = measured(folder, arguments.accounts, arguments.features, arguments.lookups)
    print(table)
    (arguments.out / "online.md").write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
