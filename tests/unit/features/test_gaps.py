"""What a store cannot tell is null and counted with its reason, or refused; never a silent 0."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf, days
from nbo.errors import DataError, UsageError
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.build import build_features, feature_rows
from nbo.features.gaps import missing_features, short_features
from nbo.features.spec import Declared
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
LINES = {"line_id": ["L1"], "account_id": ["A1"], "valid_day": [0], "known_day": [1], "state": ["active"]}
calls = table("calls")
WORDS = Words("Some", "一些")


def family(*lines: Declared, name: str = "some") -> FeatureSet:
    return FeatureSet(name, WORDS, lines)


def small_store(folder: Path) -> Store:
    """One account that calls once a day, from day 100 to day 179."""
    count = 80
    rows = {
        "call_id": [f"c{n}" for n in range(count)],
        "account_id": ["A1"] * count,
        "event_day": pa.array(range(100, 180), pa.int32()),
        "known_day": pa.array(range(101, 181), pa.int32()),
        "duration_seconds": pa.array([60] * count, pa.int64()),
    }
    return store_from_tables(folder, {"calls": pa.table(rows), "lines": pa.table(LINES)}, end_day=180)


def test_a_window_longer_than_the_history_is_null_and_the_manifest_says_why(tmp_path: Path) -> None:
    compiled = compile_features(
        [
            family(
                calls.count(over=days(80, 81)),
                calls.count(over=days(30, 60)).trend(),
                calls.sum("minutes", over=days(90)),
                table("usage").sum("megabytes", over=days(90)),
            )
        ]
    )
    snapshot = build_features(small_store(tmp_path), compiled, AsOf(180))
    why = "calls begin on 1970-04-11, later than the window as of 1970-06-30"
    assert snapshot.manifest["short"] == {
        "calls_count_81d": why,
        "calls_count_60d_trend": why,
        "calls_minutes_sum_90d": why,
    }
    assert set(snapshot.manifest["missing"]) == {"usage_megabytes_sum_90d"}
    [row] = snapshot.read().to_pylist()
    assert row["calls_count_80d"] == 80
    assert [row[name] for name in snapshot.manifest["short"]] == [None] * 3
    assert all(snapshot.manifest["nulls"][name] == 1 for name in snapshot.manifest["short"])


def test_before_the_first_event_every_window_is_too_long(tmp_path: Path) -> None:
    compiled = compile_features([family(calls.count(over=days(7)))])
    assert short_features(small_store(tmp_path), compiled, AsOf(90)) == {
        "calls_count_7d": "calls have none yet as of 1970-04-01"
    }


@pytest.mark.parametrize("back", [5, 120, 200, 230])
def test_what_is_told_is_null_for_all_and_other_totals_are_not(
    back: int, random_store: Callable[[int], Store]
) -> None:
    store = random_store(1)
    as_of = store.latest.back(back)
    compiled = compile_features(Workspace.find(ROOT).feature_sets("churn"))
    rows, short = feature_rows(store, compiled, as_of), short_features(store, compiled, as_of)
    assert missing_features(store, compiled) == {} and rows.num_rows > 0
    assert all(rows[name].null_count == rows.num_rows for name in short)
    totals = [f.name for f in compiled.features if f.name.endswith(("_count_30d", "_minutes_sum_30d"))]
    told = [name for name in totals if name in short]
    assert [name for name in totals if rows[name].null_count] == told
    assert len(short) > (100 if back == 230 else 0)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (calls.where(counterparty="unicomm").count(over=days(30)), "calls_unicomm_count_30d"),
        (
            table("interconnect").where(counterparty="17909").sum("minutes", over=days(60)),
            "interconnect_17909_minutes_sum_60d",
        ),
        (
            calls.sum("charge_amount", over=days(30)).price_gap("unicomm"),
            "calls_charge_amount_sum_30d_price_gap_unicomm",
        ),
    ],
)
def test_a_rival_that_no_table_names_is_refused_where_it_would_count_nothing(
    line: Declared, name: str, random_store: Callable[[int], Store]
) -> None:
    store, compiled = random_store(1), compile_features([family(calls.count(over=days(7)), line)])
    told = (
        r"networks\.network_id: expected '[a-z0-9]+', which features name, among the networks, "
        rf"got netcom, other, own, unicom, e\.g\. {name}\. Correct the declaration, or bring"
    )
    with pytest.raises(DataError, match=told):
        build_features(store, compiled, store.latest)
    with pytest.raises(DataError, match=told):
        feature_rows(store, compiled, store.latest)
    assert not list((store.root / "features").rglob("*.parquet"))
    assert not list((store.root / "features").rglob("MANIFEST.json"))


def test_a_rival_that_is_known_only_later_counts_nothing_before(random_store: Callable[[int], Store]) -> None:
    """``netcom`` is known from the 130th day: before, its calls are nobody's; that is no mistake."""
    line = calls.where(counterparty="netcom").count(over=days(30))
    store = random_store(1)
    rows = feature_rows(store, compile_features([family(line)]), store.latest.back(150))
    assert rows.num_rows > 0 and rows["calls_netcom_count_30d"].null_count == 0


