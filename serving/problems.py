"""Errors as problem documents (RFC 9457)."""

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

PROBLEM_TYPE = "application/problem+json"
MAX_DETAIL = 600

logger = logging.getLogger("nbo.serving")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One refused request, told to its caller.

    Parameters
    ----------
    type : str
        ``urn:nbo:problem:<code>``; the code is stable, the texts are not.
    title : str
        The HTTP status in words.
    status : int
        The HTTP status.
    detail : str
        What was expected, what was got, what to do.
    instance : str or None
        ``urn:uuid:…`` of a defect of ours; the same id stands in the server's log.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None


class Refused(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """A request that gets a problem instead of an answer.

    Parameters
    ----------
    status : int
        The HTTP status.
    code : str
        Last part of the problem's type.
    detail : str
        One line for the caller.
    headers : mapping
        Extra response headers, such as ``Allow``.
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 2] + " …"
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem as an HTTP response."""
        return problem_response(
            Problem(f"urn:nbo:problem:{self.code}", title_of(self.status), self.status, self.detail),
            self.headers,
        )


def title_of(status: int) -> str:
    """The standard words of a status.

    Examples
    --------
    >>> title_of(413)
    'Content Too Large'
    """
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(problem), problem.status, headers=headers, media_type=PROBLEM_TYPE)


def defect_response(error: BaseException, path: str) -> Response:
    """Log a defect of ours with a fresh id, and tell the caller that id and nothing else."""
    identity = uuid.uuid4().urn
    logger.error("defect %s while answering %s", identity, path, exc_info=error)
    detail = f"The server failed to answer; its log tells why under {identity}."
    return problem_response(Problem("urn:nbo:problem:defect", title_of(500), 500, detail, identity))


def damaged_rows(error: BaseException) -> Refused:
    """A row that the disk gave other bytes for: logged with its file; no answer rather than a wrong one."""
    logger.error("damaged row: %s", error)
    return Refused(503, "rows-damaged", "The account's features are damaged on the server's disk.")
