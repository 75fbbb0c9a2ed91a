"""Context: which features may be declared so, and that nothing computed depends on it."""

import pytest

from nbo.asof import days
from nbo.errors import DataError, UsageError
from nbo.features.compile import compile_features
from nbo.features.compiled import CompiledFeatures
from nbo.features.context import Context
from nbo.features.families import FeatureSet
from nbo.features.spec import Declared, table
from nbo.tables.contract import Words

tickets = table("tickets")
LINES = [
    tickets.now.where(state="open").count(),
    tickets.days_since("last", over=days(30)),
    table("accounts").attribute("kind"),
]


def compiled(lines: list[Declared]) -> CompiledFeatures:
    return compile_features([FeatureSet("service", Words("Service", "服务"), lines)])


def test_the_range_follows_from_the_declaration() -> None:
    count, since, kind = compiled([line.context() for line in LINES]).features
    assert count.context == Context(1_000, nullable=False)
    assert since.context == Context(30)
    assert kind.context is not None
    assert "company" in kind.context.codes


def test_what_may_be_overridden_changes_neither_sql_nor_hash() -> None:
    plain, said = compiled(LINES), compiled([line.context() for line in LINES])
    assert (plain.hash, plain.sql) == (said.hash, said.sql)
    assert [feature.context for feature in plain.features] == [None] * 3


def test_it_survives_the_round_trip_of_a_bundle() -> None:
    said = compiled([LINES[0].context(), LINES[1]])
    assert CompiledFeatures.from_json(said.to_json()) == said
    assert "context" not in compiled(LINES).to_json()


def test_a_range_of_another_shape_is_refused() -> None:
    content = compiled([LINES[0].context()]).to_json()
    content["context"] = {"tickets_open_count_now": {"most": "many"}}
    with pytest.raises(DataError, match=r"context: expected most, codes and nullable"):
        CompiledFeatures.from_json(content)


@pytest.mark.parametrize(
    "line",
    [
        table("bills").sum("bill_amount", over=days(92)),
        tickets.where(kind="complaint").count(over=days(30)).trend(),
        table("contracts").days_until("planned_end_day"),
        table("contracts").attribute("fee_amount"),
    ],
)
def test_what_no_conversation_tells_cannot_be_context(line: Declared) -> None:
    with pytest.raises(UsageError, match=r"context: expected a count, days since, a flag or a code, got "):
        compiled([line.context()])


def test_context_stands_last() -> None:
    with pytest.raises(UsageError, match=r"trend: expected context\(\) to stand last"):
        tickets.count(over=days(30)).context().trend()
