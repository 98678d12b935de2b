"""Every failure of a call, as an exception that knows its code, its reason and its facts.

RegistryError
├── InvalidRequest            a field of the request is wrong; `violations` name it
│   ├── InvalidSubject, InvalidVersion, PageTokenInvalid, RevisionUnknown
│   ├── InvalidSchema         `issues` say what is wrong and where
│   ├── SchemaTooLarge, UnsupportedBody
│   ├── MalformedRequest      the bytes were not the message that the server expects
│   ├── ReferenceNotFound, ReferenceCycle
│   └── ConversionRefused, DataRefused
├── NotFound
│   └── SubjectNotFound, SchemaNotFound, VersionNotFound, ConfigNotFound, ApiKeyNotFound, GrantNotFound,
│       RouteNotFound
├── Refused                   the registry is in no state that allows this
│   ├── IncompatibleSchema    `report` says why
│   ├── LintRefused           `issues` are what the subject's lint policy refuses
│   ├── ProviderRefused       a provider would do worse with it than the subject accepts
│   ├── TransitionRefused, VersionNotGreater, LevelMismatch, SubjectReadOnly
│   └── SchemaTypeMismatch, HasDependents, NotSoftDeleted
├── Aborted
│   ├── ConcurrentUpdate      safe to try again
│   └── SubscriberTooSlow     a stream was read too slowly; `watch` and `list_schemas` go on by themselves
├── OutOfRange
│   └── RevisionCompacted     `oldest` says where to start again
├── Unimplemented
│   └── UnsupportedSchemaType, VerbNotAllowed
├── Unavailable               nothing happened; retried by the client as far as the deadline allows
│   ├── ShuttingDown, StorageUnavailable
│   └── ProtocolMismatch      the address speaks no gRPC, or no TLS; not retried
├── LimitExceeded
│   └── RateLimited, QuotaExceeded, RequestTooLarge
├── DeadlineExceeded
│   └── BodyTooSlow
├── AlreadyExists
│   └── ApiKeyNameTaken
├── Cancelled
├── PermissionDenied, Unauthenticated
└── InternalError, StorageDamaged, UnknownFailure

RouteNotFound, VerbNotAllowed, UnsupportedBody, RequestTooLarge and BodyTooSlow are answered over HTTP only.
The server decides the class by the reason it sends; a reason that this release does not know falls back to the class
of its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .enums import WireEnum, found_by_number

if TYPE_CHECKING:
    from .results import CompatibilityReport, SchemaIssue


@found_by_number
class Code(WireEnum):
    """google.rpc.Code (google/rpc/code.proto)."""

    CANCELLED = "CANCELLED", 1
    UNKNOWN = "UNKNOWN", 2
    INVALID_ARGUMENT = "INVALID_ARGUMENT", 3
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED", 4
    NOT_FOUND = "NOT_FOUND", 5
    ALREADY_EXISTS = "ALREADY_EXISTS", 6
    PERMISSION_DENIED = "PERMISSION_DENIED", 7
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED", 8
    FAILED_PRECONDITION = "FAILED_PRECONDITION", 9
    ABORTED = "ABORTED", 10
    OUT_OF_RANGE = "OUT_OF_RANGE", 11
    UNIMPLEMENTED = "UNIMPLEMENTED", 12
    INTERNAL = "INTERNAL", 13
    UNAVAILABLE = "UNAVAILABLE", 14
    DATA_LOSS = "DATA_LOSS", 15
    UNAUTHENTICATED = "UNAUTHENTICATED", 16


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One request field that is wrong: its path in the request message and what is wrong with it."""

    field: str
    description: str


class RegistryError(Exception):
    """A call that failed.

    `code` is the status, `reason` the machine-readable cause ("" when the server named none), `metadata` its facts,
    `violations` the request fields at fault, `request_id` what the server's log calls this call ("" when unknown).
    """

    CODE: ClassVar[Code] = Code.UNKNOWN
    REASON: ClassVar[str] = ""

    never_sent: bool = False
    """Whether the request is known not to have left this client, because there was no connection."""

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.CODE if code is None else code
        self.reason = self.REASON if reason is None else reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.request_id = request_id


class InvalidRequest(RegistryError):
    """A field of the request is wrong."""

    CODE = Code.INVALID_ARGUMENT
    REASON = "INVALID_REQUEST"


class MalformedRequest(InvalidRequest):
    REASON = "MALFORMED_REQUEST"


