"""What a feature may be used for follows from what its SQL reads; a family can be declared for less only."""

from dataclasses import replace
from pathlib import Path

import pytest

from nbo.asof import days
from nbo.errors import LeakageError, UsageError
from nbo.features import FeatureSet, Words, compile_features, table
from nbo.features.compile import columns_read, compile_one, permitted_sets
from nbo.features.declared import Feature
from nbo.features.plan import Plan
from nbo.features.purposes import columns_named, permitted_purposes
from nbo.features.spec import Declared
from nbo.tables.catalog import TABLES
from nbo.tables.contract import PURPOSES
from nbo.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
SETS = Workspace.find(ROOT).declared_sets()
DECLARED = {
    f"{family.name}: {n}": (family, feature)
    for families in SETS.values()
    for family in families
    for n, feature in enumerate(family.features)
}
calls, settled = table("calls"), table("interconnect").sum("minutes", over=days(60))


def family(*lines: Declared, purposes: list[str] | None = None) -> FeatureSet:
    return FeatureSet("some", Words("Some", "一些"), lines, purposes=purposes)


def test_a_family_for_more_than_its_columns_allow_is_refused_by_name() -> None:
    with pytest.raises(
        LeakageError,
        match=r"^interconnect\.account_id: expected a column permitted for marketing, for which the family "
        r"some is declared, got one permitted for retention, service, e\.g\. interconnect_minutes_sum_60d\. "
        r"Declare the family for retention, service, or take the feature out of it\.$",
    ):
        compile_features([family(settled, purposes=["service", "marketing"])])


def test_a_family_for_less_is_for_less() -> None:
    some = family(calls.count(over=days(7)), purposes=["service"])
    assert compile_features([some], "service").features[0].purposes == {"service"}
    with pytest.raises(
        LeakageError,
        match=r"^some: expected a family permitted for marketing, got one permitted for service, "
        r"e\.g\. calls_count_7d\.",
    ):
        compile_features([some], "marketing")


def test_a_name_that_is_no_purpose_is_refused() -> None:
    with pytest.raises(UsageError, match=r"some: purposes: expected one of service, .* got 'marketting'"):
        compile_features([family(calls.count(over=days(7)), purposes=["marketting"])])


def test_all_barred_features_are_named_at_once() -> None:
    two = table("interconnect").sum("minutes", over=days(30, 60))
    with pytest.raises(
        LeakageError, match=r"e\.g\. interconnect_minutes_sum_30d, interconnect_minutes_sum_60d\. Take"
    ):
        compile_features([family(calls.count(over=days(7)), two)], "marketing")


def test_a_verb_that_tells_less_than_it_reads_widens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns that verbs tell are not what is trusted: the SQL is."""
    [feature] = settled
    monkeypatch.setattr("nbo.features.compile.feature_columns", lambda _: ("calls.account_id",))
    one, _ = compile_one(family(settled), feature, Plan())
    assert permitted_purposes(one.columns) == set(PURPOSES)
    assert one.purposes == {"retention", "service"}


@pytest.mark.parametrize("name", DECLARED)
def test_no_declared_feature_is_wider_than_any_column_it_reads(name: str) -> None:
    of, feature = DECLARED[name]
    one, _ = compile_one(of, feature, Plan())
    read = columns_read(feature)
    for column in (*one.columns, *read):
        source, plain = column.split(".")
        assert one.purposes <= TABLES[source].column(plain).purposes
    assert one.purposes


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_permitted_part_of_a_set_compiles_and_is_all_that_may_be_used(purpose: str) -> None:
    whole = compile_features(SETS["churn"])
    part = compile_features(permitted_sets(SETS["churn"], purpose), purpose)
    assert part.names == tuple(f.name for f in whole.features if purpose in f.purposes)
    told = {feature.name: feature for feature in whole.features}
    assert all(feature == told[feature.name] for feature in part.features)


def test_settlement_is_what_the_marketing_part_leaves_out() -> None:
    whole, part = SETS["churn"], permitted_sets(SETS["churn"], "marketing")
    assert {one.name for one in whole} - {one.name for one in part} == {"settlement"}
    with pytest.raises(
        LeakageError, match=r"permitted for marketing, .* e\.g\. interconnect_minutes_sum_60d"
    ):
        compile_features(whole, "marketing")


def test_words_in_literals_are_no_columns() -> None:
    sql = "SELECT account_id FROM interconnect WHERE direction = 'network_id' AND it's 'settlement_amount'"
    assert "interconnect.network_id" not in columns_named("SELECT 1 FROM interconnect WHERE x = 'network_id'")
    assert columns_named(sql.replace("it's", "x =")) == ("interconnect.account_id", "interconnect.direction")


def test_purposes_are_kept_by_the_json() -> None:
    compiled = compile_features([family(settled)])
    assert type(compiled).from_json(compiled.to_json()) == compiled
    wider = replace(compiled.features[0], purposes=frozenset(PURPOSES))
    assert wider != compiled.features[0]


def test_a_feature_reads_what_a_list_of_codes_reads() -> None:
    feature: Feature = next(iter(calls.where(counterparty="rival").count(over=days(30))))
    assert {"networks.kind", "access_codes.network_id", "calls.access_code"} <= set(columns_read(feature))
