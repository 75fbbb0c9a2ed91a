"""The store that a check leaves: repeats, empties, reruns, kills, locks, full disks."""

import base64
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbo.asof import AsOf
from nbo.errors import BusyError, DataError, StorageError, UsageError
from nbo.files import lock
from nbo.tables import Store

CALL = "C1,A1,L1,2024-03-01 10:00:00,2024-03-02 00:00:00,out,13800000001,N1,60,0.30"


def table_bytes(root: Path) -> dict[str, str]:
    files = sorted((root / "tables").rglob("*.parquet")) + sorted((root / "quarantine").rglob("*.parquet"))
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_rows_arrive_normalised_and_in_the_contracts_types(operator):
    store = operator.store()
    day = AsOf.parse("2024-03-01").day
    rows = operator.rows("calls", "call_id", "event_day", "event_second", "known_day", "charge_amount")
    assert rows == [
        ("C1", day, 36_000, day + 1, 30),
        ("C2", day + 1, 41_400, day + 3, None),
        ("C3", day + 31, 86_399, day + 33, 101),
    ]
    assert [path.name for path in store.files("calls")] == ["part-2024-03.parquet", "part-2024-04.parquet"]
    assert (store.zone, store.currency, store.minor_digits) == ("Asia/Shanghai", "CNY", 2)
    assert store.end_day == day + 32


def test_zone_and_currency_may_be_given_in_place_of_the_mappings(operator):
    store = operator.store(zone="Europe/Berlin", currency="EUR")
    assert (store.zone, store.currency) == ("Europe/Berlin", "EUR")
    with pytest.raises(
        UsageError, match=r"zone: expected an IANA time zone, got 'Asia/Shangai'; did you mean Asia/Sh"
    ):
        operator.check(zone="Asia/Shangai")


@pytest.mark.parametrize("copies", [1, 2])
def test_identical_rows_are_dropped_and_counted(operator, copies):
    operator.add("calls", *[CALL] * copies)
    report = operator.check()
    table = report.tables["calls"]
    assert report.ok
    assert (table.raw_rows, table.rows, table.duplicates_dropped, table.quarantined) == (
        3 + copies,
        3,
        copies,
        0,
    )


def test_rows_that_share_a_key_and_differ_all_go_with_their_copies(operator):
    operator.add("calls", CALL, CALL.replace(",60,", ",61,"))
    table = operator.check().tables["calls"]
    assert (table.raw_rows, table.rows, table.duplicates_dropped, table.quarantined) == (5, 2, 0, 3)
    assert {row["reason"] for row in operator.quarantine("calls")} == {"same key, different content"}


def test_the_same_log_key_on_another_known_day_is_another_row(operator):
    operator.add("accounts", "A1,2024-01-01,2024-02-01,consumer")
    operator.store()
    assert len(operator.rows("accounts", "account_id")) == 3


def test_one_number_has_one_pseudonym_in_every_table_and_another_under_another_key(operator):
    operator.put(
        "interconnect",
        "record_id,event_date,known_time,direction,counterparty_id,network_id,calls_count,duration_seconds\n"
        "R1,2024-03-01,2024-04-01,out,138-0000 0001,N1,1,60\n",
    )
    operator.store()
    [(first,), (second,), (third,)] = operator.rows("calls", "counterparty_id")
    assert operator.rows("interconnect", "counterparty_id") == [(first,)]
    assert first == third != second
    assert len(str(first)) == 12


def test_pseudonyms_are_hmac_sha256_under_the_derived_key(operator):
    import hmac

    from nbo.keys import derived

    operator.store()
    secret = derived(b"k" * 32, "pseudonym:counterparty")
    expected = base64.b64encode(hmac.new(secret, b"13800000001", hashlib.sha256).digest()[:9], b"._").decode()
    assert operator.rows("calls", "counterparty_id")[0] == (expected,)


def test_no_table_of_the_store_holds_a_number_in_clear(operator):
    operator.store()
    for path in (operator.out / "tables").rglob("*.parquet"):
        assert b"1380000000" not in path.read_bytes()


def test_an_empty_table_is_there_and_has_no_rows(operator):
    header = (operator.data / "calls.csv").read_text().splitlines()[0]
    operator.put("calls", header + "\n")
    operator.put("tickets", "ticket_id,account_id,valid_date,known_time,kind,state\n")
    store = operator.store()
    assert store.has("tickets")
    assert store.has("calls", "event_second")
    assert store.first_day("calls", store.latest) is None
    with store.connect() as engine:
        assert engine.query("SELECT * FROM calls").num_rows == 0
        assert engine.query("SELECT sum(duration_seconds) AS s FROM calls").to_pylist() == [{"s": None}]


def test_a_table_of_one_row_is_kept(operator):
    operator.put("surveys", "survey_id,account_id,event_date,known_time\nS1,A1,2024-03-01,2024-03-02\n")
    operator.store()
    assert operator.rows("surveys", "survey_id") == [("S1",)]


def test_data_without_any_date_ask_for_complete_to(operator):
    operator.put("accounts", "account_id,valid_date,known_time\n")
    operator.put("lines", "line_id,account_id,valid_date,known_time,state\n")
    (operator.data / "calls.csv").unlink()
    assert operator.lines() == [
        "store: expected at least one dated row, or complete_to in the mapping, got neither. "
        "Add data, or say in the mapping to which day they are complete."
    ]
    operator.map('extends = "canonical"\ncomplete_to = 2024-01-31\n')
    assert operator.store().latest == AsOf.parse("2024-02-01")


