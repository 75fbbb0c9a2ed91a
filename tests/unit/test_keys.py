"""The workspace's key: where it comes from, and that it is made once."""

import stat

import pytest

from nbo.errors import UsageError
from nbo.keys import bundle_key, derived


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv("NBO_BUNDLE_KEY", raising=False)
    monkeypatch.delenv("NBO_BUNDLE_KEY_FILE", raising=False)


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    key = bundle_key(tmp_path)
    assert bundle_key(tmp_path) == key
    assert len(key) == 64
    assert stat.S_IMODE((tmp_path / ".nbo-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".nbo-key"]


def test_the_environment_comes_first_then_the_named_file(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("f" * 32 + "\n")
    monkeypatch.setenv("NBO_BUNDLE_KEY_FILE", str(tmp_path / "secret"))
    assert bundle_key(tmp_path) == b"f" * 32
    monkeypatch.setenv("NBO_BUNDLE_KEY", "e" * 32)
    assert bundle_key(tmp_path) == b"e" * 32
    assert not (tmp_path / ".nbo-key").exists()


def test_short_and_missing_keys_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NBO_BUNDLE_KEY", "short")
    with pytest.raises(UsageError, match=r"NBO_BUNDLE_KEY: expected a key of at least 16 bytes, got 5"):
        bundle_key(tmp_path)
    monkeypatch.delenv("NBO_BUNDLE_KEY")
    monkeypatch.setenv("NBO_BUNDLE_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"NBO_BUNDLE_KEY_FILE: no file .*none"):
        bundle_key(tmp_path)


def test_each_purpose_has_its_own_key():
    assert derived(b"k" * 32, "a") != derived(b"k" * 32, "b")
    assert len(derived(b"k" * 32, "a")) == 32
