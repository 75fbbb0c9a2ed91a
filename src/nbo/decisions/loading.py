"""From a workspace's files and a store to a recommender, and from the store to one account's inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.customers.accounts import unknown_account
from nbo.customers.holdings import holdings
from nbo.decisions.recommender import AccountInputs, Recommender, require_currency
from nbo.decisions.settings import offers_settings
from nbo.errors import UsageError
from nbo.features import CompiledFeatures, FeatureSet, compile_features
from nbo.features.build import account_rows
from nbo.models.pairs import product_statistics
from nbo.offers.catalog import Catalog
from nbo.offers.facts import read_facts
from nbo.offers.reading import read_catalog
from nbo.offers.rules import Rules, read_rules
from nbo.tables.store import Store

PURPOSE = "marketing"
"""Selling: what is barred for it feeds neither the model nor a rule."""


@dataclass(frozen=True, eq=False)
class OfferFiles:
    """What the operator edits: catalog and rules, and the features that the rules may read.

    Parameters
    ----------
    catalog : Catalog
    rules : Rules
    features : CompiledFeatures
        Of the feature sets called ``offers``.
    """

    catalog: Catalog
    rules: Rules
    features: CompiledFeatures

    @classmethod
    def read(cls, catalog: Path, rules: Path, sets: Sequence[FeatureSet]) -> "OfferFiles":
        """Read and check both files.

        Raises
        ------
        UsageError, DataError
            The first thing that is wrong, by file and key.
        """
        features = compile_features(sets, PURPOSE)
        return cls(read_catalog(catalog), read_rules(rules, features), features)


def load_recommender(
    store: Store, bundle: Bundle, files: OfferFiles, settings: Mapping[str, Any], as_of: AsOf
) -> Recommender:
    """A recommender of a date.

    Parameters
    ----------
    bundle : Bundle
        The next-product model.
    settings : mapping
        The content of ``nbo.toml``.

    Raises
    ------
    DataError
        The catalog speaks of another currency than the store.
    """
    require_currency(files.catalog, store.currency, store.minor_digits)
    products = tuple(product.product_id for product in files.catalog.functional)
    return Recommender(
        bundle=bundle,
        catalog=files.catalog,
        rules=files.rules,
        statistics=product_statistics(store, as_of, products),
        as_of=as_of,
        store_id=store.store_id,
        settings=offers_settings(settings),
    )


def account_inputs(
    store: Store, recommender: Recommender, files: OfferFiles, accounts: Sequence[str]
) -> dict[str, AccountInputs]:
    """Features, holdings and rule facts of a few accounts, computed now.

    Returns
    -------
    dict of account to AccountInputs
        Without accounts that have no active line at the date.
    """
    bundle, as_of = recommender.bundle, recommender.as_of
    rows = account_rows(store, bundle.features, as_of, accounts)
    matrix = bundle.vocabulary.matrix(rows, bundle.features.features)
    held: dict[str, list[str]] = {}
    for pair in holdings(store, as_of, accounts).to_pylist():
        held.setdefault(pair["account_id"], []).append(pair["product_id"])
    facts = read_facts(store, files.rules, files.features, as_of, accounts)
    return {
        account: AccountInputs(account, row, tuple(held.get(account, ())), facts.of(account))
        for account, row in zip(rows["account_id"].to_pylist(), matrix, strict=True)
    }


def inputs_of(store: Store, recommender: Recommender, files: OfferFiles, account: str) -> AccountInputs:
    """The inputs of one account.

    Raises
    ------
    UsageError
        The account is unknown, or has no active line at the date.
    """
    found = account_inputs(store, recommender, files, [account])
    if account not in found:
        raise UsageError(f"{account}: {unknown_account(store, account, recommender.as_of)}")
    return found[account]
