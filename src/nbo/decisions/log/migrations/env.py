"""What Alembic runs to migrate: over the connection, and in the transaction, that it is handed."""

from alembic import context

from nbo.decisions.log.schema import VERSION_TABLE, metadata


def run() -> None:
    """Run the migrations that Alembic was asked for."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
    )
    context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file; an import runs nothing
    run()
