"""What each shipped rule stops and what it lets pass, account by account, in both evaluations."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nbo.asof import AsOf
from nbo.features import compile_features
from nbo.offers.catalog import Offer, Product
from nbo.offers.facts import read_facts
from nbo.offers.rules import read_rules
from nbo.offers.verdicts import Context, Judge, verdict_stream
from nbo.tables.catalog import contract
from nbo.tables.contract import Words
from nbo.tables.direct import ARROW_TYPES, store_from_tables
from nbo.tables.store import Store
from nbo.workspace import Workspace

WORKSPACE = Workspace.find(Path(__file__).resolve().parents[3])
RULES = WORKSPACE.code / "serving" / "offers" / "rules.toml"
COMPILED = compile_features(WORKSPACE.feature_sets("offers"), "marketing")

DAY = 300
AS_OF = AsOf(DAY)
PLAIN = Product(
    "phs",
    "mobile",
    "functional",
    Words("PHS", "小灵通"),
    2500,
    1500,
    classes=("A", "B"),
    channels=("shop", "web"),
)
NEEDS = replace(PLAIN, product_id="adsl", requires=("pstn", "isdn"))
TARIFF = replace(PLAIN, product_id="adsl_light", kind="tariff", requires=("adsl",))
TOWER = replace(PLAIN, product_id="lan", site_types=("office_tower",))
AREA = replace(PLAIN, product_id="leased", exchange_areas=("north",))
BOTH = replace(TOWER, product_id="business_lan", exchange_areas=("north",))
OFFERS = {
    "phs": Offer.of(PLAIN),
    "adsl": Offer.of(NEEDS),
    "adsl_light": Offer.of(TARIFF),
    "lan": Offer.of(TOWER),
    "leased": Offer.of(AREA),
    "business_lan": Offer.of(BOTH),
    "shop_only": replace(Offer.of(PLAIN), offer_id="shop_only", channels=("shop",)),
    "starts_today": replace(Offer.of(PLAIN), offer_id="starts_today", starts=DAY),
    "starts_tomorrow": replace(Offer.of(PLAIN), offer_id="starts_tomorrow", starts=DAY + 1),
    "ends_today": replace(Offer.of(PLAIN), offer_id="ends_today", ends=DAY),
    "ends_tomorrow": replace(Offer.of(PLAIN), offer_id="ends_tomorrow", ends=DAY + 1),
    # 30.00 a month with 100 minutes, and 0.30 for each beyond.
    "long_talk": replace(
        Offer.of(replace(PLAIN, product_id="long_time_space", takes_over="long_distance")),
        offer_id="long_talk",
        monthly_fee_amount=3000,
        included_minutes=100.0,
        extra_minute_amount=30.0,
    ),
    "voice_plan": Offer.of(
        replace(PLAIN, product_id="voice_plan", takes_over="voice", monthly_fee_amount=3000)
    ),
    "data_plan": Offer.of(replace(PLAIN, product_id="data_plan", takes_over="data", monthly_fee_amount=3000)),
    "mobile_plan": Offer.of(
        replace(PLAIN, product_id="mobile_plan", takes_over="mobile", monthly_fee_amount=3000)
    ),
    "bundle_plan": Offer.of(
        replace(PLAIN, product_id="bundle_plan", takes_over="bundle", monthly_fee_amount=0)
    ),
    "metered_data": replace(
        Offer.of(replace(PLAIN, product_id="metered", takes_over="data", monthly_fee_amount=0)),
        offer_id="metered_data",
        extra_minute_amount=1.0,
    ),
}


@dataclass(frozen=True)
class Case:
    """An account with these rows beside an active line of PSTN, an offer, and the rule that stops it."""

    offer: str
    stopped_by: str | None
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    channel: str = "shop"
    account_class: str | None = "A"


def site(**values: Any) -> dict[str, Any]:
    return {"sites": [values]}


def ticket(kind: str, *states: str) -> dict[str, Any]:
    """A ticket that went through these states, day by day."""
    return {
        "tickets": [
            {"kind": kind, "state": state, "valid_day": 100 + day, "ticket_id": f"t-{kind}"}
            for day, state in enumerate(states)
        ]
    }


def order(product: str | None, state: str, valid_day: int = 100) -> dict[str, Any]:
    return {"orders": [{"product_id": product, "state": state, "valid_day": valid_day}]}


def consent(scope: str, *, allowed: bool, **values: Any) -> dict[str, Any]:
    return {"consents": [{"scope": scope, "allowed": allowed, **values}]}


def bills(family: str, *amounts: int) -> dict[str, Any]:
    return {"bills": [{"family": family, "bill_amount": amount, "event_day": DAY - 30} for amount in amounts]}


def talked(minutes: int, destination: str = "national", direction: str = "out") -> dict[str, Any]:
    """Minutes of calls within the last 90 days."""
    seconds = {"direction": direction, "destination": destination, "duration_seconds": 60 * minutes}
    return {"calls": [{**seconds, "event_day": DAY - 10}]}


CASES = {
    "an offer without a term of sale": Case("phs", None),
    "sold from today": Case("starts_today", None),
    "sold from tomorrow": Case("starts_tomorrow", "not_on_sale"),
    "sold until yesterday": Case("ends_today", "not_on_sale"),
    "sold until today": Case("ends_tomorrow", None),
    "another class": Case("phs", "class_matrix", account_class="D"),
    "an unknown class": Case("phs", "class_matrix", account_class=None),
    "the class B": Case("phs", None, account_class="B"),
    "another channel": Case("shop_only", "channel", channel="web"),
    "its channel": Case("shop_only", None),
    "no channel of the product": Case("phs", "channel", channel="agent"),
    "delivered anywhere, no site known": Case("phs", None),
    "no site known": Case("lan", "not_deliverable"),
    "the right kind of site": Case("lan", None, site(site_type="office_tower")),
    "another kind of site": Case("lan", "not_deliverable", site(site_type="factory")),
    "an unknown kind of site": Case("lan", "not_deliverable", site(site_type=None)),
    "the right area": Case("leased", None, site(exchange_area="north")),
    "an unknown area": Case("leased", "not_deliverable", site(site_type="office_tower")),
    "both at one site": Case("business_lan", None, site(site_type="office_tower", exchange_area="north")),
    "each at another site": Case(
        "business_lan",
        "not_deliverable",
        {"sites": [{"site_type": "office_tower"}, {"exchange_area": "north", "site_type": "factory"}]},
    ),
    "one of two sites": Case(
        "business_lan",
        None,
        {"sites": [{"site_type": "office_tower", "exchange_area": "north"}, {"site_type": "factory"}]},
    ),
    "a site that moved away": Case(
        "leased",
        "not_deliverable",
        {
            "sites": [
                {"site_id": "s1", "exchange_area": "north"},
                {"site_id": "s1", "exchange_area": "south", "valid_day": 200},
            ]
        },
    ),
    "holds it by a line": Case("phs", "already_holds", {"lines": [{"product_id": "phs", "state": "active"}]}),
    "held it once": Case("phs", None, {"lines": [{"product_id": "phs", "state": "ended"}]}),
    "holds it by a contract": Case("phs", "already_holds", {"contracts": [{"product_id": "phs"}]}),
    "holds what it needs": Case("adsl", None),
    "lacks what a tariff prices": Case("adsl_light", "needs_product"),
    "holds what a tariff prices": Case(
        "adsl_light", None, {"lines": [{"product_id": "adsl", "state": "active"}]}
    ),
    "what it needs was suspended": Case(
        "adsl_light", "needs_product", {"lines": [{"product_id": "adsl", "state": "suspended"}]}
    ),
    "ordered it": Case("phs", "open_order", order("phs", "open")),
    "got it by an order": Case("phs", None, order("phs", "done")),
    "ordered it today": Case("phs", None, order("phs", "open", valid_day=DAY)),
    "an order known today that holds from later": Case(
        "phs",
        None,
        {"orders": [{"product_id": "phs", "state": "open", "valid_day": DAY + 9, "known_day": 100}]},
    ),
    "ordered another": Case("phs", "open_order_any", order("lan", "open")),
    "ordered who knows what": Case("phs", "open_order_any", order(None, "open")),
    "cancelled another": Case("phs", None, order("lan", "cancelled")),
    "no entry of consent": Case("phs", None),
    "consents": Case("phs", None, consent("all", allowed=True)),
    "objects to all": Case("phs", "no_consent", consent("all", allowed=False)),
    "objects to this channel": Case("phs", "no_consent", consent("web", allowed=False), channel="web"),
    "objects to another channel": Case("phs", None, consent("web", allowed=False)),
    "consents to this channel, objects to all": Case(
        "phs",
        "no_consent",
        {"consents": [{"scope": "all", "allowed": False}, {"scope": "shop", "allowed": True}]},
    ),
    "objected once": Case(
        "phs",
        None,
        {
            "consents": [
                {"scope": "all", "allowed": False},
                {"scope": "all", "allowed": True, "valid_day": 200},
            ]
        },
    ),
    "an objection that was corrected later": Case(
        "phs",
        None,
        {
            "consents": [
                {"scope": "all", "allowed": False, "known_day": 120},
                {"scope": "all", "allowed": True, "known_day": 130},
            ]
        },
    ),
    "an objection that corrects": Case(
        "phs",
        "no_consent",
        {
            "consents": [
                {"scope": "all", "allowed": False, "known_day": 130},
                {"scope": "all", "allowed": True, "known_day": 120},
            ]
        },
    ),
    "an objection that had not reached us": Case(
        "phs", None, consent("all", allowed=False, known_day=DAY + 1)
    ),
    "disputes a bill": Case("phs", "open_dispute", ticket("dispute", "open")),
    "disputed a bill": Case("phs", None, ticket("dispute", "open", "closed")),
    "complains": Case("phs", "open_complaint", ticket("complaint", "open")),
    "complains again": Case("phs", "open_complaint", ticket("complaint", "open", "closed", "open")),
    "complained": Case("phs", None, ticket("complaint", "open", "closed")),
    "waits for a repair": Case("phs", "open_repair", ticket("fault", "open")),
    "was repaired": Case("phs", None, ticket("fault", "open", "closed")),
    "asks for something": Case("phs", None, ticket("request", "open")),
    "thinks of leaving": Case("phs", None, ticket("cancel_intent", "open")),
    # 30.00 for 100 minutes against a month of the bill.
    "the fee is a month of the bill": Case(
        "long_talk", None, {**bills("long_distance", 3000, 3000, 3000), **talked(300)}
    ),
    "the bill is a coin below the fee": Case(
        "long_talk", "dearer_for_same_use", {**bills("long_distance", 8999), **talked(300)}
    ),
    # 110 minutes a month: 30.00 + 10 x 0.30 = 33.00.
    "minutes beyond, within the bill": Case(
        "long_talk", None, {**bills("long_distance", 9900), **talked(330)}
    ),
    "minutes beyond, above the bill": Case(
        "long_talk", "dearer_for_same_use", {**bills("long_distance", 9899), **talked(330)}
    ),
    "minutes of local calls": Case(
        "long_talk", None, {**bills("long_distance", 9000), **talked(900, "local")}
    ),
    "minutes of calls received": Case(
        "long_talk", None, {**bills("long_distance", 9000), **talked(900, direction="in")}
    ),
    "minutes to Hong Kong": Case(
        "long_talk", "dearer_for_same_use", {**bills("long_distance", 9000), **talked(330, "hkmt")}
    ),
    "no bill of the family": Case("long_talk", "dearer_for_same_use", bills("voice", 90000)),
    "a month of the voice bill": Case("voice_plan", None, bills("voice", 9000)),
    "less than a month of the voice bill": Case("voice_plan", "dearer_for_same_use", bills("voice", 8999)),
    "a month of the data bill": Case("data_plan", None, bills("data", 9000)),
    "less than a month of the data bill": Case("data_plan", "dearer_for_same_use", bills("data", 8999)),
    "a month of the mobile bill": Case("mobile_plan", None, bills("mobile", 9000)),
    "less than a month of the mobile bill": Case("mobile_plan", "dearer_for_same_use", bills("mobile", 8999)),
    "a bill that no feature tells": Case("bundle_plan", "dearer_for_same_use", bills("bundle", 9000)),
    "minutes that no feature tells": Case("metered_data", "dearer_for_same_use", bills("data", 9000)),
    "the first rule is the verdict": Case(
        "phs", "class_matrix", ticket("dispute", "open"), account_class="X"
    ),
}
NAMES = list(CASES)


def rows_of_cases() -> dict[str, list[dict[str, Any]]]:
    """All rows, account by account; keys and days where a case does not say them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number, case in enumerate(CASES.values()):
        account = f"A{number:03d}"
        rows = {
            **case.rows,
            "accounts": [{"account_class": case.account_class}],
            "lines": [{"product_id": "pstn", "state": "active"}, *case.rows.get("lines", [])],
        }
        for name, listed in rows.items():
            made = contract(name)
            for place, row in enumerate(listed):
                days = {made.event_column: 100, "known_day": row.get(str(made.event_column), 100) + 1}
                keys = {key: f"{account}-{place}" for key in made.key if key not in made.row_key[2:]}
                told = {**days, **keys, **row, "account_id": account}
                if "ticket_id" in row or "site_id" in row:
                    told[made.key[0]] = f"{account}-{row[made.key[0]]}"
                found.setdefault(name, []).append(told)
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    tables = {}
    for name, rows in rows_of_cases().items():
        names = [column for column in contract(name).column_names if any(column in row for row in rows)]
        tables[name] = pa.table(
            {
                column: pa.array(
                    [row.get(column) for row in rows], ARROW_TYPES[contract(name).column(column).sql_type]
                )
                for column in names
            }
        )
    return store_from_tables(tmp_path_factory.mktemp("cases") / "store", tables, end_day=DAY, covers_from=0)


