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
├── ApiKeyNotFound            NOT_FOUND
├── GrantNotFound             NOT_FOUND
├── ProfileNotFound           NOT_FOUND
├── ApiKeyNameTaken           ALREADY_EXISTS
├── IncompatibleSchema        FAILED_PRECONDITION  carries the CompatibilityReport
├── LintRefused               FAILED_PRECONDITION  carries the LintReport
├── ProviderRefused           FAILED_PRECONDITION
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
│   ├── RateLimited           says when to try again
│   └── QuotaExceeded
├── InternalError             INTERNAL             a fault of the server; its log tells more
├── DeadlineExceeded          DEADLINE_EXCEEDED
├── PermissionDenied          PERMISSION_DENIED
├── Unauthenticated           UNAUTHENTICATED
├── Unavailable               UNAVAILABLE
│   ├── ShuttingDown          says where a stream resumes
│   └── StorageUnavailable
└── StorageDamaged            DATA_LOSS
"""

from llm_schema_engines.errors import (
    Code,
    ConversionRefused,
    DataRefused,
    FieldViolation,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    RegistryError,
    SchemaIssue,
    Unavailable,
    UnsupportedSchemaType,
    VersionNotGreater,
)

from .missing import (
    ApiKeyNotFound,
    ConfigNotFound,
    GrantNotFound,
    ProfileNotFound,
    SchemaNotFound,
    SubjectNotFound,
    VersionNotFound,
)
from .refusals import (
    ApiKeyNameTaken,
    ConcurrentUpdate,
    HasDependents,
    IncompatibleSchema,
    LevelMismatch,
    LintRefused,
    NotSoftDeleted,
    ProviderRefused,
    RevisionCompacted,
    SchemaTypeMismatch,
    SubjectReadOnly,
    SubscriberTooSlow,
    TransitionRefused,
)
from .requests import (
    InvalidSubject,
    MalformedRequest,
    PageTokenInvalid,
    ReferenceCycle,
    ReferenceNotFound,
    RevisionUnknown,
    SchemaTooLarge,
)
from .service import (
    DeadlineExceeded,
    InternalError,
    LimitExceeded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    ShuttingDown,
    StorageDamaged,
    StorageUnavailable,
    Unauthenticated,
)

__all__ = [
    "ApiKeyNameTaken",
    "ApiKeyNotFound",
    "Code",
    "ConcurrentUpdate",
    "ConfigNotFound",
    "ConversionRefused",
    "DataRefused",
    "DeadlineExceeded",
    "FieldViolation",
    "GrantNotFound",
    "HasDependents",
    "IncompatibleSchema",
    "InternalError",
    "InvalidRequest",
    "InvalidSchema",
    "InvalidSubject",
    "InvalidVersion",
    "LevelMismatch",
    "LimitExceeded",
    "LintRefused",
    "MalformedRequest",
    "NotSoftDeleted",
    "PageTokenInvalid",
    "PermissionDenied",
    "ProfileNotFound",
    "ProviderRefused",
    "QuotaExceeded",
    "RateLimited",
    "ReferenceCycle",
    "ReferenceNotFound",
    "RegistryError",
    "RevisionCompacted",
    "RevisionUnknown",
    "SchemaIssue",
    "SchemaNotFound",
    "SchemaTooLarge",
    "SchemaTypeMismatch",
    "ShuttingDown",
    "StorageDamaged",
    "StorageUnavailable",
    "SubjectNotFound",
    "SubjectReadOnly",
    "SubscriberTooSlow",
    "TransitionRefused",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedSchemaType",
    "VersionNotFound",
    "VersionNotGreater",
]
