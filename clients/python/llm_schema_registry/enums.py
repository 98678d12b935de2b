"""The enumerations of the API, by their names.

A member is a `str` that equals its name: `schema.state == "ACTIVE"`, f-strings and `json.dumps` show names. `number` is
its number on the wire. Each enumeration accepts its names in any case (`SchemaType("avro")`) and its numbers
(`SchemaType(2)`); a number that this release does not know becomes a member such as `UNKNOWN_17`, so that an older client
reads the answers of a newer server. `UNSPECIFIED` is false, every other member is true.
"""

from __future__ import annotations

import enum
from typing import Self, TypeVar


class WireEnum(enum.StrEnum):
    """An enumeration whose members equal their names and carry the numbers of a protobuf enum, by which they are ordered."""

    number: int

    def __new__(
        cls, name: str | int, number: int = 0
    ) -> Self:  # called for members; types of what finds a member
        member = str.__new__(cls, name)
        member._value_ = str(name)
        member.number = number
        return member

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, str):
            text = value.strip().upper().replace("-", "_")
            kind, _, digits = text.partition("_")
            if kind == "UNKNOWN" and digits.isdecimal():
                return cls._of(int(digits))
            return cls.__members__.get(text)
        if isinstance(value, int) and not isinstance(value, bool):
            return cls._of(value)
        return None

    @classmethod
    def _of(cls, number: int) -> Self:
        """The member with this number; one named after the number when this release knows none."""
        for member in cls:
            if member.number == number:
                return member
        unknown = str.__new__(cls, f"UNKNOWN_{number}")
        unknown._name_ = unknown._value_ = str(unknown)
        unknown.number = number
        return unknown

    def __bool__(self) -> bool:
        return self.number != 0

    def __int__(self) -> int:
        return self.number

    def __str__(self) -> str:
        return str.__str__(self)

    def __lt__(self, other: str) -> bool:
        return self.number < self._same_kind(other).number

    def __le__(self, other: str) -> bool:
        return self.number <= self._same_kind(other).number

    def __gt__(self, other: str) -> bool:
        return self.number > self._same_kind(other).number

    def __ge__(self, other: str) -> bool:
        return self.number >= self._same_kind(other).number

    def _same_kind(self, other: object) -> Self:
        """`other`, which must be a member or its name: the order of names would mean nothing."""
        kind = type(self)
        if isinstance(other, kind):
            return other
        if not isinstance(other, str) or isinstance(other, enum.Enum):
            raise TypeError(f"a {kind.__name__} is ordered among its kind, not with {other!r}")
        return kind(other)


E = TypeVar("E", bound=WireEnum)


def found_by_number(kind: type[E]) -> type[E]:
    """Lets `kind(2)` find its member as fast as `kind("AVRO")`: each answer of the server holds several numbers."""
    for member in kind:
        kind._value2member_map_[member.number] = member
    return kind


@found_by_number
class SchemaType(WireEnum):
    """The language that a schema is written in."""

    UNSPECIFIED = "UNSPECIFIED", 0
    JSON = "JSON", 1
    AVRO = "AVRO", 2
    PROTOBUF = "PROTOBUF", 3
    THRIFT = "THRIFT", 4


@found_by_number
class CompatibilityLevel(WireEnum):
    """Who must be able to read whose data; the transitive levels ask about every live version."""

    UNSPECIFIED = "UNSPECIFIED", 0
    BACKWARD = "BACKWARD", 1
    FORWARD = "FORWARD", 2
    FULL = "FULL", 3
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE", 4
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE", 5
    FULL_TRANSITIVE = "FULL_TRANSITIVE", 6
    NONE = "NONE", 7