@pytest.fixture(scope="module")
def verdicts(store: Store) -> dict[tuple[str, str], dict[str, str | None]]:
    """By account and channel, the stopping rule of each offer, by SQL."""
    rules = read_rules(RULES, COMPILED)
    ids = [*(rule.id for rule in rules.rules), None]
    found = {}
    for channel in {case.channel for case in CASES.values()}:
        stream = verdict_stream(store, rules, tuple(OFFERS.values()), COMPILED, Context(channel, AS_OF))
        for accounts, block in stream:
            for account, row in zip(accounts, block.tolist(), strict=True):
                found[account, channel] = {name: ids[place] for name, place in zip(OFFERS, row, strict=True)}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_rule_stops_what_it_should_and_nothing_else(
    name: str, verdicts: dict[tuple[str, str], dict[str, str | None]]
) -> None:
    case, account = CASES[name], f"A{NAMES.index(name):03d}"
    assert verdicts[account, case.channel][case.offer] == case.stopped_by


def test_the_cases_are_judged_alike_one_by_one(
    store: Store, verdicts: dict[tuple[str, str], dict[str, str | None]]
) -> None:
    rules = read_rules(RULES, COMPILED)
    index = read_facts(store, rules, COMPILED, AS_OF)
    judge = Judge(rules, tuple(OFFERS.values()))
    ids = [*(rule.id for rule in rules.rules), None]
    for (account, channel), expected in verdicts.items():
        found = judge.verdicts(index.of(account), Context(channel, AS_OF)).tolist()
        assert [ids[place] for place in found] == list(expected.values())


