"""Pipelines that data scientists run and change; the logic lives in ``nbo.models``."""
