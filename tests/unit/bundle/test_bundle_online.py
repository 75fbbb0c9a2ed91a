"""Online rows of a bundle: the batch's matrix bit for bit, and what a channel may put into it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbo.asof import AsOf
from nbo.bundle import Bundle, BundleRows, load_bundle
from nbo.errors import DataError, UsageError
from nbo.features.compiled import CompiledFeatures
from nbo.features.context import Context
from nbo.features.snapshots import PART, Snapshot
from nbo.files import read_manifest, write_manifest

KEY = b"a key of the tests"


def snapshot_of(folder: Path, table: pa.Table) -> Snapshot:
    folder.mkdir()
    pq.write_table(table, folder / PART, row_group_size=400)
    facts = {"as_of": "2025-03-01", "feature_hash": "f1", "store_id": "s1", "rows": table.num_rows}
    write_manifest(folder, facts)
    return Snapshot(folder, AsOf.parse("2025-03-01"), read_manifest(folder, ""))


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    """The bundle with two context features: a number and the category."""
    loaded = load_bundle(folder, KEY)
    said = {"days": Context(90), "grade": Context(0, ("gold", "iron", "brass"))}
    features = tuple(replace(one, context=said.get(one.name)) for one in loaded.features.features)
    return replace(loaded, features=replace(loaded.features, features=features))


@pytest.fixture
def table(rows: pa.Table) -> pa.Table:
    ids = pa.array([f"A{number:05d}" for number in range(rows.num_rows)])
    grades = rows["grade"].to_pylist()
    grades[:3] = ["never seen", None, "oak"]
    place = rows.column_names.index("grade")
    return rows.set_column(place, "grade", pa.array(grades)).add_column(0, "account_id", ids)


def test_every_row_and_score_is_the_batchs(bundle: Bundle, table: pa.Table, tmp_path: Path) -> None:
    live = BundleRows.of(snapshot_of(tmp_path / "s", table), bundle)
    matrix = bundle.encode(table)
    accounts = table["account_id"].to_pylist()
    assert live.matrix(accounts).tobytes() == matrix.tobytes()
    scores = bundle.score(matrix)
    for place in range(0, len(accounts), 37):
        assert bundle.score(live.row(accounts[place])[np.newaxis]).tobytes() == scores[place].tobytes()


def test_columns_are_found_by_name_in_a_wider_snapshot(
    bundle: Bundle, table: pa.Table, tmp_path: Path
) -> None:
    names = ["account_id", *reversed(table.column_names[1:])]
    wider = table.select(names).add_column(2, "further", pa.array([1.0] * table.num_rows))
    live = BundleRows.of(snapshot_of(tmp_path / "s", wider), bundle)
    assert live.matrix(table["account_id"].to_pylist()).tobytes() == bundle.encode(table).tobytes()


def test_all_that_a_snapshot_lacks_is_one_error(bundle: Bundle, table: pa.Table, tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path / "s", table.drop_columns(["spend", "grade"]))
    expected = r"s: expected the 5 features of the bundle, got 2 too few, e\.g\. spend, grade\. Build"
    with pytest.raises(DataError, match=expected):
        BundleRows.of(snapshot, bundle)


def test_a_text_where_a_number_belongs_is_refused(bundle: Bundle, table: pa.Table, tmp_path: Path) -> None:
    texts = table.set_column(2, "minutes", pa.array(["1"] * table.num_rows))
    with pytest.raises(DataError, match=r"got 1 numbers for texts, or texts for numbers, e\.g\. minutes"):
        BundleRows.of(snapshot_of(tmp_path / "s", texts), bundle)


def test_a_missing_account_is_told(bundle: Bundle, table: pa.Table, tmp_path: Path) -> None:
    live = BundleRows.of(snapshot_of(tmp_path / "s", table), bundle)
    with pytest.raises(UsageError, match=r"account nobody: expected one with an active line"):
        live.row("nobody")


def test_context_takes_the_place_of_what_the_snapshot_says(
    bundle: Bundle, table: pa.Table, tmp_path: Path
) -> None:
    live = BundleRows.of(snapshot_of(tmp_path / "s", table), bundle)
    row = live.row("A00002")
    changed, told = live.overridden(row, {"grade": "gold", "days": None})
    values = {one.feature: (one.value, one.instead_of) for one in told}
    days = table["days"][2].as_py()
    assert values == {"days": (None, days), "grade": ("gold", "oak")}
    by_hand = table.slice(2, 1)
    by_hand = by_hand.set_column(4, "days", pa.array([None], pa.float64()))
    by_hand = by_hand.set_column(5, "grade", pa.array(["gold"]))
    assert changed.tobytes() == bundle.encode(by_hand).tobytes()
    assert row.tobytes() == live.row("A00002").tobytes()
    unseen, _ = live.overridden(row, {"grade": "brass"})
    assert unseen[4] == len(bundle.vocabulary.codes["grade"])


REFUSALS = {
    "calls": (1, r"context\.calls: expected a context feature, got one that only the data tell\. Context "
                 r"features are days, grade\."),
    "dayz": (1, r"context\.dayz: expected a context feature, got no such name; did you mean days\?"),
    "days": (91, r"context\.days: expected a whole number from 0 to 90, or null \(minutes\), got 91"),
    "grade": ("tin", r"context\.grade: expected one of gold, iron, brass, or null \(minutes\), got 'tin'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_channel_may_not_say_is_one_error(
    bundle: Bundle, table: pa.Table, tmp_path: Path, name: str
) -> None:
    live = BundleRows.of(snapshot_of(tmp_path / "s", table), bundle)
    value, expected = REFUSALS[name]
    with pytest.raises(UsageError, match=expected):
        live.overridden(live.row("A00000"), {name: value})


def test_a_bundle_without_context_takes_none(folder: Path, compiled: CompiledFeatures, table: pa.Table,
                                             tmp_path: Path) -> None:  # fmt: skip
    live = BundleRows.of(snapshot_of(tmp_path / "s", table), load_bundle(folder, KEY))
    with pytest.raises(
        UsageError, match=r"context\.days: expected .* only the data tell\. The model has none\."
    ):
        live.overridden(live.row("A00000"), {"days": 1})
