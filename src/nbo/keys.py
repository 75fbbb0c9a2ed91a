"""The workspace's secret key, and one derived key per purpose.

The key signs bundles and makes pseudonyms of phone numbers. It comes from the environment
(``NBO_BUNDLE_KEY``, or a file named by ``NBO_BUNDLE_KEY_FILE``), else from ``.nbo-key`` in the
workspace, which is made once with mode 0600.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from nbo.errors import StorageError, UsageError

KEY_FILE = ".nbo-key"
MIN_KEY_BYTES = 16


def bundle_key(workspace: Path) -> bytes:
    """The secret of this workspace.

    Parameters
    ----------
    workspace : Path
        Folder that holds ``nbo.toml``; ``.nbo-key`` is made there where no other key is given.

    Returns
    -------
    bytes
        At least 16 bytes.

    Raises
    ------
    UsageError
        Where the key given is shorter, or its file cannot be read.
    StorageError
        Where ``.nbo-key`` cannot be written.
    """
    text = os.environ.get("NBO_BUNDLE_KEY")
    if text is not None:
        return long_enough(text.strip().encode(), "NBO_BUNDLE_KEY")
    named = os.environ.get("NBO_BUNDLE_KEY_FILE")
    if named is not None:
        return long_enough(read_key(Path(named), "NBO_BUNDLE_KEY_FILE"), "NBO_BUNDLE_KEY_FILE")
    path = workspace / KEY_FILE
    if not path.exists():
        make_key(path)
    return long_enough(read_key(path, KEY_FILE), str(path))


def derived(key: bytes, purpose: str) -> bytes:
    """A key for one purpose only: HMAC-SHA256 of the purpose, 32 bytes.

    Examples
    --------
    >>> derived(b"k" * 16, "a") != derived(b"k" * 16, "b")
    True
    """
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def make_key(path: Path) -> None:
    # The link makes the key appear whole: of two first commands one wins and both read its key.
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror})",
            "Make the workspace writable, or set NBO_BUNDLE_KEY",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def read_key(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes().strip()
    except FileNotFoundError:
        raise UsageError(f"{where}: no file {path}", "Name an existing key file") from None
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}", "Make the key file readable") from error


def long_enough(key: bytes, where: str) -> bytes:
    if len(key) < MIN_KEY_BYTES:
        raise UsageError(
            f"{where}: expected a key of at least {MIN_KEY_BYTES} bytes, got {len(key)}",
            "Make one, e.g. with: openssl rand -hex 32",
        )
    return key
