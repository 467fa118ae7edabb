"""The one error that a person meets: what went wrong and how to mend it."""

from __future__ import annotations


class Failure(Exception):
    """An operation that could not be done.

    Attributes:
        cause: what went wrong and where; holds no secret.
        mend: what the reader can do about it.
        transient: the same operation may succeed when it is tried again.
        retry_after: seconds that the other side asked to wait, where it did.
    """

    def __init__(self, cause: str, mend: str, *, transient: bool = False, retry_after: float | None = None) -> None:
        super().__init__(f"{cause.rstrip('.')}: {mend}")
        self.cause = cause
        self.mend = mend
        self.transient = transient
        self.retry_after = retry_after


class ProxyRefusal(Failure):
    """The enterprise proxy does not take the credentials that it is given, or is given none (status 407)."""