def test_every_shipped_rule_has_a_case_that_it_stops() -> None:
    stopping = {case.stopped_by for case in CASES.values()}
    assert stopping == {None, *(rule.id for rule in read_rules(RULES, COMPILED).rules)}


def test_what_is_not_known_of_the_bill_stops_what_would_take_it_over(tmp_path: Path) -> None:
    """Bills and calls that reach back 50 days only: nobody knows the month's bill."""
    line = {"line_id": ["L"], "account_id": ["A"], "valid_day": [0], "known_day": [1], "state": ["active"]}
    account = {"account_id": ["A"], "valid_day": [0], "known_day": [1], "account_class": ["A"]}
    bill = {
        "bill_id": ["b"],
        "account_id": ["A"],
        "event_day": [DAY - 50],
        "known_day": [DAY - 49],
        "family": ["data"],
        "bill_amount": [10**6],
    }
    tables = {"lines": pa.table(line), "accounts": pa.table(account), "bills": pa.table(bill)}
    short = store_from_tables(tmp_path / "store", tables, end_day=DAY)
    rules = read_rules(RULES, COMPILED)
    context = Context("shop", AS_OF)
    [(accounts, found)] = verdict_stream(short, rules, tuple(OFFERS.values()), COMPILED, context)
    stopped = dict(
        zip(OFFERS, [rules.rules[place].id if place >= 0 else None for place in found[0]], strict=True)
    )
    assert accounts == ["A"]
    assert stopped["data_plan"] == "dearer_for_same_use"
    assert stopped["phs"] is None
