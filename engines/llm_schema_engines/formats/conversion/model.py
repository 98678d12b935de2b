"""The common model of the three schema types: the structure of data, independent of how each type writes it. Pure.

Values of the model are Python values: None, bool, int, float, str, bytes, list, dict (maps and records, by the names
of the source), an int of nanoseconds since 1970 for an instant, an int of days for a date, a Decimal for a decimal,
UnionChoice for a union, and any JSON value for Anything.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Any  # see the module's docstring
Extras = Mapping[str, Any]


class Kind(enum.StrEnum):
    """Scalars. INSTANT and DATE are points in time; FIXED is bytes of one length."""

    NULL = "null"
    BOOLEAN = "boolean"
    INT32 = "int32"
    INT64 = "int64"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BYTES = "bytes"
    FIXED = "fixed"
    UUID = "uuid"
    DATE = "date"
    INSTANT = "instant"
    DECIMAL = "decimal"


INTEGERS: Mapping[Kind, range] = {
    Kind.INT32: range(-(2**31), 2**31),
    Kind.INT64: range(-(2**63), 2**63),
    Kind.UINT32: range(2**32),
    Kind.UINT64: range(2**64),
}

KEYS = frozenset({Kind.STRING, Kind.BOOLEAN, *INTEGERS})
"""The kinds whose texts may be keys of maps."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A type of values. `pointer`: its place in the source schema. `extras`: attributes and keywords to keep that only
    the source's schema type has."""

    pointer: str = ""
    extras: Extras = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Shape):
    """A scalar. `unit`: digits of the fraction of a second (3, 6, 9) of an INSTANT. `precision`, `scale`: digits of a
    DECIMAL. `size`: bytes of a FIXED, or of a DECIMAL that Avro writes as a fixed, -1 otherwise; `name`: the fixed's."""

    kind: Kind = Kind.STRING
    unit: int = 6
    precision: int = 0
    scale: int = 0
    size: int = -1
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Anything(Shape):
    """Any JSON value."""


@dataclass(frozen=True, slots=True, eq=False)
class Nullable(Shape):
    """`inner` or null. `inner` is not Nullable. `null_last`: null is the last branch in the source."""

    inner: Shape = field(default_factory=Shape)
    null_last: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ListOf(Shape):
    item: Shape = field(default_factory=Shape)


@dataclass(frozen=True, slots=True, eq=False)
class MapOf(Shape):
    """A map. Keys are strings; `key` is the kind that they are texts of."""

    value: Shape = field(default_factory=Shape)
    key: Kind = Kind.STRING


@dataclass(frozen=True, slots=True, eq=False)
class ModelUnion(Shape):
    """One of the branches; none is null, Nullable or a union."""

    branches: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class NamedShape(Shape):
    """A use of a record or an enum of the model, by its key there."""

    key: str = ""


@dataclass(frozen=True, slots=True)
class UnionChoice:
    """A value of a union: the branch and its value."""

    index: int
    value: Value


def inner_shapes(shape: Shape) -> tuple[Shape, ...]:
    """The shapes directly inside one that is not a NamedShape."""
    if isinstance(shape, ModelUnion):
        return shape.branches
    if isinstance(shape, Nullable):
        return (shape.inner,)
    if isinstance(shape, ListOf):
        return (shape.item,)
    return (shape.value,) if isinstance(shape, MapOf) else ()


class Presence(enum.Enum):
    """Whether a field may be left out. REQUIRED: no. OPTIONAL: yes; it has no value then. DEFAULTED: yes; it has its
    default then."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    DEFAULTED = "defaulted"


@dataclass(frozen=True, slots=True, eq=False)
class ModelField:
    """A field of a record.

    `keys`: its keys in documents of the source, where they are not the name. `default`: a value of the model; it counts
    only when `has_default`.

    `number`, `proto_name` and `oneof` are Protobuf's; 0 and "" when there are none. `other_names`: aliases.
    """

    name: str
    shape: Shape
    presence: Presence
    pointer: str = ""
    default: Value = None
    has_default: bool = False
    doc: str = ""
    number: int = 0
    other_names: tuple[str, ...] = ()
    proto_name: str = ""
    oneof: str = ""
    keys: tuple[str, ...] = ()
    extras: Extras = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ModelRecord:
    """A record. `name`: a full name with dots, or a generated one. `open`: undeclared members are allowed."""

    name: str
    fields: tuple[ModelField, ...]
    pointer: str = ""
    doc: str = ""
    aliases: tuple[str, ...] = ()
    open: bool = False
    extras: Extras = field(default_factory=dict)

    def by_name(self) -> Mapping[str, ModelField]:
        return {f.name: f for f in self.fields}


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """An enumeration. `spelled`: text in documents of the source -> symbol, where they differ. `numbers`: Protobuf's;
    `default`: Avro's."""

    name: str
    symbols: tuple[str, ...]
    pointer: str = ""
    doc: str = ""
    aliases: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    default: str = ""
    spelled: Mapping[str, str] = field(default_factory=dict)
    extras: Extras = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """A root shape and the records and enums that NamedShape values refer to."""

    root: Shape
    types: dict[str, ModelRecord | Enumeration]

    def record(self, shape: Shape) -> ModelRecord | None:
        """The record that a shape names; None when it is something else."""
        found = self.types.get(shape.key) if isinstance(shape, NamedShape) else None
        return found if isinstance(found, ModelRecord) else None

    def enumeration(self, shape: Shape) -> Enumeration | None:
        found = self.types.get(shape.key) if isinstance(shape, NamedShape) else None
        return found if isinstance(found, Enumeration) else None
