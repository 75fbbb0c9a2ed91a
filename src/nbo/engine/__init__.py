"""Run a SQL text over named Parquet tables and get Arrow back. Nothing else knows an engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from nbo.engine.embedded import BATCH_MEMORY, Embedded, identifier, literal, portable
from nbo.engine.place import ENVIRONMENT, SparkPlace, known_master
from nbo.engine.spark import Spark

__all__ = [
    "BATCH_MEMORY",
    "ENVIRONMENT",
    "Embedded",
    "Engine",
    "Spark",
    "SparkPlace",
    "identifier",
    "known_master",
    "literal",
    "portable",
]


class Engine(Protocol):
    """What every engine can do with the portable subset of SQL."""

    def view(self, name: str, files: Sequence[Path], missing: Mapping[str, str] | None = None) -> None:
        """Make Parquet files readable under a table name."""
        ...

    def query(self, sql: str) -> pa.Table:
        """The whole result as an Arrow table."""
        ...
