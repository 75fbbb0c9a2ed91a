"""The raw tables: whole, repeatable, and shaped as the contracts say."""

import datetime as dt
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from nbo.errors import StorageError, UsageError
from nbo.files import sha256_file
from nbo.tables.catalog import TABLES
from nbo.tables.contract import Table
from nbo.world import WorldConfig, simulate
from nbo.world.simulate import ALL_TABLES

Raw = Callable[[str], pa.Table]
FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 4, 30)


def digests(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def raw_columns(table: Table) -> set[str]:
    """The contract's columns as the raw layout spells them."""
    names = {c.name.removesuffix("_day") + "_date" if c.kind == "day" else c.name for c in table.columns}
    names = names - {"known_date", "event_second"} | {"known_time"}
    return names - {"event_date"} | {"event_time"} if table.name == "calls" else names


def days(table: pa.Table, column: str) -> pa.ChunkedArray:
    return table[column].cast(pa.date32())


def distinct(table: pa.Table, names: tuple[str, ...]) -> int:
    return table.select(list(names)).group_by(list(names)).aggregate([]).num_rows


def test_every_table_but_the_labels_is_written() -> None:
    assert set(ALL_TABLES) == set(TABLES) - {"labels"}


@pytest.mark.parametrize("name", ALL_TABLES)
def test_columns_are_those_of_the_contract(raw: Raw, name: str) -> None:
    assert set(raw(name).column_names) == raw_columns(TABLES[name])
    assert raw(name).num_rows > 0


@pytest.mark.parametrize("name", ALL_TABLES)
def test_required_columns_are_filled_and_codes_are_known(raw: Raw, name: str) -> None:
    table = raw(name)
    for column in TABLES[name].columns:
        if column.name not in table.column_names:
            continue
        values = table[column.name]
        if not column.nullable:
            assert values.null_count == 0, column.name
        if column.codes:
            found = set(pc.unique(values.cast(pa.string())).to_pylist()) - {None}
            assert found <= set(column.codes), column.name


@pytest.mark.parametrize("name", ALL_TABLES)
def test_keys_identify_rows(raw: Raw, name: str) -> None:
    spelled = {"valid_day": "valid_date", "known_day": "known_time", "event_day": "event_date"}
    table, key = raw(name), tuple(spelled.get(k, k) for k in TABLES[name].row_key)
    if "known_time" in key:
        known = pc.ceil_temporal(table["known_time"], unit="day").cast(pa.date32())
        table = table.set_column(table.column_names.index("known_time"), "known_time", known)
    assert distinct(table, key) == table.num_rows


@pytest.mark.parametrize("name", ALL_TABLES)
def test_references_exist(raw: Raw, name: str) -> None:
    for column in TABLES[name].columns:
        if column.references is None or column.name not in raw(name).column_names:
            continue
        known = pc.unique(raw(column.references)[TABLES[column.references].key[0]].cast(pa.string()))
        values = pc.drop_null(raw(name)[column.name].cast(pa.string()))
        assert pc.all(pc.is_in(values, known)).as_py() in (True, None), column.name


@pytest.mark.parametrize("name", [n for n in ALL_TABLES if TABLES[n].shape == "events" and n != "contracts"])
def test_events_lie_within_the_run(raw: Raw, name: str) -> None:
    when = days(raw(name), "event_time" if name == "calls" else "event_date")
    assert pc.min(when).as_py() >= FIRST and pc.max(when).as_py() <= LAST


@pytest.mark.parametrize("name", [n for n in ALL_TABLES if TABLES[n].shape == "log"])
def test_states_after_the_run_are_not_told(raw: Raw, name: str) -> None:
    assert pc.max(days(raw(name), "valid_date")).as_py() <= LAST


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("calls", 1, 11),
        ("interconnect", 5, 36),
        ("usage", 1, 2),
        ("bills", 0, 2),
        ("tickets", 0, 2),
        ("lines", 0, 2),
    ],
)
def test_records_arrive_as_late_as_promised(raw: Raw, name: str, least: int, most: int) -> None:
    table = raw(name)
    event = {"calls": "event_time", "tickets": "valid_date", "lines": "valid_date"}.get(name, "event_date")
    known = days(table, "known_time").cast(pa.int32())
    lateness = pc.subtract(known, days(table, event).cast(pa.int32()))
    assert least <= pc.min(lateness).as_py() and pc.max(lateness).as_py() <= most


