"""What ends a command, with the real client's exit codes: 1 in general, 2 from the parser, 3 for what is not there."""

from __future__ import annotations

import json


class AzError(Exception):
    """A command failed.

    Args:
        message: printed after `ERROR: `.
        recommendation: printed on a line of its own, what to do.
    """

    exit_code = 1

    def __init__(self, message: str, recommendation: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.recommendation = recommendation


class UsageError(AzError):
    """The parser refused the command line."""

    exit_code = 2


class HttpError(AzError):
    """A service answered with a failure.

    Attributes:
        status: HTTP status.
        code: the service's error code, such as `ResourceNotFound`.
    """

    def __init__(self, status: int, reason: str, body: bytes) -> None:
        self.status = status
        self.code, text = _service_error(body)
        if self.code:
            message = f"({self.code}) {text}\nCode: {self.code}\nMessage: {text}"
        else:
            message = f"Operation returned an invalid status '{reason or status}'"
        super().__init__(message)
        self.exit_code = 3 if status == 404 else 1


class ConnectionFailed(AzError):
    """A service could not be reached."""


def _service_error(body: bytes) -> tuple[str, str]:
    try:
        error = json.loads(body)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", ""
