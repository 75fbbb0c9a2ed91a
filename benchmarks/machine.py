"""The machine and the libraries that a figure was measured on."""

import importlib.metadata
import os
import platform
from pathlib import Path

MIB = 1 << 20


def machine_words() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("duckdb", "pyarrow"))
    model = next(
        (line.split(":")[1].strip() for line in cpu_lines() if line.startswith("model name")),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model}), {platform.system()}, Python {platform.python_version()}, {versions}"


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
