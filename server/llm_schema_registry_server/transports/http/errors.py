"""What can be wrong with an HTTP request before it is a call."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...calls.call import REQUEST_ID
from ...calls.failure import Failure
from ...errors import Code, DeadlineExceeded, InvalidRequest, RegistryError


class RouteNotFound(RegistryError):
    """404: nothing is served at this path. `hint`: what may have been meant, or where something is."""

    code = Code.NOT_FOUND
    reason = "ROUTE_NOT_FOUND"

    def __init__(self, path: str, hint: str = "GET /api/v1 lists what there is") -> None:
        super().__init__(f"nothing is served at {path[:200]!r}; {hint}", path=path)


class VerbNotAllowed(RegistryError):
    """405: the path exists, with other verbs. `elsewhere`: the path below it that has the verb, when there is one."""

    code = Code.UNIMPLEMENTED
    reason = "VERB_NOT_ALLOWED"

    def __init__(self, verb: str, path: str, allowed: Sequence[str], elsewhere: str = "") -> None:
        self.allowed = ", ".join(allowed)
        verb = verb[:20]
        way_out = (
            f"only {self.allowed}; {verb} is served at {elsewhere}" if elsewhere else f"use {self.allowed}"
        )
        super().__init__(f"{verb} is not served at {path[:200]!r}; {way_out}", allowed=self.allowed)


class RequestTooLarge(RegistryError):
    """413: the body is longer than we read."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "REQUEST_TOO_LARGE"

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"the {what} is longer than {limit} bytes (setting {setting})", limit=limit)


class UnsupportedBody(InvalidRequest):
    """415: the body is written in a way that is not read here, as a header says."""

    reason = "UNSUPPORTED_BODY"

    def __init__(self, header: str, given: str, taken: str) -> None:
        super().__init__(header, f"{given[:100]!r} is not read here; send the body {taken}")


def body_broken() -> InvalidRequest:
    """400: the body ended before it was whole. Its client has left, or has closed its side, or sent chunks that are none."""
    return InvalidRequest(
        "",
        "the request body ended early or its chunks are malformed (RFC 9112 7.1); send all of it and keep the connection open",
    )


class BodyTooSlow(DeadlineExceeded):
    """408: the body did not arrive."""

    reason = "BODY_TOO_SLOW"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within {seconds:g} s")


def failure_headers(failed: Failure, error: Exception) -> tuple[tuple[str, str], ...]:
    """The header lines of an answer that tells of a failure, whatever the form of its body."""
    extra: tuple[tuple[str, str], ...] = ((REQUEST_ID, failed.request_id),)
    if failed.code is Code.UNAUTHENTICATED:  # RFC 6750 3
        extra += (("www-authenticate", 'Bearer realm="schema-registry"'),)
    if isinstance(error, VerbNotAllowed):
        extra += (("allow", error.allowed),)
    if isinstance(error, UnsupportedBody):  # RFC 9110 12.5.3
        extra += (("accept-encoding", "identity"),)
    if isinstance(
        error, (RequestTooLarge, BodyTooSlow)
    ):  # RFC 9112 9.6: the rest of the body is not read, so nothing can follow it
        extra += (("connection", "close"),)
    if failed.retry_seconds is not None:  # RFC 9110 10.2.3: whole seconds
        extra += (("retry-after", str(max(1, math.ceil(failed.retry_seconds)))),)
    return extra
