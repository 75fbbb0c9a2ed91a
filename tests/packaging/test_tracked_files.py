"""What is published names no package index, no path of one machine and no secret."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Written with one-letter classes so that this file does not find itself.
FORBIDDEN = {
    "a package index": r"(--(extra-)?inde[x]-url|--find-link[s]|py[p]i\.org|pythonh[o]sted|inde[x]-url\s*=)",
    "a download address in a lock": r'("resolved": *"h[t]tp|registry = *"h[t]tp|^[\w.-]+ @ h[t]tp)',
    "a path of one machine": r"(^|[^.\w-])/(w[o]rk|r[o]ot|h[o]me|Us[e]rs|f[a]rm)/\w",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE K[E]Y",
    "an access token": r"\b(AK[I]A[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|xox[abp]-[0-9A-Za-z-]{20,})\b",
    "a password in an address": r"\b[a-z+]{3,}://[^\s/:@{}$<]+:[^\s/@{}$<*]+@[\w.-]+",
}
EXAMPLES = {
    "a package index": ("pip install --index-" + "url x", "pip install numpy"),
    "a download address in a lock": ("nbo @ " + "https://x/y.whl", "one==1 --hash=sha256:ab"),
    "a path of one machine": ("open('/ro" + "ot/x')", "open('runs/root/x')"),
    "a private key": ("-----BEGIN RSA PRIVATE " + "KEY-----", "BEGIN KEY"),
    "an access token": ("AK" + "IA" + "A" * 16, "AKIA"),
    "a password in an address": ("postgresql://nbo:" + "secret@db/x", "postgresql://nbo@db/x"),
}


def published() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.fail("expected a git checkout: only git knows what is published")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def findings(pattern: str, text: str) -> list[int]:
    """Numbers of the lines in which a pattern occurs."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_published_file_names(what: str) -> None:
    found = []
    for path in published():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{path.relative_to(ROOT)}:{line}" for line in findings(FORBIDDEN[what], text)]
    assert not found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_pattern_sees_what_it_forbids_and_no_more(what: str) -> None:
    forbidden, allowed = EXAMPLES[what]
    assert findings(FORBIDDEN[what], forbidden)
    assert not findings(FORBIDDEN[what], allowed)


def test_locks_pin_every_package_by_hash() -> None:
    locks = sorted((ROOT / "constraints").glob("*.txt"))
    assert [lock.name for lock in locks] == [
        "dev.txt",
        "featuretools.txt",
        "mutants.txt",
        "peers.txt",
        "runtime.txt",
    ]
    for lock in locks:
        text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+ ", line), line[:80]
            assert "--hash=sha256:" in line, line[:80]
