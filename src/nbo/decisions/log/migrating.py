"""Bring a database to the version that this code knows."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from nbo.decisions.log.database import Database
from nbo.decisions.log.schema import VERSION_TABLE, VERSIONS
from nbo.errors import StorageError

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x6E626F6C6F67
"""The advisory lock of PostgreSQL that a migration holds; any number that nobody else uses."""


def bring_up_to_date(database: Database) -> None:
    """Make or migrate the tables where need be; a database that is up to date is asked and left.

    Raises
    ------
    StorageError
        The database is away, or is newer than this code.
    """
    if database.read(version) != VERSIONS[-1]:
        database.write(lambda connection: migrate(connection, database))


def version(connection: Connection) -> str | None:
    """The version of a database; None where it has no log yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if found is None else str(found)


def migrate(connection: Connection, database: Database) -> None:
    """Migrate in one transaction. Two processes that come at once do it one after the other."""
    if not database.is_sqlite:  # there, a transaction that writes has locked the whole file already
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    found = version(connection)
    if found == VERSIONS[-1]:
        return
    if found is not None and found not in VERSIONS:
        raise StorageError(
            f"{database.name}: expected a decision log of version {VERSIONS[-1]} or older, got {found}",
            "Use the newer nbo that wrote it",
        )
    # Alembic takes long to import, and a database is migrated once.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    command.upgrade(config, VERSIONS[-1])
