"""Have a bundle opened by a child process first: what kills a process must not kill ours."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from nbo.bundle.signing import NEXT_STEP, refused, verify_folder
from nbo.errors import BundleError

WALL_SECONDS = 300
SECRETS = ("NBO_BUNDLE_KEY", "NBO_BUNDLE_KEY_FILE")


def probe_bundle(folder: Path, key: bytes, *, wall_seconds: float = WALL_SECONDS) -> str:
    """Verify a bundle here, then parse it and try its golden rows in a limited child process.

    Used before a bundle is promoted: a valid signature proves who made a model text, not that
    LightGBM survives it.

    Parameters
    ----------
    folder : Path
        ``bundles/<bundle_id>``.
    key : bytes
        The key of the workspace; it reaches the child by stdin only.
    wall_seconds : float
        After this the child is killed and the bundle refused.

    Returns
    -------
    str
        SHA-256 of the manifest that was probed.

    Raises
    ------
    BundleError
        The bundle is damaged, kills or stalls the child, or misses a golden score.
    """
    verified = verify_folder(folder, key)
    digest = probed_digest(folder, key, wall_seconds)
    if digest != verified.digest:
        raise refused(folder, "expected the same bytes throughout the probe, got others")
    return digest


def probed_digest(folder: Path, key: bytes, wall_seconds: float) -> str:
    """Run the child and read its verdict."""
    kept = {name: value for name, value in os.environ.items() if name not in SECRETS}
    # One thread each: thread stacks and arenas would eat the child's address space.
    kept |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        child = subprocess.run(
            [sys.executable, "-m", "nbo.bundle.probe", str(folder.absolute())],
            input=key,
            capture_output=True,
            timeout=wall_seconds,
            check=False,
            env=kept,
        )
    except subprocess.TimeoutExpired:
        raise refused(folder, f"expected a model that opens within {wall_seconds:g} s, got none") from None
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise refused(folder, f"expected a model that opens, got one that ended the probe by {name}")
    answer = child_answer(child.stdout)
    if child.returncode == 0 and "digest" in answer:
        return answer["digest"]
    if "error" in answer:
        raise BundleError(answer["error"].removesuffix(f" {NEXT_STEP}."), NEXT_STEP)
    raise refused(folder, f"expected a verdict of the probe, got exit code {child.returncode}")


def child_answer(stdout: bytes) -> dict[str, str]:
    """The JSON object on the last line; empty if there is none."""
    lines = stdout.decode(errors="replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
