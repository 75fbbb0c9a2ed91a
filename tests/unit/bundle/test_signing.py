"""Signatures: every byte counts, and the key."""

import json
from pathlib import Path

import pytest

from nbo.bundle.signing import identity, manifest_bytes, seal, signature, verify_folder
from nbo.errors import BundleError, UsageError
from nbo.files import MANIFEST, canonical_json, sha256_bytes

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


ADVICE = "Do not use it: copy it anew from where it was trained, or train again."


def refusal(folder: Path, key: bytes = KEY) -> str:
    """The text with which a folder is refused."""
    with pytest.raises(BundleError, match=f"^bundle {folder.name}: ") as caught:
        verify_folder(folder, key)
    text = str(caught.value).removeprefix(f"bundle {folder.name}: ")
    assert text.endswith(ADVICE)
    return text.removesuffix(ADVICE).rstrip()


def resign(folder: Path, **changes: object) -> None:
    """Change the manifest and sign it as its owner would."""
    path = folder / MANIFEST
    manifest = {**json.loads(path.read_bytes()), **changes}
    manifest["hmac"] = signature(manifest, KEY)
    path.write_bytes(manifest_bytes(manifest))


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_changed_byte_in_any_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[0] ^= 1
    (folder / name).write_bytes(bytes(content))
    assert refusal(folder) == f"{name}: expected the digest of the manifest, got other bytes."


def test_a_missing_or_extra_file_is_refused(folder: Path) -> None:
    (folder / "extra.txt").write_text("x")
    assert refusal(folder) == "extra.txt: expected only signed files, got an extra one."
    (folder / "extra.txt").unlink()
    (folder / "golden.json").unlink()
    assert refusal(folder) == "golden.json: expected a file, got none."


def test_folders_and_links_are_no_files(folder: Path) -> None:
    (folder / "sub").mkdir()
    assert refusal(folder) == "expected plain files only, got sub."
    (folder / "sub").rmdir()
    (folder / "golden.json").rename(folder.with_name("golden"))
    (folder / "golden.json").symlink_to(folder.with_name("golden"))
    assert refusal(folder) == "expected plain files only, got golden.json."


def test_no_folder_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone") == f"expected a folder at {tmp_path / 'gone'}, got none."


UNTRUSTED = "MANIFEST.json: expected a signature by this workspace's key, got another or an edited one."


def test_another_key_or_an_edited_manifest_is_refused(folder: Path) -> None:
    assert refusal(folder, OTHER) == UNTRUSTED
    path = folder / MANIFEST
    signed = path.read_bytes()
    path.write_bytes(signed.replace(b"churn", b"spawn"))
    assert refusal(folder) == UNTRUSTED
    path.write_bytes(b"{}")
    assert refusal(folder) == UNTRUSTED
    path.write_bytes(signed[:-3])
    assert refusal(folder) == "MANIFEST.json: expected JSON, got other bytes."
    path.write_bytes(signed.replace(b'"version":1', b'"version":NaN'))
    assert refusal(folder) == "MANIFEST.json: expected plain JSON, got other values."
    path.write_bytes(b"[]")
    assert refusal(folder) == "MANIFEST.json: expected a JSON object, got list."
    path.write_bytes(signed.replace(b",", b", ", 1))
    assert refusal(folder) == "MANIFEST.json: expected the spelling that was signed, got another."
    path.unlink()
    assert refusal(folder) == "expected MANIFEST.json, got none."


def test_a_key_of_no_bytes_is_a_wrong_setting() -> None:
    with pytest.raises(UsageError, match=r"^bundle key: expected at least one byte, got none\.$"):
        seal("churn", FILES, b"")


def test_what_was_signed_must_still_be_a_bundle(folder: Path) -> None:
    signed = (folder / MANIFEST).read_bytes()
    files = json.loads(signed)["files"]
    layout = "MANIFEST.json: expected the files of a bundle, got a difference in "
    cases: list[tuple[dict[str, object], str]] = [
        ({"kind": "store"}, "MANIFEST.json: expected kind 'bundle' version 1, got 'store' 1."),
        ({"version": 2}, "MANIFEST.json: expected kind 'bundle' version 1, got 'bundle' 2."),
        ({"files": []}, "MANIFEST.json: expected files and model, got others."),
        ({"model": 3}, "MANIFEST.json: expected files and model, got others."),
        (
            {"files": {**files, "../evil": "0"}},
            "MANIFEST.json: expected names of bundle files, got '../evil'.",
        ),
        ({"files": {**files, "booster-7.txt": "0"}}, layout + "booster-2.txt, booster-7.txt."),
        ({"files": {n: d for n, d in files.items() if n != "golden.json"}}, layout + "golden.json."),
        ({"files": {n: d for n, d in files.items() if "booster" not in n}}, layout + "booster-0.txt."),
        ({"bundle_id": "0" * 16}, "expected the id of its contents, got '0000000000000000'."),
    ]
    for changes, text in cases:
        (folder / MANIFEST).write_bytes(signed)
        resign(folder, **changes)
        assert refusal(folder) == text


def test_one_booster_is_enough(tmp_path: Path) -> None:
    files = {name: content for name, content in FILES.items() if name != "booster-1.txt"}
    bundle_id, manifest = seal("churn", files, KEY)
    folder = tmp_path / bundle_id
    folder.mkdir()
    for name, content in {**files, MANIFEST: manifest}.items():
        (folder / name).write_bytes(content)
    verified = verify_folder(folder, KEY)
    assert verified.booster_texts == ["tree"]
    assert (verified.bundle_id, verified.digest) == (bundle_id, sha256_bytes(manifest))
    assert dict(verified.files) == files


def test_a_file_that_is_no_json_is_named(folder: Path) -> None:
    verified = verify_folder(folder, KEY)
    text = rf"^bundle {folder.name}: booster-0\.txt: expected JSON, got other bytes\. {ADVICE}$"
    with pytest.raises(BundleError, match=text):
        verified.json("booster-0.txt")


def test_a_bundle_under_another_name_is_refused(folder: Path) -> None:
    moved = folder.with_name("0123456789abcdef")
    folder.rename(moved)
    assert refusal(moved) == f"expected the id of its contents, got {folder.name!r}."