class UnsupportedBody(InvalidRequest):
    """HTTP only: the body is compressed or not in UTF-8."""

    REASON = "UNSUPPORTED_BODY"


class InvalidSubject(InvalidRequest):
    REASON = "INVALID_SUBJECT"


class InvalidVersion(InvalidRequest):
    REASON = "INVALID_VERSION"


class PageTokenInvalid(InvalidRequest):
    REASON = "PAGE_TOKEN_INVALID"


class RevisionUnknown(InvalidRequest):
    """The revision was not issued by this registry."""

    REASON = "REVISION_UNKNOWN"


class ReferenceNotFound(InvalidRequest):
    REASON = "REFERENCE_NOT_FOUND"


class ReferenceCycle(InvalidRequest):
    REASON = "REFERENCE_CYCLE"


class SchemaTooLarge(InvalidRequest):
    REASON = "SCHEMA_TOO_LARGE"


class ConversionRefused(InvalidRequest):
    """The schema cannot be said in the other language."""

    REASON = "CONVERSION_REFUSED"


class DataRefused(InvalidRequest):
    """The data cannot be converted along with its schema."""

    REASON = "DATA_REFUSED"


class InvalidSchema(InvalidRequest):
    """The schema breaks the rules of its type."""

    REASON = "INVALID_SCHEMA"
    issues: tuple[SchemaIssue, ...] = ()


class NotFound(RegistryError):
    """What the request names does not exist."""

    CODE = Code.NOT_FOUND


class SubjectNotFound(NotFound):
    REASON = "SUBJECT_NOT_FOUND"


class SchemaNotFound(NotFound):
    REASON = "SCHEMA_NOT_FOUND"


class VersionNotFound(NotFound):
    REASON = "VERSION_NOT_FOUND"


class ApiKeyNotFound(NotFound):
    REASON = "API_KEY_NOT_FOUND"


class GrantNotFound(NotFound):
    REASON = "GRANT_NOT_FOUND"


class ProfileNotFound(NotFound):
    """There is no profile of a provider with this id."""

    REASON = "PROFILE_NOT_FOUND"


class ConfigNotFound(NotFound):
    REASON = "CONFIG_NOT_FOUND"


class RouteNotFound(NotFound):
    """HTTP only: nothing is served at the path."""

    REASON = "ROUTE_NOT_FOUND"


class Refused(RegistryError):
    """The registry is in no state that allows the request."""

    CODE = Code.FAILED_PRECONDITION


class IncompatibleSchema(Refused):
    """Registration refused by the compatibility check. `report` is None only when the server sent none."""

    REASON = "INCOMPATIBLE_SCHEMA"
    report: CompatibilityReport | None = None


class LintRefused(Refused):
    """The subject's setting `lint` refuses what the lint rules find in the schema: the `issues`, as many as an error carries
    (`metadata["findings"]` is their number; `validate_schema` tells them all)."""

    REASON = "LINT_REFUSED"
    issues: tuple[SchemaIssue, ...] = ()


class ProviderRefused(Refused):
    """The subject's settings demand that schemas fit providers. `metadata` has `profile`, `fit`, `pointer` and `rule`; `check_profile`
    tells more."""

    REASON = "PROVIDER_REFUSED"


class TransitionRefused(Refused):
    REASON = "TRANSITION_REFUSED"


class VersionNotGreater(Refused):
    REASON = "VERSION_NOT_GREATER"


class LevelMismatch(Refused):
    REASON = "LEVEL_MISMATCH"


class SubjectReadOnly(Refused):
    REASON = "SUBJECT_READ_ONLY"


class SchemaTypeMismatch(Refused):
    REASON = "SCHEMA_TYPE_MISMATCH"


class HasDependents(Refused):
    REASON = "HAS_DEPENDENTS"


class NotSoftDeleted(Refused):
    REASON = "NOT_SOFT_DELETED"


class Aborted(RegistryError):
    """The registry gave the call up."""

    CODE = Code.ABORTED


class ConcurrentUpdate(Aborted):
    """Another write came first; the call is safe to repeat."""

    REASON = "CONCURRENT_UPDATE"


class SubscriberTooSlow(Aborted):
    """A stream was read too slowly; `watch` and `list_schemas` go on by themselves."""

    REASON = "SUBSCRIBER_TOO_SLOW"

    @property
    def revision(self) -> str:
        """Where a watch resumes; "" for a stream that is no watch."""
        return self.metadata.get("revision", "")


class OutOfRange(RegistryError):
    """A place that no longer exists."""

    CODE = Code.OUT_OF_RANGE


