"""The child that opens a bundle nobody has opened yet: ``python -m nbo.bundle.probe FOLDER``.

It reads the key from stdin, limits itself, verifies, parses, tries the golden rows and prints
one JSON object. Whatever a hostile model text does to it, it does to this process only.
"""

import json
import resource
import sys
from pathlib import Path

from nbo.bundle.bundle import opened
from nbo.bundle.signing import verify_folder
from nbo.errors import NboError

CPU_SECONDS = 120
SPARE_MEMORY = 2 * 2**30
"""Bytes of address space that the bundle may take beyond what the libraries took."""


def main(arguments: list[str]) -> int:
    """Probe the folder named in ``arguments``; 0 = fit for use, 2 = refused with a reason."""
    key = sys.stdin.buffer.read()
    folder = Path(arguments[0])
    limit_resources()
    try:
        verified = verify_folder(folder, key)
        opened(folder, verified)
    except NboError as error:
        print(json.dumps({"error": str(error)}))
        return 2
    print(json.dumps({"digest": verified.digest}))
    return 0


def limit_resources() -> None:
    """Bound CPU seconds and memory, and leave no core file."""
    soft_limit(resource.RLIMIT_CORE, 0)
    soft_limit(resource.RLIMIT_CPU, CPU_SECONDS)
    soft_limit(resource.RLIMIT_AS, used_address_space() + SPARE_MEMORY)


def soft_limit(kind: int, value: int) -> None:
    """Lower a limit, never beyond the hard one."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def used_address_space() -> int:
    """Bytes of address space in use now; a generous guess where the system does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 4 * 2**30
    return int(statm.read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
