"""Failures of the request itself: the same call can never succeed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Code, FieldViolation, RegistryError, SchemaIssue


class InvalidRequest(RegistryError):
    """A request field is wrong; `field` is its path in the request message."""

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, field: str, description: str, **metadata: str | int | None) -> None:
        super().__init__(
            f"{field}: {description}" if field else description,
            violations=(FieldViolation(field, description),) if field else (),
            **({"field": field} if field else {}),
            **metadata,
        )


class MalformedRequest(InvalidRequest):
    """The bytes that came are not a message of the type that the method takes."""

    reason = "MALFORMED_REQUEST"

    def __init__(self, message_type: str, why: str) -> None:
        super().__init__("", f"the request is not a {message_type}: {why}", message_type=message_type)


class InvalidSubject(InvalidRequest):
    """The subject name is empty, too long or has control characters."""

    reason = "INVALID_SUBJECT"


class InvalidVersion(InvalidRequest):
    """The text is no semantic version, ordinal or range."""

    reason = "INVALID_VERSION"


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
        super().__init__(field, f"is {size} bytes long; the limit is {limit}", size=size, limit=limit)


class InvalidSchema(InvalidRequest):
    """The schema breaks the rules of its type; `issues` say which and where."""

    reason = "INVALID_SCHEMA"

    def __init__(self, issues: Sequence[SchemaIssue], field: str = "schema_content") -> None:
        self.issues = tuple(issues)
        first = self.issues[0]
        more = f" (and {len(self.issues) - 1} more)" if len(self.issues) > 1 else ""
        super().__init__(field, f"{first}{more}", rule=first.rule, pointer=first.pointer or None)
        self.violations = tuple(
            FieldViolation(f"{field}{'#' + i.pointer if i.pointer else ''}", str(i)) for i in self.issues[:20]
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Issues cross a process boundary (workers); the default reduce would call __init__ with the message.
        return (InvalidSchema, (self.issues, self.metadata.get("field", "schema_content")))


class ConversionRefused(InvalidRequest):
    """The schema cannot be said in the other language; the message says what stands in the way."""

    reason = "CONVERSION_REFUSED"

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__("source", f"{pointer}: {message}" if pointer else message, pointer=pointer or None)


class DataRefused(InvalidRequest):
    """The data cannot be converted: it is not valid under the source, or a NARROWED loss covers it."""

    reason = "DATA_REFUSED"

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__("data", f"{pointer}: {message}" if pointer else message, pointer=pointer or None)


class UnsupportedSchemaType(RegistryError):
    """There is no engine for the schema type (THRIFT)."""

    code = Code.UNIMPLEMENTED
    reason = "UNSUPPORTED_SCHEMA_TYPE"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"schema type {name} is not implemented; use JSON, AVRO or PROTOBUF",
            violations=(FieldViolation("schema_type", f"{name} is not implemented"),),
            schema_type=name,
            field="schema_type",
        )
