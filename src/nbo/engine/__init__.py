"""Run a SQL text over named Parquet tables and get Arrow back. Nothing else knows an engine."""

from nbo.engine.embedded import BATCH_MEMORY, Embedded, identifier, literal

__all__ = ["BATCH_MEMORY", "Embedded", "identifier", "literal"]
