"""What a recommendation needs: the model, the catalog, the rules, and every account's inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from nbo.asof import AsOf
from nbo.bundle import Bundle, BundleRows, Release
from nbo.customers.holdings import held_matrix, holdings
from nbo.decisions.answers import Stamp, answer_text
from nbo.decisions.context import inputs_in_context
from nbo.decisions.loading import OfferFiles, load_recommender
from nbo.decisions.recommender import AccountInputs, Recommender, Request
from nbo.decisions.settings import OffersSettings, offers_settings
from nbo.features import CompiledFeatures
from nbo.features.build import build_features
from nbo.features.context import ContextValue
from nbo.files import sha256_file, told_storage_errors
from nbo.offers.facts import FactsIndex, read_facts
from nbo.tables.columns import CHANNELS
from nbo.tables.store import Store
from nbo.workspace import Workspace

NOTHING_SAID: Mapping[str, ContextValue] = MappingProxyType({})


@dataclass(frozen=True)
class OffersStamp:
    """What loaded offers were made from; a difference means: load again.

    Parameters
    ----------
    bundle_id, digest : str
        The release of the next-product model.
    as_of : AsOf
        The date of the snapshot that scores are served from.
    snapshot_ns : int
        When that snapshot was written: a new one means that the store may be another.
    catalog, rules : str
        SHA-256 of the operator's files.
    settings : OffersSettings
    """

    bundle_id: str
    digest: str
    as_of: AsOf
    snapshot_ns: int
    catalog: str
    rules: str
    settings: OffersSettings


@dataclass(frozen=True, eq=False)
class LoadedOffers:
    """Everything that one recommendation needs; never changed, only replaced.

    Parameters
    ----------
    stamp : OffersStamp
        What it was made from.
    recommender : Recommender
        The released model with the catalog and the rules.
    rows : BundleRows
        What the model reads of the accounts with an active line at the date: mapped, not loaded.
    held : ndarray of shape (accounts, products), bool
        In the order of ``recommender.terms.product_ids``.
    facts : FactsIndex
        What the rules read.
    rule_features : CompiledFeatures
        The features that rules may read.
    """

    stamp: OffersStamp
    recommender: Recommender
    rows: BundleRows
    held: npt.NDArray[np.bool_]
    facts: FactsIndex
    rule_features: CompiledFeatures

    @property
    def bundle(self) -> Bundle:
        """The released model."""
        return self.recommender.bundle

    def inputs(self, account: str, context: Mapping[str, ContextValue] = NOTHING_SAID) -> AccountInputs:
        """What is known of one account of :attr:`rows`, and what a channel knows better.

        Raises
        ------
        UsageError
            The context names no context feature, or gives a value outside its range.
        StorageError
            The account's row is damaged.
        """
        place = self.rows.place(account)
        names = self.recommender.terms.product_ids
        held = sorted(names[product] for product in np.flatnonzero(self.held[place]))
        inputs = AccountInputs(account, self.rows.row(account), tuple(held), self.facts.of(account))
        return inputs_in_context(inputs, self.bundle, self.rule_features, context)


def offers_stamp(place: Workspace, release: Release, as_of: AsOf, snapshot_ns: int) -> OffersStamp:
    """What would be loaded now; :class:`StorageError` where a file of the operator's is not there."""
    return OffersStamp(
        bundle_id=release.bundle_id,
        digest=release.digest,
        as_of=as_of,
        snapshot_ns=snapshot_ns,
        catalog=digest_of(place.catalog_path),
        rules=digest_of(place.rules_path),
        settings=offers_settings(place.settings),
    )


def digest_of(path: Path) -> str:
    with told_storage_errors(path):
        return sha256_file(path)


def load_offers(place: Workspace, store: Store, bundle: Bundle, stamp: OffersStamp) -> LoadedOffers:
    """Read the operator's files and every account's inputs at the date of the stamp.

    Raises
    ------
    UsageError, DataError
        The first thing that is wrong with the catalog, the rules or the store.
    BusyError
        Another job builds the same features.
    """
    files = OfferFiles.read(place.catalog_path, place.rules_path, place.feature_sets("offers"))
    recommender = load_recommender(store, bundle, files, place.settings, stamp.as_of)
    snapshot = build_features(store, bundle.features, stamp.as_of)
    rows = BundleRows.of(snapshot, bundle)
    held = held_matrix(
        holdings(store, stamp.as_of), list(rows.rows.accounts()), recommender.terms.product_ids
    )
    held.flags.writeable = False
    facts = read_facts(store, files.rules, files.features, stamp.as_of, None)
    loaded = LoadedOffers(stamp, recommender, rows, held, facts, files.features)
    try_out(loaded)
    return loaded


def try_out(loaded: LoadedOffers) -> None:
    """Answer once for one account: what is prepared on first use is prepared before anyone waits."""
    account = next(loaded.rows.rows.accounts(), None)
    if account is not None:
        request = Request(account, next(iter(CHANNELS)))
        answer_text(loaded.recommender, loaded.inputs(account), request, Stamp("0" * 32, ""))
