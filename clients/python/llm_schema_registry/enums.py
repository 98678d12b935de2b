"""The enumerations of the API, by the numbers of the wire.

Each accepts its names in any case (`SchemaType("avro")`), and a number that this release does not know becomes a
member such as `UNKNOWN_17`, so that an older client reads the answers of a newer server.
"""

from __future__ import annotations

import enum
from typing import Self


class WireEnum(enum.IntEnum):
    """An enumeration whose members carry the numbers of a protobuf enum."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, str):
            return cls.__members__.get(value.strip().upper().replace("-", "_"))
        if isinstance(value, int):
            member = int.__new__(cls, value)
            member._name_ = f"UNKNOWN_{value}"
            member._value_ = value
            return member
        return None

    def __str__(self) -> str:
        return self.name


class SchemaType(WireEnum):
    """The language that a schema is written in."""

    UNSPECIFIED = 0
    JSON = 1
    AVRO = 2
    PROTOBUF = 3
    THRIFT = 4


class CompatibilityLevel(WireEnum):
    """Who must be able to read whose data; the transitive levels ask about every live version."""

    UNSPECIFIED = 0
    BACKWARD = 1
    FORWARD = 2
    FULL = 3
    BACKWARD_TRANSITIVE = 4
    FORWARD_TRANSITIVE = 5
    FULL_TRANSITIVE = 6
    NONE = 7


class SchemaState(WireEnum):
    """Where a version stands in its life."""

    UNSPECIFIED = 0
    DRAFT = 1
    ACTIVE = 2
    DEPRECATED = 3
    ARCHIVED = 4
    VALIDATING = 5
    VALIDATION_FAILED = 6
    COMPATIBILITY_CHECK = 7
    INCOMPATIBLE_REJECTED = 8
    REGISTERED = 9
    ABANDONED = 10
    ROLLING_BACK = 11


class Severity(WireEnum):
    """How much a violation or an issue weighs; an ERROR makes the answer negative."""

    UNSPECIFIED = 0
    ERROR = 1
    WARNING = 2
    INFO = 3


class EventType(WireEnum):
    """What a change of the change log did."""

    UNSPECIFIED = 0
    SCHEMA_REGISTERED = 1
    SCHEMA_UPDATED = 2
    SCHEMA_DELETED = 3
    SCHEMA_DEPRECATED = 4
    SCHEMA_CREATED = 5
    SCHEMA_VALIDATED = 6
    SCHEMA_ACTIVATED = 7
    SCHEMA_ARCHIVED = 8
    SCHEMA_ROLLED_BACK = 9
    COMPATIBILITY_CHECK_FAILED = 10
    VALIDATION_FAILED = 11
    CONSUMER_REGISTERED = 12
    CONSUMER_UNREGISTERED = 13
    USAGE_THRESHOLD_EXCEEDED = 14
    SCHEMA_UNDELETED = 15
    CONFIG_UPDATED = 16


class Verdict(WireEnum):
    """What a compatibility check could establish."""

    UNSPECIFIED = 0
    YES = 1
    NO = 2
    UNDECIDED = 3


class ChangeClass(WireEnum):
    """What a version changes for its readers, mildest first."""

    UNSPECIFIED = 0
    NONE = 1
    ORDER_ONLY = 2
    ANNOTATION_ONLY = 3
    COMPATIBLE = 4
    BREAKING = 5


class DifferenceKind(WireEnum):
    """What one difference does: WIDENED lets more data be valid, NARROWED less, CHANGED neither."""

    UNSPECIFIED = 0
    ADDED = 1
    REMOVED = 2
    WIDENED = 3
    NARROWED = 4
    CHANGED = 5


class LossKind(WireEnum):
    """What a conversion could not carry: DROPPED is gone, NOT_ENFORCED is carried but not checked, NARROWED refuses
    some data, CHANGED says it in a way that does not lead back, RESTATED in one that does.
    """

    UNSPECIFIED = 0
    DROPPED = 1
    NOT_ENFORCED = 2
    NARROWED = 3
    CHANGED = 4
    RESTATED = 5


class DataEncoding(WireEnum):
    """How a payload is written; UNSPECIFIED lets the server tell."""

    UNSPECIFIED = 0
    JSON = 1
    BINARY = 2
    AVRO_JSON = 3


class SearchOrder(WireEnum):
    """How what a search has found is ordered."""

    UNSPECIFIED = 0
    RELEVANCE = 1
    NAME = 2


class Mode(WireEnum):
    """Whether a scope accepts writes."""

    UNSPECIFIED = 0
    READWRITE = 1
    READONLY = 2
    IMPORT = 3


class Strictness(WireEnum):
    """What a Protobuf comparison protects."""

    UNSPECIFIED = 0
    WIRE = 1
    WIRE_JSON = 2
    SOURCE = 3


class WriterModel(WireEnum):
    """What writers of JSON documents may emit."""

    UNSPECIFIED = 0
    OPEN = 1
    DECLARED_KEYS = 2


class FormatPolicy(WireEnum):
    """Whether JSON Schema `format` decides validity."""

    UNSPECIFIED = 0
    DIALECT = 1
    ASSERT = 2
    IGNORE = 3


class UndecidedPolicy(WireEnum):
    """What registration does with a verdict that could not be proved."""

    UNSPECIFIED = 0
    REFUSE = 1
    ALLOW = 2


class HealthStatus(WireEnum):
    """How the server is."""

    UNSPECIFIED = 0
    HEALTHY = 1
    DEGRADED = 2
    UNHEALTHY = 3


class ComponentStatus(WireEnum):
    """How a part of the server is."""

    UNSPECIFIED = 0
    UP = 1
    DOWN = 2
    DEGRADED = 3
