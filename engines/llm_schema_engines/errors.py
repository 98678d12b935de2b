"""What an engine cannot do, as exceptions that know their code, their reason and their facts. Pure.

RegistryError                 the base of these and of the server's own errors
├── InvalidRequest            INVALID_ARGUMENT     an argument is wrong
│   ├── InvalidVersion
│   ├── InvalidSchema         carries SchemaIssue values with positions
│   ├── ConversionRefused
│   └── DataRefused
├── VersionNotGreater         FAILED_PRECONDITION
├── UnsupportedSchemaType     UNIMPLEMENTED
└── Unavailable               UNAVAILABLE
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_MESSAGE, MAX_POINTER = 2000, 1000
"""Characters of the message and of the pointer of one issue in an error."""


class Code(enum.IntEnum):
    """google.rpc.Code, by number (google/rpc/code.proto)."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One request field that is wrong: its path in the request message and what is wrong with it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class SchemaIssue:
    """One fault of a schema: the rule it breaks, where, and a sentence.

    `pointer` is a JSON pointer (JSON Schema, Avro) or a dotted name (Protobuf); "" is the root.
    `line` and `column` are 1-based; 0 means unknown.
    """

    rule: str
    message: str
    pointer: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        pointer = f"{self.pointer}: " if self.pointer else ""
        return f"{place}{pointer}{self.message}"


class RegistryError(Exception):
    """A failure with a google.rpc code, a machine-readable reason and the facts behind it.

    `metadata` becomes ErrorInfo.metadata; `violations` become BadRequest.field_violations; `details` are further
    protobuf messages for google.rpc.Status.details (put there by `rpc`, which knows the messages of the API).
    `inside` is for operators alone: files, hosts, texts of drivers. It is part of `str(error)`, which is logged and printed
    where a server is started, and never goes to a caller, who gets `message`.
    """

    code: Code = Code.UNKNOWN
    reason: str = "UNSPECIFIED"
    details: Sequence[object] = ()

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        inside: str = "",
        **metadata: str | int | None,
    ) -> None:
        super().__init__(message)
        self.message, self.inside = message, inside
        self.violations = tuple(violations)
        self.metadata: Mapping[str, str] = {k: str(v) for k, v in metadata.items() if v is not None}

    def __str__(self) -> str:
        return f"{self.message} [{self.inside}]" if self.inside else self.message


class InvalidRequest(RegistryError):
    """A request field is wrong; `field` is its path in the request message."""

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, field: str, description: str, **metadata: str | int | None) -> None:
        super().__init__(
            f"{field}: {description}" if field else description,
            violations=(FieldViolation(field, description),) if field else (),
            inside="",
            **({"field": field} if field else {}),
            **metadata,
        )


class InvalidVersion(InvalidRequest):
    """The text is no semantic version, ordinal or range."""

    reason = "INVALID_VERSION"


class InvalidSchema(InvalidRequest):
    """The schema breaks the rules of its type; `issues` say which and where."""

    reason = "INVALID_SCHEMA"

    def __init__(self, issues: Sequence[SchemaIssue], field: str = "schema_content") -> None:
        self.issues = tuple(map(_clipped, issues))
        first = self.issues[0]
        more = f" (and {len(self.issues) - 1} more)" if len(self.issues) > 1 else ""
        super().__init__(field, f"{first}{more}", rule=first.rule, pointer=first.pointer or None)
        self.violations = tuple(
            FieldViolation(f"{field}{'#' + i.pointer if i.pointer else ''}", str(i)) for i in self.issues[:20]
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Issues cross a process boundary (workers); the default reduce would call __init__ with the message.
        return (InvalidSchema, (self.issues, self.metadata.get("field", "schema_content")))


def clip(text: str, longest: int) -> str:
    """The text, cut to so many characters."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _clipped(issue: SchemaIssue) -> SchemaIssue:
    """The issue as an error may carry it: its names and values are those of the schema, and may be as long."""
    if len(issue.message) <= MAX_MESSAGE and len(issue.pointer) <= MAX_POINTER:
        return issue
    message, pointer = clip(issue.message, MAX_MESSAGE), clip(issue.pointer, MAX_POINTER)
    return SchemaIssue(issue.rule, message, pointer, issue.line, issue.column)


class ConversionRefused(InvalidRequest):
    """The schema cannot be said in the other language; the message says what stands in the way."""

    reason = "CONVERSION_REFUSED"

    def __init__(self, pointer: str, message: str) -> None:
        pointer, message = clip(pointer, MAX_POINTER), clip(message, MAX_MESSAGE)
        super().__init__("source", f"{pointer}: {message}" if pointer else message, pointer=pointer or None)


class DataRefused(InvalidRequest):
    """The data cannot be converted: it is not valid under the source, or a NARROWED loss covers it."""

    reason = "DATA_REFUSED"

    def __init__(self, pointer: str, message: str) -> None:
        pointer, message = clip(pointer, MAX_POINTER), clip(message, MAX_MESSAGE)
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


class Unavailable(RegistryError):
    """Something that the call needs is away; the same call may be made again."""

    code = Code.UNAVAILABLE
    reason = "UNAVAILABLE"


class VersionNotGreater(RegistryError):
    """An explicit version is not above the last one, or too small a step for the change; `minimum` says what would do."""

    code = Code.FAILED_PRECONDITION
    reason = "VERSION_NOT_GREATER"

    def __init__(self, wanted: str, minimum: str, why: str) -> None:
        super().__init__(
            f"version {wanted} is too low: {why}; use at least {minimum}",
            violations=(FieldViolation("version", why),),
            version=wanted,
            minimum=minimum,
        )
