"""Each verb against SQL written by hand over raw rows: no buckets, no roll-up, no shared code.

``T`` stands for the decision day, ``S`` for the visibility rule of an event table and ``L`` for that of a
change log. Every query gives ``account_id, value`` for the accounts that have one; ``missing`` is the value
of the others.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from nbo.features import Bands, FeatureSet, Words, compile_features, days, table
from nbo.features.build import feature_rows
from nbo.features.spec import Declared
from nbo.tables.store import Store

calls, usage, bills = table("calls"), table("usage"), table("bills")
lines, tickets, contacts = table("lines"), table("tickets"), table("contacts")
out = calls.where(direction="out")
RECENCY = Bands(
    "recency", Words("recency", "最近通话"), (3, 8), (Words("a", "甲"), Words("b", "乙"), Words("c", "丙"))
)

RIVAL = (
    "(network_id IN (SELECT network_id FROM networks WHERE kind = 'rival' AND known_day <= T) OR access_code IN "
    "(SELECT c.access_code FROM access_codes c JOIN networks n ON n.network_id = c.network_id AND n.kind = 'rival' "
    "AND n.known_day <= T WHERE c.valid_day < T AND c.known_day <= T AND c.state = 'active' AND NOT EXISTS "
    "(SELECT 1 FROM access_codes d WHERE d.access_code = c.access_code AND d.valid_day < T AND d.known_day <= T "
    "AND (d.valid_day > c.valid_day OR (d.valid_day = c.valid_day AND d.known_day > c.known_day)))))"
)
NEWEST_LINES = (
    "(SELECT * FROM lines a WHERE L AND NOT EXISTS (SELECT 1 FROM lines b WHERE b.line_id = a.line_id AND "
    "b.valid_day < T AND b.known_day <= T AND (b.valid_day > a.valid_day OR "
    "(b.valid_day = a.valid_day AND b.known_day > a.known_day))))"
)
WEEKS = (
    "(SELECT account_id, sum(y) AS p, list(y ORDER BY w) AS ys FROM (SELECT a.account_id, w, "
    "coalesce(sum(duration_seconds), 0) AS y FROM (SELECT DISTINCT account_id FROM calls WHERE S AND event_day >= "
    "T - 56 AND direction = 'out') a CROSS JOIN range(8) r(w) LEFT JOIN calls c ON c.account_id = a.account_id AND "
    "c.direction = 'out' AND c.event_day < T - 7 * w AND c.event_day >= T - 7 * (w + 1) AND c.known_day <= T "
    "GROUP BY ALL) GROUP BY ALL HAVING sum(y) > 0)"
)
"""Seconds out of each account that has any: in all, and by week, the last one first."""
CUSUM = (
    f"(SELECT account_id, k, d, max(round(abs(d), 12)) OVER (PARTITION BY account_id) = round(abs(d), 12) AS far "
    f"FROM (SELECT account_id, k, list_sum(ys[:k]) / p - k / 8.0 AS d FROM {WEEKS} CROSS JOIN range(1, 8) q(k)))"
)
"""What the last k weeks have beyond an even spread, and whether no other k has more of it either way."""
AT_ONCE = (
    "(SELECT a.account_id, count(*)::DOUBLE AS n FROM calls a JOIN calls b ON a.account_id = b.account_id AND "
    "a.event_day < T AND b.event_day < T AND a.event_day >= T - 90 AND b.event_day >= T - 90 AND a.known_day <= T AND "
    "b.known_day <= T AND a.duration_seconds > 0 AND b.duration_seconds > 0 AND "
    "86400 * b.event_day + b.event_second <= 86400 * a.event_day + a.event_second AND "
    "86400 * b.event_day + b.event_second + b.duration_seconds > 86400 * a.event_day + a.event_second "
    "GROUP BY a.account_id, a.call_id)"
)
"""For each call how many, itself included, go on at the instant when it begins."""
AT = (
    "(SELECT DISTINCT account_id, building_id FROM sites a WHERE L AND building_id IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM sites b WHERE b.site_id = a.site_id AND b.valid_day < T AND b.known_day <= T AND "
    "(b.valid_day > a.valid_day OR (b.valid_day = a.valid_day AND b.known_day > a.known_day))))"
)

WALLETS = (
    "(SELECT account_id, coalesce(r, 0.0) AS r, c, nullif(m, 0) AS m, coalesce(b, 0.0) AS b FROM (SELECT DISTINCT "
    "account_id FROM lines) LEFT JOIN (SELECT account_id, sum(duration_seconds) FILTER (WHERE destination <> 'local') "
    "+ 0.0 AS r, sum(charge_amount) FILTER (WHERE destination = 'local') + 0.0 AS c, sum(duration_seconds) FILTER "
    "(WHERE destination = 'local') AS m FROM calls WHERE S AND event_day >= T - 90 AND direction = 'out' GROUP BY 1) "
    "USING (account_id) LEFT JOIN (SELECT account_id, sum(bill_amount) + 0.0 AS b FROM bills WHERE S AND "
    "event_day >= T - 90 GROUP BY 1) USING (account_id))"
)
"""Of each account over 90 days: seconds far away, charge and seconds of local calls, bills."""
ELSEWHERE = "CASE WHEN r > 0 THEN r * c / m ELSE 0.0 END"
NEWEST_TARIFFS = (
    "(SELECT * FROM tariffs a WHERE L AND NOT EXISTS (SELECT 1 FROM tariffs b WHERE b.network_id = a.network_id AND "
    "b.destination = a.destination AND b.valid_day < T AND b.known_day <= T AND (b.valid_day > a.valid_day OR "
    "(b.valid_day = a.valid_day AND b.known_day > a.known_day))))"
)
OWNERS = (
    "(SELECT number_id, account_id AS o FROM lines a WHERE L AND number_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
    "lines b WHERE b.number_id = a.number_id AND b.valid_day < T AND b.known_day <= T AND "
    "(b.valid_day, b.known_day, b.line_id) > (a.valid_day, a.known_day, a.line_id)))"
)
TALKS = (
    "(SELECT account_id AS a, o AS b, count(*) / sum(count(*)) OVER (PARTITION BY account_id) AS w FROM calls JOIN "
    f"{OWNERS} ON number_id = counterparty_id WHERE S AND event_day >= T - 90 AND account_id <> o GROUP BY 1, 2)"
)
"""Who calls with whose lines over 90 days, and which share of the account's calls with our lines that is."""
LOST = "(SELECT DISTINCT account_id AS l FROM lines WHERE L AND valid_day >= T - 90 AND state = 'ended' AND reason = 'price')"


