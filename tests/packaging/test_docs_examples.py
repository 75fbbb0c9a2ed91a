"""Examples of the documentation run, its command page is complete, and its links lead somewhere."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from nbo.cli.app import command_line

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
PREPARED = (
    "simulate --accounts 400 --months 13 --seed 1 --out runs/raw",
    "check --data runs/raw --out runs/store",
    "train churn --store runs/store",
)


def run_nbo(place: Path, *words: str) -> None:
    command = [sys.executable, "-m", "nbo", *words]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"nbo {' '.join(words)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a store and a released bundle, as docs/python-api.md says."""
    place = tmp_path_factory.mktemp("docs") / "operator"
    run_nbo(place.parent, "init", str(place))
    for command in PREPARED:
        run_nbo(place, *command.split())
    [bundle] = (place / "bundles").glob("[0-9a-f]*")
    run_nbo(place, "promote", "churn", "--bundle", bundle.name)
    return place


def failures(page: Path) -> doctest.TestResults:
    return doctest.testfile(str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)


def test_examples_of_the_feature_language_run() -> None:
    result = failures(DOCS / "features.md")
    assert result.attempted >= 10
    assert result.failed == 0


def test_examples_of_the_python_api_run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    for name in [name for name in os.environ if name.startswith("NBO_BUNDLE")]:
        monkeypatch.delenv(name)
    result = failures(DOCS / "python-api.md")
    assert result.attempted >= 20
    assert result.failed == 0


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield " ".join((*path, name)), command
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


EXISTING = dict(commands(typer.main.get_command(command_line())))
SECTIONS = dict(re.findall(r"^## nbo (.+?)\n(.*?)(?=^## |\Z)", COMMANDS, flags=re.DOTALL | re.MULTILINE))


def test_the_command_page_has_a_section_for_each_command_and_no_other() -> None:
    assert set(SECTIONS) == set(EXISTING)


@pytest.mark.parametrize("name", EXISTING)
def test_a_section_names_each_argument_and_option_and_no_other(name: str) -> None:
    wanted = set()
    for parameter in EXISTING[name].params:
        if parameter.name != "help":
            is_option = parameter.param_type_name == "option"
            wanted |= set(parameter.opts) if is_option else {parameter.name}
    rows = re.findall(r"^\| `([^`]+)` \|", SECTIONS[name], flags=re.MULTILINE)
    assert {word for row in rows for word in row.split(", ")} == wanted


@pytest.mark.parametrize("name", EXISTING)
def test_a_section_has_an_example_and_its_exit_codes(name: str) -> None:
    assert f"$ nbo {name}" in SECTIONS[name]
    assert re.search(r"^Exit codes: 0", SECTIONS[name], flags=re.MULTILINE)
    shown = re.findall(r"(?<![\w-])--[a-z][a-z-]*", SECTIONS[name])
    known = {word for command in EXISTING.values() for p in command.params for word in p.opts}
    assert set(shown) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
