"""Declarations: checked, named, told in words, refused where they must be."""

import json

import pytest

from nbo.asof import days
from nbo.errors import DataError, LeakageError, UsageError
from nbo.features import (
    TENURE,
    Bands,
    CompiledFeatures,
    FeatureSet,
    Words,
    compile_features,
    find_feature,
    table,
)
from nbo.features.spec import Declared

calls, lines, contacts = table("calls"), table("lines"), table("contacts")


def compiled(*declared: Declared, purpose: str = "retention") -> CompiledFeatures:
    return compile_features([FeatureSet("some", Words("Some", "一些"), declared)], purpose)


def test_names_say_source_conditions_column_verb_and_window() -> None:
    out = calls.where(direction="out")
    far = out.where(destination=["national", "international"])
    rivals = out.where(counterparty="rival")
    names = compiled(
        out.sum("minutes", over=days(30)),
        rivals.sum("minutes", over=days(30)).share_of(far),
        far.count(over=days(7)).trend(),
        rivals.days_since("last", over=days(90)),
        lines.now.where(state="active").count(),
        table("accounts").attribute("industry"),
    ).names
    assert names == (
        "calls_out_minutes_sum_30d",
        "calls_out_rival_minutes_sum_30d_share_of_out_national_international",
        "calls_out_national_international_count_7d_trend",
        "calls_out_rival_days_since_last_90d",
        "lines_active_count_now",
        "accounts_industry",
    )


def test_equal_declarations_have_equal_hashes_and_different_ones_do_not() -> None:
    one, again = compiled(calls.count(over=days(7))), compiled(calls.count(over=days(7)))
    other = compiled(calls.count(over=days(8)))
    assert one == again
    assert one.hash != other.hash


def test_a_changed_json_is_refused() -> None:
    content = json.loads(json.dumps(compiled(calls.count(over=days(7))).to_json()))
    content["sql"] += " "
    with pytest.raises(DataError, match="compiled features: expected content with hash"):
        CompiledFeatures.from_json(content)
    with pytest.raises(DataError, match="expected features, sql, purpose and hash"):
        CompiledFeatures.from_json({})


def test_a_feature_declared_twice_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"calls_count_7d: two features of this name\. Declare each feature once"
    ):
        compiled(calls.count(over=days(7)), calls.count(over=days(7)))


def test_two_families_of_one_name_are_refused() -> None:
    families = [
        FeatureSet("calls", Words("Calls", "通话"), [table("calls").count(over=days(n))]) for n in (7, 30)
    ]
    with pytest.raises(UsageError, match=r"calls: two families of this name\. Put it there once, or"):
        compile_features(families)


def test_columns_barred_for_a_purpose_are_refused_by_name() -> None:
    settled = table("interconnect").sum("minutes", over=days(30))
    assert compiled(settled).names == ("interconnect_minutes_sum_30d",)
    with pytest.raises(
        LeakageError,
        match=r"interconnect\.account_id: expected a column permitted for marketing, got one permitted for "
        r"retention, service, e\.g\. interconnect_minutes_sum_30d\. Take the feature out of",
    ):
        compiled(settled, purpose="marketing")


