"""Potential outcomes: they agree with the world that was written, and an action changes what it should."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from nbo.errors import UsageError
from nbo.world import TUNING, Scenario, WorldConfig
from nbo.world.columns import NEVER
from nbo.world.life import Life, live
from nbo.world.margins import expected_margin
from nbo.world.offers import CHANNEL_IDS, OFFER_IDS
from nbo.world.scenario import TariffChange
from nbo.world.state import Forced
from nbo.world.truth import (
    NOTHING_DONE,
    Action,
    Outcomes,
    course_before,
    life_under,
    potential_outcomes,
    wallets,
)

CONFIG = WorldConfig(accounts=500, months=8, seed=5)
MANY = replace(TUNING, contact_per_week=0.05, contact_random_per_week=0.02)
AS_OF = CONFIG.month_starts[4]
HORIZON = CONFIG.end_day - AS_OF
DEARER = TariffChange(from_day=0, long_distance=1.25)
CARE = Action("care_call", "call_centre")
SALE = Action("extra_line", "call_centre")


@pytest.fixture(scope="module")
def life() -> Life:
    return live(CONFIG.chunks[0], CONFIG, MANY)


def outcomes(*actions: Action, **options: object) -> Outcomes:
    told = {"horizon_days": HORIZON, "tuning": MANY, **options}
    return potential_outcomes(CONFIG, AS_OF, actions, **told)  # type: ignore[arg-type]


def week_of(life: Life, day: int) -> tuple[int, int]:
    first = life.first_day + int(life.weeks_of(np.array([day]))[0]) * 7
    return first, first + 7


def test_the_action_that_was_taken_has_the_outcome_that_was_written(life: Life) -> None:
    account, when, offer, channel, *_ = life.happenings.columns("contact", 8)
    first, after = week_of(life, AS_OF)
    now = (when >= first) & (when < after) & (offer > 0)
    assert now.sum() > 10
    checked = 0
    for pair in sorted(set(zip(offer[now].tolist(), channel[now].tolist(), strict=True))):
        mine = np.flatnonzero(now & (offer == pair[0]) & (channel == pair[1]))
        found = outcomes(Action(OFFER_IDS[pair[0]], CHANNEL_IDS[pair[1]]))
        place = {name: row for row, name in enumerate(found.account_ids.tolist())}
        written = expected_margin(life, first, CONFIG.end_day) / 100
        for one in account[mine].tolist():
            row = place[f"A{one:07d}"]
            left = life.leave[one] < min(CONFIG.end_day, int(life.gone[one]))
            assert found.leaves[row, 0] == left
            assert found.margin[row, 0] == pytest.approx(written[one], rel=1e-12)
            checked += 1
    assert checked == now.sum()


def test_who_was_left_alone_has_the_outcome_of_nothing_done(life: Life) -> None:
    first, after = week_of(life, AS_OF)
    account, when, *_ = life.happenings.columns("contact", 8)
    touched = set(account[(when >= first) & (when < after)].tolist())
    found = outcomes(NOTHING_DONE)
    rows = [row for row, name in enumerate(found.account_ids) if int(name[1:]) not in touched]
    ones = np.array([int(found.account_ids[row][1:]) for row in rows])
    left = life.leave[ones] < np.minimum(CONFIG.end_day, life.gone[ones])
    assert len(rows) > 300 and 10 < left.sum() < 200
    assert (found.leaves[rows, 0] == left).all()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_life_left_to_the_operator_is_the_one_that_was_written(seed: int) -> None:
    """Also where it is lived to another day than the written one."""
    config = WorldConfig(accounts=500, months=8, seed=seed)
    as_of, end = config.month_starts[3], config.month_starts[6]
    before = course_before(config.chunks[0], config, MANY, as_of, end)
    n = before.state.count
    left_alone = Forced(as_of, np.full(n, -1), np.zeros(n, dtype=np.int64))
    again, written = life_under(before, left_alone, 0, end), live(config.chunks[0], config, MANY)
    assert (again.leak == written.leak[:, : again.leak.shape[1]]).all()
    assert ((again.leave < end) == (written.leave < end)).all()
    days = (config.month_starts[3], config.month_starts[5])
    still = written.leave >= end + 150  # decided later, so nothing fades yet
    assert np.allclose(expected_margin(again, *days)[still], expected_margin(written, *days)[still])


def test_the_future_of_an_action_does_not_reach_back(life: Life) -> None:
    found = outcomes(NOTHING_DONE, CARE, lucks=(0, 1, 2))
    alive = (life.population.join <= AS_OF) & (life.end > AS_OF)
    free = alive & ((life.decided > AS_OF) & (life.gone == NEVER) | (life.decided == NEVER))
    assert len(found.account_ids) <= alive.sum() and len(found.account_ids) > 0.8 * free.sum()


def test_care_holds_the_service_minded_and_selling_drives_off_those_who_need_little() -> None:
    strong = replace(MANY, contact_harm=6.0, leave_by_contact=0.05)
    found = outcomes(NOTHING_DONE, CARE, SALE, lucks=range(1, 5), tuning=strong)
    attitude = live(CONFIG.chunks[0], CONFIG, strong).population.attitude
    mine = attitude[[int(name[1:]) for name in found.account_ids]]
    harmed = (found.leaves[:, 2] - found.leaves[:, 0])[mine == 3]
    spared = (found.leaves[:, 2] - found.leaves[:, 0])[mine == 4]
    assert harmed.mean() > 0.02 and harmed.mean() > 2 * abs(spared.mean())


def test_without_effects_every_action_ends_alike_but_for_its_cost() -> None:
    none = replace(MANY, contact_effect=0.0, contact_harm=0.0, fatigue=0.0, contact_per_week=0.0)
    found = outcomes(NOTHING_DONE, Action("loyalty_gift", "web"), lucks=(1, 2), tuning=none)
    cost = found.margin[:, 0] - found.margin[:, 1]
    same = found.leaves[:, 0] == found.leaves[:, 1]
    # A gift lifts the mood a little, so a few fates change; everyone else differs by web and gift costs.
    assert same.mean() > 0.9
    expected = 0.2 + 200 * found.accepts[:, 1]
    assert np.isclose(cost, expected, atol=0.01)[same].mean() > 0.9


def test_the_margin_of_a_year_is_that_of_its_halves(life: Life) -> None:
    whole = expected_margin(life, AS_OF, AS_OF + 84)
    halves = expected_margin(life, AS_OF, AS_OF + 42) + expected_margin(life, AS_OF + 42, AS_OF + 84)
    assert np.allclose(whole, halves)


def test_other_lucks_differ_and_the_same_luck_does_not() -> None:
    one, again, other = (outcomes(NOTHING_DONE, lucks=(luck,)) for luck in (1, 1, 2))
    assert (one.leaves == again.leaves).all() and (one.margin == again.margin).all()
    assert (one.margin != other.margin).mean() > 0.9


def test_the_table_has_a_row_for_each_account_and_action() -> None:
    found = outcomes(NOTHING_DONE, CARE)
    table = found.table()
    assert table.num_rows == 2 * len(found.account_ids)
    assert table.column_names[:3] == ["account_id", "offer", "channel"]
    nothing = table.filter(pc.equal(table["offer"], "none"))
    assert pc.max(nothing["p_accept"]).as_py() == 0 and nothing["channel"].null_count == nothing.num_rows


def test_wallets_hold_what_leaked() -> None:
    table = wallets(CONFIG, AS_OF, tuning=MANY)
    far = table.filter(pc.equal(table["family"], "long_distance"))
    lost, named = far["rival_amount"].to_numpy(), far["rival"].is_valid().to_numpy()
    assert named.sum() > 20 and (lost[named] >= 0).all() and not lost[~named].any()
    ours = far["leak_at_own_tariff_amount"].to_numpy()
    assert (ours >= lost).all() and (ours[named] > lost[named]).sum() > 10
    near = table.filter(pc.equal(table["family"], "voice"))
    substituted = near["rival"].to_pylist()
    assert {
        name for name, amount in zip(substituted, near["rival_amount"].to_pylist(), strict=True) if amount
    } == {"mobile"}
    share = far["wallet_share"].drop_null().to_numpy()
    assert ((share >= 0) & (share <= 1)).all() and (share < 0.9).sum() > 10


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"as_of": CONFIG.end_day}, r"as_of: expected a day of the run"),
        ({"actions": ()}, r"expected an action, a horizon of a day, and a luck of 0 or above"),
        ({"lucks": (-1,)}, r"expected an action, a horizon of a day, and a luck of 0 or above"),
        ({"horizon_days": 0}, r"expected an action, a horizon of a day, and a luck of 0 or above"),
    ],
)
def test_what_cannot_be_asked_is_refused(changed: dict[str, object], told: str) -> None:
    asked = {"as_of": AS_OF, "actions": (NOTHING_DONE,), **changed}
    with pytest.raises(UsageError, match=told):
        potential_outcomes(CONFIG, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("day", [CONFIG.first_day - 1, CONFIG.end_day])
def test_wallets_of_a_day_outside_the_run_are_refused(day: int) -> None:
    with pytest.raises(UsageError, match=r"as_of: expected a day of the run"):
        wallets(CONFIG, day)


def test_wallets_do_not_follow_the_day_of_the_week_or_our_own_prices() -> None:
    monday = AS_OF - (AS_OF + 3) % 7
    spent = [pc.sum(wallets(CONFIG, day, tuning=MANY)["own_amount"]).as_py() for day in (monday, monday + 5)]
    assert spent[0] == pytest.approx(spent[1], rel=0.02)
    dearer = replace(CONFIG, scenario=Scenario(name="x", description="x", tariff_changes=(DEARER,)))
    lost = [
        pc.sum(wallets(config, monday, tuning=replace(MANY, bite_by_tariff=0.0))["rival_amount"]).as_py()
        for config in (CONFIG, dearer)
    ]
    assert lost[0] == pytest.approx(lost[1], rel=1e-9) and lost[0] > 0


def test_an_action_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match=r"channel: expected none for the offer none, got 'web'"):
        Action("none", "web")
    with pytest.raises(UsageError, match=r"offer: expected one of none, growth_plan_a, .*, got 'gold'"):
        Action("gold", "web")


def test_nobody_in_the_product_names_the_truth() -> None:
    root = Path(__file__).resolve().parents[3]
    folders = [root / name for name in ("src/nbo", "training", "features", "serving")]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        assert "nbo.world.truth" not in names, path