def test_a_store_without_networks_leaves_rivals_unknown_not_zero(tmp_path: Path) -> None:
    line = calls.where(counterparty="rival").count(over=days(30))
    [row] = feature_rows(small_store(tmp_path), compile_features([family(line)]), AsOf(180)).to_pylist()
    assert row["calls_rival_count_30d"] is None


def test_two_features_of_one_name_are_told_with_their_families() -> None:
    one, two = (family(calls.count(over=days(7)), name=name) for name in ("calls", "circle"))
    with pytest.raises(
        UsageError,
        match=r"^calls_count_7d: two features of this name, in the families calls and circle\. Declare each",
    ):
        compile_features([one, two])


def test_names_can_collide_although_the_declarations_differ() -> None:
    """Order of conditions is not in the meaning, so it does not make another feature."""
    one = calls.where(direction="out", destination="local").count(over=days(7))
    two = calls.where(direction="out").where(destination="local").count(over=days(7))
    with pytest.raises(UsageError, match=r"calls_out_local_count_7d: two features of this name\. Declare"):
        compile_features([family(one, two)])


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([calls], r"some: expected features such as .*, got rows of calls without a verb as number 1 of"),
        ([calls.count(over=days(7)), calls.count], r"got count without its brackets as number 2 of the list"),
        ([3], r"some: expected features such as .*, got 3 as number 1"),
        (calls.count(over=days(7)), r"some: expected a list of features, got a feature \(count\)"),
        ("calls", r"some: expected a list of features, got 'calls'"),
    ],
)
def test_what_is_no_feature_is_refused_where_it_is_declared(lines: object, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        FeatureSet("some", WORDS, lines)  # type: ignore[arg-type]


def test_a_family_without_its_words_and_a_share_of_a_feature_are_refused() -> None:
    with pytest.raises(UsageError, match=r'some: expected Words\("Calls", "通话"\), got \'Calls\''):
        FeatureSet("some", "Calls", [])  # type: ignore[arg-type]
    total = calls.count(over=days(7))
    with pytest.raises(UsageError, match=r"share: expected rows such as .*, got a feature \(count\)"):
        total.share_of(total)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"share_beside: expected rows such as .*, got the family some"):
        total.share_beside(family(total))  # type: ignore[arg-type]


def test_the_networks_of_a_store_are_asked_only_where_one_is_named(tmp_path: Path) -> None:
    compiled = compile_features([family(calls.count(over=days(7)))])
    rows = feature_rows(small_store(tmp_path), compiled, AsOf(180))
    assert rows.equals(
        pa.table({"account_id": ["A1"], "calls_count_7d": pa.array([7], pa.int64())}).cast(rows.schema)
    )
