"""One pass for many dates gives, number for number, what SQL gives at each."""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.engine import Embedded
from nbo.features import CompiledFeatures, FeatureSet, Words, compile_features, table
from nbo.features import sweep as room
from nbo.features.build import build_snapshots, feature_rows
from nbo.features.parameters import bind, read_parameters
from nbo.features.stages import parted
from nbo.features.sweep import Swept, alike, digests, passes, rows, sweep
from nbo.features.sweep import compiled as room_of_loops
from nbo.features.sweep import tallies as rooms_tallies
from nbo.features.sweep.compiled import SHARED, first_from, grouped
from nbo.features.sweep.digests import Digests, Numbers
from nbo.features.sweep.passes import known_accounts, one_pass
from nbo.features.sweep.tallies import tallies
from nbo.features.sweep.texts import Asked, Tallies, Totals, asked_of
from nbo.features.sweep.totals import totals
from nbo.tables.store import Store
from nbo.workspace import Workspace

SETS = sorted(Workspace.find().declared_sets())


@pytest.fixture(autouse=True)
def every_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass over every table, however small."""
    monkeypatch.setattr(room, "SWEEP_ROWS", 0)


def dates_of(store: Store) -> list[AsOf]:
    """Fourteen, some of them a day apart, most a fortnight."""
    latest = store.latest
    return sorted({latest, latest.back(1), *(latest.back(14 * k) for k in range(1, 13))})


def declared(name: str) -> CompiledFeatures:
    return compile_features(Workspace.find().feature_sets(name))


def swept(store: Store, compiled: CompiledFeatures, dates: Sequence[AsOf], folder: Path) -> Swept:
    with store.connect() as engine:
        parameters = {date: read_parameters(store, engine, compiled.sql, date, None) for date in dates}
        return sweep(engine, compiled.sql, parameters, folder)


def refuse_difference(store: Store, compiled: CompiledFeatures, found: Swept) -> int:
    """Compare each relation with what its SQL gives of accounts with a line; the number of rows compared."""
    compared = 0
    with store.connect() as engine:
        relations = dict(parted(compiled.sql)[0])
        for date, paths in found.items():
            parameters = read_parameters(store, engine, compiled.sql, date, None)
            for name, path in paths.items():
                engine.view("found", [path])
                sql = bind(relations[name], parameters)
                known = "account_id IN (SELECT account_id FROM lines)"
                expected = engine.query(f"SELECT * FROM ({sql}) WHERE {known} ORDER BY account_id")
                told = engine.query("SELECT * FROM found")
                assert told.column_names == expected.column_names
                assert told.to_pydict() == expected.to_pydict(), (name, date)
                compared += told.num_rows
    return compared


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_pass_gives_what_sql_gives_at_each_date(
    random_store: Callable[[int], Store], name: str, seed: int, tmp_path: Path
) -> None:
    store, compiled = random_store(seed), declared(name)
    found = swept(store, compiled, dates_of(store), tmp_path)
    assert refuse_difference(store, compiled, found) > 100


def test_every_declared_total_and_tally_is_computed_by_a_pass(
    random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store, compiled = random_store(1), declared("churn")
    names = {name for name, text in parted(compiled.sql)[0] if "GROUP BY account_id, " in text}
    # Neighbours and graphs look at the rows of others; an outcome is known later than its contact.
    left = {name for name in names if "_by_" in name or "_graph" in name} | {"contacts_totals", "population"}
    found = swept(store, compiled, dates_of(store), tmp_path)
    assert all(set(paths) == names - left for paths in found.values())
    assert {"calls_totals", "calls_weeks", "calls_counterparty_ids", "usage_totals"} <= names - left


def test_parts_and_rows_on_the_disk_change_nothing(
    random_store: Callable[[int], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "PART_ROWS", 7)
    monkeypatch.setattr(passes, "BLOCK_BYTES", 1)
    monkeypatch.setattr(rows, "BATCH_ROWS", 2048)
    monkeypatch.setattr(rows, "ROWS_MEMORY", 60_000)
    reads: list[int] = []
    real = os.pread

    def read(file: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return real(file, size, offset)

    monkeypatch.setattr(os, "pread", read)
    store, compiled = random_store(2), declared("churn")
    found = swept(store, compiled, dates_of(store)[-3:], tmp_path)
    assert refuse_difference(store, compiled, found) > 100
    assert sum(reads) > 0 and not list(tmp_path.rglob("rows"))


def test_snapshots_built_by_a_pass_are_those_of_the_text(random_store: Callable[[int], Store]) -> None:
    store, compiled = random_store(4), declared("churn")
    dates = dates_of(store)[::4]
    snapshots = list(build_snapshots(store, compiled, dates))
    assert [snapshot.as_of for snapshot in snapshots] == dates and all(one.built for one in snapshots)
    for snapshot in snapshots:
        assert snapshot.read().equals(feature_rows(store, compiled, snapshot.as_of))
    again = list(build_snapshots(store, compiled, [dates[0], dates[-1].back(2)]))
    assert [one.built for one in again] == [False, True]
    assert not list(snapshots[0].folder.parent.glob(".*.spill"))


def test_dates_of_other_code_lists_are_other_passes(random_store: Callable[[int], Store]) -> None:
    store, compiled = random_store(1), declared("churn")
    dates = dates_of(store)
    with store.connect() as engine:
        parameters = {date: read_parameters(store, engine, compiled.sql, date, None) for date in dates}
    lists = {
        tuple(sorted((k, v) for k, v in told.items() if k.startswith(("codes_", "networks_"))))
        for told in parameters.values()
    }
    groups = [when for asked, when in alike(compiled.sql, parameters) if asked[0].rows.table == "calls"]
    assert len(groups) == len(lists) > 1
    assert sorted(date for when in groups for date in when) == dates


def test_a_relation_that_counts_words_is_computed(tmp_path: Path) -> None:
    text = TOTALS_TEXT.replace("FLAG", "TRUE").replace("count(*)", "count(counterparty_id)")
    asked = asked_of("words", text)
    assert asked is not None
    with engine_with("i", "BIGINT") as engine:
        [path] = one_pass(engine, [asked], [AsOf(110)], known_accounts(engine), tmp_path)[AsOf(110)].values()
        engine.view("found", [path])
        assert engine.value("SELECT sum(r0) FROM found") == 10


def asked_for(lines: list[object]) -> list[Asked]:
    compiled = compile_features([FeatureSet("test", Words("Test", "测试"), lines)])  # type: ignore[arg-type]
    return [asked for name, text in parted(compiled.sql)[0] if (asked := asked_of(name, text))]


CALLS = """CREATE TABLE calls AS SELECT 'A' || CAST(i % 3 AS VARCHAR) AS account_id,
CAST(100 + i AS INTEGER) AS event_day, CAST(101 + i AS INTEGER) AS known_day,
'n' || CAST(i % 2 AS VARCHAR) AS counterparty_id, CAST(AMOUNT AS KIND) AS duration_seconds
FROM range(20) AS numbers(i)"""


def engine_with(amount: str, kind: str) -> Embedded:
    engine = Embedded()
    engine.execute(CALLS.replace("AMOUNT", amount).replace("KIND", kind))
    engine.execute("CREATE TABLE lines AS SELECT unnest(['A0', 'A1', 'A2']) AS account_id")
    return engine


def names_found(engine: Embedded, folder: Path) -> set[str]:
    asked = asked_for(
        [
            table("calls").sum("minutes", over=days(7, 30)),
            table("calls").distinct("counterparty_id", over=days(7)),
        ]
    )
    assert [type(one) for one in asked] == [Totals, Tallies]
    found = one_pass(engine, asked, [AsOf(110), AsOf(115)], known_accounts(engine), folder)
    return {name for paths in found.values() for name in paths}


BOTH = {"calls_totals", "calls_counterparty_ids"}


@pytest.mark.parametrize(
    ("amount", "kind", "names"),
    [
        ("i", "BIGINT", BOTH),
        ("CASE WHEN i > 3 THEN i END", "INTEGER", BOTH),
        ("i / 7", "DOUBLE", BOTH - {"calls_totals"}),
        ("9223372036854775807 - i", "BIGINT", set()),
        # What the text makes of a sum must fit too.
        ("1000000000000000", "BIGINT", set()),
        ("1000000000", "BIGINT", BOTH),
        ("-9223372036854775807", "BIGINT", set()),
    ],
)
def test_what_whole_numbers_cannot_hold_is_left_to_sql(
    amount: str, kind: str, names: set[str], tmp_path: Path
) -> None:
    with engine_with(amount, kind) as engine:
        assert names_found(engine, tmp_path) == names


def told_alike(chosen: str) -> Callable[..., None]:
    """A digest that is the same for all texts that begin alike; the checks still tell them apart."""

    def digest(
        offsets: npt.NDArray[np.int32],
        data: npt.NDArray[np.uint8],
        digests: npt.NDArray[np.uint64],
        checks: npt.NDArray[np.uint32],
    ) -> None:
        for row, (first, end) in enumerate(pairwise(offsets)):
            text = data[first:end].tobytes().decode()
            digests[row] = 1 if text.startswith(chosen) else 2 + int.from_bytes(text.encode(), "big")
            checks[row] = int.from_bytes(text[-1:].encode(), "big")

    return digest


def test_values_of_one_digest_are_left_to_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "digest", told_alike("n"))
    with engine_with("i", "BIGINT") as engine:
        assert names_found(engine, tmp_path) == {"calls_totals"}


def test_an_account_of_very_many_values_is_left_to_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An account has two numbers, at two dates; each keeps a mask.
    for cells, names in ((4, BOTH), (3, {"calls_totals"})):
        monkeypatch.setattr(rooms_tallies, "CELLS", cells)
        (tmp_path / str(cells)).mkdir()
        with engine_with("i", "BIGINT") as engine:
            assert names_found(engine, tmp_path / str(cells)) == names


def test_rows_of_accounts_without_a_line_take_no_memory() -> None:
    rows_there = np.arange(12, dtype=np.int32).reshape(4, 3)
    starts, kept = grouped(np.array([-1, 1, -1, 0], np.int32), 2, rows_there)
    assert starts.tolist() == [0, 1, 2] and kept.tolist() == [[9, 10, 11], [3, 4, 5]]
    assert kept.base is None


def test_accounts_that_cannot_be_told_apart_are_left_to_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(
        offsets: npt.NDArray[np.int32],
        data: npt.NDArray[np.uint8],
        digests: npt.NDArray[np.uint64],
        checks: npt.NDArray[np.uint32],
    ) -> None:
        digests[:] = 1
        checks[:] = 1

    monkeypatch.setattr(digests, "digest", same)
    with engine_with("i", "BIGINT") as engine:
        assert names_found(engine, tmp_path) == set()


def test_more_conditions_than_bits_are_left_to_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "BITS", 1)
    with engine_with("i", "BIGINT") as engine:
        assert names_found(engine, tmp_path) == set()


def test_texts_have_the_digests_of_their_bytes() -> None:
    texts = [
        "",
        "a",
        "b",
        "ab",
        "ba",
        "abcdefgh",
        "abcdefgh\0",
        "abcdefghi",
        "ihgfedcbaabcdefgh",
        "三",
        "a" * 40,
    ]
    told = Digests.of(pa.array(texts))
    assert len(set(told.low.tolist())) == len(set(told.checks.tolist())) == len(texts)
    shifted = Digests.of(pa.array(["x", "yy", *texts]).slice(2))
    assert (shifted.low == told.low).all() and (shifted.checks == told.checks).all()
    many = Digests.of(pa.array([f"{number:07d}" for number in range(100_000)]))
    assert len(set(many.low.tolist())) == 100_000
    # Near chance: 100,000 draws of 2 ** 32 meet about once.
    assert len(set(many.checks.tolist())) > 99_980


def test_compiled_code_is_kept_under_the_digest_of_what_loops_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(loop.__qualname__.endswith(f"_{SHARED}") for loop in (totals, tallies, first_from))
    real = room_of_loops.njit

    def nowhere(**options: bool) -> Callable[..., object]:
        """Like numba where no folder can be written."""
        if options.get("cache"):
            raise RuntimeError("cannot cache function")
        return real(**options)

    monkeypatch.setattr(room_of_loops, "njit", nowhere)

    def doubled(number: int) -> int:
        return 2 * number

    assert room_of_loops.compiled(doubled)(21) == 42


def test_numbers_of_texts() -> None:
    numbers = Numbers(pa.array(["A1", "A2", "B"]))
    assert numbers.told_apart
    assert numbers.of(pa.array(["B", "A1", "C", "", "A2", "A1"])).tolist() == [2, 0, -1, -1, 1, 0]


TOTALS_TEXT = """  SELECT account_id, sum(p0) AS r0 FROM (
    SELECT account_id, bucket, count(*) FILTER (WHERE c0) AS p0 FROM (
      SELECT account_id, 0 AS bucket, FLAG AS c0 FROM calls
WHERE VISIBLE AND event_day >= $as_of - 30 AND $accounts)
    GROUP BY account_id, bucket)
  GROUP BY account_id""".replace("\nWHERE VISIBLE", " WHERE event_day < $as_of AND known_day <= $as_of")


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("FLAG", "outcome_known_day <= $as_of"),
        ("known_day <= $as_of", "TRUE"),
        ("sum(p0)", "avg(p0)"),
        ("count(*)", "median(charge_amount)"),
        ("$accounts", "$neighbours_building_id"),
    ],
)
def test_a_text_of_another_shape_is_not_read(was: str, instead: str) -> None:
    assert asked_of("calls_totals", TOTALS_TEXT.replace("FLAG", "direction = 'in'")) is not None
    assert (
        asked_of("calls_totals", TOTALS_TEXT.replace(was, instead).replace("FLAG", "direction = 'in'"))
        is None
    )
