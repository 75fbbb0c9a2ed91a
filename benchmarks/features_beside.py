"""The same features by ``nbo``, by hand-written SQL and by Featuretools: ``make bench-featuretools``.

Each reads the same million calls and writes one Parquet file, in a process of its own, several times in
turn; CPU and wall are without starting and importing. All values must be equal (exit code 1 where they
are not). Lines are counted in the files that hold the three definitions.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tokenize
from datetime import UTC, datetime
from pathlib import Path

from call_stores import ready_store, work
from features_worker import compiled_features
from generated_calls import END_DAY, Size
from machine import MIB, machine_words
from processes import Cost, cost_of, median_cost

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
PYTHON = ROOT / ".venv-featuretools/bin/python"
DEFINITIONS = {
    "ours": "features_nbo.py",
    "plain": "features_sql.py",
    "featuretools": "features_featuretools.py",
}
TOLD = {"ours": "nbo", "plain": "SQL by hand (DuckDB)", "featuretools": "Featuretools"}
NOT_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


def lines_of_code(source: str) -> int:
    """Lines that hold code: no blank ones, no comments, no docstrings.

    Examples
    --------
    >>> lines_of_code('"Words."' + chr(10) + chr(10) + "x = 1  # why" + chr(10) + "# more" + chr(10))
    1
    """
    rows: set[int] = set()
    starts = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in NOT_CODE:
            starts = starts or token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
            continue
        if not (starts and token.type == tokenize.STRING):
            rows.update(range(token.start[0], token.end[0] + 1))
        starts = False
    return len(rows)


def featuretools(*arguments: str) -> Cost:
    return cost_of([str(PYTHON), str(HERE / "features_featuretools_worker.py"), *arguments])


def measure(store: Path, rounds: int) -> dict[str, Cost]:
    """Median costs of each, and the highest peak; CPU and wall less those of starting."""
    found: dict[str, list[Cost]] = {
        name: [] for name in ("empty", "ours", "plain", "starting", "featuretools")
    }
    there = store.with_name(f"{store.name}-featuretools.parquet")
    for number in range(rounds):
        shutil.rmtree(store / "features", ignore_errors=True)
        for name, costs in found.items():
            if name == "starting":
                cost = featuretools()
            elif name == "featuretools":
                cost = featuretools(str(store), str(there), str(END_DAY))
            else:
                cost = work(name, store)
            costs.append(cost)
            print(f"round {number + 1} {name:12} {cost}", flush=True)
        for other in ("plain", "featuretools"):
            work("compare", store, other)
    medians = {name: median_cost(costs) for name, costs in found.items()}
    starts = {"ours": "empty", "plain": "empty", "featuretools": "starting"}
    return {name: medians[name].less(medians[start]) for name, start in starts.items()}


def report(costs: dict[str, Cost], size: Size, arguments: argparse.Namespace, versions: str) -> str:
    """The published table."""
    lines = [
        f"{len(compiled_features().names)} features of {size.accounts:,} accounts from {size.calls:,} calls, "
        f"all values equal; medians of {arguments.rounds} interleaved rounds, the highest peak of memory. "
        f"{arguments.date}; {machine_words()}, {versions}.",
        "",
        "| | lines to write | CPU, s | CPU / nbo | wall, s | peak memory, MiB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, cost in costs.items():
        written = lines_of_code((HERE / DEFINITIONS[name]).read_text(encoding="utf-8"))
        lines.append(
            f"| {TOLD[name]} | {written} | {cost.cpu:.2f} | {cost.cpu / costs['ours'].cpu:.1f} "
            f"| {cost.wall:.2f} | {cost.peak / MIB:,.0f} |"
        )
    return "\n".join(lines) + "\n"


def peer_versions() -> str:
    asked = "import importlib.metadata as m; print(*map(m.version, ('featuretools', 'pandas')))"
    told = subprocess.run([PYTHON, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    return f"featuretools {told[0]}, pandas {told[1]}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    if not PYTHON.exists():
        print(f"{PYTHON}: not there. Run make bench-featuretools, which makes it.", file=sys.stderr)
        return 2
    size = Size(arguments.calls, arguments.accounts)
    store = ready_store(arguments.out / "data-featuretools", size)
    text = report(measure(store, arguments.rounds), size, arguments, peer_versions())
    path = arguments.out / "featuretools.md"
    path.write_text(text, encoding="utf-8")
    print(f"\n{text}\n{path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