def rated(prices: str) -> str:
    """What outgoing calls of 90 days would save at these prices by destination."""
    return (
        "SELECT account_id, 1 - sum(ceil(duration_seconds / 60.0) * price) / sum(charge_amount) FROM calls JOIN "
        f"({prices}) USING (destination) WHERE S AND event_day >= T - 90 AND direction = 'out' GROUP BY 1 "
        "HAVING sum(charge_amount) > 0"
    )


lost = lines.where(state="ended", reason="price")
far, near = out.where(destination=["national", "hkmt", "international"]), out.where(destination="local")


@dataclass(frozen=True)
class Case:
    """A declaration of one feature, its name, and its definition in plain SQL; how far floats may differ."""

    declared: Declared
    name: str
    sql: str
    missing: object = None
    within: float = 1e-12


CASES: Sequence[Case] = [
    Case(
        out.count(over=days(30)),
        "calls_out_count_30d",
        "SELECT account_id, count(*) FROM calls WHERE S AND event_day >= T - 30 AND direction = 'out' GROUP BY 1",
        0,
    ),
    Case(
        calls.where(destination=["national", "hkmt"]).sum("minutes", over=days(90)),
        "calls_national_hkmt_minutes_sum_90d",
        "SELECT account_id, sum(duration_seconds) / 60.0 FROM calls WHERE S AND event_day >= T - 90 "
        "AND (destination = 'national' OR destination = 'hkmt') GROUP BY 1",
        0.0,
    ),
    Case(
        bills.sum("bill_amount", over=days(92)),
        "bills_bill_amount_sum_92d",
        "SELECT account_id, sum(bill_amount) FROM bills WHERE S AND event_day >= T - 92 GROUP BY 1",
        0,
    ),
    Case(
        out.mean("minutes", over=days(60)),
        "calls_out_minutes_mean_60d",
        "SELECT account_id, avg(duration_seconds) / 60.0 FROM calls WHERE S AND event_day >= T - 60 "
        "AND direction = 'out' GROUP BY 1",
    ),
    Case(
        usage.where(service="broadband").max("megabytes", over=days(45)),
        "usage_broadband_megabytes_max_45d",
        "SELECT account_id, max(data_bytes) / 1000000.0 FROM usage WHERE S AND event_day >= T - 45 "
        "AND service = 'broadband' GROUP BY 1 HAVING count(data_bytes) > 0",
    ),
    Case(
        calls.distinct("counterparty_id", over=days(7)),
        "calls_counterparty_id_distinct_7d",
        "SELECT account_id, count(DISTINCT counterparty_id) FROM calls WHERE S AND event_day >= T - 7 GROUP BY 1",
        0,
    ),
    Case(
        out.where(counterparty="rival").distinct("counterparty_id", over=days(90)),
        "calls_out_rival_counterparty_id_distinct_90d",
        "SELECT account_id, count(DISTINCT counterparty_id) FROM calls WHERE S AND event_day >= T - 90 "
        f"AND direction = 'out' AND {RIVAL} GROUP BY 1",
        0,
    ),
    Case(
        calls.where(length="failed").count(over=days(60)).share_of(calls),
        "calls_failed_count_60d_share_of_all",
        "SELECT account_id, avg(CASE WHEN duration_seconds = 0 THEN 1.0 ELSE 0.0 END) FROM calls WHERE S AND "
        "event_day >= T - 60 GROUP BY 1",
    ),
    Case(
        out.where(time=["evening", "night"], length="long").count(over=days(90)),
        "calls_out_evening_night_long_count_90d",
        "SELECT account_id, count(*) FROM calls WHERE S AND event_day >= T - 90 AND direction = 'out' AND "
        "(event_second < 28800 OR event_second >= 64800) AND duration_seconds >= 600 GROUP BY 1",
        0,
    ),
    Case(
        calls.where(time="weekend").sum("minutes", over=days(30)),
        "calls_weekend_minutes_sum_30d",
        "SELECT account_id, sum(duration_seconds) / 60.0 FROM calls WHERE S AND event_day >= T - 30 AND "
        "dayofweek(DATE '1970-01-01' + event_day) IN (0, 6) GROUP BY 1",
        0.0,
    ),
    Case(
        out.distinct("counterparty_id", over=days(30)).new(),
        "calls_out_counterparty_id_distinct_30d_new",
        "SELECT account_id, count(DISTINCT counterparty_id) FROM calls a WHERE S AND event_day >= T - 30 AND "
        "direction = 'out' AND NOT EXISTS (SELECT 1 FROM calls b WHERE b.account_id = a.account_id AND "
        "b.counterparty_id = a.counterparty_id AND b.direction = 'out' AND b.known_day <= T AND "
        "b.event_day < T - 30 AND b.event_day >= T - 60) GROUP BY 1",
        0,
    ),
    Case(
        calls.distinct("counterparty_id", over=days(20)).lost(),
        "calls_counterparty_id_distinct_20d_lost",
        "SELECT account_id, count(DISTINCT counterparty_id) FROM calls a WHERE S AND event_day < T - 20 AND "
        "event_day >= T - 40 AND NOT EXISTS (SELECT 1 FROM calls b WHERE b.account_id = a.account_id AND "
        "b.counterparty_id = a.counterparty_id AND b.known_day <= T AND b.event_day >= T - 20 AND "
        "b.event_day < T) GROUP BY 1",
        0,
    ),
    Case(
        out.distinct("line_id", over=days(15)).lost_share(),
        "calls_out_line_id_distinct_15d_lost_share",
        "SELECT account_id, avg(CASE WHEN now THEN 0.0 ELSE 1.0 END) FROM (SELECT account_id, line_id, "
        "bool_or(event_day >= T - 15) AS now, bool_or(event_day < T - 15) AS before FROM calls WHERE S AND "
        "event_day >= T - 30 AND direction = 'out' AND line_id IS NOT NULL GROUP BY 1, 2) WHERE before GROUP BY 1",
    ),
    Case(
        out.distinct("counterparty_id", over=days(30)).kept(),
        "calls_out_counterparty_id_distinct_30d_kept",
        "SELECT account_id, sum(now * before) / count(*) FROM (SELECT account_id, counterparty_id, "
        "max(CASE WHEN event_day >= T - 30 THEN 1.0 ELSE 0.0 END) AS now, "
        "max(CASE WHEN event_day < T - 30 THEN 1.0 ELSE 0.0 END) AS before FROM calls WHERE S AND "
        "event_day >= T - 60 AND direction = 'out' AND counterparty_id IS NOT NULL GROUP BY 1, 2) GROUP BY 1",
    ),
    Case(
        out.concentration("counterparty_id", over=days(90)),
        "calls_out_counterparty_id_concentration_90d",
        "SELECT account_id, sum(n * n) / (sum(n) * sum(n)) FROM (SELECT account_id, counterparty_id, "
        "CAST(count(*) AS DOUBLE) AS n FROM calls WHERE S AND event_day >= T - 90 AND direction = 'out' AND "
        "counterparty_id IS NOT NULL GROUP BY 1, 2) GROUP BY 1",
    ),
    Case(
        out.entropy("counterparty_id", over=days(90)),
        "calls_out_counterparty_id_entropy_90d",
        "SELECT account_id, entropy(counterparty_id) * ln(2) FROM calls WHERE S AND event_day >= T - 90 AND "
        "direction = 'out' AND counterparty_id IS NOT NULL GROUP BY 1",
        within=1e-9,
    ),
    Case(
        calls.top_share("counterparty_id", over=days(30)),
        "calls_counterparty_id_top_share_30d",
        "SELECT account_id, max(n) / sum(n) FROM (SELECT account_id, counterparty_id, CAST(count(*) AS DOUBLE) "
        "AS n FROM calls WHERE S AND event_day >= T - 30 AND counterparty_id IS NOT NULL GROUP BY 1, 2) GROUP BY 1",
    ),
    Case(
        calls.where(counterparty="rival").sum("minutes", over=days(90)).share_of(calls),
        "calls_rival_minutes_sum_90d_share_of_all",
        f"SELECT account_id, coalesce(sum(duration_seconds) FILTER (WHERE {RIVAL}), 0) / sum(duration_seconds)"
        " FROM calls WHERE S AND event_day >= T - 90 GROUP BY 1 HAVING sum(duration_seconds) > 0",
    ),
    Case(
        calls.where(counterparty="unicom").count(over=days(90)),
        "calls_unicom_count_90d",
        "SELECT account_id, count(*) FROM calls WHERE S AND event_day >= T - 90 AND (network_id = 'unicom' OR "
        "access_code IN (SELECT access_code FROM (SELECT *, row_number() OVER (PARTITION BY access_code ORDER BY "
        "valid_day DESC, known_day DESC) AS r FROM access_codes WHERE L) c WHERE r = 1 AND state = 'active' AND "
        "network_id = 'unicom')) GROUP BY 1",
        0,
    ),
    Case(
        far.sum("minutes", over=days(90)).priced_like(near),
        "calls_out_national_hkmt_international_minutes_sum_90d_priced_like_out_local",
        f"SELECT account_id, {ELSEWHERE} FROM {WALLETS}",
        0.0,
    ),
    Case(
        bills.sum("bill_amount", over=days(90)).wallet(far, like=near),
        "bills_bill_amount_sum_90d_wallet_calls_out_national_hkmt_international",
        f"SELECT account_id, b + {ELSEWHERE} FROM {WALLETS}",
        0.0,
    ),
    Case(
        bills.sum("bill_amount", over=days(90)).wallet_share(far, like=near),
        "bills_bill_amount_sum_90d_wallet_share_calls_out_national_hkmt_international",
        f"SELECT account_id, b / (b + {ELSEWHERE}) FROM {WALLETS} WHERE b + {ELSEWHERE} > 0",
    ),
    Case(
        table("bills")
        .sum("bill_amount", over=days(92))
        .beyond(table("contracts").attribute("plan_base_amount")),
        "bills_bill_amount_sum_92d_beyond_contracts_plan_base_amount",
        "SELECT account_id, greatest(b - x, 0) / nullif(b, 0) FROM (SELECT account_id, CAST(sum(bill_amount) AS "
        "DOUBLE) AS b FROM bills WHERE S AND event_day >= T - 92 GROUP BY 1) JOIN (SELECT account_id, "
        "arg_max_null(plan_base_amount, (event_day, known_day, contract_id)) AS x FROM contracts "
        "WHERE S GROUP BY 1) USING (account_id) WHERE b IS NOT NULL AND x IS NOT NULL",
    ),
    Case(
        out.sum("charge_amount", over=days(90)).price_gap("unicom"),
        "calls_out_charge_amount_sum_90d_price_gap_unicom",
        rated(
            f"SELECT destination, minute_amount AS price FROM {NEWEST_TARIFFS} WHERE network_id = 'unicom' AND "
            "minute_amount IS NOT NULL"
        ),
    ),
    Case(
        out.sum("charge_amount", over=days(90)).price_gap("rival"),
        "calls_out_charge_amount_sum_90d_price_gap_rival",
        rated(
            f"SELECT destination, min(minute_amount) AS price FROM {NEWEST_TARIFFS} JOIN (SELECT network_id FROM "
            "networks WHERE kind = 'rival' AND known_day <= T) USING (network_id) WHERE minute_amount IS NOT NULL "
            "GROUP BY 1"
        ),
    ),
    Case(
        out.days_since("last", over=days(90)),
        "calls_out_days_since_last_90d",
        "SELECT account_id, T - max(event_day) FROM calls WHERE S AND event_day >= T - 90 AND direction = 'out' "
        "GROUP BY 1",
    ),
    Case(
        tickets.where(kind="complaint", state="open").days_since("first", over=days(200)),
        "tickets_complaint_open_days_since_first_200d",
        "SELECT account_id, T - min(valid_day) FROM tickets WHERE L AND valid_day >= T - 200 AND "
        "kind = 'complaint' AND state = 'open' GROUP BY 1",
    ),
    Case(
        out.sum("minutes", over=days(30)).trend(),
        "calls_out_minutes_sum_30d_trend",
        "SELECT account_id, (n - b) / (n + b) FROM (SELECT account_id, "
        "coalesce(sum(duration_seconds) FILTER (WHERE event_day >= T - 30), 0) AS n, "
        "coalesce(sum(duration_seconds) FILTER (WHERE event_day < T - 30), 0) AS b "
        "FROM calls WHERE S AND event_day >= T - 60 AND direction = 'out' GROUP BY 1) WHERE n + b > 0",
    ),
    Case(
        lines.now.where(state="active").count(),
        "lines_active_count_now",
        f"SELECT account_id, count(*) FILTER (WHERE state = 'active') FROM {NEWEST_LINES} GROUP BY 1",
        0,
    ),
    Case(
        table("accounts").attribute("industry"),
        "accounts_industry",
        "SELECT account_id, industry FROM accounts a WHERE L AND NOT EXISTS (SELECT 1 FROM accounts b WHERE "
        "b.account_id = a.account_id AND b.valid_day < T AND b.known_day <= T AND (b.valid_day > a.valid_day OR "
        "(b.valid_day = a.valid_day AND b.known_day > a.known_day)))",
    ),
    Case(
        table("contracts").days_until("planned_end_day"),
        "contracts_planned_end_day_days_until",
        "SELECT account_id, planned_end_day - T FROM (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY "
        "event_day DESC, known_day DESC, contract_id DESC) AS r FROM contracts WHERE S) WHERE r = 1",
    ),
    Case(
        contacts.where(outcome=["refused", "not_reached"]).count(over=days(120)),
        "contacts_refused_not_reached_count_120d",
        "SELECT account_id, count(*) FROM contacts WHERE S AND event_day >= T - 120 AND outcome_known_day <= T "
        "AND outcome IN ('refused', 'not_reached') GROUP BY 1",
        0,
    ),
    Case(
        out.sum("minutes", over=days(56)).slope(),
        "calls_out_minutes_sum_56d_slope",
        "SELECT account_id, regr_slope(ys[w + 1], -w) / (p / 8) FROM "
        f"{WEEKS} CROSS JOIN range(8) q(w) GROUP BY account_id, p",
    ),
    Case(
        out.sum("minutes", over=days(56)).cusum(),
        "calls_out_minutes_sum_56d_cusum",
        f"SELECT account_id, max(d) FROM {CUSUM} WHERE far GROUP BY 1",
    ),
    Case(
        out.sum("minutes", over=days(56)).cusum_days(),
        "calls_out_minutes_sum_56d_cusum_days",
        f"SELECT account_id, 7 * min(k) FROM {CUSUM} WHERE far AND abs(d) > 1e-12 GROUP BY 1",
    ),
    Case(
        out.sum("minutes", over=days(56)).burstiness(),
        "calls_out_minutes_sum_56d_burstiness",
        f"SELECT account_id, (s - m) / (s + m) FROM (SELECT account_id, list_stddev_pop(ys) AS s, p / 8 AS m FROM {WEEKS})",
    ),
    Case(
        out.sum("minutes", over=days(56)).ewma_gap(),
        "calls_out_minutes_sum_56d_ewma_gap",
        "SELECT account_id, (ys[1] - e) / (ys[1] + e) FROM (SELECT account_id, any_value(ys) AS ys, "
        f"sum(ys[w + 2] * 0.7 ** w) / sum(0.7 ** w) AS e FROM {WEEKS} CROSS JOIN range(7) q(w) GROUP BY 1)",
    ),
    Case(
        out.count(over=days(28)).zero_streak(),
        "calls_out_count_28d_zero_streak",
        "SELECT account_id, (T - 1 - max(event_day)) // 7 FROM calls WHERE S AND event_day >= T - 28 AND "
        "direction = 'out' GROUP BY 1",
        4,
    ),
    Case(
        out.sum("minutes", over=days(60)).share_beside(calls.where(direction="in")),
        "calls_out_minutes_sum_60d_share_beside_in",
        "SELECT account_id, coalesce(sum(duration_seconds) FILTER (WHERE direction = 'out'), 0) / sum(duration_seconds) "
        "FROM calls WHERE S AND event_day >= T - 60 AND direction IS NOT NULL GROUP BY 1 HAVING sum(duration_seconds) > 0",
    ),
    Case(
        out.count(over=days(60)).trend_against(calls.where(direction="in")),
        "calls_out_count_60d_trend_against_in",
        "SELECT account_id, (a - b) / (a + b) - (c - d) / (c + d) FROM (SELECT account_id, "
        "count(*) FILTER (WHERE direction = 'out' AND event_day >= T - 60) AS a, "
        "count(*) FILTER (WHERE direction = 'out' AND event_day < T - 60) AS b, "
        "count(*) FILTER (WHERE direction = 'in' AND event_day >= T - 60) AS c, "
        "count(*) FILTER (WHERE direction = 'in' AND event_day < T - 60) AS d "
        "FROM calls WHERE S AND event_day >= T - 120 GROUP BY 1) WHERE a + b > 0 AND c + d > 0",
    ),
    Case(
        calls.steepest_fall("line_id", over=days(40)),
        "calls_line_id_steepest_fall_40d",
        "SELECT account_id, greatest(max(b - n), 0) / sum(b) FROM (SELECT account_id, "
        "count(*) FILTER (WHERE event_day >= T - 40) AS n, count(*) FILTER (WHERE event_day < T - 40) AS b "
        "FROM calls WHERE S AND event_day >= T - 80 AND line_id IS NOT NULL GROUP BY account_id, line_id) GROUP BY 1 "
        "HAVING sum(b) > 0",
    ),
    Case(
        lines.now.where(state="active").distinct("product_id"),
        "lines_active_product_id_distinct_now",
        f"SELECT account_id, count(DISTINCT product_id) FILTER (WHERE state = 'active') FROM {NEWEST_LINES} GROUP BY 1",
        0,
    ),
    Case(
        out.count(over=days(30)).neighbours("building_id"),
        "calls_out_count_30d_neighbours_building_id",
        f"SELECT a.account_id, avg(CASE WHEN EXISTS (SELECT 1 FROM calls WHERE S AND event_day >= T - 30 AND "
        f"direction = 'out' AND account_id = b.account_id) THEN 1.0 ELSE 0.0 END) FROM {AT} a JOIN {AT} b "
        "ON a.building_id = b.building_id AND a.account_id <> b.account_id GROUP BY 1",
    ),
    Case(
        calls.degree(over=days(90)),
        "calls_degree_90d",
        f"SELECT a, count(DISTINCT b) FROM {TALKS} GROUP BY 1",
        0,
    ),
    Case(
        lost.count(over=days(90)).neighbours(calls.graph(over=days(90))),
        "lines_ended_price_count_90d_neighbours_calls_90d",
        f"SELECT a, count(l) / count(*) FROM {TALKS} LEFT JOIN {LOST} ON l = b GROUP BY 1",
    ),
    Case(
        lost.count(over=days(90)).spread(calls.graph(over=days(90))),
        "lines_ended_price_count_90d_spread_calls_90d",
        f"WITH t AS {TALKS}, w1 AS (SELECT a, b, w FROM t), w2 AS (SELECT t.a, w1.b, t.w * w1.w AS w FROM t JOIN w1 ON "
        "w1.a = t.b), w3 AS (SELECT t.a, w2.b, t.w * w2.w AS w FROM t JOIN w2 ON w2.a = t.b), "
        f"w AS (SELECT a, b, w * 4 / 7 AS w FROM w1 UNION ALL SELECT a, b, w * 2 / 7 FROM w2 UNION ALL SELECT a, b, w / 7 "
        f"FROM w3) SELECT a, coalesce(sum(w) FILTER (WHERE l IS NOT NULL), 0.0) FROM w LEFT JOIN {LOST} ON l = b GROUP BY 1",
        within=1e-8,
    ),
    Case(
        calls.pagerank(over=days(90)),
        "calls_pagerank_90d",
        f"WITH RECURSIVE t AS {TALKS}, m AS (SELECT 0 AS k, a AS x, 1::DOUBLE AS m FROM (SELECT a FROM t UNION SELECT b "
        "FROM t) UNION ALL SELECT k + 1, b, sum(m * w) FROM m JOIN t ON a = x WHERE k < 10 GROUP BY ALL) "
        "SELECT x, 0.15 * sum(0.85 ** k * m) FROM m GROUP BY 1",
        0.15,
        1e-7,
    ),
    Case(
        out.count(over=days(15)).stage(),
        "calls_out_count_15d_stage",
        "SELECT account_id, CASE WHEN a = 0 THEN 5 WHEN b = 0 AND c = 0 THEN 1 WHEN b = 0 THEN 6 "
        "WHEN a / (a + b) > 0.55 THEN 2 WHEN a / (a + b) < 0.45 THEN 4 ELSE 3 END FROM (SELECT account_id, "
        "count(*) FILTER (WHERE event_day >= T - 15) AS a, "
        "count(*) FILTER (WHERE event_day < T - 15 AND event_day >= T - 30) AS b, "
        "count(*) FILTER (WHERE event_day < T - 30) AS c "
        "FROM calls WHERE S AND event_day >= T - 45 AND direction = 'out' GROUP BY 1)",
        0,
    ),
    Case(
        out.sum("minutes", over=days(60)).mix("destination"),
        "calls_out_minutes_sum_60d_mix_destination",
        "SELECT account_id, coalesce(max(CASE WHEN s > p / 2 THEN k END), 0) FROM (SELECT account_id, "
        "list_position(['local', 'national', 'hkmt', 'international'], destination) AS k, sum(duration_seconds) AS s, "
        "sum(sum(duration_seconds)) OVER (PARTITION BY account_id) AS p FROM calls WHERE S AND "
        "event_day >= T - 60 AND direction = 'out' GROUP BY account_id, destination) WHERE p > 0 GROUP BY 1",
    ),
    Case(
        bills.count(over=days(92)).structure("family", ["voice", "data", "mobile"]),
        "bills_count_92d_structure_family",
        "SELECT account_id, max((family = 'voice')::INT) + 2 * max((family = 'data')::INT) + "
        "4 * max((family = 'mobile')::INT) FROM bills WHERE S AND event_day >= T - 92 GROUP BY 1",
        0,
    ),
    Case(
        calls.days_since("last", over=days(60)).banded(RECENCY),
        "calls_days_since_last_60d_recency",
        "SELECT account_id, (T - max(event_day) >= 3)::INT + (T - max(event_day) >= 8)::INT FROM calls WHERE S "
        "AND event_day >= T - 60 GROUP BY 1",
    ),
    Case(
        calls.peak(over=days(90)),
        "calls_peak_90d",
        f"SELECT account_id, max(n) FROM {AT_ONCE} GROUP BY 1",
        0,
    ),
    Case(
        calls.peak(over=days(90)).per("line_id"),
        "calls_peak_90d_per_line_id",
        f"SELECT account_id, max(n) / (SELECT count(DISTINCT line_id) FROM calls WHERE S AND event_day >= T - 90 "
        f"AND account_id = o.account_id) FROM {AT_ONCE} o GROUP BY 1",
    ),
    Case(
        calls.where(counterparty="rival_sales_line").count(over=days(90)),
        "calls_rival_sales_line_count_90d",
        "SELECT account_id, count(*) FROM calls WHERE S AND event_day >= T - 90 AND access_code IN (SELECT "
        "access_code FROM (SELECT *, row_number() OVER (PARTITION BY access_code ORDER BY valid_day DESC, "
        "known_day DESC) AS r FROM access_codes WHERE L) c WHERE r = 1 AND state = 'active' AND use = 'sales_line' "
        "AND network_id IN (SELECT network_id FROM networks WHERE kind = 'rival' AND known_day <= T)) GROUP BY 1",
        0,
    ),
]


