"""What is loaded: released bundles, a snapshot's mapped rows, offers; swapped whole when any is another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nbo.asof import AsOf
from nbo.bundle import Bundle, BundleRows, Release, Releases
from nbo.customers.value import monthly_margins
from nbo.decisions.log import log_url, open_log
from nbo.decisions.recommender import MODEL as OFFERS_MODEL
from nbo.decisions.settings import ValueSettings, value_settings
from nbo.errors import DataError, UsageError
from nbo.features.snapshots import REBUILD, Snapshot, standing_snapshot
from nbo.files import MANIFEST, read_manifest
from nbo.keys import bundle_key
from nbo.tables.store import Store
from nbo.workspace import MARKER, Workspace, bundled_code, read_settings

from .loaded_offers import LoadedOffers, load_offers, offers_stamp
from .logbook import Logbook
from .problems import Refused
from .settings import MODEL, ServeSettings


@dataclass(frozen=True)
class Stamp:
    """What a loaded state was made from; a difference means: load again."""

    bundle_id: str
    digest: str
    snapshot: Path
    written_ns: int


@dataclass(frozen=True)
class Loaded:
    """Everything that one answer needs; never changed, only replaced.

    Parameters
    ----------
    stamp : Stamp
        What it was made from.
    bundle : Bundle
        The released model with its vocabulary and calibrator.
    as_of : AsOf
        The date of the snapshot.
    rows : BundleRows
        The accounts of the snapshot with their features: mapped, not loaded.
    margins : mapping of account_id to int
        Monthly margin in minor units; accounts whose margin is not known are absent.
    value : ValueSettings
        How margin at risk is counted.
    currency, minor_digits : str, int
        Of the store.
    offers : LoadedOffers or None
        What recommends; None while no next-product model is released.
    """

    stamp: Stamp
    bundle: Bundle
    as_of: AsOf
    rows: BundleRows
    margins: Mapping[str, int]
    value: ValueSettings
    currency: str
    minor_digits: int
    offers: LoadedOffers | None = None

    @property
    def served(self) -> list[tuple[Bundle, AsOf]]:
        """Every bundle that answers, with the date it answers of."""
        scores = [(self.bundle, self.as_of)]
        if self.offers is None:
            return scores
        return [*scores, (self.offers.bundle, self.offers.stamp.as_of)]


class Live:
    """What answers now.

    ``loaded`` is replaced by one assignment, so a request that took it before finishes on it.

    Parameters
    ----------
    settings : ServeSettings
        Where releases and snapshots are.
    scores_only : bool
        Load nothing that recommends, even where it is released, and open no log.
    """

    def __init__(self, settings: ServeSettings, *, scores_only: bool = False) -> None:
        self.settings = settings
        self.scores_only = scores_only
        self.loaded: Loaded | None = None
        self.logbook: Logbook | None = None
        self.draining = False

    def require(self) -> Loaded:
        """What is loaded, or a 503 problem."""
        if self.loaded is None:
            raise Refused(
                503, "not-loaded", "No release is loaded yet. Try again soon.", {"Retry-After": "1"}
            )
        return self.loaded

    def require_offers(self) -> LoadedOffers:
        """What recommends, or a 503 problem."""
        offers = self.require().offers
        if offers is None:
            raise no_offers()
        return offers

    def require_log(self) -> Logbook:
        """The open decision log, or a 503 problem before anything that recommends was loaded."""
        if self.logbook is None:
            raise no_offers()
        return self.logbook

    def refresh(self) -> bool:
        """Load the current releases, their snapshots and the operator's files where they are others.

        Returns
        -------
        bool
            Whether anything was loaded.

        Raises
        ------
        UsageError
            Nothing is released, or the catalog or a rule is wrong.
        DataError
            The store is unfit or has no snapshot for the bundle.
        BundleError
            A bundle cannot be trusted.
        StorageError
            The decision log is away.
        """
        former = self.loaded
        fresh = self.refreshed_scores()
        if self.scores_only:
            self.loaded = fresh
            return fresh is not former
        try:
            offers = self.refreshed_offers(fresh)
        except Exception:
            if former is not None and fresh is not former:
                # What is wrong with the offers keeps no score from being newer.
                self.loaded = replace(fresh, offers=former.offers)
            raise
        if fresh is former and offers is former.offers:
            return False
        self.loaded = replace(fresh, offers=offers)
        return True

    def refreshed_scores(self) -> Loaded:
        """What is loaded, or what the current churn release and its snapshot give."""
        release = Releases(self.settings.workspace).current(MODEL)
        if release is None:
            raise UsageError(f"{MODEL}: expected a released bundle, got none", f"Run nbo promote {MODEL}")
        bundle = self.bundle_of(release, self.loaded)
        folder, as_of = newest_snapshot(self.settings, bundle)
        written = (folder / MANIFEST).stat().st_mtime_ns
        stamp = Stamp(release.bundle_id, release.digest, folder, written)
        if self.loaded is not None and self.loaded.stamp == stamp:
            return self.loaded
        return load(self.settings, stamp, bundle, as_of)

    def refreshed_offers(self, scores: Loaded) -> LoadedOffers | None:
        """What recommends, or what the next-product release, catalog and rules give; None without one.

        The log has what a replay needs before anything is decided by it.
        """
        release = Releases(self.settings.workspace).current(OFFERS_MODEL)
        if release is None:
            return None
        present = self.loaded.offers if self.loaded else None
        place = workspace_of(self.settings.workspace)
        stamp = offers_stamp(place, release, scores.as_of, scores.stamp.written_ns)
        if present is not None and present.stamp == stamp:
            return present
        bundle = self.bundle_of(release, present)
        offers = load_offers(place, Store.open(self.settings.store), bundle, stamp)
        self.open_log(place).log.keep(offers.recommender.artifacts)
        return offers

    def bundle_of(self, release: Release, present: Loaded | LoadedOffers | None) -> Bundle:
        """The bundle of a release; the one at hand if it is the same."""
        if present is not None:
            stamp = present.stamp
            if (stamp.bundle_id, stamp.digest) == (release.bundle_id, release.digest):
                return present.bundle
        return Releases(self.settings.workspace).load(release.model, bundle_key(self.settings.workspace))

    def open_log(self, place: Workspace) -> Logbook:
        """The decision log of the workspace, opened once."""
        if self.logbook is None:
            self.logbook = Logbook(open_log(log_url(place.settings, place.root)))
        return self.logbook

    def close(self) -> None:
        """Record what waits and close the log."""
        if self.logbook is not None:
            self.logbook.close()


def no_offers() -> Refused:
    detail = f"{OFFERS_MODEL}: expected a released bundle, got none. Run nbo promote {OFFERS_MODEL}."
    return Refused(503, "not-loaded", detail, {"Retry-After": "10"})


def newest_snapshot(settings: ServeSettings, bundle: Bundle) -> tuple[Path, AsOf]:
    """Folder and date of the snapshot to serve; :class:`DataError` if it is not built."""
    folder = settings.store / "features" / bundle.features.hash
    wanted = None if settings.as_of in (None, "latest") else AsOf.parse(str(settings.as_of))
    built = {
        AsOf.parse(path.parent.name.removeprefix("as_of=")): path.parent
        for path in folder.glob(f"as_of=????-??-??/{MANIFEST}")
    }
    as_of = wanted or max(built, default=None)
    if as_of is None or as_of not in built:
        raise DataError(
            str(folder),
            f"a feature snapshot as of {wanted or 'any date'} for bundle {bundle.id}",
            ", ".join(str(each) for each in sorted(built)[-5:]) or "none",
            next_step="Run nbo score with the same --store and --as-of",
        )
    return built[as_of], as_of


def load(settings: ServeSettings, stamp: Stamp, bundle: Bundle, as_of: AsOf) -> Loaded:
    """Map the snapshot's rows as the bundle reads them, and read the margins beside it."""
    store = Store.open(settings.store)
    manifest = read_manifest(stamp.snapshot, REBUILD)
    snapshot: Snapshot | None = Snapshot(stamp.snapshot, as_of, manifest)
    # This store's own is mapped at once: the digest of its part is looked at where the rows are derived.
    if manifest.get("store_id") != store.store_id:
        snapshot = standing_snapshot(store, bundle.features, as_of)
        # One of an earlier store has a new manifest now, which is no news.
        stamp = replace(stamp, written_ns=(stamp.snapshot / MANIFEST).stat().st_mtime_ns)
    if snapshot is None:
        raise DataError(
            str(stamp.snapshot),
            "a feature snapshot of this store",
            "one of another store",
            next_step="Run nbo score with the same --store and --as-of",
        )
    rows = BundleRows.of(snapshot, bundle)
    value = value_settings(workspace_of(settings.workspace).settings)
    margins = monthly_margins(store, as_of, margin_share=value.margin_share)
    known = margins.filter(margins["monthly_margin_amount"].is_valid())
    return Loaded(
        stamp=stamp,
        bundle=bundle,
        as_of=as_of,
        rows=rows,
        margins=dict(
            zip(known["account_id"].to_pylist(), known["monthly_margin_amount"].to_pylist(), strict=True)
        ),
        value=value,
        currency=store.currency,
        minor_digits=store.minor_digits,
    )


def workspace_of(root: Path) -> Workspace:
    """The workspace in a folder; the installed copy's code and settings where it has none of its own."""
    if (root / MARKER).is_file():
        return Workspace.at(root)
    return Workspace(root, bundled_code(), read_settings(bundled_code() / MARKER))
