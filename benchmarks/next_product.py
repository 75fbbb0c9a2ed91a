"""Measure next-product rankings beside their peers on real holdings: ``nbo evaluate next-product``.

``make bench-next-product`` runs the command on the customers of an insurer who hold some of 21 products
(public competition data of Zimnat, 29,132 customers). The data are not part of this repository: they are
read from ``../shared/data/zimnat``, or from the folder ``zimnat`` of ``NBO_BENCH_DATA``; where they are
absent nothing is measured and nothing is written.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import machine_words

ROOT = Path(__file__).resolve().parents[1]
FILE = Path("zimnat") / "Train.csv.gz"
PRODUCTS = (
    "P5DA,RIBP,8NN1,7POT,66FJ,GYSR,SOP4,RVSZ,PYUQ,LJR9,N2MW,AHXO,BSTQ,FM3X,K6QO,QBOL,JWFN,JZ9D,J9JW,GHYX,ECY3"
)
METRICS = {"hit_rate_at_1": "higher", "hit_rate_at_3": "higher", "mrr": "higher", "log_loss": "lower"}
TARGETS = ("hit_rate_at_1", "log_loss")
"""In these, ours is to beat every peer by intervals that do not meet."""
OURS = "ours"

Metrics = Mapping[str, Mapping[str, float]]


def data_folder() -> Path:
    return Path(os.environ.get("NBO_BENCH_DATA") or ROOT.parent / "shared" / "data")


def measured(file: Path, seed: int) -> tuple[dict[str, Any], float]:
    """The command's result, and its wall-clock seconds."""
    command = [sys.executable, "-m", "nbo", "evaluate", "next-product", str(file), "--holdings", PRODUCTS]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--id", "ID", "--seed", str(seed), "--json"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return dict(json.loads(done.stdout)["result"]), time.perf_counter() - began


def beats(ours: Metrics, peer: Metrics, metric: str) -> bool:
    """Whether the interval of ours lies wholly on the better side of the peer's."""
    if METRICS[metric] == "higher":
        return ours[metric]["low"] > peer[metric]["high"]
    return ours[metric]["high"] < peer[metric]["low"]


def versions(*names: str) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def cell(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"


def report(result: Mapping[str, Any], wall: float, arguments: argparse.Namespace) -> str:
    """The published table."""
    methods = {name: told for name, told in result.items() if isinstance(told, dict) and "mrr" in told}
    people = result["customers"]
    lines = [
        f"{people['train']:,} customers learnt from, one product hidden of each of {people['test']:,} "
        f"others; seed {arguments.seed}; 95 % intervals. {arguments.date}; {wall / 60:.1f} minutes, "
        f"{machine_words()}, {versions('lightgbm', 'implicit')}.",
        "",
        "| | " + " | ".join(METRICS) + " |",
        "|---|" + "---:|" * len(METRICS),
    ]
    lines += [
        f"| {name} | " + " | ".join(cell(told[metric]) for metric in METRICS) + " |"
        for name, told in methods.items()
    ]
    lines += ["", "| target | |", "|---|---|"]
    for name in methods:
        if name != OURS:
            lines += [
                f"| {metric}: ours better than {name}, intervals apart | "
                f"{'met' if beats(methods[OURS], methods[name], metric) else 'MISSED'} |"
                for metric in TARGETS
            ]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    file = data_folder() / FILE
    if not file.is_file():
        print(f"{file}: not there, nothing is measured. Name a folder that holds {FILE} by NBO_BENCH_DATA.")
        return 0
    result, wall = measured(file, arguments.seed)
    text = report(result, wall, arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "next-product.md").write_text(text, encoding="utf-8")
    print(f"{text}\n{arguments.out / 'next-product.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