def by_hand(store: Store, sql: str, day: int) -> dict[str, object]:
    """Run one plain query at a date."""
    rules = {"S": "event_day < T AND known_day <= T", "L": "valid_day < T AND known_day <= T"}
    text = re.sub(r"\b(S|L)\b", lambda match: f"({rules[match[0]]})", sql)
    text = re.sub(r"\bT\b", str(day), text)
    with store.connect() as engine:
        found = engine.query(text)
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_verb_gives_what_its_plain_definition_gives(
    case: Case, random_store: Callable[[int], Store]
) -> None:
    compiled = compile_features([FeatureSet("one", Words("One", "一"), [case.declared])])
    assert compiled.names == (case.name,)
    store = random_store(5)
    for back in (5, 40):
        as_of = store.latest.back(back)
        rows = feature_rows(store, compiled, as_of)
        expected = by_hand(store, case.sql, as_of.day)
        found = dict(zip(rows["account_id"].to_pylist(), rows[case.name].to_pylist(), strict=True))
        assert len(found) > 8
        assert any(account in expected for account in found)
        for account, value in found.items():
            wanted = expected.get(account, case.missing)
            assert value == (
                pytest.approx(wanted, rel=case.within, abs=case.within)
                if isinstance(wanted, float)
                else wanted
            ), account
