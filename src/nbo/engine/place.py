"""Where Spark runs: its master, how long an answer is waited for, and Spark's own settings."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

LOCAL = "local[*]"
"""The master that is this machine, all its processors."""
ENVIRONMENT = "NBO_SPARK_MASTER"
NAMES, BEGINNINGS = ("local", "yarn"), ("local[", "spark://", "sc://", "k8s://")
"""What a master is called, or begins with."""


class SparkPlace(BaseModel):
    """Where and how Spark computes; the section ``[spark]`` of ``nbo.toml``.

    Parameters
    ----------
    master : str
        ``local[*]`` (this machine), ``spark://HOST:PORT`` (a standalone cluster), ``sc://HOST:PORT`` (a
        Spark Connect server), ``yarn`` or ``k8s://https://HOST:PORT``.
    wait_seconds : int
        How long the master may take to answer, and a cluster to give us a worker; 1 to 3600.
    conf : mapping of str to str, number or bool
        Settings of Spark by their names, such as ``spark.executor.memory``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    master: str = LOCAL
    wait_seconds: int = Field(default=60, ge=1, le=3600)
    conf: Mapping[str, str | int | float | bool] = Field(default_factory=dict)

    @field_validator("master")
    @classmethod
    def known_master(cls, told: str) -> str:
        """A master of a kind that Spark knows."""
        return known_master(told)

    @field_validator("conf")
    @classmethod
    def known_settings(cls, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Names of Spark's own settings."""
        for name in told:
            if not name.startswith("spark."):
                raise ValueError(f"expected names that begin with spark., got {name}")
        return told

    @property
    def connects(self) -> bool:
        """Whether a Spark Connect server runs it: then this process has no Java."""
        return self.master.startswith("sc://")

    @property
    def is_local(self) -> bool:
        """Whether this machine alone computes."""
        return self.master.startswith("local")

    @property
    def settings(self) -> dict[str, str]:
        """``conf`` as Spark reads it."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.conf.items()
        }


def known_master(told: str) -> str:
    """The name of a master, refused by a :class:`ValueError` unless it is of a kind that Spark knows."""
    if told not in NAMES and not told.startswith(BEGINNINGS):
        raise ValueError("expected local[*], spark://HOST:PORT, sc://HOST:PORT, yarn or k8s://URL")
    return told
