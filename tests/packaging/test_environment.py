"""The environment is made once, found in no time, and never half-made.

The scripts run for real; the Python they find on ``PATH`` is a stub that writes down what it is asked.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    "cut",
    "dirname",
    "env",
    "find",
    "flock",
    "grep",
    "head",
    "mkdir",
    "mv",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "cp",
)
STUB = """#!/bin/sh
case "$*" in
    *"version_info < (3, 11)"*) exit {old} ;;
    *"import ensurepip"*) exit {without_venv} ;;
    *"version_info[:2]"*) echo 3.12 ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo venv >> "$NBO_STUB_LOG" ;;
    *" install "*) echo "$*" >> "$NBO_STUB_LOG"; [ ! -e "$NBO_STUB_LOG.fails" ] ;;
esac
"""


class Machine:
    """A folder that is all of PATH, a checkout, and the log of what its Python was asked."""

    def __init__(self, room: Path) -> None:
        self.bin = room / "bin"
        self.checkout = room / "check out"
        self.log = room / "log"
        self.libraries = room / "lib"
        for folder in (self.bin, self.checkout / "constraints", self.libraries):
            folder.mkdir(parents=True)
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.bin / tool).symlink_to(found)
        shutil.copytree(ROOT / "tools", self.checkout / "tools")
        (self.checkout / "constraints/dev.txt").write_text("one==1\n", encoding="utf-8")
        (self.checkout / "pyproject.toml").write_text("[project]\n", encoding="utf-8")

    def python(self, name: str, *, old: bool = False, without_venv: bool = False) -> None:
        path = self.bin / name
        path.write_text(STUB.format(old=int(old), without_venv=int(without_venv)), encoding="utf-8")
        path.chmod(0o755)

    def libgomp(self) -> None:
        (self.libraries / "libgomp.so.1").touch()

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.bin),
            "NBO_STUB_LOG": str(self.log),
            "NBO_LIBRARY_DIRS": str(self.libraries),
            **variables,
        }
        return subprocess.run(
            [self.bin / "sh", f"tools/{script}"],
            cwd=self.checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self) -> list[str]:
        """What the stub did since the last call, in short: venv, lock, project."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return ["lock" if "-r " in line else "project" if "-e ." in line else line for line in lines]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    machine.python("python3")
    machine.libgomp()
    assert machine.run("environment").returncode == 0
    assert machine.asked() == ["venv", "lock", "project"]
    return machine


def test_preflight_names_everything_that_is_missing_at_once(machine: Machine) -> None:
    result = machine.run("preflight")
    assert result.returncode == 2
    python, libgomp = result.stderr.splitlines()
    assert "Python 3.11 or newer" in python
    assert python.endswith("apt-get install python3.11 python3.11-venv")
    assert libgomp.endswith("apt-get install libgomp1")


def test_preflight_passes_over_an_old_python3(machine: Machine) -> None:
    machine.python("python3", old=True)
    machine.python("python3.12")
    machine.libgomp()
    result = machine.run("preflight")
    assert (result.returncode, result.stdout, result.stderr) == (0, "python3.12\n", "")


def test_preflight_prefers_a_python_that_has_venv(machine: Machine) -> None:
    machine.python("python3.13", without_venv=True)
    machine.python("python3.11")
    machine.libgomp()
    assert machine.run("preflight").stdout == "python3.11\n"


def test_preflight_names_the_package_of_a_missing_venv(machine: Machine) -> None:
    machine.python("python3", without_venv=True)
    machine.libgomp()
    result = machine.run("preflight")
    assert result.returncode == 2
    assert result.stderr.endswith("apt-get install python3.12-venv\n")


def test_a_machine_that_lacks_something_gets_no_environment(machine: Machine) -> None:
    machine.python("python3", old=True)
    assert machine.run("environment").returncode == 2
    assert machine.asked() == []


def test_a_ready_environment_is_left_alone(ready: Machine) -> None:
    result = ready.run("environment")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert ready.asked() == []


