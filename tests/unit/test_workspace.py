"""A workspace is the folder with nbo.toml; what lies beside none is never executed."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbo.errors import UsageError
from nbo.workspace import Workspace, bundled_code

ROOT = Path(__file__).resolve().parents[2]
TRAP = "from pathlib import Path\nPath({marker!r}).touch()\nSETS = {{}}\n"
SET = """
from nbo.features import FeatureSet, Words, days, table
SETS = {{"{name}": [FeatureSet("calls", Words("Calls", "通话"), [table("calls").count(over=days(7))])]}}
"""


@pytest.fixture(autouse=True)
def _packages_of_the_checkout() -> Iterator[None]:
    """Later tests find the checkout's own packages again."""
    yield
    for name in [known for known in sys.modules if known.split(".")[0] == "features"]:
        del sys.modules[name]


def workspace(folder: Path, name: str = "churn") -> Path:
    """A workspace whose only feature set has this name."""
    for package in ("features", "training", "serving"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    (folder / "features" / "sets.py").write_text(SET.format(name=name))
    (folder / "nbo.toml").write_text('[operator]\nname = "Test"\n')
    return folder


def trap(folder: Path) -> Path:
    """A stray ``features/``; the file returned appears once any of it runs."""
    marker = folder / "executed"
    (folder / "features").mkdir(parents=True)
    for name in ("__init__.py", "sets.py", "calls.py"):
        (folder / "features" / name).write_text(TRAP.format(marker=str(marker)))
    return marker


def test_the_marker_is_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = workspace(tmp_path / "operator")
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    found = Workspace.find()
    assert (found.root, found.code) == (root, root)
    assert found.settings == {"operator": {"name": "Test"}}


def test_a_folder_named_explicitly_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = workspace(tmp_path / "one"), workspace(tmp_path / "two")
    monkeypatch.chdir(one)
    assert Workspace.find(two).root == two


def test_without_any_marker_the_bundled_code_serves_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = Workspace.find()
    assert (found.root, found.code) == (tmp_path, bundled_code())
    assert found.settings["operator"]["language"] == "en"


def test_a_marker_without_code_uses_the_bundled_code(tmp_path: Path) -> None:
    (tmp_path / "nbo.toml").write_text("[at_risk]\nhorizon_months = 6\n")
    found = Workspace.find(tmp_path)
    assert (found.root, found.code) == (tmp_path, bundled_code())
    assert found.settings == {"at_risk": {"horizon_months": 6}}


def test_half_of_the_code_is_refused(tmp_path: Path) -> None:
    root = workspace(tmp_path / "operator")
    shutil.rmtree(root / "serving")
    with pytest.raises(UsageError, match="got no serving") as told:
        Workspace.find(root)
    assert str(told.value) == (
        f"{root}: expected all of features, training, serving beside nbo.toml or none, got no serving. "
        "Run nbo init DIR and copy what is missing."
    )


def test_an_explicit_folder_without_the_marker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no nbo\.toml there") as told:
        Workspace.find(tmp_path)
    assert str(told.value) == f"--workspace {tmp_path}: no nbo.toml there. Run nbo init {tmp_path}."


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[operator\n", "Expected ']' at the end of a table declaration"),
        (b'[operator]\nname = "\xff"\n', "can't decode byte 0xff"),
        (b"[at-risk]\nholdout_share = 0.1\n", "at-risk: unknown section; did you mean at_risk?"),
    ],
)
def test_settings_that_cannot_be_read_are_told(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "nbo.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"nbo\.toml") as told:
        Workspace.find(tmp_path)
    assert text in str(told.value)


def test_a_stray_features_folder_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = trap(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # as if Python ran from here
    found = Workspace.find()
    assert "churn" in found.module("features.sets").SETS
    assert found.feature_sets("churn")
    assert not marker.exists()


def test_the_trap_shuts_once_the_marker_lies_beside_it(tmp_path: Path) -> None:
    marker = trap(tmp_path)
    workspace_files = workspace(tmp_path / "donor")
    for name in ("training", "serving", "nbo.toml"):
        shutil.move(workspace_files / name, tmp_path / name)
    Workspace.find(tmp_path).module("features.sets")
    assert marker.exists()


def test_each_workspace_loads_its_own_declarations(tmp_path: Path) -> None:
    one, two = (Workspace.find(workspace(tmp_path / name, name)) for name in ("one", "two"))
    for place, name in ((one, "one"), (two, "two"), (one, "one")):
        assert list(place.module("features.sets").SETS) == [name]


def test_a_set_that_is_not_declared_shows_close_matches(tmp_path: Path) -> None:
    place = Workspace.find(workspace(tmp_path / "operator"))
    with pytest.raises(UsageError, match="no such name") as told:
        place.feature_sets("chrun")
    assert str(told.value) == "features chrun: no such name in features/sets.py; did you mean churn?"


def test_only_packages_of_a_workspace_are_loaded(tmp_path: Path) -> None:
    place = Workspace.find(workspace(tmp_path / "operator"))
    with pytest.raises(UsageError, match=r"os\.path: expected a module of features, training, serving"):
        place.module("os.path")


def test_offers_and_rules_are_the_operator_s_files_or_the_bundled_ones(tmp_path: Path) -> None:
    (tmp_path / "nbo.toml").write_text("[offers]\nalternatives = 2\n")
    bundled = bundled_code() / "serving" / "offers"
    found = Workspace.find(tmp_path)
    assert (found.catalog_path, found.rules_path) == (bundled / "catalog.toml", bundled / "rules.toml")
    own = Workspace.find(workspace(tmp_path / "operator"))
    assert own.catalog_path == tmp_path / "operator" / "serving" / "offers" / "catalog.toml"
    assert own.rules_path == tmp_path / "operator" / "serving" / "offers" / "rules.toml"
    (own.root / "nbo.toml").write_text('[offers]\ncatalog = "terms/mine.toml"\nrules = "/etc/rules.toml"\n')
    told = Workspace.find(own.root)
    assert (told.catalog_path, told.rules_path) == (own.root / "terms" / "mine.toml", Path("/etc/rules.toml"))
    (own.root / "nbo.toml").write_text("[offers]\ncatalog = 3\n")
    with pytest.raises(UsageError, match=r"nbo\.toml offers\.catalog: Input should be a valid string, got 3"):
        _ = Workspace.find(own.root).catalog_path


def test_the_checkout_is_its_own_bundled_code() -> None:
    assert bundled_code() == ROOT
    assert Workspace.at(ROOT).config_path("churn") == ROOT / "training" / "configs" / "churn.toml"
    assert Workspace.at(ROOT).config_path("churn").is_file()
