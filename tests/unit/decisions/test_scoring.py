"""Scores on disk are the bundle's scores; a rerun changes nothing or restates exactly."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.decisions.scoring import ScoreRun, bands, margin_at_risk, score_accounts, to_decimal
from nbo.decisions.settings import ValueSettings
from nbo.errors import BusyError, DataError
from nbo.features.build import build_features, feature_rows
from nbo.files import lock, sha256_file
from nbo.tables.store import Store

Changed = Callable[..., Store]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "scores"


@pytest.fixture
def run(operator: Any, out: Path) -> ScoreRun:
    return score_accounts(operator.store, operator.bundle, operator.as_of, out, operator.value)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file: any rewriting shows."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_the_file_holds_the_bundles_scores_bit_for_bit(operator: Any, run: ScoreRun) -> None:
    rows = build_features(operator.store, operator.bundle.features, operator.as_of).read()
    expected = operator.bundle.score(operator.bundle.encode(rows))
    written = run.read()
    assert written["account_id"].to_pylist() == rows["account_id"].to_pylist()
    assert written["p_churn"].to_numpy().tobytes() == expected.tobytes()
    assert len(set(expected)) > 10


def test_a_row_scored_alone_equals_its_row_in_the_file_bit_for_bit(operator: Any, run: ScoreRun) -> None:
    for row in run.read().to_pylist()[::13]:
        alone = feature_rows(operator.store, operator.bundle.features, operator.as_of, [row["account_id"]])
        [p_churn] = operator.bundle.score(operator.bundle.encode(alone)).tolist()
        assert p_churn.hex() == row["p_churn"].hex()


def test_threads_change_no_byte(operator: Any, run: ScoreRun, tmp_path: Path) -> None:
    one = score_accounts(
        operator.store, operator.bundle, operator.as_of, tmp_path / "one", operator.value, threads=1
    )
    assert one.manifest["digest"] == run.manifest["digest"]


def test_the_manifest_names_every_input_and_every_file(operator: Any, run: ScoreRun) -> None:
    facts = dict(run.manifest)
    assert facts.pop("files") == {"part-00000.parquet": sha256_file(run.folder / "part-00000.parquet")}
    assert len(facts.pop("digest")) == 64
    assert facts == {
        "kind": "scores",
        "version": 1,
        "as_of": "2024-10-04",
        "bundle_id": operator.bundle.id,
        "feature_hash": operator.bundle.features.hash,
        "store_id": operator.store.store_id,
        "currency": "CNY",
        "margin_share": None,
        "horizon_months": 12,
        "rows": 60,
    }
    assert run.written
    assert run.folder.name == "as_of=2024-10-04"


def test_a_rerun_over_the_same_inputs_touches_no_file(operator: Any, run: ScoreRun, out: Path) -> None:
    before = state(run.folder)
    again = score_accounts(operator.store, operator.bundle, operator.as_of, out, operator.value)
    assert not again.written
    assert again.manifest == run.manifest
    assert state(run.folder) == before


def test_another_store_restates(operator: Any, run: ScoreRun, out: Path, changed: Changed) -> None:
    fewer = [row for row in operator.rows["calls"] if row["account_id"] != "A00"]
    again = score_accounts(changed(calls=fewer), operator.bundle, operator.as_of, out, operator.value)
    assert again.written
    assert again.manifest["digest"] != run.manifest["digest"]
    assert ScoreRun.open(run.folder).manifest == again.manifest


def test_another_bundle_restates(operator: Any, run: ScoreRun, out: Path) -> None:
    again = score_accounts(operator.store, operator.other_bundle, operator.as_of, out, operator.value)
    assert again.written
    assert again.manifest["bundle_id"] == operator.other_bundle.id != run.manifest["bundle_id"]


@pytest.mark.parametrize("settings", [ValueSettings(horizon_months=6), ValueSettings(margin_share=0.3)])
def test_other_money_settings_restate(
    operator: Any, run: ScoreRun, out: Path, settings: ValueSettings
) -> None:
    assert score_accounts(operator.store, operator.bundle, operator.as_of, out, settings).written
    back = score_accounts(operator.store, operator.bundle, operator.as_of, out, operator.value)
    assert back.written
    assert back.manifest == run.manifest


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(folder / "part-00000.parquet"),
        lambda folder: (folder / "part-00000.parquet").unlink(),
        lambda folder: (folder / "MANIFEST.json").write_text("{"),
        lambda folder: (folder / "MANIFEST.json").unlink(),
    ],
    ids=["a flipped bit", "a missing part", "half a manifest", "no manifest"],
)
def test_damaged_scores_are_restated_exactly(
    operator: Any, run: ScoreRun, out: Path, damage: Callable[[Path], object]
) -> None:
    damage(run.folder)
    again = score_accounts(operator.store, operator.bundle, operator.as_of, out, operator.value)
    assert again.written
    assert again.manifest == run.manifest


def test_a_date_of_its_own_gets_a_folder_of_its_own(operator: Any, run: ScoreRun, out: Path) -> None:
    score_accounts(operator.store, operator.bundle, operator.earlier, out, operator.value)
    assert sorted(path.name for path in out.glob("as_of=*")) == ["as_of=2024-09-14", "as_of=2024-10-04"]


def test_a_second_job_on_the_same_date_is_refused(operator: Any, out: Path) -> None:
    folder = out / "as_of=2024-10-04"
    with lock(folder), pytest.raises(BusyError, match="another job is writing it") as told:
        score_accounts(operator.store, operator.bundle, operator.as_of, out, operator.value)
    assert str(told.value) == (f"{folder}: another job is writing it. Wait for it, or choose another --out.")
    assert told.value.exit_code == 75
    assert not folder.exists()


def test_scores_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Run nbo score again"):
        ScoreRun.open(tmp_path / "as_of=2024-10-04")


def test_bands_start_at_their_edges() -> None:
    found = bands(
        np.array([0.7, np.nextafter(0.7, 0), 0.4, np.nextafter(0.4, 0)]), {"high": 0.7, "medium": 0.4}
    )
    assert found == ["high", "medium", "medium", "low"]


def test_margin_at_risk_is_p_times_margin_times_months_to_the_minor_unit() -> None:
    found = margin_at_risk(np.array([0.5, 0.25, 0.9]), pa.array([1_001, -300, None], pa.int64()), 3)
    assert found.to_pylist() == [1502, -225, None]  # 1501.5 goes to the even neighbour


def test_amounts_are_exact_decimals() -> None:
    found = to_decimal(pa.array([123_456_789_012_345_67, -1, 0, None], pa.int64()), 2)
    assert found.to_pylist() == [Decimal("123456789012345.67"), Decimal("-0.01"), Decimal("0.00"), None]


def test_amounts_of_a_row_follow_from_bills_and_score(operator: Any, run: ScoreRun) -> None:
    rows = {row["account_id"]: row for row in run.read().to_pylist()}
    row = rows["A10"]
    assert row["monthly_margin_amount"] == Decimal("110.00")
    expected = Decimal(int(np.rint(row["p_churn"] * 11_000 * 12))) / 100
    assert row["margin_at_risk_amount"] == expected
    assert (rows["A59"]["monthly_margin_amount"], rows["A59"]["margin_at_risk_amount"]) == (None, None)


def test_a_date_without_an_active_line_leaves_no_scores(operator: Any, out: Path, changed: Changed) -> None:
    lines = [{**row, "valid_day": 20_050, "known_day": 20_050} for row in operator.rows["lines"]]
    with pytest.raises(DataError, match="lines: ") as told:
        score_accounts(changed(lines=lines), operator.bundle, operator.as_of, out, operator.value)
    assert str(told.value) == (
        "lines: expected at least one account with an active line as of 2024-10-04, got none. "
        "Choose a later date."
    )
    assert [path.name for path in out.iterdir()] == [".as_of=2024-10-04.lock"]


def test_the_population_is_scored_and_nobody_else(operator: Any, out: Path, changed: Changed) -> None:
    lines = [dict(row) for row in operator.rows["lines"]]
    lines.append({**lines[0], "valid_day": 19_999, "known_day": 20_000, "state": "ended"})
    lines.append({**lines[1], "valid_day": 20_000, "known_day": 20_000, "state": "ended"})
    run = score_accounts(changed(lines=lines), operator.bundle, operator.as_of, out, operator.value)
    accounts = run.read()["account_id"].to_pylist()
    assert "A00" not in accounts
    assert len(accounts) == run.manifest["rows"] == 59


def test_a_bundle_of_other_contents_never_answers_for_these_scores(
    operator: Any, run: ScoreRun, out: Path
) -> None:
    renamed = replace(operator.bundle, id="0" * 16)
    again = score_accounts(operator.store, renamed, AsOf(20_000), out, operator.value)
    assert again.written
    assert again.manifest["digest"] == run.manifest["digest"]
