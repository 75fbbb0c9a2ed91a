"""What `pip install` brings works away from the checkout: the command, and the workspace that it copies."""

import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("src", "features", "training", "serving", "nbo.toml", "pyproject.toml", "README.md")
IGNORED = shutil.ignore_patterns("__pycache__")

Command = Callable[..., subprocess.CompletedProcess[str]]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env={"LANG": "C.UTF-8"}
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, room / "source" / name, ignore=IGNORED)
        else:
            (room / "source").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, room / "source" / name)
    built = run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", room / "dist", cwd=room / "source"
    )
    assert built.returncode == 0, built.stderr
    (found,) = (room / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def nbo(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The `nbo` of a clean environment: the wheel, and this environment's libraries without the checkout."""
    room = tmp_path_factory.mktemp("clean")
    venv.create(room / "venv", with_pip=False)
    python = room / "venv/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    installed = run(*pip, "install", "-q", "--no-deps", "--no-index", wheel, cwd=room)
    assert installed.returncode == 0, installed.stderr
    # A folder named by a .pth file is searched last, and its own .pth files (the checkout) are not read.
    libraries = Path(pytest.__file__).parents[1]
    (site,) = (room / "venv/lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    where = run(python, "-c", "import nbo; print(nbo.__file__)", cwd=room)
    assert str(site) in where.stdout, where.stderr

    def call(*arguments: str, cwd: Path = room) -> subprocess.CompletedProcess[str]:
        return run(room / "venv/bin/nbo", *arguments, cwd=cwd)

    return call


def names_in(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_a_wheel_holds_one_import_name_and_no_leavings(wheel: Path) -> None:
    names = names_in(wheel)
    assert {name.split("/")[0] for name in names} == {"nbo", "nbo-0.1.0.dist-info"}
    assert not [
        name for name in names if name.endswith((".pyc", ".key", ".db", ".log")) or "__pycache__" in name
    ]
    assert "nbo/py.typed" in names


def test_a_wheel_carries_the_whole_workspace(wheel: Path) -> None:
    carried = {name.removeprefix("nbo/_workspace/") for name in names_in(wheel) if "nbo/_workspace/" in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for folder in ("features", "training", "serving")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert carried == expected | {"nbo.toml"}


def test_help_works_away_from_a_checkout(nbo: Command) -> None:
    result = nbo("--help")
    assert result.returncode == 0, result.stderr
    assert "init" in result.stdout


def test_init_copies_the_workspace_out_of_the_wheel(nbo: Command, tmp_path: Path) -> None:
    result = nbo("init", str(tmp_path / "operator"))
    assert result.returncode == 0, result.stdout + result.stderr
    for folder in ("features", "training", "serving"):
        original = {p.name for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"}
        assert {p.name for p in (tmp_path / "operator" / folder).rglob("*") if p.is_file()} >= original
    assert (tmp_path / "operator/nbo.toml").is_file()
    listed = nbo("features", "list", cwd=tmp_path / "operator")
    assert listed.returncode == 0, listed.stdout + listed.stderr
