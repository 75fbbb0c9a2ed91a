"""A check that reads only what is new leaves the store that a check of everything leaves, byte for byte."""

import os
import random
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from nbo.asof import AsOf, days
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import build_features, feature_rows
from nbo.features.snapshots import PART
from nbo.files import MANIFEST
from nbo.tables import CheckReport, Store
from tests.unit.tables.conftest import CALLS_HEADER, Operator

MAP = 'extends = "canonical"\n[tables.calls]\nallowed_quarantined_share = 0.9\n'
OLD = [
    "C1,A1,L1,2024-03-01 10:00:00,2024-03-02 00:00:00,out,13800000001,N1,60,0.30",
    "C2,A1,L1,2024-03-02 11:30:00,2024-03-03 00:00:01,in,13800000002,N0,0,",
    "C3,A2,L2,2024-04-01 23:59:59,2024-04-02 12:00:00,out,13800000001,,5,1.005",
    "C4,A9,L2,2024-04-01 23:59:59,2024-04-02 12:00:00,out,13800000001,,5,1.005",
    "C5,A1,L1,2024-04-01 20:00:00,2024-04-02 12:00:00,out,13800000001,,7,1",
    "C5,A1,L1,2024-04-01 20:00:00,2024-04-02 12:00:00,out,13800000001,,8,1",
]
NEW = [
    "C6,A1,L1,2024-05-01 10:00:00,2024-05-02 00:00:00,out,13800000009,N1,61,0.30",
    "C7,A2,L2,2024-03-20 10:00:00,2024-05-02 00:00:00,out,13800000001,N0,62,0.30",
    "C8,A2,L2,2024-05-01 10:00:00,2024-05-02 00:00:00,sideways,13800000001,N0,62,0.30",
]


def write(operator: Operator, name: str, rows: list[str]) -> Path:
    path = operator.data / name
    path.write_text("\n".join([CALLS_HEADER, *rows]) + "\n")
    return path


def content(folder: Path) -> dict[str, bytes]:
    """Every file that a reader of the store sees."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


class Grown:
    """An operator whose calls are in one file, which was checked, and who then gets more."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        (operator.data / "calls.csv").unlink()
        operator.map(MAP)
        write(operator, "calls-1.csv", OLD)
        assert operator.check().ok
        self.told: list[str] = []

    def check(self, **options: object) -> CheckReport:
        self.told.clear()
        return self.operator.check(progress=self.told.append, **options)

    @property
    def calls_read(self) -> str:
        return next(line for line in self.told if line.startswith("calls: reading"))

    def same_as_whole(self) -> None:
        grown = content(self.operator.out)
        self.check(whole=True)
        assert self.calls_read == "calls: reading"
        whole = content(self.operator.out)
        assert list(grown) == list(whole)
        assert [name for name in whole if grown[name] != whole[name]] == []


@pytest.fixture
def grown(operator: Operator) -> Grown:
    return Grown(operator)


def test_only_the_new_file_is_read_and_only_its_part_written(grown: Grown) -> None:
    before = content(grown.operator.out)
    write(grown.operator, "calls-2.csv", NEW)
    report = grown.check()
    assert grown.calls_read == "calls: reading 1 new of 2 files"
    after = content(grown.operator.out)
    parts = {name: after[name] == before.get(name) for name in after if name.startswith("tables/calls/")}
    assert parts == {
        "tables/calls/part-2024-03.parquet": True,
        "tables/calls/part-2024-04.parquet": True,
        "tables/calls/part-2024-05.parquet": False,
    }
    calls = report.tables["calls"]
    assert (calls.rows, calls.raw_rows, calls.quarantined, calls.late) == (5, 9, 4, 1)
    grown.same_as_whole()


def test_nothing_new_leaves_all_as_it_is(grown: Grown) -> None:
    before = content(grown.operator.out)
    grown.check()
    assert grown.calls_read == "calls: reading 0 new of 1 files"
    assert content(grown.operator.out) == before
    grown.same_as_whole()


