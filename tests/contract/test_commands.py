"""Every command explains itself, shows an example that parses, and answers slips alike.

The suite is generated over the command line itself: a new command is in it without being named.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from nbo.cli.app import command_line, run

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "commands.md"
WITHOUT_JSON = {"demo", "serve"}
"""They run on and talk; they answer no question."""


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its words, such as ``models show``; a group that acts by itself is one too."""
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            if inner.invoke_without_command:
                yield " ".join((*path, name)), inner
            yield from walk(inner, (*path, name))
        else:
            yield " ".join((*path, name)), inner


ROOT_COMMAND = typer.main.get_command(command_line())
COMMANDS = dict(walk(ROOT_COMMAND))
GROUPS = sorted({path.rsplit(" ", 1)[0] for path in COMMANDS if " " in path})


def example(path: str) -> list[str]:
    """The words after ``Example: nbo``."""
    [line] = [line for line in COMMANDS[path].help.splitlines() if line.strip().startswith("Example: ")]
    words = shlex.split(line.strip().removeprefix("Example: "))
    assert words[0] == "nbo"
    return words[1:]


def options(path: str) -> set[str]:
    return {name for parameter in COMMANDS[path].params for name in parameter.opts}


def test_the_commands_of_the_house_are_there() -> None:
    names = "init simulate check tables features train tune evaluate models promote rollback score at-risk"
    assert {path.split()[0] for path in COMMANDS} >= set(f"{names} why serve report doctor demo".split())


@pytest.mark.parametrize(
    "words", ["check", "tables show calls", "features check", "features lineage x", "outcomes import"]
)
def test_what_runs_no_model_does_not_wait_for_libraries_that_do(words: str) -> None:
    build = f"from nbo.cli.app import command_line; command_line({words.split()})"
    code = f"{build}; import sys; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"lightgbm", "sklearn", "scipy", "matplotlib", "mlflow", "optuna"} & set(told.stdout.split())


def test_a_group_that_acts_by_itself_is_a_command_too() -> None:
    assert {"check", "check catalog"} <= set(COMMANDS)
    assert {"check", "tables"} <= set(GROUPS)
    assert "tables" not in COMMANDS


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_a_sentence_of_help(path: str) -> None:
    first = COMMANDS[path].help.strip().splitlines()[0]
    assert len(first) > 15
    assert first.endswith((".", "?"))


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_a_sentence_of_help(group: str) -> None:
    told = ROOT_COMMAND.commands[group].help.strip().splitlines()  # type: ignore[attr-defined]
    assert told[0].endswith(".")
    assert told[1:] == [] or group in COMMANDS, "only a group that acts by itself has an example"


@pytest.mark.parametrize("path", COMMANDS)
def test_an_example_is_a_command_line_that_parses(path: str) -> None:
    words = example(path)
    assert words[: len(path.split())] == path.split()
    COMMANDS[path].make_context(path, words[len(path.split()) :])


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_that_answers_does_so_for_machines(path: str) -> None:
    assert ("--json" in options(path)) == (path not in WITHOUT_JSON)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_says_what_it_is(path: str) -> None:
    silent = [
        parameter.name
        for parameter in COMMANDS[path].params
        if parameter.opts[0].startswith("--") and not getattr(parameter, "help", None)
    ]
    assert silent == []


@pytest.mark.parametrize("path", COMMANDS)
def test_dates_stores_and_workspaces_are_named_alike(path: str) -> None:
    names = options(path)
    assert not names & {"--date", "--asof", "--as_of", "--data-dir", "--output", "--root"}
    assert not [name for name in names if "_" in name]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_its_place_in_the_reference(path: str) -> None:
    headings = [line for line in REFERENCE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any(f"nbo {path}" in heading for heading in headings), f"docs/commands.md: no section nbo {path}"


@pytest.mark.parametrize("path", COMMANDS)
def test_an_unknown_option_is_told_in_one_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split(), "--no-such-option"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    [line] = told.err.splitlines()
    assert line.startswith("nbo: No such option: --no-such-option")


@pytest.mark.parametrize("path", sorted(set(COMMANDS) - WITHOUT_JSON))
def test_an_unknown_option_is_told_to_machines_in_the_envelope(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*path.split(), "--no-such-option", "--json"]) == 2
    envelope = json.loads(capsys.readouterr().out)
    assert list(envelope) == ["ok", "as_of", "result", "error", "warnings"]
    assert envelope["ok"] is False
    assert "No such option" in envelope["error"]


@pytest.mark.parametrize("path", COMMANDS)
def test_help_is_shown_and_is_no_error(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split(), "--help"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert path in told.out
    assert "Example: nbo" in told.out
