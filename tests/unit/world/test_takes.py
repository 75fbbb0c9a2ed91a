"""Products taken during the run: who may, on which terms, and what follows from it."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest

from nbo.world import TUNING, Tuning, WorldConfig
from nbo.world import catalog as cat
from nbo.world.calls import draw_calls
from nbo.world.columns import NEVER
from nbo.world.life import Life, live
from nbo.world.money import bill, service_fees
from nbo.world.population import NEW_CUSTOMER_DAYS
from nbo.world.state import Happenings
from nbo.world.takes import MainContracts, Spells, Takes
from nbo.world.tariffs import DIAL_UP
from nbo.world.wants import CLASS_ALLOWED, COLUMN, IS_BROADBAND, NEEDS, SITE_ALLOWED, WANTED, monthly_rates

CONFIG = WorldConfig(accounts=500, months=8, seed=5)
EAGER = replace(TUNING, take_rate=3.0, contact_per_week=0.0, contact_random_per_week=0.0)
LAUNCH = CONFIG.month_starts[TUNING.newcomer_month - 1]
EVERYTHING = np.ones(len(WANTED), dtype=bool)


def one_life(tuning: Tuning) -> Life:
    return live(CONFIG.chunks[0], CONFIG, tuning)


@pytest.fixture(scope="module")
def life() -> Life:
    """A chunk that takes three times as much as usual, so that every rule is met often."""
    return one_life(EAGER)


@pytest.fixture(scope="module")
def taken(life: Life) -> Takes:
    """What was signed during the run."""
    during = life.takes.day >= CONFIG.first_day
    columns = ("account", "product", "day", "term", "planned")
    return replace(life.takes, **{name: getattr(life.takes, name)[during] for name in columns})


def columns_of(products: np.ndarray) -> np.ndarray:
    return np.array([COLUMN[cat.PRODUCT_IDS[product]] for product in products])


def rates(held: tuple[str, ...] = (), growing: float = 0.0, account_class: int = 0) -> dict[str, float]:
    """Rates of one account with an appetite of 1 % a month for everything."""
    holds = np.isin(np.arange(len(WANTED)), [COLUMN[product] for product in held])[None, :]
    appetite = np.full((1, len(WANTED)), np.log(0.01))
    classes = np.array([account_class])
    found = monthly_rates(appetite, holds, np.array([growing]), classes, EVERYTHING, TUNING)
    return dict(zip(COLUMN, found[0].tolist(), strict=True))


def test_what_is_held_is_not_taken_again_and_pulls_the_next() -> None:
    assert rates(("conference", "leased"))["conference"] == 0
    more = rates(("conference", "leased"))["video"] / rates(("leased",))["video"]
    assert more == pytest.approx(np.exp(2.2))


@pytest.mark.parametrize(("product", "needed"), [("sky_wing", "lan"), ("video", "business_adsl")])
def test_some_products_need_another(product: str, needed: str) -> None:
    assert rates()[product] == 0 and rates(("phs",))[product] == 0
    assert rates((needed,))[product] > 0


def test_a_second_broadband_line_is_seldom_wanted() -> None:
    assert rates(("leased",))["lan"] == pytest.approx(rates()["lan"] * TUNING.take_second_broadband)
    assert rates(("leased",))["phs"] == rates()["phs"]


def test_growth_pulls_what_grows_with_the_business() -> None:
    assert rates(growing=1.0)["phs"] == pytest.approx(rates()["phs"] * np.exp(1.5))
    assert rates(growing=1.0)["stock_link"] == rates()["stock_link"]


@pytest.mark.parametrize(
    ("letter", "denied"),
    [
        ("A", set()),
        ("B", {"video", "group_mobile"}),
        ("C", {"video", "group_mobile", "toll_free_800", "conference"}),
        ("D", {"video", "group_mobile", "toll_free_800", "conference", "business_link"}),
        ("X", set()),
    ],
)
def test_classes_get_what_the_domain_tables_allow(letter: str, denied: set[str]) -> None:
    found = rates(("business_adsl",), account_class=cat.ACCOUNT_CLASSES.index(letter))
    assert {product for product, rate in found.items() if rate == 0} == denied | {"business_adsl"}


def test_no_rate_is_above_the_most() -> None:
    appetite = np.full((1, len(WANTED)), 9.0)
    held = np.zeros((1, len(WANTED)), dtype=bool)
    found = monthly_rates(appetite, held, np.ones(1), np.zeros(1, dtype=np.int64), EVERYTHING, TUNING)
    assert found.max() == TUNING.take_most_per_month


def test_takes_respect_the_class_of_their_day_and_the_site(life: Life, taken: Takes) -> None:
    people, owner, column = life.population, taken.account, columns_of(taken.product)
    assert len(column) > 300 and len(np.unique(column)) > 15
    assert SITE_ALLOWED[people.site_type[owner], column].all()
    # Signed again = of an earlier class; and the class is that of the week's first day.
    new = taken.day < people.join[owner] + NEW_CUSTOMER_DAYS + 7
    allowed = CLASS_ALLOWED[np.where(new, 4, people.account_class[owner]), column]
    allowed |= CLASS_ALLOWED[people.account_class[owner], column]
    takes = life.takes
    for n in np.flatnonzero(~allowed):
        same = (takes.account == owner[n]) & (takes.product == taken.product[n])
        assert takes.day[same].min() < people.join[owner[n]] + NEW_CUSTOMER_DAYS + 7
    assert allowed.mean() > 0.98 and not CLASS_ALLOWED[people.account_class[owner], column].all()


def test_the_newcomer_is_sold_from_its_month_and_only_beside_broadband(life: Life) -> None:
    takes, lines = life.takes, life.lines
    sold = takes.product == cat.SKY_WING
    assert sold.sum() > 10 and takes.day[sold].min() >= LAUNCH
    assert lines.start[lines.product == cat.SKY_WING].min() > LAUNCH
    needed = WANTED[dict(NEEDS)[COLUMN["sky_wing"]]]
    connected = set(lines.account[np.isin(lines.product, needed)].tolist())
    assert set(takes.account[sold].tolist()) <= connected


def test_nothing_is_taken_before_joining_or_after_deciding_to_leave(life: Life, taken: Takes) -> None:
    owner = taken.account
    assert (taken.day >= life.population.join[owner]).all()
    mains = set(zip(*(c.tolist() for c in life.happenings.columns("contract", 5)[:2]), strict=True))
    fresh = np.array([pair not in mains for pair in zip(owner.tolist(), taken.day.tolist(), strict=True)])
    assert (life.decided < NEVER).sum() > 20
    assert (taken.day[fresh] < life.decided[owner[fresh]]).all()
    assert (taken.day[fresh] < life.gone[owner[fresh]]).all()


def test_nobody_takes_anything_without_a_rate() -> None:
    still = one_life(replace(TUNING, take_rate=1e-12))
    assert not len(still.takes.day) and not len(still.takes.spells.since)
    assert np.isin(still.orders.product, cat.PSTN).all() and len(still.orders.day) > 10


def test_a_contract_ends_with_the_main_contract_in_force_on_its_day(raw: Callable[[str], pa.Table]) -> None:
    rows = raw("contracts").to_pylist()
    mains = [row for row in rows if row["product_id"] in ("pstn", "growth_plan")]
    newest: dict[str, list[dict[str, object]]] = {}
    for row in sorted(mains, key=lambda row: (row["event_date"], row["contract_id"])):
        newest.setdefault(row["account_id"], []).append(row)
    further = [row for row in rows if row["product_id"] not in ("pstn", "growth_plan")]
    bound = 0
    for row in further:
        signed = [m for m in newest.get(row["account_id"], []) if m["event_date"] <= row["event_date"]]
        runs = bool(signed) and signed[-1]["planned_end_date"] >= row["event_date"]  # type: ignore[operator]
        expected = (signed[-1]["planned_end_date"], signed[-1]["term_months"]) if runs else (None, None)
        assert (row["planned_end_date"], row["term_months"]) == expected
        bound += runs
    assert bound > 50 and len(further) - bound > 50


def test_of_the_contracts_of_one_day_the_main_one_is_the_last(raw: Callable[[str], pa.Table]) -> None:
    days: dict[tuple[str, object], list[tuple[str, bool]]] = {}
    for row in raw("contracts").to_pylist():
        main = row["product_id"] in ("pstn", "growth_plan")
        days.setdefault((row["account_id"], row["event_date"]), []).append((row["contract_id"], main))
    mixed = [rows for rows in days.values() if 0 < sum(main for _, main in rows) < len(rows)]
    assert len(mixed) > 5
    assert all(max(rows)[1] for rows in mixed)


def test_what_hangs_on_a_main_contract_is_signed_again_or_runs_out() -> None:
    # So many takes that some fall into the week of a new main contract, before it and after it.
    life = one_life(replace(TUNING, take_rate=40.0))
    takes, mains = life.takes, MainContracts.of(life.happenings)
    signed = set(zip(mains.account.tolist(), mains.day.tolist(), strict=True))
    spells: list[list[int]] = []
    again = 0
    services = ~np.isin(takes.product, cat.LINE_PRODUCTS)
    for row in np.flatnonzero(services)[np.lexsort((takes.day[services], takes.product[services]))]:
        account, product, day = int(takes.account[row]), int(takes.product[row]), int(takes.day[row])
        until = min(int(takes.planned[row]), NEVER - 1) + 1
        before = [n for n, spell in enumerate(spells) if spell[:2] == [account, product]]
        if before and day < spells[before[-1]][3] + 7 and (account, day) in signed:
            assert day > spells[before[-1]][2]
            spells[before[-1]][3] = until
            again += 1
        else:
            spells.append([account, product, day, until])
    found = np.column_stack(
        [takes.spells.account, takes.spells.product, takes.spells.since, takes.spells.until]
    )
    assert sorted(spells) == sorted(found.tolist())
    assert again > 20 and (takes.spells.until < CONFIG.end_day).sum() > 20


def test_a_line_is_ordered_signed_for_and_started_days_later(life: Life, taken: Takes) -> None:
    orders, lines = life.orders, life.lines
    wanted = orders.product != cat.PSTN
    done, dropped = wanted & orders.done, wanted & ~orders.done
    assert done.sum() > 100 and dropped.sum() > 5
    signed = set(zip(taken.account.tolist(), taken.product.tolist(), taken.day.tolist(), strict=True))
    started = set(zip(lines.account.tolist(), lines.product.tolist(), lines.start.tolist(), strict=True))
    for n in np.flatnonzero(done):
        who = int(orders.account[n]), int(orders.product[n])
        assert (*who, int(orders.day[n])) in signed and (*who, int(orders.closed[n])) in started
        assert 2 <= orders.closed[n] - orders.day[n] <= 20
    for n in np.flatnonzero(dropped):
        assert (int(orders.account[n]), int(orders.product[n]), int(orders.day[n])) not in signed


def test_lines_stay_sorted_and_no_voice_line_is_taken(life: Life) -> None:
    calm = one_life(replace(TUNING, take_rate=1e-12))
    assert (np.diff(life.lines.account) >= 0).all()
    assert life.lines.voice.sum() == calm.lines.voice.sum()
    first = np.searchsorted(life.lines.account, np.arange(life.population.count))
    assert (life.lines.product[first] == cat.PSTN).all()


def test_dial_up_ends_where_broadband_begins(life: Life) -> None:
    days = np.arange(CONFIG.month_starts[6], CONFIG.month_starts[7])
    moved = life.population.dial_up & (life.takes.broadband_from < days[0]) & (life.end > days[-1])
    assert moved.sum() > 10
    calls = draw_calls(life, days, 6, EAGER)
    sessions = np.bincount(calls.account[calls.what == DIAL_UP], minlength=life.population.count)
    assert not sessions[moved].any() and sessions.any()


def test_a_contract_on_ip_voice_is_used(life: Life) -> None:
    days = np.arange(CONFIG.month_starts[7], CONFIG.end_day)
    calls = draw_calls(life, days, 7, EAGER)
    without = life.population.ip_share == 0
    codes = (cat.OWN_IP, cat.OWN_CARD)
    by_ip = np.bincount(calls.account[np.isin(calls.code, codes)], minlength=life.population.count)
    signed = (life.takes.ip_from < days[0]) & (life.takes.card_from >= NEVER)
    assert by_ip[without & signed].sum() > 50 and not by_ip[without & (life.takes.ip_from >= NEVER)].any()


def test_a_service_is_billed_for_the_days_held(life: Life) -> None:
    days = np.arange(CONFIG.month_starts[1], CONFIG.month_starts[2])
    fee = cat.PRODUCTS[cat.PRODUCT_IDS.index("change_at_will")].fee
    product = np.full(3, cat.PRODUCT_IDS.index("change_at_will"))
    whole = np.flatnonzero(life.end > days[-1])[:3]
    since = np.array([days[0] - 9, days[0] + 10, days[0] - 40])
    until = np.array([NEVER, NEVER, days[0]])
    held = replace(life, takes=replace(life.takes, spells=Spells(whole, product, since, until)))
    found = service_fees(held, days, 1)
    expected = [fee, round(fee * (len(days) - 10) / len(days)), 0]
    assert found[whole, 0].tolist() == expected and found.sum() == sum(expected)


def test_no_service_is_billed_after_the_account_ended(life: Life) -> None:
    days = np.arange(CONFIG.month_starts[4], CONFIG.month_starts[5])
    ended = np.flatnonzero((life.end > days[0]) & (life.end <= days[-1]))[:1]
    product = np.full(1, cat.PRODUCT_IDS.index("change_at_will"))
    spells = Spells(ended, product, np.array([days[0] - 9]), np.array([NEVER]))
    held = replace(life, takes=replace(life.takes, spells=spells))
    served = int(life.end[ended[0]] - days[0])
    assert service_fees(held, days, 4).sum() == round(cat.PRODUCTS[product[0]].fee * served / len(days))


def test_services_appear_in_the_bills_of_their_family(life: Life) -> None:
    days = np.arange(CONFIG.month_starts[3], CONFIG.month_starts[4])
    calls = draw_calls(life, days, 3, EAGER)
    empty = np.empty(0, dtype=np.int64)
    bare = replace(life, takes=replace(life.takes, spells=Spells(empty, empty, empty, empty)))
    by_family = []
    for one in (life, bare):
        bills, _ = bill(one, calls, days, 3)
        by_family.append(np.bincount(bills.family, bills.amount, minlength=4))
    more = (by_family[0] - by_family[1]).tolist()
    assert more == service_fees(life, days, 3).sum(axis=0).tolist()
    assert more[0] > 0 and more[1] == more[2] == 0 and more[3] > 0


def test_takes_do_not_depend_on_other_chunks_or_on_chance_twice() -> None:
    bigger = WorldConfig(accounts=700, months=8, seed=5)
    one, other = one_life(TUNING).takes, live(bigger.chunks[0], bigger, TUNING).takes
    for column in (f.name for f in fields(Takes) if f.name != "spells"):
        assert np.array_equal(getattr(one, column), getattr(other, column))
    assert len(one.day) > 100


def test_of_several_main_contracts_the_newest_in_force_counts() -> None:
    happenings = Happenings()
    rows = [(1, 100, 12, 465, 0, 0), (1, 300, 24, 1030, 1, 9), (2, 50, 6, 232, 0, 0)]
    happenings.add("contract", *(np.array(column) for column in zip(*rows, strict=True)))
    accounts = np.array([0, 1, 1, 1, 1, 2, 2])
    days = np.array([200, 99, 299, 300, 1031, 232, 233])
    term, planned = MainContracts.of(happenings).terms(accounts, days)
    assert term.tolist() == [-1, -1, 12, 24, -1, 6, -1]
    assert planned.tolist() == [NEVER, NEVER, 465, 1030, NEVER, 232, NEVER]


def test_without_a_main_contract_terms_are_open() -> None:
    term, planned = MainContracts.of(Happenings()).terms(np.array([0, 1]), np.array([5, 6]))
    assert term.tolist() == [-1, -1] and planned.tolist() == [NEVER, NEVER]


def test_wants_name_functional_products_that_exist() -> None:
    assert len(set(WANTED.tolist())) == len(WANTED)
    assert all(cat.PRODUCTS[product].kind == "functional" for product in WANTED)
    assert not np.isin(WANTED, cat.VOICE_PRODUCTS).any() and IS_BROADBAND.sum() == 7
