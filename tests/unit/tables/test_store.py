"""Opening a store and naming a date in it."""

import json

import pytest

from nbo.asof import AsOf
from nbo.errors import DataError, UsageError
from nbo.tables import Store, contract, describe, describe_rows


def test_dates_outside_the_data_are_told_with_the_range(operator):
    store = operator.store()
    assert store.as_of("latest") == store.latest == AsOf.parse("2024-04-02")
    assert store.as_of("2024-03-02") == AsOf.parse("2024-03-02")
    for text in ("2024-03-01", "2024-04-03"):
        with pytest.raises(
            UsageError, match=rf"--as-of: expected a date from 2024-03-02 to 2024-04-02, got {text}"
        ):
            store.as_of(text)


def test_views_have_the_tables_names(operator):
    with operator.store().connect(threads=1) as engine:
        assert engine.query(
            "SELECT count(*) AS n FROM lines JOIN accounts USING (account_id)"
        ).to_pylist() == [{"n": 2}]


def test_a_folder_without_a_manifest_is_no_store(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder with MANIFEST\.json, got none\. Run nbo check"):
        Store.open(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("kind", "bundle", r"expected a store, got kind 'bundle'\. Run nbo check"),
        (
            "contract_version",
            0,
            r"expected a store of version 1\.1, got another version\. Run nbo check again",
        ),
        ("fit", False, r"expected a store that passed its check, got 0 failed rules\. Run nbo check"),
    ],
)
def test_an_unfit_store_is_refused(operator, key, value, expected):
    operator.store()
    path = operator.out / "MANIFEST.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DataError, match=expected):
        Store.open(operator.out)


def test_a_store_without_its_files_is_refused(operator):
    operator.store()
    for path in (operator.out / "tables" / "calls").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"tables/calls: expected its files, got none\. Run nbo check"):
        Store.open(operator.out)


def test_a_contract_is_shown_with_codes_units_and_limits():
    text = describe(contract("contacts"))
    assert "logging_prob" in text
    assert "feeds no feature" in text
    assert "known from outcome_known_day" in text
    assert [row["column"] for row in describe_rows(contract("networks")) if row["required"]] == [
        "network_id",
        "known_day",
        "kind",
    ]
