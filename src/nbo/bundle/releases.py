"""Which bundle is in use: one small file, replaced in one step, with its history."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbo.bundle.bundle import Bundle, opened
from nbo.bundle.inspection import probe_bundle
from nbo.bundle.signing import json_object, read_bytes, refused, verify_folder
from nbo.errors import StorageError, UsageError
from nbo.files import MANIFEST, lock, sha256_bytes, told_storage_errors, write_atomic
from nbo.tables.contract import close_matches

VERSION = 1
BUNDLE_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Release:
    """The bundle that answers for a model.

    Parameters
    ----------
    model, bundle_id : str
        What is released.
    digest : str
        SHA-256 of the bundle's manifest at promotion; other bytes are refused later.
    reason : str or None
        Why a person promoted it.
    history : tuple of Release
        What was released before, oldest first; each with an empty history.
    """

    model: str
    bundle_id: str
    digest: str
    reason: str | None = None
    history: tuple["Release", ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The entry of ``releases/current.json``."""
        entry: dict[str, Any] = {"bundle_id": self.bundle_id, "digest": self.digest, "reason": self.reason}
        if self.history:
            entry["history"] = [past.to_json() for past in self.history]
        return entry

    @classmethod
    def from_json(cls, model: str, entry: Mapping[str, Any]) -> "Release":
        """Read an entry of ``releases/current.json``."""
        past = tuple(cls.from_json(model, item) for item in entry.get("history", ()))
        return cls(model, str(entry["bundle_id"]), str(entry["digest"]), entry.get("reason"), past)

    @property
    def alone(self) -> "Release":
        """The release without its history, as kept in another's history."""
        return Release(self.model, self.bundle_id, self.digest, self.reason)