class RevisionCompacted(OutOfRange):
    """Changes after `revision` are no longer kept: read the current state, then watch from `oldest`."""

    REASON = "REVISION_COMPACTED"

    @property
    def revision(self) -> str:
        """The revision that was asked for."""
        return self.metadata.get("revision", "")

    @property
    def oldest(self) -> str:
        """The oldest revision from which a watch can start."""
        return self.metadata.get("oldest", "")


class Unimplemented(RegistryError):
    CODE = Code.UNIMPLEMENTED


class UnsupportedSchemaType(Unimplemented):
    REASON = "UNSUPPORTED_SCHEMA_TYPE"


class VerbNotAllowed(Unimplemented):
    """HTTP only: the path exists, with other verbs."""

    REASON = "VERB_NOT_ALLOWED"


class Unavailable(RegistryError):
    """The server cannot be reached or cannot answer now."""

    CODE = Code.UNAVAILABLE
    REASON = "UNAVAILABLE"


class ShuttingDown(Unavailable):
    """The server is going away; `revision` says where a watch resumes."""

    REASON = "SHUTTING_DOWN"

    @property
    def revision(self) -> str:
        """Where to resume; "" for a call that is no watch."""
        return self.metadata.get("revision", "")


class ProtocolMismatch(Unavailable):
    """Somebody answers at the address, but not in gRPC, or not in TLS. Never retried."""

    REASON = ""


class HandshakeFailed(ProtocolMismatch):
    """TLS could not be agreed on: the server's certificate is not trusted or is another's, or the server does not take ours. Never
    retried."""

    REASON = ""


class StorageUnavailable(Unavailable):
    REASON = "STORAGE_UNAVAILABLE"


class AlreadyExists(RegistryError):
    CODE = Code.ALREADY_EXISTS


class ApiKeyNameTaken(AlreadyExists):
    REASON = "API_KEY_NAME_TAKEN"


class LimitExceeded(RegistryError):
    CODE = Code.RESOURCE_EXHAUSTED
    REASON = "LIMIT_EXCEEDED"


class RateLimited(LimitExceeded):
    """The caller has used up what it may ask in a time."""

    REASON = "RATE_LIMITED"


class QuotaExceeded(LimitExceeded):
    """The context would hold more subjects, versions or bytes than it may."""

    REASON = "QUOTA_EXCEEDED"


class RequestTooLarge(LimitExceeded):
    """HTTP only: the body is longer than the server reads."""

    REASON = "REQUEST_TOO_LARGE"


class DeadlineExceeded(RegistryError):
    """No answer came in time. The call may have had its effect."""

    CODE = Code.DEADLINE_EXCEEDED
    REASON = "DEADLINE_EXCEEDED"


class BodyTooSlow(DeadlineExceeded):
    """HTTP only: the body did not arrive in time."""

    REASON = "BODY_TOO_SLOW"


class Cancelled(RegistryError):
    CODE = Code.CANCELLED


class PermissionDenied(RegistryError):
    CODE = Code.PERMISSION_DENIED
    REASON = "PERMISSION_DENIED"


class Unauthenticated(RegistryError):
    CODE = Code.UNAUTHENTICATED
    REASON = "UNAUTHENTICATED"


class InternalError(RegistryError):
    """A fault of the server; its log tells more under `request_id`."""

    CODE = Code.INTERNAL
    REASON = "INTERNAL"


class StorageDamaged(RegistryError):
    CODE = Code.DATA_LOSS
    REASON = "STORAGE_DAMAGED"


class UnknownFailure(RegistryError):
    """A status that says nothing, such as one made by a proxy."""

    CODE = Code.UNKNOWN


def _family(root: type[RegistryError]) -> list[type[RegistryError]]:
    return [root, *(leaf for branch in root.__subclasses__() for leaf in _family(branch))]


BY_REASON: Mapping[str, type[RegistryError]] = {
    cls.__dict__["REASON"]: cls for cls in _family(RegistryError) if cls.__dict__.get("REASON")
}
"""Reason -> its class; every reason of the server's table (docs/sdk.md lists them)."""

BY_CODE: Mapping[Code, type[RegistryError]] = {cls.CODE: cls for cls in RegistryError.__subclasses__()}
"""Code -> the class for a reason that is not known."""


def error_class(code: Code, reason: str) -> type[RegistryError]:
    """The class for a failure with this code and reason."""
    return BY_REASON.get(reason) or BY_CODE[code]