@pytest.mark.parametrize(
    ("declared", "where"),
    [
        (lambda: table("labels").count(over=days(30)), "labels"),
        (lambda: table("labels").where(kind="churn").count(over=days(30)), "labels.account_id"),
        (lambda: contacts.attribute("logging_prob"), "contacts.logging_prob"),
    ],
)
def test_what_feeds_no_feature_is_refused(declared: object, where: str) -> None:
    with pytest.raises(LeakageError, match=rf"{where}.*got one permitted for no feature"):
        compiled(declared())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: table("cals"), r"cals: no such table; did you mean calls"),
        (lambda: calls.sum("minuts", over=days(7)), r"calls\.minuts: no such column; did you mean minutes\?"),
        (lambda: calls.where(direction="outt"), r"calls\.direction: unknown code 'outt'; did you mean out"),
        (lambda: calls.where(directon="out"), r"calls\.directon: no such column; did you mean direction"),
        (lambda: calls.where(direction=[]), r"calls\.direction: expected at least one value, got none"),
        (lambda: calls.where(counterparty=3), r"calls\.counterparty: expected a class"),
        (lambda: lines.where(counterparty="rival"), r"lines: expected a table with a counterparty"),
        (
            lambda: calls.where(duration_seconds="0"),
            r"calls\.duration_seconds: expected whole numbers, got '0'",
        ),
        (lambda: calls.where(call_id="c"), r"calls\.call_id: expected a code or count column, got key"),
        (
            lambda: calls.sum("direction", over=days(7)),
            r"calls\.direction: expected a summable column, got a code",
        ),
        (
            lambda: calls.distinct("minutes", over=days(7)),
            r"calls\.minutes: expected a key or code, got seconds",
        ),
        (
            lambda: calls.where(time="noon"),
            r"calls\.time: expected one of office_hours, evening, night, weekend, got 'noon'",
        ),
        (
            lambda: table("tickets").where(length="short"),
            r"tickets\.length: expected a table with duration_seconds, got length='short'",
        ),
        (
            lambda: calls.concentration("minutes", over=days(7)),
            r"calls\.minutes: expected a key or code, got seconds",
        ),
        (
            lambda: calls.count(over=days(7)).new(),
            r"new: expected distinct values over a window, got count",
        ),
        (
            lambda: calls.sum("minutes", over=days(7)).kept(),
            r"kept: expected distinct values over a window, got sum",
        ),
        (
            lambda: calls.sum("minutes", over=days(30)).cusum(),
            r"cusum: expected a window of whole weeks, 4 or more, got 30 days",
        ),
        (
            lambda: calls.count(over=days(21)).zero_streak(),
            r"zero_streak: expected a window of whole weeks, 4 or more, got 21 days",
        ),
        (
            lambda: calls.max("minutes", over=days(28)).slope(),
            r"slope: expected a count or sum over a window, got max",
        ),
        (
            lambda: calls.sum("minutes", over=days(30)).beyond(table("contracts").attribute("fee_amount")),
            r"beyond: expected a sum of money over a window, got sum",
        ),
        (
            lambda: table("bills").sum("bill_amount", over=days(92)).beyond(table("contracts")),
            r"beyond: expected an amount such as contracts\.attribute\(.*\), got rows of contracts without",
        ),
        (
            lambda: table("bills").sum("bill_amount", over=days(92)).beyond(calls.count(over=days(7))),
            r"beyond: expected an amount such as .*, got a feature \(count\)",
        ),
        (
            lambda: calls.sum("minutes", over=days(30)).price_gap("rival"),
            r"price_gap: expected a sum of charge_amount over a window, got sum",
        ),
        (
            lambda: table("bills").sum("bill_amount", over=days(90)).price_gap("rival"),
            r"price_gap: expected a sum of charge_amount over a window, got sum",
        ),
        (
            lambda: calls.sum("charge_amount", over=days(30)).price_gap("rival_access_code"),
            r"price_gap: expected own, rival, other or a network id, got 'rival_access_code'",
        ),
        (
            lambda: calls.sum("charge_amount", over=days(30)).price_gap("china-unicom"),
            r"calls\.counterparty: expected a class \(.*\) or a network id, got 'china-unicom'",
        ),
        (
            lambda: calls.count(over=days(30)).neighbours("site_id"),
            r"neighbours: expected a place such as building_id or exchange_area, got 'site_id'",
        ),
        (
            lambda: calls.count(over=days(30)).neighbours("bilding_id"),
            r"sites\.bilding_id: no such column; did you mean building_id",
        ),
        (
            lambda: calls.sum("minutes", over=days(30)).neighbours("building_id"),
            r"neighbours: expected a count over a window, got sum",
        ),
        (
            lambda: calls.count(over=days(30)).neighbours(calls),  # type: ignore[arg-type]
            r"neighbours: expected a graph such as calls\.graph\(over=days\(90\)\), got rows of calls",
        ),
        (
            lambda: calls.count(over=days(30)).spread("building_id"),  # type: ignore[arg-type]
            r"spread: expected a graph such as calls\.graph\(over=days\(90\)\), got 'building_id'",
        ),
        (
            lambda: calls.sum("minutes", over=days(30)).spread(calls.graph(over=days(90))),
            r"spread: expected a count over a window, got sum",
        ),
        (
            lambda: calls.graph(over=days(30, 90)),
            r"graph: expected one window, such as over=days\(90\), got 2",
        ),
        (
            lambda: table("bills").degree(over=days(90)),
            r"bills\.degree: expected a table with counterparty_id, such as calls",
        ),
        (
            lambda: calls.sum("minutes", over=days(30)).share_beside(table("bills")),
            r"bills\.minutes: no such column",
        ),
        (
            lambda: calls.max("minutes", over=days(30)).stage(),
            r"stage: expected a count or sum over a window, got max",
        ),
        (
            lambda: table("usage").peak(over=days(30)),
            r"usage\.peak: expected a table with event_second, such as calls",
        ),
        (
            lambda: calls.count(over=days(30)).per("line_id"),
            r"per: expected a peak, got count",
        ),
        (
            lambda: calls.count(over=days(30)).mix("destinaton"),
            r"calls\.destinaton: no such column; did you mean destination",
        ),
        (
            lambda: calls.count(over=days(30)).mix("line_id"),
            r"calls\.line_id: expected two or more of a column with codes, got 'line_id'",
        ),
        (
            lambda: calls.count(over=days(30)).structure("destination", ["local", "moon"]),
            r"calls\.destination: expected two or more of local, .*, got \['local', 'moon'\]",
        ),
        (
            lambda: calls.count(over=days(30)).trend().banded(TENURE),
            r"banded: expected a number \(attribute, count, .*\), got trend",
        ),
        (
            lambda: table("accounts").attribute("industry").banded(TENURE),
            r"banded: expected a number \(.*\), got industry, a code",
        ),
        (
            lambda: Bands("odd", Words("odd", "奇"), (3, 2), (Words("a", "甲"),) * 3),
            r"bands odd: expected ascending edges, got \(3, 2\)",
        ),
        (
            lambda: Bands("few", Words("few", "少"), (3, 5), (Words("a", "甲"),) * 2),
            r"bands few: expected words for 3 bands, got 2",
        ),
        (
            lambda: lines.now.distinct("product_id").new(),
            r"new: expected distinct values over a window, got distinct",
        ),
        (lambda: calls.days_since("newest", over=days(7)), r"days_since: expected 'last' or 'first'"),
        (lambda: calls.now, r"calls: expected a change log for \.now, got events"),
        (lambda: calls.count(), r"calls\.count: expected over=days\(\.\.\.\), got over=None"),
        (lambda: calls.count(over=7), r"calls\.count: expected over=days\(7, 30\), got over=7"),
        (lambda: calls.count(over=[7]), r"calls\.count: expected over=days\(7, 30\), got over=\[7\]"),
        (lambda: lines.now.count(over=days(7)), r"lines\.count: expected no window after \.now"),
        (lambda: lines.now.count().trend(), r"trend: expected a count or sum over a window, got count"),
        (lambda: calls.mean("minutes", over=days(7)).share_of(calls), r"share: expected a count or sum"),
        (
            lambda: calls.count(over=days(30)).share_of(table("tickets")),
            r"share_of: expected rows of calls, got rows of tickets\. The share .* share_beside\(\.\.\.\)",
        ),
        (lambda: table("networks"), r"networks: expected a table with account_id; rows of networks belong"),
        (lambda: table("accounts").attribute("account_id"), r"expected a value to learn from, got a key"),
        (lambda: table("accounts").attribute("name"), r"expected a value to learn from, got a text"),
        (lambda: calls.days_until("duration_seconds"), r"calls\.duration_seconds: expected a day column"),
    ],
)
def test_what_cannot_be_declared_says_what_to_write_instead(wrong: object, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        wrong()  # type: ignore[operator]


def test_unknown_purposes_and_features_are_told() -> None:
    with pytest.raises(
        UsageError, match="purpose: expected one of service, retention, marketing, got 'spam'"
    ):
        compiled(calls.count(over=days(7)), purpose="spam")
    with pytest.raises(UsageError, match=r"calls_count_8d: no such feature; did you mean calls_count_7d\?"):
        find_feature(compiled(calls.count(over=days(7))), "calls_count_8d")


def test_every_feature_is_told_in_both_languages() -> None:
    [feature] = compiled(
        calls.where(direction="out", counterparty="rival").sum("minutes", over=days(30))
    ).features
    assert feature.words.en == "minutes of outgoing calls with rivals in the last 30 days"
    assert feature.words.zh == "近30天与竞争对手的主叫通话分钟数"
    assert feature.unit == "minutes"
    assert set(feature.columns) == {
        "calls.account_id",
        "calls.direction",
        "calls.network_id",
        "networks.kind",
        "access_codes.network_id",
        "calls.duration_seconds",
    }


def test_codes_go_with_the_feature_through_json() -> None:
    told = compiled(
        calls.sum("minutes", over=days(30)).stage(),
        calls.sum("minutes", over=days(30)).mix("destination", ["local", "national"]),
        table("bills").count(over=days(92)).structure("family", ["voice", "data"]),
        lines.days_since("first", over=days(3650)).banded(TENURE),
    )
    again = CompiledFeatures.from_json(json.loads(json.dumps(told.to_json())))
    assert again == told
    stage, mix, structure, banded = ([words.en for _, words in f.codes] for f in again.features)
    assert stage == ["prospect", "acquisition", "growth", "maturity", "decline", "ended", "won back"]
    assert mix == ["mixed", "local", "national"]
    assert structure == ["none of them", "voice", "data", "voice + data"]
    assert banded[0] == "under 3 months" and len(banded) == 5
    assert [f.words.en for f in again.features] == [
        "lifecycle stage by minutes of calls, last 30 days against those before",
        "the destination with more than half of minutes of calls in the last 30 days",
        "combination of product families with bills in the last 92 days",
        "tenure in bands, by days since the first line in the last 3650 days",
    ]
    assert again.features[3].words.zh == "在网时长分档(近3650天首次线路距今天数)"
