"""Who left, and who took what: every boundary of population, gap, window and knowledge, by hand.

The decision date is day 20,000, the gap 7 days, the horizon 30: the window is [20007, 20037).
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from nbo.asof import AsOf, LabelWindow, day_of
from nbo.errors import DataError
from nbo.features.leaks import permute_future
from nbo.labels import Labels, TakeUps, churn_labels, history_start, plan_slices, take_ups
from nbo.tables.direct import store_from_tables
from nbo.tables.store import Store

AS_OF = AsOf(20_000)
WINDOW = LabelWindow(gap_days=7, horizon_days=30)
END_DAY = 20_200
OLD = (19_000, 19_000, "active", None)
"""A line that is active since long before the date."""

STAYED, LEFT, BEFORE, NOT_BY_CHOICE, ABSENT = "stayed", "left", "left before the window", "not by choice", "-"
Change = tuple[int, int, str, str | None]
"""valid_day, known_day, state, reason."""


def ended(day: int, known: int | None = None, reason: str | None = "price") -> Change:
    return (day, day if known is None else known, "ended", reason)


def suspended(day: int, known: int | None = None) -> Change:
    return (day, day if known is None else known, "suspended", None)


def active(day: int, known: int | None = None) -> Change:
    return (day, day if known is None else known, "active", None)


# fmt: off
BY_LINES: dict[str, tuple[str, Sequence[Sequence[Change]]]] = {
    # In the population or not.
    "is still there": (STAYED, [[OLD]]),
    "starts the day before": (STAYED, [[active(19_999, 20_000)]]),
    "starts on the date": (ABSENT, [[active(20_000)]]),
    "start known on the date": (STAYED, [[active(19_990, 20_000)]]),
    "start known a day late": (ABSENT, [[active(19_990, 20_001)]]),
    "suspended is not active": (ABSENT, [[OLD, suspended(19_990)]]),
    "suspended and active again": (STAYED, [[OLD, suspended(19_980), active(19_990)]]),
    "same day corrected later": (ABSENT, [[active(19_900, 19_901), suspended(19_900, 19_905)]]),
    "ended the day before": (ABSENT, [[OLD, ended(19_999, 20_000)]]),
    # When it left.
    "end before the date known late": (BEFORE, [[OLD, ended(19_999, 20_001)]]),
    "ends on the date": (BEFORE, [[OLD, ended(20_000)]]),
    "ends on the last day of the gap": (BEFORE, [[OLD, ended(20_006)]]),
    "ends on the first day of the window": (LEFT, [[OLD, ended(20_007)]]),
    "ends on the last day of the window": (LEFT, [[OLD, ended(20_036)]]),
    "ends the day after the window": (STAYED, [[OLD, ended(20_037)]]),
    "end known long after": (LEFT, [[OLD, ended(20_010, 20_100)]]),
    "suspended within the window": (STAYED, [[OLD, suspended(20_010)]]),
    "suspension before the date known late": (STAYED, [[OLD, suspended(19_990, 20_001)]]),
    # By choice or not.
    "not paid": (NOT_BY_CHOICE, [[OLD, ended(20_010, reason="non_payment")]]),
    "bankrupt": (NOT_BY_CHOICE, [[OLD, ended(20_010, reason="bankruptcy")]]),
    "building gone": (NOT_BY_CHOICE, [[OLD, ended(20_010, reason="removal")]]),
    "fraud": (NOT_BY_CHOICE, [[OLD, ended(20_010, reason="fraud")]]),
    "not paid after the window": (STAYED, [[OLD, ended(20_037, reason="non_payment")]]),
    "not paid in the gap": (BEFORE, [[OLD, ended(20_003, reason="non_payment")]]),
    "moved": (LEFT, [[OLD, ended(20_010, reason="moved")]]),
    "no reason told": (LEFT, [[OLD, ended(20_010, reason=None)]]),
    # Several lines.
    "one of two lines ends": (STAYED, [[OLD, ended(20_010)], [OLD]]),
    "both end, the last in the window": (LEFT, [[OLD, ended(20_003)], [OLD, ended(20_010)]]),
    "both end in the gap": (BEFORE, [[OLD, ended(20_003)], [OLD, ended(20_006)]]),
    "both end, one not by choice": (
        NOT_BY_CHOICE, [[OLD, ended(20_010)], [OLD, ended(20_012, reason="fraud")]]
    ),
    "one ends not by choice, one stays": (STAYED, [[OLD, ended(20_010, reason="fraud")], [OLD]]),
    "the other line was suspended then": (LEFT, [[OLD, ended(20_010)], [OLD, suspended(19_990)]]),
    "the other line is younger than the date": (LEFT, [[OLD, ended(20_010)], [active(20_005)]]),
    # Coming back.
    "ended and active again in the window": (STAYED, [[OLD, ended(20_010), active(20_020)]]),
    "active again after the window": (LEFT, [[OLD, ended(20_010), active(20_037)]]),
    "the end was an error of the day": (STAYED, [[OLD, ended(20_010, 20_011), active(20_010, 20_015)]]),
}

BY_LABELS: dict[str, tuple[str, Sequence[tuple[str, int, int]]]] = {
    # kind, event_day, known_day; every account has one line that stays active.
    "no label": (STAYED, []),
    "churn on the first day": (LEFT, [("churn", 20_007, 20_008)]),
    "churn on the last day": (LEFT, [("churn", 20_036, 20_037)]),
    "churn after the window": (STAYED, [("churn", 20_037, 20_038)]),
    "churn in the gap": (BEFORE, [("churn", 20_006, 20_006)]),
    "churn on the date": (BEFORE, [("churn", 20_000, 20_000)]),
    "churn told before the date": (STAYED, [("churn", 19_999, 20_000)]),
    "churn before the date told after": (BEFORE, [("churn", 19_999, 20_001)]),
    "churned once and again": (LEFT, [("churn", 19_500, 19_500), ("churn", 20_010, 20_010)]),
    "involuntary in the window": (NOT_BY_CHOICE, [("involuntary", 20_007, 20_007)]),
    "involuntary after the window": (STAYED, [("involuntary", 20_037, 20_037)]),
    "involuntary in the gap": (BEFORE, [("involuntary", 20_006, 20_006)]),
    "both kinds in the window": (NOT_BY_CHOICE, [("churn", 20_010, 20_010), ("involuntary", 20_020, 20_020)]),
    "gap and window": (BEFORE, [("churn", 20_003, 20_003), ("churn", 20_010, 20_010)]),
    "gap, then not by choice": (BEFORE, [("churn", 20_003, 20_003), ("involuntary", 20_010, 20_010)]),
    "churn told long after": (LEFT, [("churn", 20_010, 20_100)]),
}
# fmt: on


def line_rows(cases: dict[str, Sequence[Sequence[Change]]]) -> pa.Table:
    rows = [
        {
            "line_id": f"{account}/{number}",
            "account_id": account,
            "product_id": "P1",
            "valid_day": valid,
            "known_day": known,
            "state": state,
            "reason": reason,
        }
        for account, lines in cases.items()
        for number, changes in enumerate(lines)
        for valid, known, state, reason in changes
    ]
    columns = {
        name: pa.array([row[name] for row in rows]) for name in ("line_id", "account_id", "product_id")
    }
    days = {name: pa.array([row[name] for row in rows], pa.int32()) for name in ("valid_day", "known_day")}
    words = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("state", "reason")}
    return pa.table({**columns, **days, **words})


def label_rows(cases: dict[str, Sequence[tuple[str, int, int]]]) -> pa.Table:
    rows = [(account, *told) for account, several in cases.items() for told in several]
    return pa.table(
        {
            "account_id": pa.array([row[0] for row in rows], pa.string()),
            "kind": pa.array([row[1] for row in rows], pa.string()),
            "event_day": pa.array([row[2] for row in rows], pa.int32()),
            "known_day": pa.array([row[3] for row in rows], pa.int32()),
        }
    )


def outcome(labels: Labels, account: str) -> str:
    """``left``, ``stayed``, or ``-`` where the account got no label."""
    found = dict(zip(labels.table["account_id"].to_pylist(), labels.table["label"].to_pylist(), strict=True))
    return {1: LEFT, 0: STAYED, None: ABSENT}[found.get(account)]


def censored_alone(store: Store, account: str, known_by: AsOf | None = None) -> str:
    """Why an account is censored: by counts, so only for a store of one account."""
    labels = churn_labels(store, AS_OF, WINDOW, known_by)
    [reason] = labels.censored
    assert labels.censored[reason] == 1
    assert labels.table.num_rows == 0
    return reason


@pytest.fixture(scope="module")
def by_lines(tmp_path_factory: pytest.TempPathFactory) -> Store:
    lines = line_rows({account: changes for account, (_, changes) in BY_LINES.items()})
    return store_from_tables(tmp_path_factory.mktemp("lines") / "store", {"lines": lines}, end_day=END_DAY)


@pytest.fixture(scope="module")
def by_labels(tmp_path_factory: pytest.TempPathFactory) -> Store:
    lines = line_rows(
        {
            **{account: [[OLD]] for account in BY_LABELS},
            "line ends, no label": [[OLD, ended(20_010)]],
            "line ended long ago": [[OLD, ended(19_500)]],
        }
    )
    told = {account: rows for account, (_, rows) in BY_LABELS.items()}
    told |= {account: [("churn", 20_010, 20_010)] for account in ("has no line", "line ended long ago")}
    tables = {"lines": lines, "labels": label_rows(told)}
    return store_from_tables(tmp_path_factory.mktemp("labels") / "store", tables, end_day=END_DAY)


@pytest.fixture(scope="module")
def lines_labels(by_lines: Store) -> Labels:
    return churn_labels(by_lines, AS_OF, WINDOW)


@pytest.fixture(scope="module")
def table_labels(by_labels: Store) -> Labels:
    return churn_labels(by_labels, AS_OF, WINDOW)


@pytest.mark.parametrize("account", BY_LINES)
def test_an_outcome_follows_from_the_lines(lines_labels: Labels, account: str) -> None:
    expected = BY_LINES[account][0]
    shown = ABSENT if expected in (BEFORE, NOT_BY_CHOICE) else expected
    assert outcome(lines_labels, account) == shown


@pytest.mark.parametrize("account", BY_LABELS)
def test_a_supplied_label_overrides_the_lines(table_labels: Labels, account: str) -> None:
    expected = BY_LABELS[account][0]
    shown = ABSENT if expected in (BEFORE, NOT_BY_CHOICE) else expected
    assert outcome(table_labels, account) == shown


def counts(cases: dict[str, tuple[str, object]]) -> dict[str, int]:
    expected = [outcome for outcome, _ in cases.values()]
    return {
        "left before the window": expected.count(BEFORE),
        "left not by choice": expected.count(NOT_BY_CHOICE),
    }


def test_censored_accounts_are_counted_by_reason(lines_labels: Labels, table_labels: Labels) -> None:
    assert lines_labels.censored == counts(BY_LINES)  # type: ignore[arg-type]
    assert table_labels.censored == counts(BY_LABELS)  # type: ignore[arg-type]


def test_positives_are_the_accounts_that_left(lines_labels: Labels) -> None:
    assert lines_labels.positives == [outcome for outcome, _ in BY_LINES.values()].count(LEFT)
    assert lines_labels.as_of == AS_OF


def test_labels_are_sorted_by_account_and_typed(lines_labels: Labels, table_labels: Labels) -> None:
    assert lines_labels.as_of == table_labels.as_of == AS_OF
    for labels in (lines_labels, table_labels):
        accounts = labels.table["account_id"].to_pylist()
        assert accounts == sorted(accounts)
        assert labels.table.schema.types == [pa.string(), pa.int8()]


def test_a_line_that_ends_without_a_label_is_no_leaver_where_labels_are_supplied(
    table_labels: Labels,
) -> None:
    assert outcome(table_labels, "line ends, no label") == STAYED


def test_a_label_of_an_account_outside_the_population_counts_for_nothing(table_labels: Labels) -> None:
    assert outcome(table_labels, "has no line") == ABSENT
    assert outcome(table_labels, "line ended long ago") == ABSENT
    assert table_labels.table.num_rows + sum(table_labels.censored.values()) == len(BY_LABELS) + 1


@pytest.mark.parametrize("known_by", [20_099, 20_100])
def test_only_ends_that_had_reached_us_by_the_given_date_count(by_lines: Store, known_by: int) -> None:
    labels = churn_labels(by_lines, AS_OF, WINDOW, AsOf(known_by))
    assert outcome(labels, "end known long after") == (LEFT if known_by == 20_100 else STAYED)
    assert outcome(labels, "ends on the first day of the window") == LEFT


@pytest.mark.parametrize("known_by", [20_099, 20_100])
def test_only_labels_that_had_reached_us_by_the_given_date_count(by_labels: Store, known_by: int) -> None:
    labels = churn_labels(by_labels, AS_OF, WINDOW, AsOf(known_by))
    assert outcome(labels, "churn told long after") == (LEFT if known_by == 20_100 else STAYED)


def test_a_correction_counts_from_the_day_it_is_known(by_lines: Store) -> None:
    account = "the end was an error of the day"
    assert outcome(churn_labels(by_lines, AS_OF, WINDOW, AsOf(20_014)), account) == LEFT
    assert outcome(churn_labels(by_lines, AS_OF, WINDOW, AsOf(20_015)), account) == STAYED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (ended(20_006), "left before the window"),
        (ended(20_006, reason="fraud"), "left before the window"),
        (ended(20_007, reason="fraud"), "left not by choice"),
    ],
)
def test_the_reason_of_censoring_is_told(tmp_path: Path, change: Change, reason: str) -> None:
    store = store_from_tables(
        tmp_path / "store", {"lines": line_rows({"A": [[OLD, change]]})}, end_day=END_DAY
    )
    assert censored_alone(store, "A") == reason


def test_a_window_may_end_with_the_data_and_not_a_day_later(tmp_path: Path) -> None:
    lines = {"lines": line_rows({"A": [[OLD, ended(20_036)]]})}
    assert (
        churn_labels(store_from_tables(tmp_path / "a", lines, end_day=20_037), AS_OF, WINDOW).positives == 1
    )
    short = store_from_tables(tmp_path / "b", lines, end_day=20_036)
    with pytest.raises(DataError, match="label window of 2024-10-04") as told:
        churn_labels(short, AS_OF, WINDOW)
    assert str(told.value) == (
        "label window of 2024-10-04: expected an end by 2024-11-09, the end of the data, got 2024-11-10. "
        "Choose an as_of up to 2024-10-03."
    )


def test_nobody_left_is_no_positive(tmp_path: Path) -> None:
    store = store_from_tables(tmp_path / "store", {"lines": line_rows({"A": [[OLD]]})}, end_day=END_DAY)
    labels = churn_labels(store, AS_OF, WINDOW)
    assert (labels.positives, labels.censored, labels.table.num_rows) == (0, {}, 1)


# Take-ups

TAKEN, CENSORED = "taken", "censored"
HOME = (19_000, 19_000, "active", "pstn")
"""A line that keeps the account in the population."""
ProductChange = tuple[int, int, str, str]
"""valid_day, known_day, state, product."""
Signing = tuple[int, int, int | None]
"""event_day, known_day, planned_end_day of a contract on the product adsl."""


def adsl(day: int, known: int | None = None, state: str = "active") -> ProductChange:
    return (day, day if known is None else known, state, "adsl")


def signed(day: int, known: int | None = None, until: int | None = 21_000) -> Signing:
    return (day, day if known is None else known, until)


# fmt: off
TAKES: dict[str, tuple[str, Sequence[Sequence[ProductChange]], Sequence[Signing]]] = {
    # What became of the pair (account, adsl): outcome, lines, contracts.
    "nothing happens": (ABSENT, [[HOME]], []),
    "line on the first day of the window": (TAKEN, [[HOME], [adsl(20_007)]], []),
    "line on the last day of the window": (TAKEN, [[HOME], [adsl(20_036)]], []),
    "line the day after the window": (ABSENT, [[HOME], [adsl(20_037)]], []),
    "line in the gap": (CENSORED, [[HOME], [adsl(20_006)]], []),
    "line on the date": (CENSORED, [[HOME], [adsl(20_000)]], []),
    "line before the date, known late": (CENSORED, [[HOME], [adsl(19_990, 20_001)]], []),
    "line before the date, known in time": (ABSENT, [[HOME], [adsl(19_999, 20_000)]], []),
    "line known long after": (TAKEN, [[HOME], [adsl(20_010, 20_100)]], []),
    "line suspended first, active later": (
        TAKEN, [[HOME], [adsl(20_001, state="suspended"), adsl(20_010)]], []),
    "line taken and ended": (TAKEN, [[HOME], [adsl(20_010), adsl(20_020, state="ended")]], []),
    "line active by an error of the day": (
        ABSENT, [[HOME], [adsl(20_010, 20_011), adsl(20_010, 20_015, "suspended")]], []),
    "line held, another of the product in the window": (ABSENT, [[HOME], [adsl(19_000)], [adsl(20_010)]], []),
    "line ended long ago, another in the window": (
        TAKEN, [[HOME], [adsl(19_000), adsl(19_500, state="ended")], [adsl(20_010)]], []),
    "line suspended on the date, active again": (
        ABSENT, [[HOME], [adsl(19_000), adsl(19_990, state="suspended"), adsl(20_010)]], []),
    "line becomes the product": (TAKEN, [[HOME], [(19_000, 19_000, "active", "isdn"), adsl(20_010)]], []),
    "line in the gap, another in the window": (CENSORED, [[HOME], [adsl(20_003)], [adsl(20_010)]], []),
    "contract on the first day of the window": (TAKEN, [[HOME]], [signed(20_007)]),
    "contract on the last day of the window": (TAKEN, [[HOME]], [signed(20_036)]),
    "contract the day after the window": (ABSENT, [[HOME]], [signed(20_037)]),
    "contract in the gap": (CENSORED, [[HOME]], [signed(20_006)]),
    "contract in the gap, line in the window": (CENSORED, [[HOME], [adsl(20_010)]], [signed(20_003)]),
    "contract in the window, line after": (TAKEN, [[HOME], [adsl(20_050)]], [signed(20_030)]),
    "contract before the date, known late": (CENSORED, [[HOME]], [signed(19_990, 20_001)]),
    "contract runs on the date, renewed": (ABSENT, [[HOME]], [signed(19_500), signed(20_010)]),
    "contract ran out, signed again": (TAKEN, [[HOME]], [signed(19_000, until=19_500), signed(20_010)]),
    "contract and line together": (TAKEN, [[HOME], [adsl(20_012)]], [signed(20_010)]),
    "not in the population": (ABSENT, [[(19_000, 19_000, "suspended", "pstn")], [adsl(20_010)]], []),
}
# fmt: on


def take_up_tables(
    cases: dict[str, tuple[str, Sequence[Sequence[ProductChange]], Sequence[Signing]]],
) -> dict[str, pa.Table]:
    changes = [
        (f"{account}/{number}", account, *change)
        for account, (_, lines, _) in cases.items()
        for number, several in enumerate(lines)
        for change in several
    ]
    signings = [
        (f"{account}/{number}", account, "adsl", *told)
        for account, (_, _, several) in cases.items()
        for number, told in enumerate(several)
    ]
    texts, day = pa.string(), pa.int32()
    return {
        "lines": table_of(
            changes,
            {"line_id": texts, "account_id": texts, "valid_day": day, "known_day": day, "state": texts}
            | {"product_id": texts},
        ),
        "contracts": table_of(
            signings,
            {"contract_id": texts, "account_id": texts, "product_id": texts, "event_day": day}
            | {"known_day": day, "planned_end_day": day},
        ),
    }


def table_of(rows: Sequence[tuple[object, ...]], columns: dict[str, pa.DataType]) -> pa.Table:
    return pa.table(
        {name: pa.array([row[k] for row in rows], kind) for k, (name, kind) in enumerate(columns.items())}
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return store_from_tables(
        tmp_path_factory.mktemp("takes") / "store", take_up_tables(TAKES), end_day=END_DAY
    )


@pytest.fixture(scope="module")
def taken(shop: Store) -> TakeUps:
    return take_ups(shop, AS_OF, WINDOW)


def pairs(table: pa.Table) -> list[tuple[str, str]]:
    return [(row["account_id"], row["product_id"]) for row in table.to_pylist()]


def fate(found: TakeUps, account: str, product: str = "adsl") -> str:
    took, before = (account, product) in pairs(found.taken), (account, product) in pairs(found.censored)
    assert not (took and before)
    return TAKEN if took else CENSORED if before else ABSENT


@pytest.mark.parametrize("account", TAKES)
def test_a_take_up_follows_from_lines_and_contracts(taken: TakeUps, account: str) -> None:
    assert fate(taken, account) == TAKES[account][0]


def test_take_ups_are_sorted_pairs_and_each_counts_once(taken: TakeUps) -> None:
    for table in (taken.taken, taken.censored):
        assert pairs(table) == sorted(set(pairs(table)))
        assert table.schema.names == ["account_id", "product_id"]
    assert {product for _, product in pairs(taken.taken)} == {"adsl"}


@pytest.mark.parametrize("known_by", [20_099, 20_100])
def test_only_take_ups_that_had_reached_us_by_the_given_date_count(shop: Store, known_by: int) -> None:
    found = take_ups(shop, AS_OF, WINDOW, AsOf(known_by))
    assert fate(found, "line known long after") == (TAKEN if known_by == 20_100 else ABSENT)
    assert fate(found, "line on the first day of the window") == TAKEN


def test_a_correction_of_a_take_up_counts_from_the_day_it_is_known(shop: Store) -> None:
    account = "line active by an error of the day"
    assert fate(take_ups(shop, AS_OF, WINDOW, AsOf(20_014)), account) == TAKEN
    assert fate(take_ups(shop, AS_OF, WINDOW, AsOf(20_015)), account) == ABSENT


def test_a_window_of_take_ups_may_end_with_the_data_and_not_a_day_later(tmp_path: Path) -> None:
    tables = take_up_tables({"A": (TAKEN, [[HOME], [adsl(20_036)]], [])})
    assert (
        take_ups(store_from_tables(tmp_path / "a", tables, end_day=20_037), AS_OF, WINDOW).taken.num_rows == 1
    )
    with pytest.raises(DataError, match="label window of 2024-10-04: expected an end by 2024-11-09"):
        take_ups(store_from_tables(tmp_path / "b", tables, end_day=20_036), AS_OF, WINDOW)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_take_ups_read_nothing_after_their_window_or_known_after_their_limit(
    seed: int, random_store: Callable[[int], Store], tmp_path: Path
) -> None:
    store = random_store(seed)
    as_of, window = store.latest.back(100), LabelWindow(gap_days=5, horizon_days=50)
    known_by = AsOf(as_of.day + 60)
    changed = permute_future(
        store, tmp_path / "changed", event_cut=window.bounds(as_of)[1], known_cut=known_by.day, seed=seed
    )
    before, after = (take_ups(one, as_of, window, known_by) for one in (store, changed))
    assert before.taken.num_rows > 0
    assert before.taken.equals(after.taken)
    assert before.censored.equals(after.censored)


# Slices

DAYS = {name: pa.array([], pa.int32()) for name in ("event_day", "known_day")}
NO_CALLS = pa.table({"call_id": pa.array([], pa.string()), **DAYS})
NO_USAGE = pa.table({name: pa.array([], pa.string()) for name in ("line_id", "service")} | DAYS)
MakeStore = Callable[..., Store]


@pytest.fixture
def covered(tmp_path: Path) -> MakeStore:
    """A store whose calls (and usage) are covered from a date to a date."""

    def make(first: str, end: str, usage: str | None = None) -> Store:
        since = {"calls": day_of(date.fromisoformat(first))}
        tables = {"calls": NO_CALLS}
        if usage is not None:
            since["usage"] = day_of(date.fromisoformat(usage))
            tables["usage"] = NO_USAGE
        end_day = day_of(date.fromisoformat(end))
        return store_from_tables(tmp_path / "store", tables, end_day=end_day, covers_from=since)

    return make


def dates(slices: Sequence[AsOf]) -> list[str]:
    return [str(when) for when in slices]


def test_a_training_window_may_end_on_the_first_held_out_date(covered: MakeStore) -> None:
    plan = plan_slices(
        covered("2024-01-01", "2024-08-01"), LabelWindow(0, 30), train=9, holdout=1, history_days=31
    )
    assert dates(plan.train) == ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"]
    assert dates(plan.holdout) == ["2024-07-01"]


def test_a_training_window_that_ends_a_day_later_is_purged(covered: MakeStore) -> None:
    plan = plan_slices(
        covered("2024-01-01", "2024-08-01"), LabelWindow(1, 30), train=9, holdout=1, history_days=31
    )
    assert dates(plan.train) == ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]
    assert dates(plan.holdout) == ["2024-07-01"]


def test_purging_is_by_the_first_of_several_held_out_dates(covered: MakeStore) -> None:
    plan = plan_slices(
        covered("2024-01-01", "2024-08-01"), LabelWindow(0, 30), train=9, holdout=2, history_days=31
    )
    assert dates(plan.train) == ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]
    assert dates(plan.holdout) == ["2024-06-01", "2024-07-01"]


@pytest.mark.parametrize(("end", "last"), [("2024-08-01", "2024-07-01"), ("2024-07-31", "2024-06-01")])
def test_the_last_label_window_ends_by_the_end_of_the_data(covered: MakeStore, end: str, last: str) -> None:
    plan = plan_slices(covered("2024-01-01", end), LabelWindow(0, 31), train=9, holdout=1, history_days=31)
    assert dates(plan.holdout) == [last]


@pytest.mark.parametrize(("history", "first"), [(31, "2024-02-01"), (32, "2024-03-01")])
def test_a_slice_has_its_days_of_history_behind_it(covered: MakeStore, history: int, first: str) -> None:
    plan = plan_slices(
        covered("2024-01-01", "2024-08-01"), LabelWindow(0, 30), train=9, holdout=1, history_days=history
    )
    assert dates(plan.train)[0] == first


def test_the_newest_training_slices_are_kept(covered: MakeStore) -> None:
    plan = plan_slices(
        covered("2024-01-01", "2024-08-01"), LabelWindow(0, 30), train=2, holdout=1, history_days=31
    )
    assert dates(plan.train) == ["2024-05-01", "2024-06-01"]


def test_history_starts_where_every_table_of_daily_facts_is_covered(covered: MakeStore) -> None:
    store = covered("2024-01-01", "2024-08-01", usage="2024-03-15")
    assert str(AsOf(history_start(store))) == "2024-03-15"


def test_without_any_daily_facts_there_is_no_history(tmp_path: Path) -> None:
    store = store_from_tables(tmp_path / "store", {"lines": line_rows({"A": [[OLD]]})}, end_day=END_DAY)
    assert history_start(store) == END_DAY


@pytest.mark.parametrize(
    ("first", "end", "usable"), [("2024-01-01", "2024-04-01", 1), ("2024-01-01", "2024-02-01", 0)]
)
def test_too_little_data_is_told(covered: MakeStore, first: str, end: str, usable: int) -> None:
    with pytest.raises(DataError, match="usable months") as told:
        plan_slices(covered(first, end), LabelWindow(7, 30), train=6, holdout=1, history_days=31)
    assert str(told.value) == (
        "slices: expected at least one training and one held-out month with 31 days before and 37 days "
        f"after, without overlap, got {usable} usable months between {first} and {end}. Bring more months "
        "of data, or shorten label.horizon_days or slices.history_days."
    )
