"""What a server is told at its start."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nbo.errors import UsageError

MODEL = "churn"
"""The model whose release is served."""


@dataclass(frozen=True)
class ServeSettings:
    """Where to read from and where to listen.

    Parameters
    ----------
    workspace : Path
        The folder that holds ``bundles/`` and ``releases/``.
    store : Path
        A checked store with a feature snapshot for the released bundle.
    host : str
        Address to bind; any other than loopback needs API keys.
    port : int
        0 to 65535; 0 = any free port, told on the address line.
    as_of : str or None
        ISO date of the snapshot to serve; None or ``latest`` = the newest one built for the
        bundle, and newer ones as they appear.
    drain_seconds : float
        How long ``/readyz`` says 503 before a terminated server stops answering.
    api_keys_file : Path or None
        Lines of ``name scopes key``; None = the variable ``NBO_API_KEYS``.
    workers : int
        1: one process holds one snapshot; run several servers for more.

    Examples
    --------
    >>> ServeSettings(Path("."), Path("store"), port=70_000)
    Traceback (most recent call last):
    nbo.errors.UsageError: port: expected 0 to 65535, got 70000.
    """

    workspace: Path
    store: Path
    host: str = "127.0.0.1"
    port: int = 8000
    as_of: str | None = None
    drain_seconds: float = 5.0
    api_keys_file: Path | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"port: expected 0 to 65535, got {self.port}")
        if not 0 <= self.drain_seconds <= 3_600:
            raise UsageError(f"drain_seconds: expected 0 to 3600 seconds, got {self.drain_seconds}")
        if self.workers != 1:
            raise UsageError(
                f"workers: expected 1, got {self.workers}", "Start one nbo serve per port for more processes"
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "ServeSettings":
        """Settings for ``bentoml serve``: ``NBO_WORKSPACE``, ``NBO_STORE`` and optional ``NBO_AS_OF``."""
        missing = [name for name in ("NBO_WORKSPACE", "NBO_STORE") if not environment.get(name)]
        if missing:
            raise UsageError(f"{', '.join(missing)}: expected a folder in the environment, got none")
        return cls(
            workspace=Path(environment["NBO_WORKSPACE"]),
            store=Path(environment["NBO_STORE"]),
            as_of=environment.get("NBO_AS_OF") or None,
        )
