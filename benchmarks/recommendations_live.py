"""Time ``POST /v1/recommendations`` over one connection, each decision on the disk before it is answered.

``make demo`` leaves what it asks: a workspace with both models in use and a store with their snapshots.
The server is a process of its own; the clock runs from sending a request to the last byte of its answer.
The demo's decision log gets the decisions.
"""

import argparse
import http.client
import json
import random
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from machine import machine_words

ROOT = Path(__file__).resolve().parents[1]
MILLISECONDS = 5.0
"""The target for the median."""
WARM_UP = 50


def asked(connection: http.client.HTTPConnection, path: str, body: object) -> tuple[float, bytes]:
    """Milliseconds of one request, and its answer."""
    text = json.dumps(body)
    begun = time.perf_counter()
    connection.request("POST", path, text, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    took = time.perf_counter() - begun
    if response.status != 200:
        raise SystemExit(answer.decode())
    return 1_000 * took, answer


def row(what: str, times: list[float]) -> str:
    median, most, last = np.percentile(times, [50, 90, 99])
    return f"| {what} | {len(times):,} | {median:.2f} | {most:.2f} | {last:.2f} |"


def report(recommended: list[float], scored: list[float], offers: int, size: float) -> str:
    """The published table."""
    met = "met" if np.median(recommended) <= MILLISECONDS else "MISSED"
    return "\n".join(
        [
            f"One connection, {offers} offers an account, {size:,.0f} bytes an answer. "
            f"{datetime.now(UTC):%Y-%m-%d}; {machine_words()}.",
            "",
            "| route | requests | p50, ms | p90, ms | p99, ms |",
            "|---|---:|---:|---:|---:|",
            row("`/v1/recommendations`, log included", recommended),
            row("`/v1/scores`, for comparison", scored),
            "",
            f"Target: a median of at most {MILLISECONDS:g} ms, {met}.",
            "",
        ]
    )


def measured(url: str, accounts: list[str], requests: int) -> str:
    """Ask and time; accounts at random."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    draw = random.Random(1)
    bodies = [{"account_id": draw.choice(accounts), "channel": "shop"} for _ in range(WARM_UP + requests)]
    answers = [asked(connection, "/v1/recommendations", body) for body in bodies][WARM_UP:]
    scored = [asked(connection, "/v1/scores", {"accounts": [body["account_id"]]})[0] for body in bodies]
    told = json.loads(answers[0][1])
    offers = sum(len(told[part]) for part in ("offers", "others", "stopped"))
    size = float(np.mean([len(answer) for _, answer in answers]))
    return report([took for took, _ in answers], scored[WARM_UP:], offers, size)


def main() -> int:
    """Start the server, ask, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=ROOT)
    parser.add_argument("--store", type=Path, default=ROOT / "runs" / "demo" / "store")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    arguments = parser.parse_args()
    store, out = arguments.store.resolve(), arguments.out.resolve()
    parts = sorted(store.glob("features/*/as_of=*/part-00000.parquet"), key=lambda path: path.parent.name)
    accounts = pq.read_table(parts[-1], columns=["account_id"], partitioning=None)["account_id"].to_pylist()
    command = [sys.executable, "-m", "nbo", "serve", "--store", str(store), "--port", "0"]
    with subprocess.Popen(command, cwd=arguments.workspace, stdout=subprocess.PIPE, text=True) as server:
        try:
            greeting = server.stdout.readline() if server.stdout else ""
            if "next-product" not in greeting:
                raise SystemExit(f"expected a server that recommends, got {greeting!r}: run make demo")
            table = measured(re.sub(r".* on ", "", greeting).strip(), accounts, arguments.requests)
        finally:
            server.kill()
    print(table)
    out.mkdir(parents=True, exist_ok=True)
    (out / "recommendations-live.md").write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
