import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nbo.bundle import Bundle, BundleParts, load_bundle, write_bundle
from nbo.bundle.signing import manifest_bytes, seal, signature
from nbo.errors import BundleError, UsageError
from nbo.features.compiled import CompiledFeatures

KEY = b"a key of the tests"
FILES = [
    "booster-0.txt",
    "booster-1.txt",
    "calibrator.json",
    "features.json",
    "golden.json",
    "metadata.json",
    "vocabulary.json",
]


def resealed(folder: Path, changes: dict[str, bytes]) -> Path:
    """The bundle with changed files, signed with the right key under its new id."""
    contents = {name: (folder / name).read_bytes() for name in FILES} | changes
    bundle_id, manifest = seal("churn", contents, KEY)
    other = folder.parent / bundle_id
    other.mkdir()
    for name, content in contents.items():
        (other / name).write_bytes(content)
    (other / "MANIFEST.json").write_bytes(manifest)
    return other


def resigned(folder: Path, **changes: object) -> None:
    """Edit the manifest and sign it with the right key."""
    manifest = json.loads((folder / "MANIFEST.json").read_bytes()) | changes
    manifest["hmac"] = signature(manifest, KEY)
    (folder / "MANIFEST.json").write_bytes(manifest_bytes(manifest))


def random_rows(compiled: CompiledFeatures, n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(0, 3, (n, 4)) * rng.choice([-1, 1], (n, 4))
    values[rng.random((n, 4)) < 0.25] = np.nan
    grades = rng.choice(np.array(["gold", "iron", "new", None], dtype=object), n)
    columns = {name: pa.array(values[:, k], from_pandas=True) for k, name in enumerate(compiled.names[:4])}
    return pa.table({**columns, "grade": pa.array(grades, pa.string())})


def test_a_written_bundle_loads_with_all_its_parts(folder: Path, parts: BundleParts) -> None:
    bundle = load_bundle(folder, KEY)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "MANIFEST.json"])
    assert (bundle.id, bundle.model, bundle.metadata) == (folder.name, "churn", {"rows": 1500})
    assert (bundle.features, bundle.vocabulary) == (parts.features, parts.vocabulary)
    assert len(bundle.boosters) == 2


def test_scores_are_probabilities_that_differ_between_rows(folder: Path, rows: pa.Table) -> None:
    bundle = load_bundle(folder, KEY)
    scores = bundle.score(bundle.encode(rows))
    assert scores.shape == (1500,) and scores.dtype == np.float64
    assert 0 <= scores.min() < scores.max() <= 1 and len(np.unique(scores)) > 100


@pytest.mark.parametrize("n", [1, 2, 17, 1000])
def test_one_row_scores_bit_for_bit_as_in_a_batch(folder: Path, compiled: CompiledFeatures, n: int) -> None:
    bundle = load_bundle(folder, KEY)
    rows = random_rows(compiled, n, seed=n)
    batch = bundle.score(bundle.encode(rows), threads=2)
    alone = [bundle.score(bundle.encode(rows.slice(k, 1)))[0] for k in range(n)]
    assert np.array(alone).tobytes() == batch.tobytes()


@pytest.mark.parametrize("threads", range(1, 9))
def test_any_number_of_threads_gives_the_same_bits(
    folder: Path, compiled: CompiledFeatures, threads: int
) -> None:
    bundle = load_bundle(folder, KEY)
    matrix = bundle.encode(random_rows(compiled, 3000, seed=9))
    assert bundle.score(matrix, threads=threads).tobytes() == bundle.score(matrix, threads=1).tobytes()
    assert bundle.score(np.asfortranarray(matrix)).tobytes() == bundle.score(matrix).tobytes()


def test_many_callers_at_once_get_the_same_bits(folder: Path, compiled: CompiledFeatures) -> None:
    bundle = load_bundle(folder, KEY)
    matrix = bundle.encode(random_rows(compiled, 400, seed=3))
    expected = bundle.score(matrix).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert {r.tobytes() for r in pool.map(lambda _: bundle.score(matrix), range(64))} == {expected}


def test_swapped_columns_give_the_same_scores(folder: Path, rows: pa.Table) -> None:
    bundle = load_bundle(folder, KEY)
    swapped = rows.select(["grade", "days", "spend", "minutes", "calls"])
    assert bundle.score(bundle.encode(swapped)).tobytes() == bundle.score(bundle.encode(rows)).tobytes()


def test_no_rows_give_no_scores_and_no_contributions(folder: Path, rows: pa.Table) -> None:
    bundle = load_bundle(folder, KEY)
    empty = bundle.encode(rows.slice(0, 0))
    assert bundle.score(empty).shape == (0,) and bundle.contributions(empty).shape == (0, 5)


