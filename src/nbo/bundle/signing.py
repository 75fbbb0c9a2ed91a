"""Trust in bytes: digests, signature and names of a bundle's files, before anything is parsed.

A damaged LightGBM text kills the process that parses it or, worse, loads with other scores. So
the bytes are read once, checked, and the *same* bytes are parsed.
"""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbo.errors import BundleError, UsageError
from nbo.files import MANIFEST, canonical_json, sha256_bytes, told_storage_errors

KIND = "bundle"
VERSION = 1
FIXED_FILES = frozenset(
    {"calibrator.json", "features.json", "vocabulary.json", "golden.json", "metadata.json"}
)
DERIVATION = "derivation.json"
"""Only where the boosters read derived columns."""
BOOSTER = re.compile(r"booster-(0|[1-9][0-9]?)\.txt")
NEXT_STEP = "Do not use it: copy it anew from where it was trained, or train again"


@dataclass(frozen=True)
class VerifiedFiles:
    """The bytes of a bundle whose digests and signature were found right.

    Parameters
    ----------
    bundle_id, model : str
        As signed in the manifest.
    digest : str
        SHA-256 of the manifest's bytes; it fixes every byte of the bundle.
    files : mapping of str to bytes
        Contents by file name, the manifest left out.
    """

    bundle_id: str
    model: str
    digest: str
    files: Mapping[str, bytes]

    def json(self, name: str) -> dict[str, Any]:
        """One of the files as a JSON object."""
        return json_object(self.files[name], f"bundle {self.bundle_id}: {name}")

    @property
    def booster_texts(self) -> list[str]:
        """Model texts in the order of their numbers."""
        count = sum(bool(BOOSTER.fullmatch(name)) for name in self.files)
        return [self.files[f"booster-{number}.txt"].decode() for number in range(count)]


def seal(model: str, files: Mapping[str, bytes], key: bytes) -> tuple[str, bytes]:
    """The bundle id of these files and the bytes of their signed manifest."""
    digests = {name: sha256_bytes(content) for name, content in files.items()}
    manifest: dict[str, Any] = {
        "kind": KIND,
        "version": VERSION,
        "bundle_id": identity(digests),
        "model": model,
        "files": digests,
    }
    manifest["hmac"] = signature(manifest, key)
    return manifest["bundle_id"], manifest_bytes(manifest)


def identity(digests: Mapping[str, str]) -> str:
    """The id of a bundle: 16 hex digits over the digests of its files."""
    return sha256_bytes(canonical_json(dict(digests)).encode())[:16]


def signature(manifest: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA256 of the manifest without its ``hmac``, as hex."""
    if not key:
        raise UsageError("bundle key: expected at least one byte, got none")
    unsigned = {name: value for name, value in manifest.items() if name != "hmac"}
    return hmac.new(key, canonical_json(unsigned).encode(), "sha256").hexdigest()


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The only spelling of a manifest that is accepted."""
    return (canonical_json(dict(manifest)) + "\n").encode()


def read_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a bundle's folder, read once."""
    if not folder.is_dir():
        raise BundleError(f"bundle {folder.name}: expected a folder at {folder}, got none", NEXT_STEP)
    contents: dict[str, bytes] = {}
    with told_storage_errors(folder):
        for path in sorted(folder.iterdir()):
            if path.is_symlink() or not path.is_file():
                raise refused(folder, f"expected plain files only, got {path.name}")
            contents[path.name] = path.read_bytes()
    return contents


def verify_folder(folder: Path, key: bytes) -> VerifiedFiles:
    """Read a bundle and check it: signature, file names, digests, id.

    Parameters
    ----------
    folder : Path
        ``bundles/<bundle_id>``; its name must be the signed id.
    key : bytes
        The key of the workspace.

    Raises
    ------
    BundleError
        On the first thing that is not as it was signed.
    """
    contents = read_bytes(folder)
    if MANIFEST not in contents:
        raise refused(folder, f"expected {MANIFEST}, got none")
    raw = contents.pop(MANIFEST)
    manifest = signed_manifest(folder, raw, key)
    digests = manifest["files"]
    check_names(folder, digests, contents)
    for name, content in contents.items():
        if sha256_bytes(content) != digests[name]:
            raise refused(folder, f"{name}: expected the digest of the manifest, got other bytes")
    if manifest["bundle_id"] != identity(digests) or folder.name != manifest["bundle_id"]:
        raise refused(folder, f"expected the id of its contents, got {manifest['bundle_id']!r}")
    return VerifiedFiles(
        manifest["bundle_id"], manifest["model"], sha256_bytes(raw), MappingProxyType(contents)
    )


def signed_manifest(folder: Path, raw: bytes, key: bytes) -> dict[str, Any]:
    """The manifest in these bytes, its signature and shape checked."""
    manifest = json_object(raw, f"bundle {folder.name}: {MANIFEST}")
    claimed = manifest.get("hmac")
    try:
        honest = raw == manifest_bytes(manifest)
        expected = signature(manifest, key)
    except ValueError:
        raise refused(folder, f"{MANIFEST}: expected plain JSON, got other values") from None
    if not isinstance(claimed, str) or not hmac.compare_digest(claimed.encode(), expected.encode()):
        raise refused(
            folder, f"{MANIFEST}: expected a signature by this workspace's key, got another or an edited one"
        )
    if not honest:
        raise refused(folder, f"{MANIFEST}: expected the spelling that was signed, got another")
    if manifest.get("kind") != KIND or manifest.get("version") != VERSION:
        got = f"{manifest.get('kind')!r} {manifest.get('version')!r}"
        raise refused(folder, f"{MANIFEST}: expected kind {KIND!r} version {VERSION}, got {got}")
    files = manifest.get("files")
    if not isinstance(files, dict) or not isinstance(manifest.get("model"), str):
        raise refused(folder, f"{MANIFEST}: expected files and model, got others")
    return manifest


def check_names(folder: Path, digests: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
    """Refuse names outside the layout, missing files and files that nobody signed."""
    fixed = FIXED_FILES | ({DERIVATION} & set(digests))
    for name in digests:
        if name not in fixed and not BOOSTER.fullmatch(name):
            raise refused(folder, f"{MANIFEST}: expected names of bundle files, got {name!r:.80}")
    boosters = set(digests) - fixed
    layout = fixed | {f"booster-{number}.txt" for number in range(max(1, len(boosters)))}
    if set(digests) != layout:
        wrong = ", ".join(sorted(set(digests) ^ layout))
        raise refused(folder, f"{MANIFEST}: expected the files of a bundle, got a difference in {wrong}")
    for name in sorted(set(digests) - set(contents)):
        raise refused(folder, f"{name}: expected a file, got none")
    for name in sorted(set(contents) - set(digests)):
        raise refused(folder, f"{name}: expected only signed files, got an extra one")


def json_object(raw: bytes, what: str) -> dict[str, Any]:
    """JSON bytes as an object; :class:`BundleError` naming ``what`` otherwise."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BundleError(f"{what}: expected JSON, got other bytes", NEXT_STEP) from None
    if not isinstance(value, dict):
        raise BundleError(f"{what}: expected a JSON object, got {type(value).__name__}", NEXT_STEP)
    return value


def refused(folder: Path, why: str) -> BundleError:
    """The error of a bundle that cannot be trusted."""
    return BundleError(f"bundle {folder.name}: {why}", NEXT_STEP)
