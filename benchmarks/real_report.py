"""What ``bench-real`` publishes: metrics with intervals, differences to ours, and which targets are met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from real_folds import FOLDS, Floats, Told

from nbo.evaluation import METRICS, Interval, bootstrap, ece, ece_of_perfect
from nbo.evaluation.intervals import Statistic
from nbo.models.labelled_table import Labels

OURS, SEARCHED = "ours", "ours-searched"
METHODS = {
    OURS: "ours",
    SEARCHED: "ours, searched",
    "lightgbm": "LightGBM",
    "logistic": "logistic regression",
    "xgboost": "XGBoost",
    "catboost": "CatBoost",
    "flaml": "FLAML",
}
"""By name, in the order of the tables, as they are called there."""
SHOWN = {"auc": "AUC", "average_precision": "AP", "log_loss": "log loss", "brier": "Brier", "ece": "ECE"}
COMPARED = ("auc", "average_precision")
CHEAPER = 3
"""How many times the CPU of ours a peer that ties is to need."""
STRICT = ("cell2cell",)
"""Sets on which ours is to be at least the best peer, not only within its interval."""
SEED = 1


@dataclass(frozen=True, eq=False)
class Measured:
    """One data set, and what each method told of its rows.

    Parameters
    ----------
    name, words : str
        On the command line and in the report.
    label : ndarray of shape (n,)
    columns : int
        That were learnt from.
    told : mapping of str to mapping of int to Told
        By method, then by seed: the pooled folds of a repeat.
    """

    name: str
    words: str
    label: Labels
    columns: int
    told: Mapping[str, Mapping[int, Told]]


@dataclass(frozen=True, eq=False)
class Judged:
    """The figures of one data set.

    Parameters
    ----------
    measured : Measured
    metrics : mapping of str to mapping of str to Interval
        By method, then by metric: the mean over the repeats.
    less : mapping of str to mapping of str to Interval
        By peer, then by metric: ours less the peer, on the repeats that both have.
    cpu_s : mapping of str to float
        By method: mean CPU seconds of learning one fold's model and scoring with it.
    perfect : Interval
        ECE of ours, and where that of a perfectly calibrated model would fall; means over the repeats.
    within : int
        Repeats of ours whose ECE lies not above that band.
    """

    measured: Measured
    metrics: Mapping[str, Mapping[str, Interval]]
    less: Mapping[str, Mapping[str, Interval]]
    cpu_s: Mapping[str, float]
    perfect: Interval
    within: int

    @property
    def peers(self) -> list[str]:
        return [method for method in self.metrics if method not in (OURS, SEARCHED)]

    def ties(self, peer: str) -> bool:
        """Whether the data cannot tell the peer from ours, by one of the compared metrics."""
        return any(self.less[peer][metric].low <= 0 <= self.less[peer][metric].high for metric in COMPARED)

    def best_peer(self, metric: str) -> str:
        return max(self.peers, key=lambda peer: self.metrics[peer][metric].value)


def judge(measured: Measured, *, draws: int = 1_000) -> Judged:
    """Every figure of a data set from the same draws of its rows.

    Notes
    -----
    A draw takes rows of the set with replacement, once for all methods and repeats. Its value of a metric
    is the mean over the repeats of the metric of the repeat's pooled out-of-fold probabilities on those
    rows; its difference to a peer is the mean over the repeats that both have. So intervals hold the chance
    of the rows, and of folds and seeds only what the mean over the repeats leaves.
    """
    label = measured.label.astype(np.float64)
    parts = {
        method: {seed: prepare(label, told) for seed, told in repeats.items()}
        for method, repeats in measured.told.items()
    }
    others = [method for method in parts if method != OURS]

    def statistic(weights: Floats) -> Floats:
        values = {
            method: {seed: part(weights) for seed, part in repeats.items()}
            for method, repeats in parts.items()
        }
        means = [np.mean(list(repeats.values()), axis=0) for repeats in values.values()]
        return np.concatenate([*means, *(less(values[OURS], values[other]) for other in others)], axis=1)

    found = bootstrap(statistic, np.arange(label.size), seed=SEED, draws=draws, where=measured.name)
    rows = [found[at : at + len(SHOWN)] for at in range(0, len(found), len(SHOWN))]
    named = [dict(zip(SHOWN, row, strict=True)) for row in rows]
    perfect, within = calibration(label, measured.told[OURS], draws)
    return Judged(
        measured,
        dict(zip(parts, named, strict=False)),
        dict(zip(others, named[len(parts) :], strict=True)),
        {
            method: float(np.mean(np.concatenate([told.cpu_s for told in repeats.values()])))
            for method, repeats in measured.told.items()
        },
        perfect,
        within,
    )


def prepare(label: Floats, told: Told) -> Statistic:
    """From row weights (b, n) to the metrics of one repeat, shape (b, metrics)."""
    y = label[told.rows]
    whole = told.rows.size == label.size
    of = [METRICS[metric](y, told.p) for metric in SHOWN]

    def value(weights: Floats) -> Floats:
        mine = weights if whole else weights[:, told.rows]
        return np.stack([metric(mine) for metric in of], axis=1)

    return value


def less(ours: Mapping[int, Floats], other: Mapping[int, Floats]) -> Floats:
    """Ours less the other, the mean over the repeats that both have."""
    return np.mean([ours[seed] - other[seed] for seed in ours if seed in other], axis=0)


def calibration(label: Floats, repeats: Mapping[int, Told], draws: int) -> tuple[Interval, int]:
    """ECE of ours beside that of a perfect model, means over repeats; and how many lie within."""
    found = []
    for seed, told in repeats.items():
        band = ece_of_perfect(told.p, seed=seed, draws=draws)
        found.append((ece(label[told.rows], told.p, draws=draws).value, band.low, band.high))
    value, low, high = np.mean(found, axis=0)
    return Interval(float(value), float(low), float(high)), sum(value <= high for value, _, high in found)


def report(judged: Sequence[Judged], caption: str, absent: Sequence[str] = ()) -> str:
    """The published tables."""
    lines = [caption, ""]
    if absent:
        lines += [f"Not measured, for their files were not there: {', '.join(absent)}.", ""]
    for one in judged:
        lines += [*metric_lines(one), "", *difference_lines(one), ""]
    lines += ["| data | target | measured | |", "|---|---|---|---|"]
    for one in judged:
        lines += target_lines(one)
    return "\n".join(lines) + "\n"


def metric_lines(one: Judged) -> list[str]:
    label, told = one.measured.label, one.measured.told
    ours = next(iter(told[OURS].values()))
    folds = f"{FOLDS} folds" if len(ours.cpu_s) == FOLDS else f"{len(ours.cpu_s)} of {FOLDS} folds"
    return [
        f"**{one.measured.words}**: {label.size:,} rows, {100 * label.mean():.1f} % left, "
        f"{one.measured.columns} columns; {counted(len(told[OURS]), 'repeat')} of {folds}.",
        "",
        f"| | {' | '.join(SHOWN.values())} | CPU, s a fit |",
        "|---|" + "---:|" * (len(SHOWN) + 1),
        *(
            f"| {method_words(one, method)} | {' | '.join(cell(metrics[name]) for name in SHOWN)} | "
            f"{one.cpu_s[method]:.2f} |"
            for method, metrics in one.metrics.items()
        ),
        "",
        f"ECE of ours: {one.perfect.value:.4f}; with the same probabilities a perfectly calibrated model "
        f"would show {one.perfect.low:.4f} to {one.perfect.high:.4f} in 95 of 100 cases. Not above that: "
        f"{one.within} of {counted(len(told[OURS]), 'repeat')}.",
    ]


def method_words(one: Judged, method: str) -> str:
    """The method, and its repeats where it has fewer than ours."""
    repeats, most = len(one.measured.told[method]), len(one.measured.told[OURS])
    return METHODS[method] if repeats == most else f"{METHODS[method]} ({counted(repeats, 'repeat')})"


def difference_lines(one: Judged) -> list[str]:
    return [
        f"| ours less | {' | '.join(SHOWN[metric] for metric in COMPARED)} | CPU, method / ours |",
        "|---|" + "---:|" * (len(COMPARED) + 1),
        *(
            f"| {METHODS[method]} | {' | '.join(cell(row[metric], '+') for metric in COMPARED)} | "
            f"{one.cpu_s[method] / one.cpu_s[OURS]:.2f} |"
            for method, row in one.less.items()
        ),
    ]


def target_lines(one: Judged) -> list[str]:
    """One line a target, with what was measured and whether that meets it."""
    rows = [rank_target(one, metric) for metric in COMPARED] if one.peers else []
    ours = one.perfect
    rows.append(
        (
            "ECE no higher than a perfectly calibrated model's may be by chance",
            f"{ours.value:.4f}, at most {ours.high:.4f}",
            ours.value <= ours.high,
        )
    )
    tying = [peer for peer in one.peers if one.ties(peer)]
    if one.peers:
        times = {peer: one.cpu_s[peer] / one.cpu_s[OURS] for peer in tying}
        told = ", ".join(f"{METHODS[peer]} {ratio:.2f} ×" for peer, ratio in times.items())
        target = f"every peer that ties needs at least {CHEAPER} × the CPU"
        rows.append((target, told or "none ties", all(ratio >= CHEAPER for ratio in times.values())))
    return [
        f"| {one.measured.words} | {target} | {told} | {'met' if met else 'MISSED'} |"
        for target, told, met in rows
    ]


def rank_target(one: Judged, metric: str) -> tuple[str, str, bool]:
    """Ours against the best peer by a metric."""
    best = one.best_peer(metric)
    ours, peer = one.metrics[OURS][metric].value, one.metrics[best][metric]
    if one.measured.name in STRICT:
        target, least = "ours at least the best peer", peer.value
    else:
        target, least = "ours at least the best peer, or inside its interval", peer.low
    return f"{SHOWN[metric]}: {target}", f"{ours:.4f}, {METHODS[best]} {cell(peer)}", ours >= least


def cell(interval: Interval, sign: str = "") -> str:
    return f"{interval.value:{sign}.4f} [{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
