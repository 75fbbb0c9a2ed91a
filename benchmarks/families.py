"""Measure what each family of features is worth on the simulated operator: ``make bench-families``.

Two questions are learnt on six months and judged on two later ones, by the learner of ``nbo train churn``:

- churn: who leaves by choice within the label window;
- leakage: who stays, and by the end of that window gives a rival :data:`LEAKS` or more of its long-distance
  money. The truth of the simulator tells it; no feature reads it.

``all`` is learnt on every feature; each other row leaves families out. Differences of average precision are
of the same held-out rows, with 95 % intervals by accounts drawn together.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from machine import machine_words
from world_learning import WINDOW, Operator

from nbo.asof import AsOf
from nbo.evaluation import difference
from nbo.evaluation.intervals import Interval
from nbo.models import BoosterSettings, fit_churn
from nbo.models.slices import LabelledRows
from nbo.world import WorldConfig
from nbo.world.truth import wallets

ROOT = Path(__file__).resolve().parents[1]
ACCOUNTS, MONTHS, SEED = 10_000, 15, 1
LEAKS = 0.2
LEAKAGE, GRAPH = ("rivals", "settlement", "shape"), ("neighbours", "graph")
Floats = np.ndarray


@dataclass(frozen=True)
class Row:
    """What a model of some families reached, and what it lost against one of all."""

    name: str
    features: int
    precision: Mapping[str, float]
    lost: Mapping[str, Interval]


def leaking(config: WorldConfig, day: int) -> set[str]:
    """Accounts that give a rival :data:`LEAKS` or more of their long distance on a day, by the truth."""
    told = wallets(config, day)
    far = told.filter(pc.equal(told["family"], "long_distance"))
    return set(far.filter(pc.less_equal(far["wallet_share"], 1 - LEAKS))["account_id"].to_pylist())


def leaked(config: WorldConfig, rows: LabelledRows) -> Floats:
    """1 where an account leaks at the end of its label window, else 0."""
    label = np.zeros(len(rows.label))
    for day in np.unique(rows.as_of_days):
        found = leaking(config, WINDOW.bounds(AsOf(int(day)))[1] - 1)
        here = np.flatnonzero(rows.as_of_days == day)
        label[here] = [account in found for account in rows.account_ids[here]]
    return label


def scores(operator: Operator, label: Floats, names: tuple[str, ...]) -> Floats:
    """Probabilities of the held-out rows by a model of these features."""
    fitted = fit_churn(operator.data(label, names), BoosterSettings(), seed=SEED)
    return fitted.score(np.ascontiguousarray(operator.held_matrix[:, operator.places(names)]))


def left_out(operator: Operator) -> dict[str, tuple[str, ...]]:
    """What each row of the table leaves out: each family, then those that tell of rivals and neighbours."""
    families = dict.fromkeys(feature.family for feature in operator.compiled.features)
    return {
        "all": (),
        **{f"without {family}": (family,) for family in families},
        "without rivals, settlement, shape": LEAKAGE,
        "without neighbours, graph": GRAPH,
        "without any of these": LEAKAGE + GRAPH,
    }


def measure(operator: Operator, labels: Mapping[str, tuple[Floats, Floats]]) -> list[Row]:
    """Each set of families, judged by both questions."""
    rows: list[Row] = []
    whole: dict[str, Floats] = {}
    for name, without in left_out(operator).items():
        began = time.perf_counter()
        names = tuple(f.name for f in operator.compiled.features if f.family not in without)
        precision, lost = {}, {}
        for question, (train, held) in labels.items():
            told = scores(operator, train, names)
            whole.setdefault(question, told)
            found = difference(
                held,
                whole[question],
                told,
                "average_precision",
                clusters=operator.held.account_ids,
                seed=SEED,
            )
            lost[question] = found
            precision[question] = average_precision(held, told)
        rows.append(Row(name, len(names), precision, lost))
        print(f"{name}: {precision}, {time.perf_counter() - began:.0f} s", flush=True)
    return rows


def average_precision(label: Floats, told: Floats) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(label, told))


def report(
    rows: list[Row], operator: Operator, labels: Mapping[str, tuple[Floats, Floats]], date: str
) -> str:
    """The published table."""
    counts = ", ".join(
        f"{int(train.sum()):,} and {int(held.sum()):,} {question}"
        for question, (train, held) in labels.items()
    )
    lines = [
        f"{len(operator.train.label):,} rows of six months learnt from, {len(operator.held.label):,} of two "
        f"later ones judged, with {counts}. {date}; {machine_words()}.",
        "",
        "| families | features | churn AP | all less this | leakage AP | all less this |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.features} | {row.precision['churn']:.4f} | {shown(row, 'churn')} "
        f"| {row.precision['leakage']:.4f} | {shown(row, 'leakage')} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def shown(row: Row, question: str) -> str:
    if row.name == "all":
        return ""
    lost = row.lost[question]
    return f"{lost.value:+.4f} [{lost.low:+.4f}, {lost.high:+.4f}]"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    arguments = parser.parse_args(argv)
    operator = Operator.of(arguments.accounts, MONTHS, SEED)
    config = WorldConfig(accounts=arguments.accounts, months=MONTHS, seed=SEED)
    labels = {
        "churn": (operator.train.label, operator.held.label),
        "leakage": (leaked(config, operator.train), leaked(config, operator.held)),
    }
    text = report(measure(operator, labels), operator, labels, arguments.date)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "families.md"
    path.write_text(text, encoding="utf-8")
    print(f"\n{text}\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