def test_a_file_that_came_twice_changes_no_row(grown: Grown) -> None:
    before = content(grown.operator.out)
    shutil.copy(grown.operator.data / "calls-1.csv", grown.operator.data / "calls-2.csv")
    write(grown.operator, "calls-2.csv", OLD[:3])
    report = grown.check()
    assert grown.calls_read == "calls: reading 1 new of 2 files"
    assert report.tables["calls"].duplicates_dropped == 3
    after = content(grown.operator.out)
    assert all(after[name] == before[name] for name in before if name.startswith("tables/"))
    grown.same_as_whole()


def test_days_that_bring_many_rows_have_parts_of_their_own(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbo.tables.writing.LARGE_MONTH", 2)
    write(grown.operator, "calls-2.csv", [OLD[2].replace("C3", "D3"), *NEW[:2], OLD[2].replace("C3", "D4")])
    grown.check()
    names = sorted(path.name for path in (grown.operator.out / "tables/calls").glob("part-*"))
    assert names == ["part-2024-03.parquet", "part-2024-04-03.parquet", "part-2024-05.parquet"]
    grown.same_as_whole()


def test_days_of_the_newest_month_have_parts_until_the_next_begins(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbo.tables.writing.OPEN_MONTH", 1)
    folder = grown.operator.out / "tables/calls"

    def parts() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}

    def arrives(file: str, call: str, day: str) -> None:
        write(
            grown.operator,
            file,
            [f"{call},A1,L1,2024-05-01 10:00:00,{day} 12:00:00,out,13800000009,N1,61,0.30"],
        )
        grown.check()

    old = ["part-2024-03.parquet", "part-2024-04.parquet"]
    arrives("calls-2.csv", "C6", "2024-05-02")
    assert list(parts()) == [*old, "part-2024-05.parquet"]
    arrives("calls-3.csv", "C7", "2024-05-03")
    before = parts()
    assert list(before) == [*old, "part-2024-05-03.parquet", "part-2024-05-04.parquet"]
    arrives("calls-4.csv", "C8", "2024-05-05")
    after = parts()
    assert after.pop("part-2024-05-06.parquet") and after == before
    arrives("calls-5.csv", "C9", "2024-06-01")
    assert list(parts()) == [*old, "part-2024-05.parquet", "part-2024-06.parquet"]
    grown.same_as_whole()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("an old file changed", lambda o: write(o, "calls-1.csv", OLD[:2])),
        ("an old file is gone", lambda o: (o.data / "calls-1.csv").rename(o.data / "calls-3.csv")),
        (
            "a key came before with other content",
            lambda o: write(o, "calls-3.csv", [OLD[0].replace(",60,", ",61,")]),
        ),
        ("a key over which rows are fought came again", lambda o: write(o, "calls-3.csv", [OLD[4]])),
        ("an account is gone", lambda o: o.change("accounts", "A2,2024-01-01,2024-01-01,consumer\n", "")),
        (
            "an account came whose calls were taken out",
            lambda o: o.add("accounts", "A9,2024-01-01,2024-01-01,company"),
        ),
        ("another mapping", lambda o: o.map(MAP + 'covers_from = "2024-01-01"\n')),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_could_differ_is_read_whole(
    grown: Grown, what: str, change: Callable[[Operator], object]
) -> None:
    grown.operator.map(MAP)
    write(grown.operator, "calls-2.csv", NEW)
    change(grown.operator)
    grown.check()
    assert "calls: reading" in grown.told, what
    grown.same_as_whole()


@pytest.mark.parametrize("table", ["accounts", "calls"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda part: part.write_bytes(part.read_bytes()[:-20]),
        lambda part: part.write_bytes(b""),
        lambda part: part.unlink(),
        lambda part: shutil.copy(part, part.with_name("part-1.parquet")),
    ],
    ids=["cut off", "empty", "gone", "one too many"],
)
def test_a_store_whose_parts_are_not_as_written_is_read_whole(
    grown: Grown, table: str, harm: Callable[[Path], object]
) -> None:
    before = content(grown.operator.out)
    harm(min((grown.operator.out / "tables" / table).glob("part-*")))
    grown.check()
    assert grown.calls_read == "calls: reading"
    assert content(grown.operator.out) == before


def test_a_new_account_alone_does_not_have_the_calls_read_again(grown: Grown) -> None:
    grown.operator.add("accounts", "A3,2024-01-01,2024-01-01,company")
    grown.check()
    assert grown.calls_read == "calls: reading 0 new of 1 files"
    grown.same_as_whole()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_comes_day_by_day_ends_as_one_check_of_all(
    grown: Grown, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    luck = random.Random(seed)
    monkeypatch.setattr("nbo.tables.writing.LARGE_MONTH", luck.choice([4, 1000]))
    monkeypatch.setattr("nbo.tables.writing.OPEN_MONTH", luck.choice([2, 1000]))
    for day in range(1, 6):
        rows = [random_call(luck, day) for _ in range(luck.randrange(6))]
        write(grown.operator, f"calls-{day + 1}.csv", rows)
        grown.check()
    grown.same_as_whole()


COMPILED = compile_features(
    [
        FeatureSet(
            "calls",
            Words("Calls", "通话"),
            [
                table("calls").count(over=days(7, 60)),
                table("calls").where(counterparty="rival").sum("minutes", over=days(60)),
                table("calls").distinct("counterparty_id", over=days(60)),
            ],
        )
    ]
)


@pytest.mark.parametrize("seed", range(12))
def test_a_snapshot_that_stands_is_what_a_build_gives_now(
    grown: Grown, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    luck = random.Random(seed)
    monkeypatch.setattr("nbo.tables.writing.OPEN_MONTH", luck.choice([2, 1000]))
    dates = [AsOf.parse(text) for text in ("2024-04-01", "2024-05-01", "2024-05-02", "2024-05-03")]
    for day in range(1, 6):
        write(grown.operator, f"calls-{day + 1}.csv", [random_call(luck, day) for _ in range(4)])
        grown.check()
        store = Store.open(grown.operator.out)
        for as_of in [when for when in dates if when <= store.latest]:
            told = build_features(store, COMPILED, as_of).read()
            assert told.equals(feature_rows(store, COMPILED, as_of))


def test_late_calls_leave_earlier_snapshots_and_a_clash_with_a_call_of_then_does_not(grown: Grown) -> None:
    def built() -> int:
        snapshot = build_features(Store.open(grown.operator.out), COMPILED, AsOf.parse("2024-04-02"))
        return (snapshot.folder / PART).stat().st_ino

    write(grown.operator, "calls-2.csv", NEW[:1])
    grown.check()
    first = built()
    write(grown.operator, "calls-3.csv", NEW)
    grown.check()
    assert built() == first
    write(grown.operator, "calls-4.csv", [OLD[0].replace(",60,", ",61,")])
    grown.check()
    assert built() != first


def random_call(luck: random.Random, day: int) -> str:
    """Of a few numbers, accounts, days and lengths, so that calls repeat, clash, come late and lack."""
    event = date(2024, 5, day) - timedelta(days=luck.choice([0, 1, 40]))
    number, account, seconds = (
        luck.randrange(12),
        luck.choice("1112229"),
        luck.choice(["5", "5", "6", "-1", ""]),
    )
    rival = luck.choice(["N1", "N0", "", "N7"])
    return (
        f"D{number},A{account},,{event} 10:00:00,2024-05-{day:02d} 12:00:00,"
        f"out,1380000000{number % 5},{rival},{seconds},0.3"
    )


def test_another_key_makes_other_pseudonyms_of_all(grown: Grown, operator: Operator) -> None:
    from nbo.tables import check_tables, load_mapping

    told: list[str] = []
    mapping = load_mapping(None, operator.data)
    check_tables(operator.data, operator.out, mapping, key=b"j" * 32, progress=told.append)
    assert "calls: reading" in told


def test_a_check_that_was_killed_is_forgotten(grown: Grown) -> None:
    (grown.operator.out / MANIFEST).unlink()
    grown.check()
    assert grown.calls_read == "calls: reading"


def test_a_file_changed_within_the_same_tick_and_size_is_seen(grown: Grown) -> None:
    path = grown.operator.data / "calls-1.csv"
    at = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("60,0.30", "61,0.30"))
    os.utime(path, ns=(at, at))
    grown.check()
    assert grown.calls_read == "calls: reading"
    grown.same_as_whole()