def test_calls_of_a_month_lie_sorted_in_its_file(small_world: Path) -> None:
    parts = sorted((small_world / "calls").glob("part-*.parquet"))
    assert [part.name for part in parts] == [f"part-00000-{month:04d}.parquet" for month in range(4)]
    for month, part in enumerate(parts, start=1):
        times = pq.read_table(part)["event_time"]
        assert {pc.min(times).as_py().month, pc.max(times).as_py().month} == {month}
        shifted = times.combine_chunks()
        assert pc.all(pc.greater_equal(shifted[1:], shifted[:-1])).as_py()


def test_money_is_exact_decimals(raw: Raw) -> None:
    assert raw("calls").schema.field("charge_amount").type == pa.decimal128(14, 2)


def test_a_bill_is_the_charges_of_its_month_and_fees(raw: Raw) -> None:
    planned = pc.unique(raw("contracts").filter(pc.is_valid(raw("contracts")["plan_kind"]))["account_id"])
    calls, bills = (
        raw(name).filter(pc.invert(pc.is_in(raw(name)["account_id"], planned))) for name in ("calls", "bills")
    )
    january = calls.filter(pc.equal(pc.month(calls["event_time"]), 1))
    far = january.filter(pc.is_in(january["destination"], pa.array(["national", "hkmt", "international"])))
    charged = pc.sum(far["charge_amount"]).as_py()
    chosen = pc.and_(
        pc.equal(bills["family"], "long_distance"), pc.equal(bills["event_date"], dt.date(2024, 2, 1))
    )
    billed = float(pc.sum(bills.filter(chosen)["bill_amount"]).as_py())
    assert billed == pytest.approx(float(charged), abs=0.01)


def test_nothing_is_called_after_all_lines_ended(raw: Raw) -> None:
    lines, calls = raw("lines"), raw("calls")
    ended = lines.filter(pc.equal(lines["state"], "ended")).select(["line_id", "valid_date"])
    assert ended.num_rows > 20
    joined = calls.select(["line_id", "event_time"]).join(ended, "line_id", join_type="inner")
    after = pc.greater_equal(joined["event_time"].cast(pa.date32()), joined["valid_date"])
    assert joined.num_rows > 0 and not pc.any(after).as_py()


def test_calls_name_lines_of_accounts_that_are_there(raw: Raw) -> None:
    lines = raw("lines").to_pylist()
    owners = {
        str(line["number_id"]): line for line in lines if line["number_id"] and line["state"] == "active"
    }
    assert len({line["line_id"] for line in owners.values()}) == len(owners)
    ended = {line["line_id"]: line["valid_date"] for line in lines if line["state"] == "ended"}
    calls = raw("calls").filter(pc.is_in(raw("calls")["counterparty_id"], pa.array(list(owners)))).to_pylist()
    assert 0.03 < len(calls) / raw("calls").num_rows < 0.3
    for call in calls:
        other, day = owners[call["counterparty_id"]], call["event_time"].date()
        assert other["account_id"] != call["account_id"]
        assert other["valid_date"] <= day < ended.get(other["line_id"], dt.date.max)
        assert (call["network_id"], call["destination"]) == ("own", "local")


def test_every_account_has_a_line_and_none_outlives_its_lines(raw: Raw) -> None:
    lines = raw("lines")
    started = lines.filter(pc.equal(lines["state"], "active"))
    assert (
        pc.count_distinct(started["account_id"]).as_py()
        == pc.count_distinct(raw("accounts")["account_id"]).as_py()
    )


def test_spring_festival_is_quiet(raw: Raw) -> None:
    per_day = pc.value_counts(days(raw("calls"), "event_time")).to_pylist()
    counts = {row["values"]: row["counts"] for row in per_day}
    assert counts[dt.date(2024, 2, 12)] < 0.5 * counts[dt.date(2024, 3, 11)]


def test_calls_to_a_rivals_code_name_the_rival_and_no_destination(raw: Raw) -> None:
    calls = raw("calls")
    to_rival = calls.filter(pc.equal(calls["access_code"], "17931"))
    assert to_rival.num_rows > 0
    assert set(pc.unique(to_rival["network_id"]).to_pylist()) == {"netcom"}
    assert to_rival["destination"].null_count == to_rival["counterparty_id"].null_count == to_rival.num_rows


