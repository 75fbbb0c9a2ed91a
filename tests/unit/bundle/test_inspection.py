import re
from pathlib import Path

import pytest

from nbo.bundle import probe_bundle
from nbo.bundle.signing import seal
from nbo.errors import BundleError
from nbo.files import sha256_file

KEY = b"a key of the tests"


def with_booster(folder: Path, text: str) -> Path:
    """The bundle with another first booster, signed with the right key."""
    contents = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "MANIFEST.json"}
    contents["booster-0.txt"] = text.encode()
    bundle_id, manifest = seal("churn", contents, KEY)
    other = folder.parent / bundle_id
    other.mkdir()
    for name, content in {**contents, "MANIFEST.json": manifest}.items():
        (other / name).write_bytes(content)
    return other


def test_a_good_bundle_passes_and_its_digest_is_told(folder: Path) -> None:
    assert probe_bundle(folder, KEY) == sha256_file(folder / "MANIFEST.json")


def test_a_signed_text_that_kills_its_reader_kills_only_the_child(folder: Path) -> None:
    text = (folder / "booster-0.txt").read_text()
    # Children beyond the tree: LightGBM walks into foreign memory when it predicts.
    mutated = re.sub(r"left_child=(\S+)", "left_child=1999999999", text)
    with pytest.raises(BundleError, match="expected a model that opens, got one that ended the probe by SIG"):
        probe_bundle(with_booster(folder, mutated), KEY)


def test_a_signed_text_that_scores_otherwise_is_refused(folder: Path) -> None:
    text = (folder / "booster-1.txt").read_text()
    with pytest.raises(BundleError, match=r"golden rows: expected the scores of training bit for bit"):
        probe_bundle(with_booster(folder, text), KEY)


def test_a_damaged_bundle_is_refused_before_any_child_starts(folder: Path) -> None:
    (folder / "booster-0.txt").write_text("tree")
    with pytest.raises(BundleError, match=r"booster-0\.txt: expected the digest of the manifest"):
        probe_bundle(folder, KEY)


def test_a_child_that_does_not_end_is_killed(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"expected a model that opens within 0\.01 s, got none"):
        probe_bundle(folder, KEY, wall_seconds=0.01)