def test_checking_again_gives_the_same_bytes(operator):
    operator.map('extends = "canonical"\n[tables.calls]\nallowed_quarantined_share = 0.5\n')
    for n in range(200):
        operator.add("calls", CALL.replace("C1", f"X{n * 7919 % 200}").replace(",60,", f",{n - 50},"))
    operator.store()
    first, manifest = table_bytes(operator.out), (operator.out / "MANIFEST.json").read_bytes()
    operator.store()
    assert table_bytes(operator.out) == first
    assert (operator.out / "MANIFEST.json").read_bytes() == manifest
    assert "quarantine/calls.parquet" in first


def test_raw_order_and_compression_do_not_change_the_tables(operator, new_operator):
    import gzip

    operator.store()
    other = new_operator("other")
    header, *rows = (other.data / "calls.csv").read_text().splitlines()
    (other.data / "calls.csv").unlink()
    text = "\n".join([header, *reversed(rows)]) + "\n"
    (other.data / "calls.csv.gz").write_bytes(gzip.compress(text.encode()))
    other.store()
    assert table_bytes(other.out) == table_bytes(operator.out)


def test_snapshots_stay_for_who_asks_for_one_looks_whether_it_stands(operator):
    operator.store()
    kept = operator.out / "features" / "abc" / "as_of=2024-03-01" / "part.parquet"
    kept.parent.mkdir(parents=True)
    kept.write_text("x")
    operator.add("calls", CALL.replace("C1", "C4"))
    operator.store()
    assert kept.exists()


def test_a_failed_check_leaves_reasons_and_no_tables(operator):
    operator.store()
    operator.add("calls", CALL.replace("C1", "C4").replace(",60,", ",-1,"))
    report = operator.check()
    manifest = json.loads((operator.out / "MANIFEST.json").read_text())
    assert manifest["fit"] is False
    assert manifest["violations"] == [violation.line for violation in report.violations]
    assert not (operator.out / "tables").exists()
    assert (operator.out / "quarantine" / "calls.parquet").exists()


def test_files_that_no_source_names_are_told(operator):
    operator.put("cals", "x\n1\n")
    assert operator.check().unused_files == ("cals.csv",)


def test_a_folder_that_holds_something_else_is_left_alone(operator):
    operator.out.mkdir()
    (operator.out / "tables").mkdir()
    (operator.out / "tables" / "mine.txt").write_text("mine")
    with pytest.raises(
        UsageError, match=r"--out: expected a new or empty folder or a store, got .* with other files"
    ):
        operator.check()
    assert (operator.out / "tables" / "mine.txt").read_text() == "mine"


def test_a_second_check_of_the_same_store_is_busy(operator):
    with lock(operator.out.resolve()), pytest.raises(BusyError, match="another job is writing it"):
        operator.check()


CHILD = """
import sys
from pathlib import Path
from nbo.tables import check_tables, load_mapping
data, out = Path(sys.argv[1]), Path(sys.argv[2])
def tell(line):
    print(line, flush=True)
    if line.startswith("calls: reading") and len(sys.argv) > 3:
        sys.stdin.read()
check_tables(data, out, load_mapping(None, data), key=b"k" * 32, progress=tell, whole="whole" in sys.argv)
"""


@pytest.mark.parametrize("reads", ["whole", "what is new"])
def test_a_kill_in_the_middle_leaves_no_fit_store_and_a_rerun_completes(operator, reads):
    operator.store()
    whole = table_bytes(operator.out)
    command = [sys.executable, "-c", CHILD, str(operator.data), str(operator.out), "wait", reads]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("calls: reading"):
                break
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (operator.out / "tables" / "accounts").exists()
    with pytest.raises(DataError, match=r"expected a folder with MANIFEST\.json, got none\. Run nbo check"):
        Store.open(operator.out)
    operator.store()
    assert table_bytes(operator.out) == whole
    assert not list(operator.out.parent.glob(".store.spill"))


def test_two_checks_at_once_one_is_busy(operator):
    command = [sys.executable, "-c", CHILD, str(operator.data), str(operator.out), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert any(line.startswith("calls: reading") for line in child.stdout)
        with pytest.raises(BusyError, match="another job is writing it"):
            operator.check()
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait() == 0
    assert Store.open(operator.out).has("calls")


def big_calls(operator, rows: int) -> None:
    lines = [
        f"{hashlib.sha256(str(n).encode()).hexdigest()},A1,L1,2024-03-01 10:00:00,2024-03-02 00:00:00,out,"
        f"{13_900_000_000 + n},N1,{n % 600},0.30"
        for n in range(rows)
    ]
    operator.add("calls", *lines)


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    for _ in range(20):
        if not subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
            return
        time.sleep(0.1)


def test_a_full_disk_is_told_and_leaves_no_fit_store(operator, tiny_disk):
    big_calls(operator, 40_000)
    operator.out = tiny_disk / "store"
    with pytest.raises(StorageError, match="no space left on the device"):
        operator.check()
    with pytest.raises(DataError, match=r"Run nbo check"):
        Store.open(operator.out)


def test_a_file_that_may_not_grow_is_a_storage_error(operator, small_files):
    # Limits stay with a process, so the check runs in a child of its own.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    told = "\nexcept StorageError as error:\n    print('told:', error)\n    sys.exit(2)\n"
    body = CHILD.strip().splitlines()
    script = "\n".join(
        [*body[:3], "from nbo.errors import StorageError", limit, *body[3:-1], "try:", "    " + body[-1]]
    )
    child = subprocess.run(
        [sys.executable, "-c", script + told, str(operator.data), str(operator.out)],
        env=small_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 2, child.stderr
    assert "told: " in child.stdout
    with pytest.raises(DataError, match=r"Run nbo check"):
        Store.open(operator.out)


def test_limits_of_this_process_are_untouched():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
