"""A text in stages gives what it gives whole."""

import re
from collections.abc import Callable

import pyarrow as pa
import pytest

from nbo.features import compile_features
from nbo.features.parameters import bind, read_parameters
from nbo.features.stages import account_ranges, parted, staged_rows, whole
from nbo.tables.store import Store
from nbo.workspace import Workspace


@pytest.mark.parametrize("name", ["churn", "next_product"])
@pytest.mark.parametrize(("accounts_at_once", "accounts_a_slice"), [(1, 1_000), (4, 3), (1_000, 1)])
def test_stages_give_the_rows_of_the_whole_text(
    random_store: Callable[[int], Store], name: str, accounts_at_once: int, accounts_a_slice: int
) -> None:
    compiled = compile_features(Workspace.find().feature_sets(name))
    store = random_store(accounts_at_once)
    with store.connect() as engine:
        parameters = read_parameters(store, engine, compiled.sql, store.latest, None)
        expected = engine.query(bind(compiled.sql, parameters))
        found = list(staged_rows(engine, compiled.sql, parameters, accounts_at_once, accounts_a_slice))
    assert expected.num_rows > 5
    assert pa.concat_tables(found).equals(expected)
    assert [table.num_rows for table in found[:-1]] == [accounts_at_once] * (len(found) - 1)


def test_declared_features_are_parted_and_made_whole_again() -> None:
    for sets in Workspace.find().declared_sets().values():
        sql = compile_features(sets).sql
        relations, chosen = parted(sql)
        assert whole(relations, chosen) == sql
        assert relations[0][0] == "population"
        assert len(relations) == len(re.findall(r"^(?:WITH )?\w+ AS \($", sql, re.MULTILINE)) > 1


def test_nobody_gives_no_range(random_store: Callable[[int], Store]) -> None:
    with random_store(1).connect() as engine:
        assert account_ranges(engine, "(SELECT 'A' AS account_id WHERE FALSE) AS nobody", 3) == []
        odd = "(VALUES ('O''Hara'), ('B'), ('C')) AS named(account_id)"
        assert account_ranges(engine, odd, 2) == [
            "account_id >= 'B' AND account_id < 'O''Hara'",
            "account_id >= 'O''Hara'",
        ]
