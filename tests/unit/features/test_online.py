"""Online rows: every row is the snapshot's, and no damage passes for one."""

import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbo.asof import AsOf
from nbo.errors import DataError, StorageError
from nbo.features.online import ONLINE, online_rows
from nbo.features.snapshots import PART, Snapshot
from nbo.files import read_manifest, write_manifest

AS_OF = AsOf.parse("2025-03-01")
ROWS = {
    "account_id": ["A", "A1", "A10", "B", "客户7"],
    "calls_count_7d": [0, 3, None, 2**53 + 1, 7],
    "calls_share": [0.1 + 0.2, None, -0.0, 1e308, 5e-324],
    "kind": ["company", None, "sole_trader", "company", "é"],
}
TYPES = {
    "account_id": pa.string(),
    "calls_count_7d": pa.int64(),
    "calls_share": pa.float64(),
    "kind": pa.string(),
}


def snapshot_of(folder: Path, rows: dict[str, list[object]], store_id: str = "s1") -> Snapshot:
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(values, TYPES[name]) for name, values in rows.items()})
    pq.write_table(table, folder / PART, row_group_size=2)
    facts = {"as_of": str(AS_OF), "feature_hash": "f1", "store_id": store_id, "rows": table.num_rows}
    (folder / ONLINE).unlink(missing_ok=True)
    write_manifest(folder, facts)
    return Snapshot(folder, AS_OF, read_manifest(folder, ""))


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return snapshot_of(tmp_path / "as_of=2025-03-01", ROWS)


def test_every_row_is_the_snapshots_bit_for_bit(snapshot: Snapshot) -> None:
    rows = online_rows(snapshot)
    assert (len(rows), list(rows.accounts())) == (5, ROWS["account_id"])
    for number, account in enumerate(ROWS["account_id"]):
        assert rows.place(account) == number
        expected = {name: ROWS[name][number] for name in ROWS if name != "account_id"}
        count = expected["calls_count_7d"]
        expected["calls_count_7d"] = None if count is None else float(count)
        assert rows.raw(number) == expected
        share = ROWS["calls_share"][number]
        told = rows.values(number)[1]
        assert np.float64(np.nan if share is None else share).tobytes() == told.tobytes() or share is None


@pytest.mark.parametrize("account", ["", "a", "A\0", "A100", "客户", "客户70", "\ud800", "A" * 300])
def test_an_account_without_a_row_is_not_found(snapshot: Snapshot, account: str) -> None:
    rows = online_rows(snapshot)
    assert rows.place(account) is None
    assert account not in rows


@settings(max_examples=30, deadline=None)
@given(ids=st.sets(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), max_size=12))
def test_any_ids_are_found_and_no_others(tmp_path_factory: pytest.TempPathFactory, ids: set[str]) -> None:
    ordered = sorted(ids, key=str.encode)
    wanted = {**ROWS, "account_id": ordered}
    content = {name: (values * 3)[: len(ordered)] for name, values in wanted.items()}
    rows = online_rows(snapshot_of(tmp_path_factory.mktemp("ids"), content))
    assert [rows.place(account) for account in ordered] == list(range(len(ordered)))
    for account in ordered:
        assert (account + "x" in rows) == (account + "x" in ids)
        assert account + "\0" not in rows


def test_it_is_derived_once_and_then_only_opened(snapshot: Snapshot) -> None:
    online_rows(snapshot)
    written = (snapshot.folder / ONLINE).stat().st_ino
    (snapshot.folder / PART).unlink()
    assert len(online_rows(snapshot)) == 5
    assert (snapshot.folder / ONLINE).stat().st_ino == written
    assert [path.name for path in snapshot.folder.glob(".*")] == []


@pytest.mark.parametrize("kept", [0, 5, 20, 4_000, 4_200, -1])
def test_a_file_cut_off_anywhere_is_refused(snapshot: Snapshot, kept: int) -> None:
    online_rows(snapshot)
    path = snapshot.folder / ONLINE
    content = path.read_bytes()
    path.write_bytes(content[:kept])
    with pytest.raises(StorageError, match=r"rows\.online: expected .* Remove it; it is made again"):
        online_rows(snapshot)


def test_every_changed_byte_is_told_or_changes_nothing(snapshot: Snapshot) -> None:
    before = [online_rows(snapshot).raw(place) for place in range(5)]
    path = snapshot.folder / ONLINE
    content = path.read_bytes()
    told = 0
    for offset in {*range(0, len(content), 13), *range(4_096, 4_130), *range(8_192, len(content))}:
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 0x41]) + content[offset + 1 :])
        try:
            rows = online_rows(snapshot)
            found = [rows.place(account) for account in ROWS["account_id"]]
            after = [None if place is None else rows.raw(place) for place in found]
        except StorageError:
            told += 1
            continue
        assert after == before
    assert told > 5 * 4 * 8


def test_another_snapshots_file_is_refused(snapshot: Snapshot, tmp_path: Path) -> None:
    other = snapshot_of(tmp_path / "other", {**ROWS, "calls_share": [0.5] * 5})
    online_rows(other)
    os.replace(other.folder / ONLINE, snapshot.folder / ONLINE)
    with pytest.raises(StorageError, match=r"expected rows of the snapshot beside it \(part [0-9a-f]{64}\)"):
        online_rows(snapshot)


def test_a_foreign_file_is_refused(snapshot: Snapshot) -> None:
    (snapshot.folder / ONLINE).write_bytes(b"PAR1" + bytes(10_000))
    with pytest.raises(StorageError, match=r"expected a file that begins with NBOROWS1"):
        online_rows(snapshot)


def test_a_damaged_part_is_not_derived_from(snapshot: Snapshot) -> None:
    with (snapshot.folder / PART).open("r+b") as file:
        file.seek(20)
        file.write(b"\xff")
    with pytest.raises(StorageError, match=r"part-00000\.parquet: differs from its manifest"):
        online_rows(snapshot)
    assert not (snapshot.folder / ONLINE).exists()


@pytest.mark.parametrize(
    "ids", [["B", "A", "C", "D", "E"], ["A", "A", "B", "C", "D"], ["A", "B\0", "C", "D", "E"]]
)
def test_ids_out_of_order_are_refused(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(DataError, match=r"account_id: expected ids that ascend, without NUL"):
        online_rows(snapshot_of(tmp_path / "s", {**ROWS, "account_id": ids}))
    assert list((tmp_path / "s").glob(".*")) == []


def test_who_has_it_open_keeps_the_rows_when_the_snapshot_is_another(snapshot: Snapshot) -> None:
    old = online_rows(snapshot)
    new = online_rows(snapshot_of(snapshot.folder, {**ROWS, "calls_share": [0.5] * 5}, "s2"))
    assert old.raw(3)["calls_share"] == 1e308
    assert new.raw(3)["calls_share"] == 0.5


def test_what_a_killed_job_left_is_swept(snapshot: Snapshot) -> None:
    leftover = snapshot.folder / f".{ONLINE}.partial-999999"
    leftover.write_bytes(b"half")
    online_rows(snapshot)
    assert not leftover.exists()


def test_many_threads_read_one_file(snapshot: Snapshot) -> None:
    rows = online_rows(snapshot)
    expected = [rows.raw(place) for place in range(5)]
    wrong: list[int] = []

    def read() -> None:
        wrong.extend(place for _ in range(300) for place in range(5) if rows.raw(place) != expected[place])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
