"""Which database is the log, and that no error tells a password."""

from pathlib import Path
from typing import Any

import pytest

from nbo.decisions.log import log_url
from nbo.decisions.log.settings import public_name, read_address
from nbo.errors import UsageError

ROOT = Path("/operator")
SECRET = "hid%40den"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBO_LOG_URL", raising=False)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "sqlite:////operator/decisions.db"),
        ({"log": {}}, "sqlite:////operator/decisions.db"),
        ({"log": {"url": "sqlite:///data/log.db"}}, "sqlite:////operator/data/log.db"),
        ({"log": {"url": "sqlite:////elsewhere/log.db"}}, "sqlite:////elsewhere/log.db"),
        ({"log": {"url": "postgresql://nbo@db:5433/log"}}, "postgresql+psycopg://nbo@db:5433/log"),
        ({"log": {"url": "postgresql+psycopg:///log?host=db"}}, "postgresql+psycopg:///log?host=db"),
    ],
)
def test_the_address_is_that_of_the_settings(settings: dict[str, Any], url: str) -> None:
    assert log_url(settings, ROOT) == url


def test_the_variable_comes_before_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_LOG_URL", f"postgresql://nbo:{SECRET}@db/log")
    assert log_url({"log": {"url": "sqlite:///x.db"}}, ROOT) == f"postgresql+psycopg://nbo:{SECRET}@db/log"
    monkeypatch.setenv("NBO_LOG_URL", "sqlite:///y.db")
    assert log_url({}, ROOT) == "sqlite:////operator/y.db"
    monkeypatch.setenv("NBO_LOG_URL", "")
    assert log_url({}, ROOT) == "sqlite:////operator/decisions.db"


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("sqlite:///x.db", r"^nbo\.toml log: expected a table of settings, got 'sqlite:///x\.db'"),
        ({"ulr": "x"}, r"^nbo\.toml log\.ulr: unknown key; known: url"),
        ({"url": 7}, r"^nbo\.toml log\.url: expected text, got 7"),
        ({"url": "decisions.db"}, r"log\.url: expected sqlite:///FILE or .*, got what is no URL"),
        ({"url": "mysql://db/x"}, "got mysql"),
        ({"url": "postgresql+asyncpg://db/x"}, r"got postgresql\+asyncpg"),
        ({"url": "sqlite://"}, "got a sqlite address without file"),
        ({"url": "sqlite:///:memory:"}, "got a sqlite address without file"),
        ({"url": "sqlite://x.db"}, "got a sqlite address without file or with more"),
        ({"url": "sqlite:///x.db?mode=ro"}, "got a sqlite address without file or with more"),
        ({"url": "postgresql://nbo@db:port/x"}, "got what is no URL"),
        ({"url": "postgresql://nbo:" + SECRET + "@db/x"}, "expected no password, .*Use NBO_LOG_URL"),
        ({"url": "postgresql://nbo:@db/x"}, "expected no password"),
        ({"url": f"postgresql://db/x?password={SECRET}"}, "expected no password"),
        ({"url": f"postgresql://db/x?sslpassword={SECRET}"}, "expected no password"),
        ({"url": "postgresql://nbo:a@" + SECRET + "@db/x"}, "expected one @, got several. Write an @"),
        ({"url": "postgresql://nbo:" + SECRET + "@db:port/x"}, "got what is no URL"),
    ],
)
def test_a_wrong_setting_is_told_without_its_secrets(log: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as told:
        log_url({"log": log}, ROOT)
    assert SECRET not in str(told.value)


def test_a_wrong_variable_is_told_as_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_LOG_URL", "mysql://nbo:" + SECRET + "@db/x")
    with pytest.raises(
        UsageError, match=r"^NBO_LOG_URL: expected sqlite:///FILE or postgresql://.*got mysql"
    ) as told:
        log_url({}, ROOT)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////data/log.db", "/data/log.db"),
        ("postgresql://nbo:" + SECRET + "@db:5433/log", "PostgreSQL database log at db:5433"),
        ("postgresql:///log?host=/run/pg&password=" + SECRET, "PostgreSQL database log at /run/pg"),
        ("postgresql:///log", "PostgreSQL database log at the default host"),
    ],
)
def test_a_database_is_named_by_its_place(url: str, name: str) -> None:
    assert public_name(read_address(url, "url")) == name