@found_by_number
class SchemaState(WireEnum):
    """Where a version stands in its life."""

    UNSPECIFIED = "UNSPECIFIED", 0
    DRAFT = "DRAFT", 1
    ACTIVE = "ACTIVE", 2
    DEPRECATED = "DEPRECATED", 3
    ARCHIVED = "ARCHIVED", 4
    VALIDATING = "VALIDATING", 5
    VALIDATION_FAILED = "VALIDATION_FAILED", 6
    COMPATIBILITY_CHECK = "COMPATIBILITY_CHECK", 7
    INCOMPATIBLE_REJECTED = "INCOMPATIBLE_REJECTED", 8
    REGISTERED = "REGISTERED", 9
    ABANDONED = "ABANDONED", 10
    ROLLING_BACK = "ROLLING_BACK", 11


@found_by_number
class Severity(WireEnum):
    """How much a violation or an issue weighs; an ERROR makes the answer negative."""

    UNSPECIFIED = "UNSPECIFIED", 0
    ERROR = "ERROR", 1
    WARNING = "WARNING", 2
    INFO = "INFO", 3


@found_by_number
class EventType(WireEnum):
    """What a change of the change log did."""

    UNSPECIFIED = "UNSPECIFIED", 0
    SCHEMA_REGISTERED = "SCHEMA_REGISTERED", 1
    SCHEMA_UPDATED = "SCHEMA_UPDATED", 2
    SCHEMA_DELETED = "SCHEMA_DELETED", 3
    SCHEMA_DEPRECATED = "SCHEMA_DEPRECATED", 4
    SCHEMA_CREATED = "SCHEMA_CREATED", 5
    SCHEMA_VALIDATED = "SCHEMA_VALIDATED", 6
    SCHEMA_ACTIVATED = "SCHEMA_ACTIVATED", 7
    SCHEMA_ARCHIVED = "SCHEMA_ARCHIVED", 8
    SCHEMA_ROLLED_BACK = "SCHEMA_ROLLED_BACK", 9
    COMPATIBILITY_CHECK_FAILED = "COMPATIBILITY_CHECK_FAILED", 10
    VALIDATION_FAILED = "VALIDATION_FAILED", 11
    CONSUMER_REGISTERED = "CONSUMER_REGISTERED", 12
    CONSUMER_UNREGISTERED = "CONSUMER_UNREGISTERED", 13
    USAGE_THRESHOLD_EXCEEDED = "USAGE_THRESHOLD_EXCEEDED", 14
    SCHEMA_UNDELETED = "SCHEMA_UNDELETED", 15
    CONFIG_UPDATED = "CONFIG_UPDATED", 16
    PROFILE_VERDICT_CHANGED = "PROFILE_VERDICT_CHANGED", 17


@found_by_number
class Verdict(WireEnum):
    """What a compatibility check could establish."""

    UNSPECIFIED = "UNSPECIFIED", 0
    YES = "YES", 1
    NO = "NO", 2
    UNDECIDED = "UNDECIDED", 3


@found_by_number
class ChangeClass(WireEnum):
    """What a version changes for its readers, mildest first."""

    UNSPECIFIED = "UNSPECIFIED", 0
    NONE = "NONE", 1
    ORDER_ONLY = "ORDER_ONLY", 2
    ANNOTATION_ONLY = "ANNOTATION_ONLY", 3
    COMPATIBLE = "COMPATIBLE", 4
    BREAKING = "BREAKING", 5


@found_by_number
class DifferenceKind(WireEnum):
    """What one difference does: WIDENED lets more data be valid, NARROWED less, CHANGED neither."""

    UNSPECIFIED = "UNSPECIFIED", 0
    ADDED = "ADDED", 1
    REMOVED = "REMOVED", 2
    WIDENED = "WIDENED", 3
    NARROWED = "NARROWED", 4
    CHANGED = "CHANGED", 5


@found_by_number
class LossKind(WireEnum):
    """What a conversion could not carry: DROPPED is gone, NOT_ENFORCED is carried but not checked, NARROWED refuses
    some data, CHANGED says it in a way that does not lead back, RESTATED in one that does.
    """

    UNSPECIFIED = "UNSPECIFIED", 0
    DROPPED = "DROPPED", 1
    NOT_ENFORCED = "NOT_ENFORCED", 2
    NARROWED = "NARROWED", 3
    CHANGED = "CHANGED", 4
    RESTATED = "RESTATED", 5


