"""The benchmark on real data: the folds of the command, nothing measured twice, figures that follow."""

import doctest
import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbo.evaluation import auc, difference
from nbo.models.labelled_table import read_labelled_table
from nbo.models.table_card import judge_table

ROOT = Path(__file__).resolve().parents[2]
COST = np.ones(5)


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def part(name: str) -> ModuleType:
    return importlib.import_module(name)


def customers(path: Path, count: int = 240) -> Path:
    """A table whose label follows one number and one text, both with gaps."""
    rng = np.random.default_rng(4)
    months = rng.uniform(0, 60, count)
    plan = rng.choice(["basic", "family", "business"], count)
    left = rng.random(count) < np.where(plan == "basic", 0.6, 0.2) * (1 - months / 80)
    frame = pd.DataFrame({"months": months, "plan": plan, "left": np.where(left, "yes", "no")})
    frame.loc[::11, "months"] = np.nan
    frame.loc[::13, "plan"] = None
    frame.to_csv(path, index=False)
    return path


def prepared(folder: Path) -> Any:
    data = part("real_data")
    return data.prepared(
        data.DataSet("small", "Small", "left", None), customers(folder / "small.csv"), folder
    )


def bench(folder: Path, **depends: str) -> Any:
    known = {"code": "1", "versions": "2", **depends}
    return part("real_runs").Bench(folder, 5, {"ours": known, "peers": known})


def told(p: np.ndarray) -> Any:
    return part("real_folds").Told(np.arange(p.size), p, COST, COST)


def measured(name: str = "small", **methods: Any) -> Any:
    """100 customers of whom every other left; each method's probabilities by seed."""
    found = {
        method: {seed: told(p) for seed, p in enumerate(repeats, 1)} for method, repeats in methods.items()
    }
    return part("real_report").Measured(name, "Small", np.arange(100, dtype=np.int8) % 2, 3, found)


def scores(noise: float, seed: int) -> np.ndarray:
    """Probabilities that tell less the more noise there is."""
    rng = np.random.default_rng(seed)
    return np.clip(0.25 + 0.5 * (np.arange(100) % 2) + noise * rng.normal(size=100), 0.01, 0.99)


def test_ours_is_what_the_command_judges_and_a_finished_fold_is_not_measured_again(tmp_path: Path) -> None:
    runs = part("real_runs")
    data, there = prepared(tmp_path), bench(tmp_path)
    repeat = runs.Repeat(data, "ours", 3)
    assert repeat.measure(there) == 5
    assert repeat.measure(there) == 0
    found = runs.measured(data, [repeat], there).told["ours"][3]
    card = judge_table(
        read_labelled_table(data.file, "left"), folds=5, trials=0, seed=3, progress=lambda _: None
    )
    assert auc(data.table.label, found.p).value == card.metrics["auc"].value
    assert len(found.cpu_s) == len(found.wall_s) == 5
    assert (found.cpu_s > 0).all()
    there.files(data, "ours", 3)[2].unlink()
    assert [wanted["fold"] for wanted in repeat.job(there)["wanted"]] == [2]


def test_a_fold_that_scored_other_rows_is_refused(tmp_path: Path) -> None:
    runs = part("real_runs")
    data, there = prepared(tmp_path), bench(tmp_path)
    for path in there.files(data, "lightgbm", 1):
        told(np.full(48, 0.5)).write(path)
    with pytest.raises(SystemExit, match="Small, LightGBM, repeat 1: expected the rows of each fold"):
        runs.measured(data, [runs.Repeat(data, "lightgbm", 1)], there)


@pytest.mark.parametrize("method", ["ours", "lightgbm", "flaml"])
def test_what_a_fold_depends_on_names_its_file(tmp_path: Path, method: str) -> None:
    data, there = prepared(tmp_path), bench(tmp_path)
    kept = told(np.full(48, 0.5))
    for fold in range(2):
        kept.write(there.fold_file(data, "ours", 1, fold))
        kept.write(bench(tmp_path, code="9").fold_file(data, "ours", 1, fold))
        kept.write(there.fold_file(data, "ours", 2, fold))
    path = there.fold_file(data, method, 1, 0)
    assert path == bench(tmp_path).fold_file(data, method, 1, 0)
    assert path != bench(tmp_path, code="9").fold_file(data, method, 1, 0)
    assert path != there.fold_file(data, method, 2, 0)
    assert path != there.fold_file(data, method, 1, 1)


