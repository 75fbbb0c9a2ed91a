"""Which database the log is, and how it is named without telling a secret."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from nbo.errors import UsageError

VARIABLE = "NBO_LOG_URL"
SETTING = "nbo.toml log.url"
DEFAULT_FILE = "decisions.db"
SECRETS = ("password", "sslpassword")
"""Parameters of a PostgreSQL address that are secrets."""


def log_url(settings: Mapping[str, Any], root: Path) -> str:
    """The address of the log: ``NBO_LOG_URL``, else ``url`` under ``[log]``, else ``decisions.db``.

    Parameters
    ----------
    settings : mapping
        The content of ``nbo.toml``.
    root : Path
        The workspace; the file of a SQLite address is meant relative to it.

    Raises
    ------
    UsageError
        No such kind of database, an address that cannot be read, or a password in ``nbo.toml``.
    """
    if told := os.environ.get(VARIABLE):
        return placed(read_address(told, VARIABLE), root)
    section = settings.get("log", {})
    if not isinstance(section, Mapping):
        raise UsageError(f"nbo.toml log: expected a table of settings, got {section!r}")
    for name in section:
        if name != "url":
            raise UsageError(f"nbo.toml log.{name}: unknown key; known: url")
    url = section.get("url", f"sqlite:///{DEFAULT_FILE}")
    if not isinstance(url, str):
        raise UsageError(f"{SETTING}: expected text, got {url!r}")
    address = read_address(url, SETTING)
    if address.password is not None or any(name in address.query for name in SECRETS):
        raise UsageError(f"{SETTING}: expected no password, for secrets stand in no file", f"Use {VARIABLE}")
    return placed(address, root)


def read_address(url: str, where: str) -> URL:
    """A checked address; what is wrong with it is told without repeating it.

    Examples
    --------
    >>> read_address("postgresql://nbo@db/decisions", "url").drivername
    'postgresql+psycopg'
    >>> read_address("mysql://db/decisions", "url")
    Traceback (most recent call last):
    nbo.errors.UsageError: url: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE, got mysql.
    """
    expected = f"{where}: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(f"{expected}, got what is no URL") from None
    if address.drivername == "sqlite":
        if not address.database or address.database == ":memory:" or address.host or address.query:
            raise UsageError(f"{expected}, got a sqlite address without file or with more than a file")
        return address
    if address.drivername not in ("postgresql", "postgresql+psycopg"):
        raise UsageError(f"{expected}, got {address.drivername}")
    if "@" in (address.host or ""):
        raise UsageError(f"{where}: expected one @, got several", "Write an @ within a password as %40")
    return address.set(drivername="postgresql+psycopg")


def placed(address: URL, root: Path) -> str:
    """The address as text, a SQLite file taken from the workspace."""
    if address.drivername == "sqlite":
        address = address.set(database=str(root / str(address.database)))
    return address.render_as_string(hide_password=False)


def public_name(address: URL) -> str:
    """What an error may call the database: the file, or host and database, never user or password."""
    if address.drivername == "sqlite":
        return str(address.database)
    host = address.host or address.query.get("host", "the default host")
    port = f":{address.port}" if address.port else ""
    return f"PostgreSQL database {address.database} at {host}{port}"