@found_by_number
class DataEncoding(WireEnum):
    """How a payload is written; UNSPECIFIED lets the server tell."""

    UNSPECIFIED = "UNSPECIFIED", 0
    JSON = "JSON", 1
    BINARY = "BINARY", 2
    AVRO_JSON = "AVRO_JSON", 3


@found_by_number
class SearchOrder(WireEnum):
    """How what a search has found is ordered."""

    UNSPECIFIED = "UNSPECIFIED", 0
    RELEVANCE = "RELEVANCE", 1
    NAME = "NAME", 2


@found_by_number
class Mode(WireEnum):
    """Whether a scope accepts writes."""

    UNSPECIFIED = "UNSPECIFIED", 0
    READWRITE = "READWRITE", 1
    READONLY = "READONLY", 2
    IMPORT = "IMPORT", 3


@found_by_number
class Strictness(WireEnum):
    """What a Protobuf comparison protects."""

    UNSPECIFIED = "UNSPECIFIED", 0
    WIRE = "WIRE", 1
    WIRE_JSON = "WIRE_JSON", 2
    SOURCE = "SOURCE", 3


@found_by_number
class WriterModel(WireEnum):
    """What writers of JSON documents may emit."""

    UNSPECIFIED = "UNSPECIFIED", 0
    OPEN = "OPEN", 1
    DECLARED_KEYS = "DECLARED_KEYS", 2


@found_by_number
class FormatPolicy(WireEnum):
    """Whether JSON Schema `format` decides validity."""

    UNSPECIFIED = "UNSPECIFIED", 0
    DIALECT = "DIALECT", 1
    ASSERT = "ASSERT", 2
    IGNORE = "IGNORE", 3


@found_by_number
class UndecidedPolicy(WireEnum):
    """What registration does with a verdict that could not be proved."""

    UNSPECIFIED = "UNSPECIFIED", 0
    REFUSE = "REFUSE", 1
    ALLOW = "ALLOW", 2


@found_by_number
class LintPolicy(WireEnum):
    """What registration does with what the lint rules find. WARN: quick rules are told. REFUSE_ERRORS, REFUSE_WARNINGS: a
    finding of that severity or a graver one refuses the schema."""

    UNSPECIFIED = "UNSPECIFIED", 0
    OFF = "OFF", 1
    WARN = "WARN", 2
    REFUSE_ERRORS = "REFUSE_ERRORS", 3
    REFUSE_WARNINGS = "REFUSE_WARNINGS", 4


@found_by_number
class ProfileOrigin(WireEnum):
    """Where a profile comes from: the server itself, a file of it, or PutProfile."""

    UNSPECIFIED = "UNSPECIFIED", 0
    BUILT_IN = "BUILT_IN", 1
    FILE = "FILE", 2
    STORED = "STORED", 3


@found_by_number
class ProfileFit(WireEnum):
    """How a schema, sent as it is, fits a provider; the mildest first."""

    UNSPECIFIED = "UNSPECIFIED", 0
    FITS = "FITS", 1
    FITS_WITH_LOSS = "FITS_WITH_LOSS", 2
    UNKNOWN = "UNKNOWN", 3
    REFUSED = "REFUSED", 4


@found_by_number
class ProviderSupport(WireEnum):
    """What a provider does with a keyword or a shape of schema."""

    UNSPECIFIED = "UNSPECIFIED", 0
    ENFORCED = "ENFORCED", 1
    ACCEPTED = "ACCEPTED", 2
    IGNORED = "IGNORED", 3
    RESTRICTED = "RESTRICTED", 4
    REJECTED = "REJECTED", 5
    UNKNOWN = "UNKNOWN", 6


@found_by_number
class EvidenceBasis(WireEnum):
    """How something about a provider is known."""

    UNSPECIFIED = "UNSPECIFIED", 0
    DOCUMENTED = "DOCUMENTED", 1
    OBSERVED = "OBSERVED", 2
    MEASURED = "MEASURED", 3
    INFERRED = "INFERRED", 4
    NONE = "NONE", 5