def test_another_budget_of_flaml_is_measured_anew(tmp_path: Path) -> None:
    data, there = prepared(tmp_path), bench(tmp_path)
    ours = there.fold_file(data, "ours", 1, 0)
    found = []
    for wall in (1.0, 2.0):
        part("real_folds").Told(np.arange(3), np.full(3, 0.5), COST[:1], np.array([wall])).write(ours)
        found.append(there.fold_file(data, "flaml", 1, 0))
    assert found[0] != found[1]
    assert there.budget_s(data, "flaml", 1, 0) == 2.0


def test_the_examples_hold() -> None:
    found = doctest.testmod(part("real_folds"))
    assert found.attempted
    assert not found.failed


def test_a_digest_follows_the_content(tmp_path: Path) -> None:
    digest_of = part("real_folds").digest_of
    (tmp_path / "a.py").write_text("1\n")
    first = digest_of(tmp_path)
    assert digest_of(tmp_path) == first
    (tmp_path / "a.py").write_text("2\n")
    assert digest_of(tmp_path) != first


def test_absent_data_are_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBO_BENCH_DATA", str(tmp_path / "none"))
    assert part("real").main(["--sets", "cell2cell,sato2015", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "not there, sato2015 is not measured. Name a folder that holds sato2015/sato2015.csv.gz" in said
    assert not list((tmp_path / "out").rglob("*.md"))


def test_only_all_that_is_published_counts_as_whole() -> None:
    parsed = part("real").parsed
    assert parsed([]).whole
    assert parsed(["--full"]).whole
    assert parsed(["--full"]).methods[:2] == ["ours", "ours-searched"]
    for some in (["--quick"], ["--folds", "1"], ["--sets", "sato2015"], ["--methods", "lightgbm"]):
        assert not parsed(some).whole, some
    assert parsed(["--methods", "lightgbm"]).methods == ["ours", "lightgbm"]


def test_a_metric_is_the_mean_over_repeats_and_a_difference_is_of_those_that_both_have() -> None:
    ours, peer = [scores(0.3, 1), scores(0.3, 2)], [scores(0.6, 3)]
    known = measured(ours=ours, catboost=peer)
    judged = part("real_report").judge(known, draws=200)
    values = [auc(known.label, p, draws=200).value for p in (*ours, *peer)]
    assert judged.metrics["ours"]["auc"].value == pytest.approx(np.mean(values[:2]))
    assert judged.metrics["catboost"]["auc"].value == pytest.approx(values[2])
    alone = difference(known.label, ours[0], peer[0], "auc", seed=1, draws=200)
    less = judged.less["catboost"]["auc"]
    assert (less.value, less.low, less.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_the_report_names_every_method_and_says_what_is_met() -> None:
    report = part("real_report")
    good, bad = [scores(0.2, 1)], [scores(0.9, 2)]
    text = report.report([report.judge(measured(ours=good, catboost=bad), draws=200)], "Told how.", ["X"])
    assert "Told how." in text
    assert "Not measured, for their files were not there: X." in text
    assert "**Small**: 100 rows, 50.0 % left, 3 columns; 1 repeat of 5 folds." in text
    assert text.count("| ours |") == 1
    assert text.count("| CatBoost |") == 2
    assert text.count("| met |") + text.count("| MISSED |") == 4
    assert "| Small | every peer that ties needs at least 3 × the CPU | none ties | met |" in text
    worse = report.report([report.judge(measured(ours=bad, catboost=good), draws=200)], "")
    for metric in ("AUC", "AP"):
        row = rf"\| Small \| {metric}: ours at least the best peer, or inside its interval \| .* \| MISSED \|"
        assert re.search(row, worse)


def test_a_peer_that_ties_must_need_three_times_the_cpu() -> None:
    report = part("real_report")
    same = [scores(0.3, 1)]
    for cpu, word in ((2.9, "MISSED"), (3.1, "met")):
        known = measured(ours=same, catboost=same)
        known.told["catboost"][1] = part("real_folds").Told(np.arange(100), same[0], COST * cpu, COST)
        lines = report.target_lines(report.judge(known, draws=200))
        assert lines[-1].endswith(f"| CatBoost {cpu:.2f} × | {word} |")


@pytest.mark.parametrize(("name", "met"), [("small", True), ("cell2cell", False)])
def test_on_cell2cell_the_interval_of_the_best_peer_is_not_enough(name: str, met: bool) -> None:
    report = part("real_report")
    worse, better = scores(0.30, 1), scores(0.28, 1)
    judged = report.judge(measured(name, ours=[worse], catboost=[better]), draws=200)
    assert judged.metrics["ours"]["auc"].value < judged.metrics["catboost"]["auc"].value
    assert report.rank_target(judged, "auc")[2] is met


@pytest.mark.parametrize("method", ["lightgbm", "logistic"])
def test_a_peer_takes_missing_values_and_a_category_that_no_training_row_has(
    tmp_path: Path, method: str
) -> None:
    peers, data = part("real_peers"), prepared(tmp_path)
    frame = pd.read_parquet(data.rows)
    label = frame.pop(part("real_data").LABEL).to_numpy()
    frame.loc[200, "attribute_1"] = "never seen"
    known = peers.typed(frame)
    p = peers.PEERS[method]()(known.iloc[:200], label[:200], known.iloc[200:], 1, 0.0)
    assert p.shape == (40,)
    assert np.isfinite(p).all()
    assert auc(label[200:], p).value > 0.5


def test_the_peers_share_their_libraries_with_the_product_and_add_nothing_to_it() -> None:
    def pinned(name: str) -> dict[str, str]:
        text = (ROOT / f"constraints/{name}.txt").read_text(encoding="utf-8")
        return dict(re.findall(r"^([\w.-]+)==(\S+) ", text, flags=re.MULTILINE))

    peers, product = pinned("peers"), pinned("dev")
    assert peers["lightgbm"] == product["lightgbm"]
    assert peers["scikit-learn"] == product["scikit-learn"]
    assert not {"catboost", "flaml", "xgboost-cpu"} & set(product)


def test_the_published_page_has_room_for_the_table() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert page.count("<!-- table: real -->") == page.count("<!-- end: real -->") == 1


def test_each_ingredient_left_out_is_put_back(tmp_path: Path) -> None:
    """What is changed for a variant is there to change, changes what is learnt, and is as before."""
    ablation, deriving = part("real_ablation"), importlib.import_module("nbo.models.deriving")
    table = read_labelled_table(customers(tmp_path / "small.csv", 1_200), "left")
    before = dict(vars(deriving))
    for variant, (changed, _) in ablation.VARIANTS.items():
        assert all(before[name] != value for name, value in changed.items())
        p = ablation.scored(table, variant, 0)
        assert p.shape == (240,)
    assert dict(vars(deriving)) == before
    plain = ablation.scored(table, "neither", 0)
    assert (plain != ablation.scored(table, "nothing derived", 0)).any()


def test_an_ablation_tells_what_changes_on_the_same_rows(tmp_path: Path) -> None:
    ablation = part("real_ablation")
    table = read_labelled_table(customers(tmp_path / "small.csv"), "left")
    label = table.label[ablation.judged_rows(table.label, 5)].astype(float)
    good, rng = 0.2 + 0.6 * label, np.random.default_rng(1)
    p = {variant: rng.random(240) for variant in ablation.VARIANTS} | {ablation.WHOLE: good}
    lines = ablation.table_lines("Small", table, p, 5)
    assert "| the whole | 1.0000 | 1.0000 | 0.2231 |" in lines
    [row] = [line for line in lines if line.startswith("| without sums")]
    less = difference(label, p["without sums"], good, "auc", seed=1)
    assert row.startswith(f"| without sums | {less.value:+.4f} [{less.low:+.4f}, {less.high:+.4f}] |")
