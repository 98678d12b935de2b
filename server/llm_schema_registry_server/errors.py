"""Every failure a caller can see, as an exception that knows its code, its reason and its facts. Pure.

RegistryError
├── InvalidRequest            INVALID_ARGUMENT     a field of the request is wrong
│   ├── InvalidSubject
│   ├── InvalidVersion
│   ├── InvalidSchema         carries SchemaIssue values with positions
│   ├── SchemaTooLarge
│   ├── ReferenceNotFound
│   ├── ReferenceCycle
│   ├── MalformedRequest      the bytes are not the request message
│   ├── RevisionUnknown
│   ├── ConversionRefused
│   ├── DataRefused
│   └── PageTokenInvalid
├── UnsupportedSchemaType     UNIMPLEMENTED
├── SubjectNotFound           NOT_FOUND
├── SchemaNotFound            NOT_FOUND
├── VersionNotFound           NOT_FOUND
├── ConfigNotFound            NOT_FOUND
├── IncompatibleSchema        FAILED_PRECONDITION  carries the CompatibilityReport
├── TransitionRefused         FAILED_PRECONDITION
├── VersionNotGreater         FAILED_PRECONDITION
├── LevelMismatch             FAILED_PRECONDITION
├── SubjectReadOnly           FAILED_PRECONDITION
├── SchemaTypeMismatch        FAILED_PRECONDITION
├── HasDependents             FAILED_PRECONDITION
├── NotSoftDeleted            FAILED_PRECONDITION
├── RevisionCompacted         OUT_OF_RANGE         says where to start again
├── ConcurrentUpdate          ABORTED              safe to retry
├── SubscriberTooSlow         ABORTED              says where to resume
├── LimitExceeded             RESOURCE_EXHAUSTED
├── DeadlineExceeded          DEADLINE_EXCEEDED
├── PermissionDenied          PERMISSION_DENIED
├── Unauthenticated           UNAUTHENTICATED
├── Unavailable               UNAVAILABLE
│   ├── ShuttingDown          says where a stream resumes
│   └── StorageUnavailable
└── StorageDamaged            DATA_LOSS
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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
    """

    code: Code = Code.UNKNOWN
    reason: str = "UNSPECIFIED"
    details: Sequence[object] = ()

    def __init__(
        self, message: str, *, violations: Sequence[FieldViolation] = (), **metadata: str | int | None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.metadata: Mapping[str, str] = {k: str(v) for k, v in metadata.items() if v is not None}


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


class SubjectNotFound(RegistryError):
    """The subject has no live version."""

    code = Code.NOT_FOUND
    reason = "SUBJECT_NOT_FOUND"

    def __init__(self, subject: str) -> None:
        super().__init__(f"subject {subject!r} not found", subject=subject)


class SchemaNotFound(RegistryError):
    """No version has this schema id, or it was removed for ever."""

    code = Code.NOT_FOUND
    reason = "SCHEMA_NOT_FOUND"

    def __init__(self, schema_id: str) -> None:
        super().__init__(f"schema {schema_id!r} not found", schema_id=schema_id)


class VersionNotFound(RegistryError):
    """The selector chooses none of the subject's live versions."""

    code = Code.NOT_FOUND
    reason = "VERSION_NOT_FOUND"

    def __init__(self, subject: str, selector: str, hint: str = "") -> None:
        super().__init__(
            f"no version {selector!r} of subject {subject!r}{'; ' + hint if hint else ''}",
            subject=subject,
            version=selector,
        )


class ConfigNotFound(RegistryError):
    """Nothing is configured for the scope, so there is nothing to remove."""

    code = Code.NOT_FOUND
    reason = "CONFIG_NOT_FOUND"

    def __init__(self, scope: str) -> None:
        super().__init__(f"nothing is configured for {scope}", scope=scope)


class IncompatibleSchema(RegistryError):
    """Registration refused by the compatibility check; `report` is the CompatibilityReport that says why."""

    code = Code.FAILED_PRECONDITION
    reason = "INCOMPATIBLE_SCHEMA"

    def __init__(self, subject: str, level: str, summary: str, report: object) -> None:
        super().__init__(
            f"schema is not {level} compatible with subject {subject!r}: {summary}",
            subject=subject,
            level=level,
        )
        self.report = report


class TransitionRefused(RegistryError):
    """The lifecycle has no step from the version's state to the one asked for."""

    code = Code.FAILED_PRECONDITION
    reason = "TRANSITION_REFUSED"

    def __init__(self, schema_id: str, current: str, wanted: str, allowed: Sequence[str]) -> None:
        way_out = ", ".join(allowed) if allowed else "nothing: it is a final state"
        super().__init__(
            f"schema {schema_id!r} is {current} and cannot become {wanted}; allowed: {way_out}",
            violations=(FieldViolation("state", f"{current} cannot become {wanted}"),),
            schema_id=schema_id,
            from_state=current,
            to_state=wanted,
        )


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


class LevelMismatch(RegistryError):
    """The caller may not change the subject's compatibility level and asked for another one."""

    code = Code.FAILED_PRECONDITION
    reason = "LEVEL_MISMATCH"

    def __init__(self, subject: str, wanted: str, current: str) -> None:
        super().__init__(
            f"subject {subject!r} has compatibility level {current}, not {wanted}; "
            "leave compatibility_level out or change it through ConfigService",
            violations=(FieldViolation("compatibility_level", f"the subject's level is {current}"),),
            subject=subject,
            current=current,
        )


class SubjectReadOnly(RegistryError):
    """The subject, its context or the registry is in mode READONLY."""

    code = Code.FAILED_PRECONDITION
    reason = "SUBJECT_READ_ONLY"

    def __init__(self, subject: str) -> None:
        super().__init__(f"subject {subject!r} is in mode READONLY and accepts no writes", subject=subject)


class SchemaTypeMismatch(RegistryError):
    """The subject holds schemas of another type."""

    code = Code.FAILED_PRECONDITION
    reason = "SCHEMA_TYPE_MISMATCH"

    def __init__(self, subject: str, wanted: str, current: str) -> None:
        super().__init__(
            f"subject {subject!r} holds {current} schemas; a {wanted} schema needs a subject of its own "
            "or compatibility level NONE",
            violations=(FieldViolation("schema_type", f"the subject holds {current} schemas"),),
            subject=subject,
            current=current,
        )


class HasDependents(RegistryError):
    """Other versions reference this one; remove them first."""

    code = Code.FAILED_PRECONDITION
    reason = "HAS_DEPENDENTS"

    def __init__(self, schema_id: str, dependents: Sequence[str]) -> None:
        shown = ", ".join(dependents[:5]) + (", ..." if len(dependents) > 5 else "")
        super().__init__(
            f"schema {schema_id!r} is referenced by {shown}", schema_id=schema_id, dependents=len(dependents)
        )


class NotSoftDeleted(RegistryError):
    """A permanent delete needs a soft delete first."""

    code = Code.FAILED_PRECONDITION
    reason = "NOT_SOFT_DELETED"

    def __init__(self, schema_id: str) -> None:
        super().__init__(
            f"schema {schema_id!r} is live; delete it softly first (soft_delete = true), then permanently",
            violations=(FieldViolation("soft_delete", "a permanent delete needs a soft delete first"),),
            schema_id=schema_id,
        )


class RevisionCompacted(RegistryError):
    """The changes after the revision are no longer kept; `oldest` says where to start again."""

    code = Code.OUT_OF_RANGE
    reason = "REVISION_COMPACTED"

    def __init__(self, revision: str, oldest: str) -> None:
        super().__init__(
            f"changes after revision {revision!r} are no longer kept; "
            f"read the current state and resume from {oldest!r}",
            revision=revision,
            oldest=oldest,
        )


class ConcurrentUpdate(RegistryError):
    """Another writer was faster; the same call may be made again."""

    code = Code.ABORTED
    reason = "CONCURRENT_UPDATE"


class SubscriberTooSlow(RegistryError):
    """The subscriber took too long; `revision` says where to resume."""

    code = Code.ABORTED
    reason = "SUBSCRIBER_TOO_SLOW"

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the subscriber reads too slowly; resume from revision {revision!r}", revision=revision
        )


class LimitExceeded(RegistryError):
    """Too much at the same time; try again with a back-off."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "LIMIT_EXCEEDED"


class DeadlineExceeded(RegistryError):
    """The call took longer than its deadline."""

    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class PermissionDenied(RegistryError):
    """The caller lacks the permission that the call needs."""

    code = Code.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(RegistryError):
    """The caller could not be identified."""

    code = Code.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class Unavailable(RegistryError):
    """Something that the call needs is away; the same call may be made again."""

    code = Code.UNAVAILABLE
    reason = "UNAVAILABLE"


class ShuttingDown(Unavailable):
    """The server is going; a stream resumes elsewhere from `revision`."""

    reason = "SHUTTING_DOWN"

    def __init__(self, revision: str | None = None) -> None:
        super().__init__(
            "the server is shutting down" + (f"; resume from revision {revision!r}" if revision else ""),
            revision=revision,
        )


class StorageUnavailable(Unavailable):
    """The storage cannot be reached; the message names it and the way out."""

    reason = "STORAGE_UNAVAILABLE"


class StorageDamaged(RegistryError):
    """What is stored is missing or was altered; restore it from a backup."""

    code = Code.DATA_LOSS
    reason = "STORAGE_DAMAGED"