@pytest.mark.parametrize("shape", [(3, 4), (3, 6), (5,)])
def test_a_matrix_of_another_shape_is_refused(folder: Path, shape: tuple[int, ...]) -> None:
    bundle = load_bundle(folder, KEY)
    with pytest.raises(BundleError, match=r"matrix: expected shape \(n, 5\), got"):
        bundle.score(np.zeros(shape))
    with pytest.raises(BundleError, match=r"matrix: expected shape \(n, 5\), got"):
        bundle.contributions(np.zeros(shape))


def test_contributions_are_the_log_odds_without_the_constant(folder: Path, rows: pa.Table) -> None:
    bundle = load_bundle(folder, KEY)
    matrix = bundle.encode(rows.slice(0, 50))
    told = bundle.contributions(matrix)
    raw = np.mean([b.predict(matrix, raw_score=True) for b in bundle.boosters], axis=0)
    constant = raw - told.sum(axis=1)
    assert told.shape == (50, 5)
    np.testing.assert_allclose(constant, constant[0], atol=1e-9)


def test_the_same_parts_give_the_same_id_and_touch_nothing(
    folder: Path, workspace: Path, parts: BundleParts
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_bundle(workspace / "bundles", parts, KEY) == folder.name
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_other_metadata_give_another_id(folder: Path, workspace: Path, parts: BundleParts) -> None:
    assert write_bundle(workspace / "bundles", replace(parts, metadata={"rows": 2}), KEY) != folder.name


def test_writing_again_mends_a_damaged_bundle(folder: Path, workspace: Path, parts: BundleParts) -> None:
    (folder / "metadata.json").write_text("{}")
    write_bundle(workspace / "bundles", parts, KEY)
    assert load_bundle(folder, KEY).metadata == {"rows": 1500}


@pytest.mark.parametrize("name", [*FILES, "MANIFEST.json"])
@pytest.mark.parametrize("share", [0.0, 0.37, 0.71, 1.0])
def test_one_flipped_byte_anywhere_is_refused(folder: Path, name: str, share: float) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[round(share * (len(content) - 1))] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=rf"bundle {folder.name}: {name}: expected"):
        load_bundle(folder, KEY)


@pytest.mark.parametrize("name", [*FILES, "MANIFEST.json"])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"bundle {folder.name}: .*{name}.*got none"):
        load_bundle(folder, KEY)


@pytest.mark.parametrize("name", ["booster-2.txt", "notes.txt", ".hidden"])
def test_an_extra_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("tree")
    with pytest.raises(BundleError, match=rf"{name}: expected only signed files, got an extra one"):
        load_bundle(folder, KEY)


def test_a_link_or_a_folder_inside_is_refused(folder: Path) -> None:
    (folder / "metadata.json").rename(folder.parent / "metadata.json")
    (folder / "metadata.json").symlink_to(folder.parent / "metadata.json")
    with pytest.raises(BundleError, match=r"expected plain files only, got metadata\.json"):
        load_bundle(folder, KEY)


def test_another_key_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match="expected a signature by this workspace's key"):
        load_bundle(folder, b"another key")
    with pytest.raises(UsageError, match="bundle key: expected at least one byte"):
        load_bundle(folder, b"")


def test_an_edited_manifest_is_refused(folder: Path) -> None:
    path = folder / "MANIFEST.json"
    path.write_bytes(path.read_bytes().replace(b'"model":"churn"', b'"model":"spend"'))
    with pytest.raises(BundleError, match="expected a signature by this workspace's key"):
        load_bundle(folder, KEY)


def test_another_spelling_of_the_signed_manifest_is_refused(folder: Path) -> None:
    path = folder / "MANIFEST.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
    with pytest.raises(BundleError, match="expected the spelling that was signed"):
        load_bundle(folder, KEY)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b"[" * 100_000, b"\xff\xfe", b'{"hmac":NaN}', b'{"model":"\\ud800"}', b"{}"]
)
def test_a_manifest_of_any_other_bytes_is_refused(folder: Path, raw: bytes) -> None:
    (folder / "MANIFEST.json").write_bytes(raw)
    with pytest.raises(BundleError, match=r"MANIFEST\.json: expected"):
        load_bundle(folder, KEY)


