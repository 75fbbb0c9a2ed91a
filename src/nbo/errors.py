"""Every error that nbo raises on purpose.

::

    NboError
    ├── UsageError        a wrong argument, setting or name          exit 2
    ├── DataError         the operator's data do not fit             exit 2
    │   ├── LeakageError  a feature reads what it must not           exit 2
    │   └── ConflictError it says otherwise than what is recorded    exit 2
    ├── BundleError       a model bundle is damaged or unverified    exit 2
    ├── StorageError      a disk, folder or database let us down     exit 2
    ├── CheckFailed       a check ran and said no                    exit 1
    └── BusyError         another job holds the lock                 exit 75

Anything else that escapes is a defect of ours and leaves the command line with exit code 70.
"""

from collections.abc import Sequence
from typing import ClassVar

MAX_EXAMPLES = 5
MAX_TEXT = 600
SHOWN_NAMES = 8


class NboError(Exception):
    """The root: a condition that nbo foresaw, told in one line."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, next_step: str | None = None) -> None:
        text = message if message.endswith("?") else message.rstrip(". ") + "."
        if next_step:
            text += " " + next_step.rstrip(". ") + "."
        super().__init__(shorten(text))
        self.next_step = next_step


class UsageError(NboError):
    """A wrong argument, setting or name; the message says what to write instead."""


class DataError(NboError):
    """Data that break a contract.

    Parameters
    ----------
    where : str
        ``table.column`` or the argument that is wrong.
    expected : str
        The rule, with its unit.
    got : str
        What was found.
    count, total : int or None
        Rows that break the rule, and rows looked at.
    examples : sequence of str
        Keys of offending rows; the first five are shown.
    next_step : str or None
        What the reader should do now.
    """

    def __init__(
        self,
        where: str,
        expected: str,
        got: str,
        *,
        count: int | None = None,
        total: int | None = None,
        examples: Sequence[object] = (),
        next_step: str | None = None,
    ) -> None:
        self.where = where
        self.expected = expected
        self.got = got
        self.count = count
        self.total = total
        self.examples = tuple(str(e) for e in examples[:MAX_EXAMPLES])
        text = f"{where}: expected {expected}, got {got}"
        if count is not None:
            text += f"; {count:,} of {total:,} rows" if total is not None else f"; {count:,} rows"
        if self.examples:
            text += ", e.g. " + ", ".join(self.examples)
        super().__init__(text, next_step)


class LeakageError(DataError):
    """A feature that reads the future, a label, or a column barred for its purpose."""


class ConflictError(DataError):
    """Something that contradicts what was recorded under the same name."""


class BundleError(NboError):
    """A bundle that cannot be trusted: damaged, unsigned, or not giving its golden answers."""


class StorageError(NboError):
    """A disk that is full, a folder that is missing, a database that is away."""


class CheckFailed(NboError):  # noqa: N818 - an answer, not an accident
    """A check ran to its end and its answer is no."""

    exit_code: ClassVar[int] = 1


class BusyError(NboError):
    """Another job holds the lock on the same output."""

    exit_code: ClassVar[int] = 75


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """Cut a text in its middle so that both its start and its next step survive.

    Examples
    --------
    >>> shorten("abcdefghij", limit=7)
    'abc … j'
    """
    if len(text) <= limit:
        return text
    keep = limit // 2
    return f"{text[:keep]} … {text[len(text) - (limit - keep - 3) :]}"


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    """
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
