"""The arrows of the architecture hold, and each contract notices when its arrow is broken."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("src/nbo", "features", "training", "serving")
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
LOADERS = {"__import__()", "compile()", "eval()", "exec()", "imp", "pkgutil", "runpy"} | {
    "importlib" + part for part in ("", ".abc", ".import_module", ".machinery", ".reload", ".util")
}
"""What turns a path or a name into running code; importlib.metadata and importlib.resources only read."""

BREAKINGS = {
    "nbo imports training": ("src/nbo/tables", "import training", "training, serving and features stand"),
    "nbo imports serving": ("src/nbo/models", "import serving", "training, serving and features stand"),
    "training imports features": ("training", "import features", "training, serving and features stand"),
    "serving imports training": ("serving", "import training", "training, serving and features stand"),
    "a layer imports back": ("src/nbo/tables", "import nbo.features", "Inside nbo, imports go down"),
    "a layer imports far back": ("src/nbo/engine", "import nbo.bundle", "Inside nbo, imports go down"),
    "a layer imports sideways": ("src/nbo/customers", "import nbo.evaluation", "Inside nbo, imports go down"),
    "a package has no layer": ("src/nbo/attic", "", "Inside nbo, imports go down"),
    "features reads a table contract": ("features", "from nbo import tables", "features/ imports"),
    "training imports mlflow": ("training", "import mlflow", "Only nbo.tracking"),
    "features builds with mlflow": ("src/nbo/features", "import mlflow.tracking", "Only nbo.tracking"),
    "serving imports mlflow": ("serving", "import mlflow", "The server process imports mlflow by no path"),
    "tables imports duckdb": ("src/nbo/tables", "import duckdb", "Only nbo.engine imports duckdb"),
    "serving imports sqlalchemy": (
        "serving",
        "import sqlalchemy",
        "Only nbo.decisions.log imports sqlalchemy",
    ),
    "a decision is migrated": (
        "src/nbo/decisions",
        "from alembic import op",
        "Only nbo.decisions.log imports",
    ),
    "evaluation imports lightgbm": ("src/nbo/evaluation", "import lightgbm", "Only nbo.bundle"),
    "a model imports implicit": ("src/nbo/models", "import implicit", "Only nbo.models.peers imports"),
    "a policy knows the truth": (
        "src/nbo/decisions",
        "from nbo.world.truth import potential_outcomes",
        "Nothing that learns, decides or serves imports the truth",
    ),
    "training knows the truth": (
        "training",
        "import nbo.world.truth",
        "Nothing that learns, decides or serves imports the truth",
    ),
    "a bundle is pickled": ("src/nbo/bundle", "from pickle import loads", "Nothing imports pickle"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def test_all_contracts_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(("package", "line", "contract"), BREAKINGS.values(), ids=BREAKINGS)
def test_a_broken_arrow_fails(tree: Path, package: str, line: str, contract: str) -> None:
    folder = tree / package
    if not folder.exists():
        folder.mkdir()
        (folder / "__init__.py").touch()
    (folder / "broken_on_purpose.py").write_text(line + "\n", encoding="utf-8")
    result = lint(tree)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [row for row in result.stdout.splitlines() if "BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), broken


def test_the_server_reaches_mlflow_through_no_other_module(tree: Path) -> None:
    tracking = tree / "src/nbo/tracking.py"
    tracking.write_text("import mlflow\n", encoding="utf-8")
    (tree / "serving/broken_on_purpose.py").write_text("import nbo.tracking\n", encoding="utf-8")
    result = lint(tree)
    assert "The server process imports mlflow by no path BROKEN" in result.stdout, result.stdout


def loads_code(text: str) -> set[str]:
    """What a source text uses to run code that it finds by path or name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "importlib":
            found.update(f"importlib.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(f"{node.func.id}()")
    return found & LOADERS


@pytest.mark.parametrize(
    "text",
    [
        "import importlib",
        "import importlib.util",
        "from importlib import import_module",
        "from importlib import util",
        "from importlib.util import find_spec",
        "import runpy",
        "exec('x')",
    ],
)
def test_the_loader_check_sees(text: str) -> None:
    assert loads_code(text)


def test_the_loader_check_lets_readers_pass() -> None:
    assert not loads_code("from importlib import resources\nimport importlib.metadata\nx.eval(1)")


def test_only_the_workspace_loads_code() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): loads_code(path.read_text(encoding="utf-8"))
        for path in sources(*PACKAGES)
        if path.relative_to(ROOT).as_posix() != "src/nbo/workspace.py"
    }
    assert not {path: names for path, names in found.items() if names}


def test_declarations_import_only_the_feature_language() -> None:
    foreign = set()
    for path in sources("features"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                foreign.update((path.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                top = ".".join((node.module or "").split(".")[:2])
                if top != "nbo.features" and not top.startswith("features"):
                    foreign.add((path.name, node.module or ""))
    assert not foreign
