"""Every command of the README runs, in its order, in a copy of what is tracked."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
MAX_LINES = 150
NOT_HERE = ("make test", "make check", "git clone", "cd ", "pip install", "make clean", "make lock")
"""The test command would run this test again; the others fetch the tree, leave it or fetch the libraries."""
DEMO_ACCOUNTS = "400"
SERVER_WAIT_SECONDS = 90


def commands(markdown: str) -> list[str]:
    """The commands of all ```sh blocks: continued lines joined, prompts and comments dropped.

    Examples
    --------
    >>> commands("```sh\\n$ make demo   # a minute\\nnbo x \\\\\\n  --y\\n```\\n```py\\n1\\n```")
    ['make demo', 'nbo x --y']
    """
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", markdown, flags=re.DOTALL | re.MULTILINE):
        for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
            command = re.sub(r"\s+#.*$", "", line).strip().removeprefix("$ ")
            if command and not command.startswith("#"):
                found.append(command)
    return found


def copy_of_the_tree(target: Path) -> None:
    """What a clone would hold: tracked files, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        ignore = shutil.ignore_patterns(
            ".*", "__pycache__", "runs", "bundles", "releases", "mlruns", "mutants"
        )
        shutil.copytree(ROOT, target, ignore=ignore)
        return
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def environment(tree: Path) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("COV", "MAKE", "MFLAGS", "PYTEST", "NBO_"))
    }
    here = Path(sys.executable).parent
    return kept | {
        "NBO_VENV": str(here.parent),
        "NBO_DEMO_ACCOUNTS": DEMO_ACCOUNTS,
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tree / "src"),
        "PYTHONUNBUFFERED": "1",
    }


def here(command: str) -> str:
    """A command that names the checkout's environment, with the environment that runs these tests."""
    return re.sub(
        r"(^|\s)(\./)?\.venv/bin/",
        lambda m: f"{m[1]}{shlex.quote(str(Path(sys.executable).parent))}/",
        command,
    )


def answering(server: subprocess.Popen[str], log: Path) -> None:
    """Wait until the address that a server prints answers."""
    deadline = time.monotonic() + SERVER_WAIT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        address = re.search(r"https?://[\w.:\[\]-]+", log.read_text(encoding="utf-8"))
        if address:
            try:
                urllib.request.urlopen(f"{address[0].rstrip('.')}/livez", timeout=5).close()
            except (urllib.error.URLError, OSError):
                pass
            else:
                return
        time.sleep(0.2)
    pytest.fail(f"the server did not answer:\n{log.read_text(encoding='utf-8')[-3000:]}")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy_of_the_tree(tmp_path / "nbo")
    return tmp_path / "nbo"


def run_all(listed: list[str], tree: Path, servers: list[subprocess.Popen[str]]) -> None:
    for command in listed:
        if re.search(r"\bnbo serve\b|\bbentoml serve\b|&$", command):
            log = tree.parent / f"server-{len(servers)}.log"
            with log.open("w", encoding="utf-8") as out:
                arguments = shlex.split(here(command).rstrip("& "))
                servers.append(
                    subprocess.Popen(
                        arguments, cwd=tree, env=environment(tree), stdout=out, stderr=out, text=True
                    )
                )
            answering(servers[-1], log)
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here(command)],
            cwd=tree,
            env=environment(tree),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_the_readme_names_the_two_commands_of_a_newcomer() -> None:
    assert {"make demo", "make test"} <= set(commands(README.read_text(encoding="utf-8")))


def test_every_command_of_the_readme_runs(tree: Path) -> None:
    listed = [c for c in commands(README.read_text(encoding="utf-8")) if not c.startswith(NOT_HERE)]
    assert listed
    servers: list[subprocess.Popen[str]] = []
    try:
        run_all(listed, tree, servers)
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
        codes = [server.wait(timeout=60) for server in servers]
    assert all(code in (0, -signal.SIGTERM) for code in codes)


def test_a_failing_command_is_seen(tree: Path) -> None:
    with pytest.raises(AssertionError, match=r"\$ make no-such-target"):
        run_all(["make no-such-target"], tree, [])