@pytest.mark.parametrize("name", ["../other/booster-0.txt", "/etc/passwd", "booster-00.txt", "x/../a.json"])
def test_names_outside_the_layout_are_refused_even_when_signed(folder: Path, name: str) -> None:
    files = json.loads((folder / "MANIFEST.json").read_bytes())["files"]
    resigned(folder, files={**files, name: files["metadata.json"]})
    with pytest.raises(BundleError, match="expected names of bundle files, got"):
        load_bundle(folder, KEY)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kind": "store"}, "expected kind 'bundle' version 1, got 'store' 1"),
        ({"version": 2}, "expected kind 'bundle' version 1, got 'bundle' 2"),
        ({"files": []}, "expected files and model, got others"),
        ({"files": {}}, "expected the files of a bundle, got a difference in booster-0.txt"),
        ({"bundle_id": "0" * 16}, "expected the id of its contents, got '0000000000000000'"),
    ],
)
def test_a_signed_manifest_of_another_shape_is_refused(
    folder: Path, changes: dict[str, object], match: str
) -> None:
    resigned(folder, **changes)
    with pytest.raises(BundleError, match=match):
        load_bundle(folder, KEY)


def test_a_bundle_under_another_name_is_refused(folder: Path) -> None:
    other = shutil.copytree(folder, folder.parent / ("0" * 16))
    with pytest.raises(BundleError, match="expected the id of its contents"):
        load_bundle(other, KEY)


def test_no_folder_is_told_as_such(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle gone: expected a folder at .*, got none"):
        load_bundle(folder.parent / "gone", KEY)


def test_a_changed_leaf_is_caught_by_the_golden_rows(folder: Path) -> None:
    text = (folder / "booster-0.txt").read_text()
    start = text.index("leaf_value=") + len("leaf_value=")
    first = text[start:].split(" ", 1)[0]
    changed = text.replace(f"leaf_value={first}", f"leaf_value={float(first) + 1e-3!r}", 1)
    # LightGBM keeps the length of every tree beside the trees.
    grown = len(changed) - len(text)
    sizes = text.split("tree_sizes=", 1)[1].split("\n", 1)[0].split(" ")
    resized = " ".join([str(int(sizes[0]) + grown), *sizes[1:]])
    changed = changed.replace("tree_sizes=" + " ".join(sizes), "tree_sizes=" + resized)
    other = resealed(folder, {"booster-0.txt": changed.encode()})
    with pytest.raises(BundleError, match=r"golden rows: expected the scores .* of 20 rows, e\.g\. row"):
        load_bundle(other, KEY)


def test_changed_feature_definitions_are_caught_by_their_hash(folder: Path) -> None:
    edited = (folder / "features.json").read_bytes().replace(b"SELECT 1", b"SELECT 2")
    with pytest.raises(BundleError, match="expected content with hash"):
        load_bundle(resealed(folder, {"features.json": edited}), KEY)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"golden.json": b"{}"}, "golden rows: expected 1 to 20 scores"),
        ({"golden.json": b'{"scores":["0x0p+0"]}'}, "golden rows: expected a column for every feature"),
        ({"vocabulary.json": b"{}"}, "expected codes of the category grade, got none"),
        ({"vocabulary.json": b"[]"}, r"vocabulary\.json: expected a JSON object, got list"),
        ({"features.json": b"{}"}, "compiled features: expected"),
        ({"booster-1.txt": b"\xff"}, "can't decode byte"),
    ],
)
def test_signed_files_of_another_shape_are_refused(
    folder: Path, changes: dict[str, bytes], match: str
) -> None:
    with pytest.raises(BundleError, match=match):
        load_bundle(resealed(folder, changes), KEY)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"boosters": []}, "boosters: expected at least one"),
        ({"boosters": ["not a model"]}, "booster: expected a LightGBM model text"),
        ({"rows": 0}, "golden rows: expected 1 to 20, got 0"),
        ({"rows": 21}, "golden rows: expected 1 to 20, got 21"),
    ],
)
def test_parts_that_do_not_fit_are_not_written(
    workspace: Path, parts: BundleParts, rows: pa.Table, changes: dict[str, object], match: str
) -> None:
    if "rows" in changes:
        changes = {"golden_rows": rows.slice(0, changes["rows"])}
    with pytest.raises(BundleError, match=match):
        write_bundle(workspace / "bundles", replace(parts, **changes), KEY)  # type: ignore[arg-type]
    assert not (workspace / "bundles").exists()


def test_features_in_another_order_than_the_boosters_are_not_written(
    workspace: Path, parts: BundleParts
) -> None:
    turned = CompiledFeatures.of(tuple(reversed(parts.features.features)), "SELECT 1", "retention")
    with pytest.raises(BundleError, match="expected the bundle's features in their order"):
        write_bundle(workspace / "bundles", replace(parts, features=turned), KEY)


def test_a_bundle_is_compared_by_identity_only(folder: Path) -> None:
    first, second = load_bundle(folder, KEY), load_bundle(folder, KEY)
    assert isinstance(first, Bundle) and first != second and first.id == second.id
