"""Signatures: every byte counts, and the key."""

from pathlib import Path

import pytest

from nbo.bundle.signing import identity, manifest_bytes, seal, signature, verify_folder
from nbo.errors import BundleError
from nbo.files import MANIFEST, canonical_json

KEY, OTHER = b"k" * 32, b"o" * 32
FILES = {
    "booster-0.txt": b"tree",
    "booster-1.txt": b"tree two",
    "calibrator.json": b"{}",
    "features.json": b"{}",
    "golden.json": b"{}",
    "metadata.json": b'{"a": 1}',
    "vocabulary.json": b"{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle_id, manifest = seal("churn", FILES, KEY)
    made = tmp_path / bundle_id
    made.mkdir()
    for name, content in FILES.items():
        (made / name).write_bytes(content)
    (made / MANIFEST).write_bytes(manifest)
    return made


def test_a_sealed_folder_verifies_and_gives_its_contents(folder: Path) -> None:
    verified = verify_folder(folder, KEY)
    assert verified.model == "churn"
    assert verified.json("metadata.json") == {"a": 1}
    assert verified.booster_texts == ["tree", "tree two"]


def test_the_id_follows_from_the_contents_alone() -> None:
    assert seal("churn", FILES, KEY)[0] == seal("churn", FILES, OTHER)[0]
    assert seal("churn", {**FILES, "metadata.json": b"{}"}, KEY)[0] != seal("churn", FILES, KEY)[0]
    assert identity({"a": "1", "b": "2"}) == identity({"b": "2", "a": "1"})
    assert len(identity({"a": "1"})) == 16


def test_the_signature_depends_on_key_and_every_fact_but_itself() -> None:
    facts = {"kind": "bundle", "files": {"a": "1"}}
    assert signature(facts, KEY) != signature(facts, OTHER)
    assert signature(facts, KEY) != signature({**facts, "files": {"a": "2"}}, KEY)
    assert signature({**facts, "hmac": "x"}, KEY) == signature({**facts, "hmac": "y"}, KEY)
    assert manifest_bytes(facts) == (canonical_json(facts) + "\n").encode()


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_changed_byte_in_any_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[0] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        verify_folder(folder, KEY)


def test_a_missing_or_extra_file_is_refused(folder: Path) -> None:
    (folder / "extra.txt").write_text("x")
    with pytest.raises(BundleError, match=r"extra\.txt"):
        verify_folder(folder, KEY)
    (folder / "extra.txt").unlink()
    (folder / "golden.json").unlink()
    with pytest.raises(BundleError, match=r"golden\.json"):
        verify_folder(folder, KEY)


def test_another_key_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match="key"):
        verify_folder(folder, OTHER)


def test_an_edited_manifest_is_refused(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes().replace(b"churn", b"spawn"))
    with pytest.raises(BundleError, match=folder.name):
        verify_folder(folder, KEY)
    path.write_bytes(b"{}")
    with pytest.raises(BundleError, match=folder.name):
        verify_folder(folder, KEY)
    path.unlink()
    with pytest.raises(BundleError, match=folder.name):
        verify_folder(folder, KEY)


def test_a_bundle_under_another_name_is_refused(folder: Path) -> None:
    moved = folder.with_name("0123456789abcdef")
    folder.rename(moved)
    with pytest.raises(BundleError, match="0123456789abcdef"):
        verify_folder(moved, KEY)
