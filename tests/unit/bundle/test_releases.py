import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nbo.bundle import Release, Releases
from nbo.errors import BundleError, BusyError, StorageError, UsageError
from nbo.files import lock

KEY = b"a key of the tests"
Write = Callable[..., str]


def champion(bundle_id: str, high: float) -> dict[str, object]:
    gain = {"value": high - 0.01, "low": high - 0.02, "high": high}
    return {"bundle_id": bundle_id, "difference": {"average_precision": gain}}


def test_before_the_first_promotion_nothing_is_released(workspace: Path) -> None:
    releases = Releases(workspace)
    assert releases.current("churn") is None
    with pytest.raises(UsageError, match=r"churn: expected a release, got none\. Run nbo promote churn"):
        releases.load("churn", KEY)


def test_a_promoted_bundle_is_the_one_that_loads(workspace: Path, write: Write) -> None:
    bundle_id = write(take=1)
    release = Releases(workspace).promote("churn", bundle_id, KEY, reason="first")
    assert (release.bundle_id, release.reason, release.history) == (bundle_id, "first", ())
    assert Releases(workspace).current("churn") == release
    assert Releases(workspace).load("churn", KEY).id == bundle_id


def test_promoting_the_present_release_again_changes_nothing(workspace: Path, write: Write) -> None:
    releases, bundle_id = Releases(workspace), write(take=1)
    releases.promote("churn", bundle_id, KEY)
    before = releases.pointer.read_bytes()
    assert releases.promote("churn", bundle_id, KEY, reason="again").history == ()
    assert releases.pointer.read_bytes() == before


def test_a_bundle_that_is_not_worse_is_promoted_and_rolled_back(workspace: Path, write: Write) -> None:
    releases, first = Releases(workspace), write(take=1)
    promoted = releases.promote("churn", first, KEY, reason="start")
    second = write(champion=champion(first, high=0.0))
    release = releases.promote("churn", second, KEY)
    assert release.history == (promoted,)
    assert releases.rollback("churn") == Release("churn", first, promoted.digest, "start")
    assert releases.load("churn", KEY).id == first
    with pytest.raises(UsageError, match="churn: expected an earlier release to return to, got none"):
        releases.rollback("churn")


def test_a_worse_bundle_needs_force_and_a_reason(workspace: Path, write: Write) -> None:
    releases, first = Releases(workspace), write(take=1)
    releases.promote("churn", first, KEY)
    worse = write(champion=champion(first, high=-0.001))
    with pytest.raises(
        UsageError, match=rf"no worse than the release {first}, .* -0\.0110 .*or use --force --reason"
    ):
        releases.promote("churn", worse, KEY)
    with pytest.raises(UsageError, match="--reason: expected why a bundle is forced, got none"):
        releases.promote("churn", worse, KEY, force=True, reason=" ")
    assert releases.current("churn").bundle_id == first  # type: ignore[union-attr]
    forced = releases.promote("churn", worse, KEY, force=True, reason="new definition of churn")
    assert (forced.bundle_id, forced.reason) == (worse, "new definition of churn")


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ({"champion": None}, "expected a comparison with the release .*, got one with nothing"),
        ({}, "expected a comparison with the release .*, got one with nothing"),
        ({"champion": champion("0" * 16, 0.1)}, "got one with 0000000000000000"),
        ({"champion": {"difference": {}}}, "expected a difference of average precision, got none"),
        ({"champion": {"difference": {"average_precision": {"value": None}}}}, "expected a difference of"),
    ],
)
def test_a_bundle_without_a_comparison_is_not_promoted(
    workspace: Path, write: Write, metadata: dict[str, dict[str, object]], match: str
) -> None:
    releases, first = Releases(workspace), write(take=1)
    releases.promote("churn", first, KEY)
    if "champion" in metadata and metadata["champion"] and "bundle_id" not in metadata["champion"]:
        metadata = {"champion": {**metadata["champion"], "bundle_id": first}}
    with pytest.raises(UsageError, match=match):
        releases.promote("churn", write(**metadata), KEY)


