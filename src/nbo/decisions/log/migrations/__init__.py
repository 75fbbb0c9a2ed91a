"""Alembic's scripts: each brings a database from one version to the next, and is never edited again."""