def test_a_contact_tells_what_was_done_and_how_likely_it_was(raw: Raw) -> None:
    contacts = raw("contacts")
    assert set(pc.unique(contacts["arm"]).to_pylist()) == {"policy", "randomised"}
    nothing = pc.equal(contacts["treatment"], "none")
    for column in ("channel", "outcome", "outcome_known_date"):
        assert pc.all(pc.equal(pc.is_null(contacts[column]), nothing)).as_py(), column
    random = contacts.filter(pc.equal(contacts["arm"], "randomised"))
    ways = pc.divide(1.0, random["logging_prob"]).to_numpy()
    channels = np.where(pc.equal(random["treatment"], "none").to_numpy(zero_copy_only=False), 1, 5)
    offers = ways / channels
    assert np.allclose(offers, np.rint(offers), atol=1e-6) and offers.min() >= 6 and offers.max() <= 12


def test_the_mapping_extends_the_canonical_layout(small_world: Path) -> None:
    mapping = tomllib.loads((small_world / "mapping.toml").read_text())
    assert mapping == {
        "extends": "canonical",
        "zone": "Asia/Shanghai",
        "currency": "CNY",
        "complete_to": LAST,
        "covers_from": FIRST,
        "tables": {name: {"covers_from": dt.date(2024, 2, 1)} for name in ("bills", "payments")},
    }


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(small_world: Path, tmp_path: Path) -> None:
    simulate(WorldConfig(accounts=700, months=4, seed=3), tmp_path / "again", lambda _: None)
    simulate(WorldConfig(accounts=20, months=1, seed=3), tmp_path / "three", lambda _: None)
    simulate(WorldConfig(accounts=20, months=1, seed=4), tmp_path / "four", lambda _: None)
    assert digests(tmp_path / "again") == digests(small_world)
    assert digests(tmp_path / "three")["lines.csv"] != digests(tmp_path / "four")["lines.csv"]


def test_processes_change_how_long_it_takes_and_nothing_else(tmp_path: Path) -> None:
    config = WorldConfig(accounts=2100, months=1, seed=3)
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert (
        simulate(config, alone, lambda _: None).rows
        == simulate(config, together, lambda _: None, workers=2).rows
    )
    assert digests(alone) == digests(together)
    assert len(list((alone / "calls").iterdir())) == 2
    accounts = pyarrow.csv.read_csv(alone / "accounts.csv")["account_id"]
    assert pc.count_distinct(accounts).as_py() > 2000 and "account_id" not in accounts.to_pylist()


def test_a_run_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"workers: expected 1 or above, got 0"):
        simulate(WorldConfig(accounts=1, months=1, seed=1), tmp_path / "raw", lambda _: None, workers=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/raw: "):
        simulate(WorldConfig(accounts=1, months=1, seed=1), tmp_path / "file" / "raw", lambda _: None)


def test_an_account_does_not_depend_on_how_many_others_there_are(small_world: Path, tmp_path: Path) -> None:
    simulate(WorldConfig(accounts=500, months=4, seed=3), tmp_path / "fewer", lambda _: None)
    fewer = pq.read_table(tmp_path / "fewer" / "calls" / "part-00000-0003.parquet")
    more = pq.read_table(small_world / "calls" / "part-00000-0003.parquet")
    shared = more.filter(pc.less(more["account_id"], "A0000500"))
    assert shared.num_rows < more.num_rows and shared.equals(fewer)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"out: expected an absent or empty folder"):
        simulate(WorldConfig(accounts=1, months=1, seed=0), tmp_path, lambda _: None)
    with pytest.raises(UsageError, match=r"out: expected a folder, got the file"):
        simulate(WorldConfig(accounts=1, months=1, seed=0), tmp_path / "kept.txt", lambda _: None)
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match=r"^5 of 5 accounts, "):
        simulate(WorldConfig(accounts=5, months=3, seed=0), tmp_path / "raw", stop)
    assert list(tmp_path.iterdir()) == []


def test_one_account_for_one_month_is_a_whole_world(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    lines: list[str] = []
    summary = simulate(WorldConfig(accounts=1, months=1, seed=1), tmp_path / "raw", lines.append)
    assert set(summary.rows) == set(ALL_TABLES) and summary.end_day - summary.first_day == 31
    assert summary.rows["accounts"] >= 1 and lines