def test_force_does_not_help_a_damaged_bundle(workspace: Path, write: Write) -> None:
    bundle_id = write(take=1)
    (workspace / "bundles" / bundle_id / "booster-0.txt").write_text("tree")
    with pytest.raises(BundleError, match=r"booster-0\.txt: expected the digest of the manifest"):
        Releases(workspace).promote("churn", bundle_id, KEY, force=True, reason="please")
    assert Releases(workspace).current("churn") is None


@pytest.mark.parametrize("bundle_id", ["", "..", "../bundles", "0" * 16, "x"])
def test_an_unknown_bundle_is_refused_with_what_there_is(
    workspace: Path, write: Write, bundle_id: str
) -> None:
    known = write(take=1)
    with pytest.raises(UsageError, match=rf"--bundle: no such bundle .*; known: {known}"):
        Releases(workspace).promote("churn", bundle_id, KEY)


def test_a_bundle_of_another_model_is_refused(workspace: Path, write: Write) -> None:
    with pytest.raises(UsageError, match=r"--bundle: expected a leakage bundle, got .* of churn"):
        Releases(workspace).promote("leakage", write(take=1), KEY)


def test_a_release_whose_bundle_was_exchanged_does_not_load(workspace: Path, write: Write) -> None:
    releases, bundle_id = Releases(workspace), write(take=1)
    releases.promote("churn", bundle_id, KEY)
    content = json.loads(releases.pointer.read_text())
    content["models"]["churn"]["digest"] = "0" * 64
    releases.pointer.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="expected the bytes that were promoted, got others"):
        releases.load("churn", KEY)


def test_rollback_to_a_damaged_bundle_is_refused(workspace: Path, write: Write) -> None:
    releases, first = Releases(workspace), write(take=1)
    releases.promote("churn", first, KEY)
    second = write(champion=champion(first, high=0.1))
    releases.promote("churn", second, KEY)
    folder = workspace / "bundles" / first
    for name, match in (
        ("metadata.json", "expected the files that were promoted"),
        ("MANIFEST.json", "expected the bytes that were promoted"),
    ):
        intact = (folder / name).read_bytes()
        (folder / name).write_text("{}")
        with pytest.raises(BundleError, match=match):
            releases.rollback("churn")
        (folder / name).write_bytes(intact)
    folder.rename(folder.parent / "moved")
    with pytest.raises(BundleError, match=r"expected a folder at .* got none"):
        releases.rollback("churn")
    assert releases.load("churn", KEY).id == second


def test_a_pointer_of_other_content_is_told_as_a_storage_error(workspace: Path) -> None:
    releases = Releases(workspace)
    releases.pointer.parent.mkdir(parents=True)
    for text in ("", "[]", '{"models": {"churn": {}}}', '{"models": {"churn": 1}}'):
        releases.pointer.write_text(text)
        with pytest.raises(StorageError, match=r"current\.json: expected the releases as nbo wrote them"):
            releases.current("churn")


def test_a_second_promotion_at_the_same_time_is_busy(workspace: Path, write: Write) -> None:
    releases, bundle_id = Releases(workspace), write(take=1)
    with lock(releases.pointer), pytest.raises(BusyError, match=r"current\.json: another job is writing"):
        releases.promote("churn", bundle_id, KEY)


def test_readers_see_the_old_release_or_the_new_one_and_nothing_else(workspace: Path) -> None:
    releases = Releases(workspace)
    known = [Release("churn", f"{k:016x}", f"{k:064x}") for k in range(2)]
    releases.write({"churn": known[0]})

    def read_many(_: int) -> set[Release | None]:
        return {releases.current("churn") for _ in range(300)}

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read_many, k) for k in range(4)]
        for turn in range(200):
            releases.write({"churn": known[turn % 2]})
        seen = set().union(*(reader.result() for reader in readers))
    assert seen <= set(known)
    assert releases.current("churn") == known[1]