class Releases:
    """Promote, roll back and load the bundles of a workspace.

    Parameters
    ----------
    workspace : Path
        The folder with ``bundles/`` and ``releases/current.json``.
    """

    def __init__(self, workspace: Path) -> None:
        self.bundles = workspace / "bundles"
        self.pointer = workspace / "releases" / "current.json"

    def current(self, model: str) -> Release | None:
        """The release of a model, or None before the first promotion."""
        return self.read().get(model)

    def promote(
        self, model: str, bundle_id: str, key: bytes, *, force: bool = False, reason: str | None = None
    ) -> Release:
        """Make a bundle the one in use, after a probe and a comparison with the present one.

        Promoting the bundle already in use changes nothing.

        Raises
        ------
        BundleError
            The bundle is damaged, unsigned or fails its probe; ``force`` does not help.
        UsageError
            No such bundle, another model, a worse or uncompared bundle without ``force``, or
            ``force`` without a ``reason``.
        """
        if force and not (reason and reason.strip()):
            raise UsageError("--reason: expected why a bundle is forced, got none")
        folder = self.folder(bundle_id)
        with lock(self.pointer):
            verified = verify_folder(folder, key)
            if verified.model != model:
                raise UsageError(f"--bundle: expected a {model} bundle, got {bundle_id} of {verified.model}")
            present = self.current(model)
            if present and (present.bundle_id, present.digest) == (bundle_id, verified.digest):
                return present
            if present and not force:
                check_not_worse(bundle_id, verified.json("metadata.json"), present)
            if probe_bundle(folder, key) != verified.digest:
                raise refused(folder, "expected the same bytes throughout the promotion, got others")
            past = (*present.history, present.alone) if present else ()
            release = Release(model, bundle_id, verified.digest, reason, past)
            self.write({**self.read(), model: release})
        return release

    def rollback(self, model: str) -> Release:
        """Return to the release before the present one; its bytes must still be as promoted.

        Raises
        ------
        UsageError
            There is no release before.
        BundleError
            The earlier bundle is gone or damaged.
        """
        with lock(self.pointer):
            present = self.current(model)
            if present is None or not present.history:
                raise UsageError(
                    f"{model}: expected an earlier release to return to, got none",
                    f"Run nbo promote {model} --bundle ID",
                )
            past = present.history[-1]
            check_intact(self.bundles / past.bundle_id, past)
            release = Release(model, past.bundle_id, past.digest, past.reason, present.history[:-1])
            self.write({**self.read(), model: release})
        return release

    def load(self, model: str, key: bytes) -> Bundle:
        """The bundle in use, verified against the release's digest.

        Raises
        ------
        UsageError
            Nothing was promoted yet.
        BundleError
            The bundle is not the one that was promoted, or is damaged.
        """
        release = self.current(model)
        if release is None:
            raise UsageError(f"{model}: expected a release, got none", f"Run nbo promote {model} --bundle ID")
        folder = self.bundles / release.bundle_id
        verified = verify_folder(folder, key)
        if verified.digest != release.digest or verified.model != model:
            raise refused(folder, "expected the bytes that were promoted, got others")
        return opened(folder, verified)

    def folder(self, bundle_id: str) -> Path:
        """The folder of a bundle id that exists."""
        known = sorted(path.name for path in self.bundles.glob("[0-9a-f]*") if path.is_dir())
        if not BUNDLE_ID.fullmatch(bundle_id) or bundle_id not in known:
            tail = close_matches(bundle_id, known) if known else "; there are none: run nbo train"
            raise UsageError(f"--bundle: no such bundle {bundle_id!r:.40}{tail}")
        return self.bundles / bundle_id

    def read(self) -> dict[str, Release]:
        """All releases by model."""
        try:
            with told_storage_errors(self.pointer):
                content = json.loads(self.pointer.read_bytes()) if self.pointer.exists() else {"models": {}}
            return {model: Release.from_json(model, entry) for model, entry in content["models"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StorageError(
                f"{self.pointer}: expected the releases as nbo wrote them, got other content",
                "Move the file away and promote again",
            ) from None

    def write(self, releases: Mapping[str, Release]) -> None:
        """Replace the pointer in one step."""
        models = {model: release.to_json() for model, release in releases.items()}
        text = json.dumps(
            {"version": VERSION, "models": models}, indent=1, sort_keys=True, ensure_ascii=False
        )
        write_atomic(self.pointer, text + "\n")


def check_not_worse(bundle_id: str, metadata: Mapping[str, Any], present: Release) -> None:
    """Refuse a challenger that was not compared with the present release, or lost to it."""
    if bundle_id == present.bundle_id:
        return
    advice = "Train again against it, or use --force --reason TEXT"
    champion = metadata.get("champion") or {}
    if champion.get("bundle_id") != present.bundle_id:
        compared = champion.get("bundle_id") or "nothing"
        raise UsageError(
            f"{bundle_id}: expected a comparison with the release {present.bundle_id}, "
            f"got one with {compared}",
            advice,
        )
    try:
        gain = champion["difference"]["average_precision"]
        value, low, high = (float(gain[name]) for name in ("value", "low", "high"))
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{bundle_id}: expected a difference of average precision, got none", advice
        ) from None
    if not high >= 0:
        raise UsageError(
            f"{bundle_id}: expected to be no worse than the release {present.bundle_id}, got a difference of "
            f"average precision of {value:+.4f} [{low:+.4f}, {high:+.4f}]",
            "Keep the release, or use --force --reason TEXT",
        )


def check_intact(folder: Path, release: Release) -> None:
    """Whether a bundle's bytes are those of its release; no key needed, the digest fixes them."""
    contents = read_bytes(folder)
    raw = contents.pop(MANIFEST, b"")
    if sha256_bytes(raw) != release.digest:
        raise refused(folder, "expected the bytes that were promoted, got others")
    digests = json_object(raw, f"bundle {folder.name}: {MANIFEST}")["files"]
    if {name: sha256_bytes(content) for name, content in contents.items()} != digests:
        raise refused(folder, "expected the files that were promoted, got others")
