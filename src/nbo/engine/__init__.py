"""Run a SQL text over named Parquet tables and get Arrow back. Nothing else knows an engine."""

from nbo.engine.embedded import Embedded, identifier, literal

__all__ = ["Embedded", "identifier", "literal"]