def test_the_lock_is_installed_as_it_stands(machine: Machine) -> None:
    """Nothing is resolved: pip refuses a whole lock once a newer version of what an extra names appears."""
    machine.python("python3")
    machine.libgomp()
    assert machine.run("environment").returncode == 0
    lock, project = [line for line in machine.log.read_text().splitlines() if " install " in line]
    assert "--no-deps --require-hashes -r constraints/dev.txt" in lock
    assert "--no-deps" in project


def test_another_lock_is_installed_over_it(ready: Machine) -> None:
    (ready.checkout / "constraints/dev.txt").write_text("one==2\n", encoding="utf-8")
    assert ready.run("environment").returncode == 0
    assert ready.asked() == ["lock", "project"]
    assert ready.run("environment").returncode == 0
    assert ready.asked() == []


def test_another_pyproject_only_registers_the_project_again(ready: Machine) -> None:
    (ready.checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert ready.run("environment").returncode == 0
    assert ready.asked() == ["project"]


def test_an_interrupted_installation_is_made_anew(ready: Machine) -> None:
    (ready.checkout / "constraints/dev.txt").write_text("one==2\n", encoding="utf-8")
    trap = Path(f"{ready.log}.fails")
    trap.touch()
    assert ready.run("environment").returncode != 0
    assert ready.asked() == ["lock"]
    assert not (ready.checkout / ".venv/.ready").exists()
    trap.unlink()
    assert ready.run("environment").returncode == 0
    assert ready.asked() == ["venv", "lock", "project"]


def test_a_moved_folder_gets_a_new_environment(ready: Machine) -> None:
    (ready.checkout / ".venv/left-over").touch()
    ready.checkout = ready.checkout.rename(ready.checkout.with_name("elsewhere"))
    assert ready.run("environment").returncode == 0
    assert ready.asked() == ["venv", "lock", "project"]
    assert not (ready.checkout / ".venv/left-over").exists()


def test_a_vanished_python_gets_a_new_environment(ready: Machine) -> None:
    (ready.checkout / ".venv/bin/python").unlink()
    assert ready.run("environment").returncode == 0
    assert ready.asked() == ["venv", "lock", "project"]


def test_an_environment_that_stands_elsewhere_is_never_changed(machine: Machine, tmp_path: Path) -> None:
    result = machine.run("environment", NBO_VENV=str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert "NBO_VENV: expected an environment" in result.stderr
    machine.python("python")
    (tmp_path / "elsewhere").mkdir()
    machine.bin.rename(tmp_path / "elsewhere/bin")
    machine.bin = tmp_path / "elsewhere/bin"
    assert machine.run("environment", NBO_VENV=str(tmp_path / "elsewhere")).returncode == 0
    assert machine.asked() == []
    assert not (machine.checkout / ".venv").exists()


def test_the_peers_environment_is_made_once_and_anew_after_another_lock_or_a_failure(
    machine: Machine,
) -> None:
    machine.python("python3")
    machine.libgomp()
    lock = machine.checkout / "constraints/peers.txt"
    lock.write_text("one==1\n", encoding="utf-8")
    for expected in (["venv", "lock"], []):
        assert machine.run("peers").returncode == 0
        assert machine.asked() == expected
    lock.write_text("one==2\n", encoding="utf-8")
    fails = Path(f"{machine.log}.fails")
    fails.touch()
    assert machine.run("peers").returncode != 0
    fails.unlink()
    machine.asked()
    assert machine.run("peers").returncode == 0
    assert machine.asked() == ["venv", "lock"]
    assert not (machine.checkout / ".venv").exists()


def test_bare_make_lists_every_target_with_its_help() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    listed = subprocess.run(
        ["make", "-s"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[0] for line in listed.splitlines()}
    phony = next(
        line
        for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
        if line.startswith(".PHONY")
    )
    assert names == set(phony.split()[1:]) - {"environment"}
    assert {"demo", "test", "check", "lock"} <= names
