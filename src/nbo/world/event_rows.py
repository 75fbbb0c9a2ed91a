"""The event tables of a chunk as rows with the columns of the raw layout."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import date_of
from nbo.world import catalog
from nbo.world.calls import Calls
from nbo.world.columns import (
    DAY,
    NEVER,
    Ints,
    coded,
    dates,
    ids,
    known_within,
    line_ids,
    money,
    stamps,
    whole,
)
from nbo.world.config import WorldConfig
from nbo.world.contacts import PROB_UNIT
from nbo.world.life import Life
from nbo.world.money import Bills, Payments
from nbo.world.numbers import phone_numbers
from nbo.world.offers import CHANNEL_IDS, OFFER_IDS, PLAN_PAYS
from nbo.world.service import OUTCOMES
from nbo.world.state_rows import accounts_of, keys
from nbo.world.tariffs import FEES, INTERNATIONAL, RIVAL_CODE, SALES_CALL
from nbo.world.traffic import SERVICES, Settlements, Usage

DRIVERS = ["quality", "quantity", "price"]


def month_of(day: int) -> str:
    return date_of(day).strftime("%Y%m")


def call_rows(life: Life, calls: Calls, month_start: int) -> pa.Table:
    number = life.population.chunk.number * 10**7 + np.arange(len(calls))
    destination = np.where(calls.what <= INTERNATIONAL, calls.what, 0)
    destination = np.where(np.isin(calls.what, (RIVAL_CODE, SALES_CALL)), -1, destination)
    return pa.table(
        {
            "call_id": ids(month_of(month_start) + "-", number, 11),
            "account_id": accounts_of(life, calls.account),
            "line_id": line_ids(keys(life, calls.line)),
            "event_time": stamps(calls.seconds),
            "known_time": stamps(calls.known),
            "direction": coded(calls.outgoing, ["in", "out"]),
            "counterparty_id": phone_numbers(calls.counterparty, calls.prefix),
            "network_id": coded(calls.network, catalog.NETWORK_IDS),
            "access_code": coded(calls.code, catalog.CODES),
            "destination": coded(destination, catalog.DESTINATIONS),
            "duration_seconds": whole(calls.duration),
            "charge_amount": money(calls.charge),
        }
    )


def settlement_rows(life: Life, rows: Settlements, month_start: int) -> pa.Table:
    number = life.population.chunk.number * 10**7 + np.arange(len(rows.day))
    own = accounts_of(life, np.maximum(rows.account, 0))
    return pa.table(
        {
            "record_id": ids(month_of(month_start) + "-", number, 11),
            "account_id": pc.if_else(pa.array(rows.account >= 0), own, pa.scalar(None, pa.string())),
            "event_date": dates(rows.day),
            "known_time": stamps(rows.known),
            "direction": coded(rows.outgoing, ["in", "out"]),
            "counterparty_id": phone_numbers(rows.counterparty, rows.prefix),
            "network_id": coded(rows.network, catalog.NETWORK_IDS),
            "calls_count": whole(rows.calls),
            "duration_seconds": whole(rows.duration),
            "settlement_amount": money(rows.amount),
        }
    )


def usage_rows(life: Life, rows: Usage) -> pa.Table:
    return pa.table(
        {
            "account_id": accounts_of(life, rows.account),
            "line_id": line_ids(keys(life, rows.line)),
            "event_date": dates(rows.day),
            "known_time": stamps(rows.known),
            "service": coded(rows.service, SERVICES),
            "sessions_count": whole(rows.sessions),
            "data_bytes": whole(rows.data, rows.data >= 0),
            "duration_seconds": whole(rows.duration, rows.duration >= 0),
        }
    )


def bill_ids(life: Life, accounts: Ints, month_start: int) -> pa.Array:
    return ids("B" + month_of(month_start) + "-", life.population.chunk.first_account + accounts, 7)


def bill_rows(life: Life, bills: Bills, month_start: int) -> pa.Table:
    known = known_within(life.population.chunk.random(30, month_start), bills.day)
    return pa.table(
        {
            "bill_id": bill_ids(life, bills.account, month_start),
            "account_id": accounts_of(life, bills.account),
            "event_date": dates(bills.day),
            "known_time": stamps(known),
            "family": coded(bills.family, list(catalog.BILL_FAMILIES)),
            "period_start_date": dates(np.full(len(bills.day), month_start)),
            "period_end_date": dates(bills.day),
            "bill_amount": money(bills.amount),
            "direct_cost_amount": money(bills.cost),
        }
    )


def payment_rows(life: Life, payments: Payments, month_start: int) -> pa.Table:
    known = known_within(life.population.chunk.random(31, month_start), payments.day)
    first = life.population.chunk.first_account
    return pa.table(
        {
            "payment_id": ids("Y" + month_of(month_start) + "-", first + payments.account, 7),
            "account_id": accounts_of(life, payments.account),
            "event_date": dates(payments.day),
            "known_time": stamps(known),
            "bill_id": bill_ids(life, payments.account, month_start),
            "paid_amount": money(payments.amount),
            "days_late": whole(payments.late),
        }
    )


def contract_rows(life: Life, config: WorldConfig) -> pa.Table:
    """Main contracts and those on further products, numbered by day, the main one of a day last."""
    main, further = main_contracts(life, config), further_contracts(life, config)
    names = main.column_names
    rows = pa.concat_tables([main, further.select(names)])
    is_main = np.repeat([1, 0], [main.num_rows, further.num_rows])
    order = np.lexsort((is_main, rows["event_date"].cast(pa.int32()).to_numpy()))
    contract = ids("C", keys(life, np.arange(len(order))), 9)
    return rows.take(pa.array(order)).add_column(0, "contract_id", contract)


def main_contracts(life: Life, config: WorldConfig) -> pa.Table:
    rng = life.population.chunk.random(32)
    account, day, term, planned, plan, base = life.happenings.columns("contract", 6)
    inside = (day < config.end_day) & (day < life.end[account])
    account, day, term, planned, plan, base = (x[inside] for x in (account, day, term, planned, plan, base))
    level = np.exp(life.population.worth[account]) * rng.lognormal(0, 0.1, len(account))
    agreed = np.array((0.0, *PLAN_PAYS))[plan] * base
    fee = np.where(plan > 0, np.rint(agreed), np.rint(level * 6.0) * 100).astype(np.int64)
    return pa.table(
        {
            "account_id": accounts_of(life, account),
            "product_id": coded(np.where(plan > 0, catalog.GROWTH_PLAN, catalog.PSTN), catalog.PRODUCT_IDS),
            "event_date": dates(day),
            "known_time": stamps(known_within(rng, day)),
            "term_months": whole(term),
            "planned_end_date": dates(planned),
            "fee_amount": money(fee),
            "plan_kind": coded(plan - 1, ["A", "B", "C"]),
            "plan_base_amount": money(base, plan > 0),
        }
    )


def further_contracts(life: Life, config: WorldConfig) -> pa.Table:
    """What was signed on further products; it reaches us within a day."""
    takes = life.takes
    inside = (takes.day < config.end_day) & (takes.day < life.end[takes.account])
    account, day, product = takes.account[inside], takes.day[inside], takes.product[inside]
    term, nothing = takes.term[inside], np.full(len(account), -1)
    known = known_within(life.population.chunk.random(44), day, high_hours=24)
    return pa.table(
        {
            "account_id": accounts_of(life, account),
            "product_id": coded(product, catalog.PRODUCT_IDS),
            "event_date": dates(day),
            "known_time": stamps(known),
            "term_months": whole(term, term >= 0),
            "planned_end_date": dates(takes.planned[inside]),
            "fee_amount": money(FEES[product]),
            "plan_kind": coded(nothing, ["A", "B", "C"]),
            "plan_base_amount": money(nothing, nothing >= 0),
        }
    )


def contact_rows(life: Life, config: WorldConfig) -> pa.Table:
    columns = life.happenings.columns("contact", 8)
    inside = (columns[1] >= config.first_day) & (columns[1] < config.end_day)
    account, day, offer, channel, outcome, heard, arm, prob = (x[inside] for x in columns)
    return pa.table(
        {
            "contact_id": ids("K", keys(life, np.flatnonzero(inside)), 9),
            "account_id": accounts_of(life, account),
            "event_date": dates(day),
            "known_time": stamps(known_within(life.population.chunk.random(33), day)),
            "treatment": coded(offer, OFFER_IDS),
            "channel": coded(channel, CHANNEL_IDS),
            "arm": coded(arm, catalog.ARMS),
            "logging_prob": pa.array(prob / PROB_UNIT),
            "outcome": coded(outcome, OUTCOMES),
            "outcome_known_date": dates(np.where(heard >= NEVER, NEVER, np.maximum(heard, day + 1))),
        }
    )


def survey_rows(life: Life, config: WorldConfig) -> pa.Table:
    account, day, own, rival, network, driver = life.happenings.columns("survey", 6)
    inside = (day >= config.first_day) & (day < config.end_day) & (day < life.end[account])
    number = np.flatnonzero(inside)
    account, day, own, rival, network, driver = (
        x[inside] for x in (account, day, own, rival, network, driver)
    )
    return pa.table(
        {
            "survey_id": ids("V", keys(life, number), 9),
            "account_id": accounts_of(life, account),
            "event_date": dates(day),
            "known_time": stamps(day * DAY + 20 * 3600),
            "satisfaction": whole(own),
            "rival_satisfaction": whole(rival),
            "network_id": coded(network, catalog.NETWORK_IDS),
            "driver": coded(driver, DRIVERS),
        }
    )