@found_by_number
class LossEffect(WireEnum):
    """What a difference between a schema and its compiled form means. WIDENED: answers may be what the schema refuses. NARROWED:
    something that it accepts cannot be answered. ANNOTATION: a text is not seen."""

    UNSPECIFIED = "UNSPECIFIED", 0
    WIDENED = "WIDENED", 1
    NARROWED = "NARROWED", 2
    ANNOTATION = "ANNOTATION", 3


@found_by_number
class LossProof(WireEnum):
    """How it is known that something is lost."""

    UNSPECIFIED = "UNSPECIFIED", 0
    WITNESS = "WITNESS", 1
    NO_EFFECT = "NO_EFFECT", 2
    ALONE_NO_EFFECT = "ALONE_NO_EFFECT", 3
    UNDECIDED = "UNDECIDED", 4
    NOT_NEEDED = "NOT_NEEDED", 5


@found_by_number
class GrammarSyntax(WireEnum):
    """The notation of a grammar."""

    UNSPECIFIED = "UNSPECIFIED", 0
    GBNF = "GBNF", 1
    LARK = "LARK", 2
    REGEX = "REGEX", 3


@found_by_number
class HealthStatus(WireEnum):
    """How the server is."""

    UNSPECIFIED = "UNSPECIFIED", 0
    HEALTHY = "HEALTHY", 1
    DEGRADED = "DEGRADED", 2
    UNHEALTHY = "UNHEALTHY", 3


@found_by_number
class ComponentStatus(WireEnum):
    """How a part of the server is."""

    UNSPECIFIED = "UNSPECIFIED", 0
    UP = "UP", 1
    DOWN = "DOWN", 2
    DEGRADED = "DEGRADED", 3


@found_by_number
class AuditEventType(WireEnum):
    """What was done or tried."""

    UNSPECIFIED = "UNSPECIFIED", 0
    AUTHENTICATION_SUCCESS = "AUTHENTICATION_SUCCESS", 1
    AUTHENTICATION_FAILURE = "AUTHENTICATION_FAILURE", 2
    TOKEN_GENERATED = "TOKEN_GENERATED", 3
    TOKEN_REVOKED = "TOKEN_REVOKED", 4
    TOKEN_EXPIRED = "TOKEN_EXPIRED", 5
    PASSWORD_CHANGED = "PASSWORD_CHANGED", 6
    MFA_ENABLED = "MFA_ENABLED", 7
    MFA_DISABLED = "MFA_DISABLED", 8
    AUTHORIZATION_GRANTED = "AUTHORIZATION_GRANTED", 9
    AUTHORIZATION_DENIED = "AUTHORIZATION_DENIED", 10
    ROLE_ASSIGNED = "ROLE_ASSIGNED", 11
    ROLE_REVOKED = "ROLE_REVOKED", 12
    PERMISSION_GRANTED = "PERMISSION_GRANTED", 13
    PERMISSION_REVOKED = "PERMISSION_REVOKED", 14
    SCHEMA_REGISTERED = "SCHEMA_REGISTERED", 15
    SCHEMA_UPDATED = "SCHEMA_UPDATED", 16
    SCHEMA_DELETED = "SCHEMA_DELETED", 17
    SCHEMA_VALIDATED = "SCHEMA_VALIDATED", 18
    SCHEMA_PUBLISHED = "SCHEMA_PUBLISHED", 19
    SCHEMA_DEPRECATED = "SCHEMA_DEPRECATED", 20
    CONFIGURATION_CHANGED = "CONFIGURATION_CHANGED", 21
    COMPATIBILITY_MODE_CHANGED = "COMPATIBILITY_MODE_CHANGED", 22
    RETENTION_POLICY_CHANGED = "RETENTION_POLICY_CHANGED", 23
    SECURITY_VIOLATION = "SECURITY_VIOLATION", 24
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED", 25
    SUSPICIOUS_ACTIVITY = "SUSPICIOUS_ACTIVITY", 26
    ACCESS_DENIED = "ACCESS_DENIED", 27
    SYSTEM_STARTED = "SYSTEM_STARTED", 28
    SYSTEM_STOPPED = "SYSTEM_STOPPED", 29
    BACKUP_CREATED = "BACKUP_CREATED", 30
    BACKUP_RESTORED = "BACKUP_RESTORED", 31
    POLICIES_CHANGED = "POLICIES_CHANGED", 32
    RECORDS_LOST = "RECORDS_LOST", 33
    RECORDS_REMOVED = "RECORDS_REMOVED", 34


