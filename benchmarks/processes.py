"""Run a command in a process of its own and tell what it used."""

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from machine import MIB


@dataclass(frozen=True)
class Cost:
    """What one process used: CPU seconds (user + system), wall seconds, peak bytes of memory."""

    cpu: float
    wall: float
    peak: int

    def __str__(self) -> str:
        return f"CPU {self.cpu:6.2f} s, wall {self.wall:6.2f} s, peak {self.peak / MIB:5.0f} MiB"

    def less(self, start: "Cost") -> "Cost":
        """Without the time of a process that only starts; its memory is part of any process's."""
        return Cost(max(self.cpu - start.cpu, 1e-3), max(self.wall - start.wall, 1e-3), self.peak)


def cost_of(command: Sequence[str]) -> Cost:
    """Run to the end; a failure ends this process too, with exit code 1."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(1)
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began, used.ru_maxrss * 1024)


def median_cost(costs: Sequence[Cost]) -> Cost:
    """Median times and the highest peak of memory."""
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        max(cost.peak for cost in costs),
    )
