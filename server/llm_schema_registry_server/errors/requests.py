"""Failures of the request itself: the same call can never succeed."""

from __future__ import annotations

from llm_schema_engines.errors import InvalidRequest


class MalformedRequest(InvalidRequest):
    """The bytes that came are not a message of the type that the method takes."""

    reason = "MALFORMED_REQUEST"

    def __init__(self, message_type: str, why: str) -> None:
        super().__init__("", f"the request is not a {message_type}: {why}", message_type=message_type)


class InvalidSubject(InvalidRequest):
    """The subject name is empty, too long or has control characters."""

    reason = "INVALID_SUBJECT"


class PageTokenInvalid(InvalidRequest):
    """The page token was not made by this list."""

    reason = "PAGE_TOKEN_INVALID"


class RevisionUnknown(InvalidRequest):
    """The revision was not issued by this registry."""

    reason = "REVISION_UNKNOWN"


class ReferenceNotFound(InvalidRequest):
    """A reference points to a subject or version that does not exist."""

    reason = "REFERENCE_NOT_FOUND"


class ReferenceCycle(InvalidRequest):
    """The references lead back to the subject that is being registered."""

    reason = "REFERENCE_CYCLE"


class SchemaTooLarge(InvalidRequest):
    """The schema is longer than `limits.schema_bytes`."""

    reason = "SCHEMA_TOO_LARGE"

    def __init__(self, field: str, size: int, limit: int) -> None:
        super().__init__(
            field,
            f"is {size} bytes long; the limit is {limit} (setting limits.schema_bytes)",
            size=size,
            limit=limit,
        )