@found_by_number
class AuditSeverity(WireEnum):
    """How grave an event is."""

    UNSPECIFIED = "UNSPECIFIED", 0
    INFO = "INFO", 1
    WARNING = "WARNING", 2
    IMPORTANT = "IMPORTANT", 3
    CRITICAL = "CRITICAL", 4


@found_by_number
class AuditOutcome(WireEnum):
    """What became of a call: DENIED for who asked or how often, FAILED for another reason."""

    UNSPECIFIED = "UNSPECIFIED", 0
    ALLOWED = "ALLOWED", 1
    DENIED = "DENIED", 2
    FAILED = "FAILED", 3


@found_by_number
class StreamStatus(WireEnum):
    """What is known of a document that arrives. VIABLE: it may still become valid. COMPLETE: it is. DEAD: it cannot. INDETERMINATE: it
    is judged when it is complete."""

    UNSPECIFIED = "UNSPECIFIED", 0
    VIABLE = "VIABLE", 1
    COMPLETE = "COMPLETE", 2
    DEAD = "DEAD", 3
    INDETERMINATE = "INDETERMINATE", 4


@found_by_number
class ReaskStyle(WireEnum):
    """How errors are written for a model: LINES, the DOCUMENT with comments, or as the result of a tool call (MCP, ANTHROPIC,
    OPENAI)."""

    UNSPECIFIED = "UNSPECIFIED", 0
    LINES = "LINES", 1
    DOCUMENT = "DOCUMENT", 2
    MCP = "MCP", 3
    ANTHROPIC = "ANTHROPIC", 4
    OPENAI = "OPENAI", 5


@found_by_number
class FixKind(WireEnum):
    """What an edit of a fix does; docs/llm/fixes.md tells what each costs."""

    UNSPECIFIED = "UNSPECIFIED", 0
    MAKE_OPTIONAL = "MAKE_OPTIONAL", 1
    KEEP_REQUIRED = "KEEP_REQUIRED", 2
    ADD_DEFAULT = "ADD_DEFAULT", 3
    KEEP_VALUES = "KEEP_VALUES", 4
    LEAVE_OUT_VALUES = "LEAVE_OUT_VALUES", 5
    ACCEPT_BOTH = "ACCEPT_BOTH", 6
    KEEP_TO_BOTH = "KEEP_TO_BOTH", 7
    KEEP_MEMBER = "KEEP_MEMBER", 8
    LEAVE_OUT_MEMBER = "LEAVE_OUT_MEMBER", 9
    DOCUMENT_ONLY = "DOCUMENT_ONLY", 10
    KEEP_RULE = "KEEP_RULE", 11
    KEEP_PART = "KEEP_PART", 12
    ADD_ALIAS = "ADD_ALIAS", 13
    RESERVE = "RESERVE", 14
    NEW_NUMBER = "NEW_NUMBER", 15


@found_by_number
class Coercion(WireEnum):
    """One kind of correction of an answer; docs/llm/answers.md tells what each does."""

    UNSPECIFIED = "UNSPECIFIED", 0
    STRINGIFIED_JSON = "STRINGIFIED_JSON", 1
    ENUM_CASE = "ENUM_CASE", 2
    NUMERIC_STRING = "NUMERIC_STRING", 3
    SINGLE_VALUE = "SINGLE_VALUE", 4
    NULL_FOR_ABSENT = "NULL_FOR_ABSENT", 5
    UNKNOWN_KEYS = "UNKNOWN_KEYS", 6
    WHITESPACE = "WHITESPACE", 7
    DATE = "DATE", 8
