"""Writes a model as an Avro schema. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from ...errors import ConversionRefused
from ..avro.schema.names import is_dotted_name, is_name, is_primitive, namespace_of
from . import avro_attributes as attribute
from . import names
from .avro_values import AvroEncoder, needs_null, non_finite_text
from .losses import Losses
from .model import (
    Anything,
    Enumeration,
    Extras,
    Kind,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    NamedShape,
    Nullable,
    Presence,
    Scalar,
    Shape,
    inner_shapes,
)
from .values import Json, ValueMismatch

PRIMITIVES: Mapping[Kind, str] = {
    Kind.NULL: "null", Kind.BOOLEAN: "boolean", Kind.INT32: "int", Kind.INT64: "long", Kind.UINT32: "long",
    Kind.UINT64: "long", Kind.FLOAT: "float", Kind.DOUBLE: "double", Kind.STRING: "string", Kind.BYTES: "bytes",
}  # fmt: skip
INSTANTS: Mapping[int, str] = {3: "timestamp-millis", 6: "timestamp-micros", 9: "timestamp-nanos"}
MAX_NAME_LENGTH = 200
"""Longest name, in characters, that is kept as it is."""
MAX_DEPTH = 60
"""Deepest nesting of types in the written schema; the Avro engine parses a little more."""


def write_avro(model: Model, losses: Losses) -> tuple[bytes, AvroEncoder]:
    """The schema text, and the encoder of data that is valid under it. Raises ConversionRefused."""
    writer = _AvroWriter(model, losses)
    root = writer.shape(model.root)
    content = json.dumps(root, ensure_ascii=False, indent=2, default=_exact_number).encode()
    return content, writer.encoder


def _exact_number(value: object) -> float | str:
    """A number that was read exactly (an annotation such as `multipleOf`), as JSON can write it: as a number where that is
    the same, else as its text."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


class _AvroWriter:
    def __init__(self, model: Model, losses: Losses) -> None:
        self._model = model
        self._losses = losses
        self._full = _full_names(model, losses)
        self._fixed: dict[str, int] = {}
        self._written: set[str] = set()
        self._depth = 0
        self._namespace = ""  # the one that holds where we write
        self._field_names: dict[tuple[str, str], str] = {}
        self._symbols: dict[tuple[str, str], str] = {}
        for key, found in model.types.items():
            self._name_members(key, found)
        self.encoder = AvroEncoder(model, self._field_names, self._symbols)

    def _name_members(self, key: str, found: ModelRecord | Enumeration) -> None:
        members = [f.name for f in found.fields] if isinstance(found, ModelRecord) else list(found.symbols)
        given = names.assign(members, _is_good_name, names.identifier)
        target = self._field_names if isinstance(found, ModelRecord) else self._symbols
        target.update({(key, member): name for member, name in zip(members, given, strict=True)})

    def shape(self, shape: Shape) -> Json:
        """The type of a shape; a definition is written where it is used first, inside other definitions."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConversionRefused(
                shape.pointer, f"types are nested more than {MAX_DEPTH} deep, which Avro writes out"
            )
        try:
            return self._type(shape)
        finally:
            self._depth -= 1

    def _type(self, shape: Shape) -> Json:
        if isinstance(shape, Scalar):
            return self._scalar(shape)
        if isinstance(shape, Nullable):
            return self._nullable(shape.inner, null_last=shape.null_last)
        if isinstance(shape, Anything):
            self._losses.restated(shape.pointer, "any JSON value is kept as JSON text in a string")
            return {
                "type": "string",
                attribute.JSON_TEXT: True,
                **self._json_schema_keywords(shape.extras, shape.pointer),
            }
        if isinstance(shape, ModelUnion):
            return self._union(shape)
        if isinstance(shape, ListOf):
            return {
                "type": "array",
                "items": self.shape(shape.item),
                **self._json_schema_keywords(shape.extras, shape.pointer),
            }
        if isinstance(shape, MapOf):
            key: dict[str, Json] = {} if shape.key is Kind.STRING else {attribute.KEY: shape.key.value}
            if key:
                self._losses.not_enforced(shape.pointer, f"keys are strings, not {shape.key}")
            return {
                "type": "map",
                "values": self.shape(shape.value),
                **key,
                **self._json_schema_keywords(shape.extras, shape.pointer),
            }
        assert isinstance(shape, NamedShape)
        full = self._full[shape.key]
        if shape.key in self._written:
            return full
        self._written.add(shape.key)
        found = self._model.types[shape.key]
        return (
            self._record(shape.key, found) if isinstance(found, ModelRecord) else self._enum(shape.key, found)
        )

    def _scalar(self, shape: Scalar) -> Json:
        kept = self._json_schema_keywords(
            {k: v for k, v in shape.extras.items() if k != attribute.LOGICAL}, shape.pointer
        )
        if shape.kind is Kind.INSTANT:
            if shape.unit == 9:
                self._losses.narrowed(shape.pointer, "nanoseconds in 64 bits reach from 1677 to 2262")
            return {"type": "long", "logicalType": INSTANTS[shape.unit], **kept}
        if shape.kind is Kind.DATE:
            return {"type": "int", "logicalType": "date", **kept}
        if shape.kind is Kind.UUID:
            return {"type": "string", "logicalType": "uuid", **kept}
        if shape.kind is Kind.DECIMAL:
            logical = {"logicalType": "decimal", "precision": shape.precision, "scale": shape.scale}
            return (
                {**self._fixed_type(shape), **logical, **kept}
                if shape.size >= 0
                else {"type": "bytes", **logical, **kept}
            )
        if shape.kind is Kind.FIXED:
            out = self._fixed_type(shape)
            if isinstance(out, dict):
                out |= kept | _logical(shape)
            return out
        name = PRIMITIVES[shape.kind]
        extra: dict[str, Json] = {}
        if shape.kind in (Kind.UINT32, Kind.UINT64):
            extra = {attribute.KIND: shape.kind.value}
            self._losses.not_enforced(shape.pointer, f"a long takes numbers that {shape.kind} does not")
            if shape.kind is Kind.UINT64:
                self._losses.narrowed(shape.pointer, "numbers from 2^63 do not fit into a long")
        extra |= kept | _logical(shape)
        return {"type": name, **extra} if extra else name

    def _fixed_type(self, shape: Scalar) -> Json:
        wanted = shape.name if _is_good_full_name(shape.name) else f"Fixed{shape.size}"
        reachable = "." in wanted or not self._namespace
        if self._fixed.get(wanted) == shape.size and shape.kind is Kind.FIXED and reachable:
            return wanted
        full = names.UniqueNames([*self._full.values(), *self._fixed]).take(wanted)
        self._fixed[full] = shape.size
        return {"type": "fixed", **self._name(full), "size": shape.size}

    def _name(self, full: str) -> dict[str, Json]:
        """The name of a definition: one without dots needs an empty namespace, or it would inherit the enclosing one."""
        return {"name": full, "namespace": ""} if self._namespace and "." not in full else {"name": full}

    def _nullable(self, inner: Shape, *, null_last: bool) -> Json:
        if isinstance(inner, Scalar) and inner.kind is Kind.NULL:
            return "null"
        written = self.shape(inner)
        branches = written if isinstance(written, list) else [written]
        return [*branches, "null"] if null_last else ["null", *branches]

    def _union(self, shape: ModelUnion) -> Json:
        """A union; branches that become the same Avro type are merged, since Avro tells branches apart by type."""
        out: dict[str, Json] = {}
        for branch in shape.branches:
            written = self.shape(branch)
            kind = written if isinstance(written, str) else written.get("name", written["type"])
            if kind in out:
                if written != out[kind]:
                    raise ConversionRefused(
                        branch.pointer or shape.pointer,
                        f"two branches of a union become {kind!r} with different content; Avro cannot tell them apart",
                    )
                self._losses.dropped(branch.pointer, f"two branches of a union are one {kind!r}")
            out[kind] = written
        return list(out.values())

    def _enum(self, key: str, found: Enumeration) -> Json:
        out: dict[str, Json] = {"type": "enum", **self._name(self._full[key])}
        if found.doc:
            out["doc"] = found.doc
        aliases = [alias for alias in found.aliases if len(alias) <= MAX_NAME_LENGTH]
        if aliases:
            out["aliases"] = aliases
        symbols = [self._symbols[key, symbol] for symbol in found.symbols]
        out["symbols"] = symbols
        if found.default:
            out["default"] = self._symbols[key, found.default]
        renamed = {s: v for s, v in zip(symbols, found.symbols, strict=True) if s != v}
        if renamed:
            out[attribute.VALUES] = renamed
            self._losses.restated(
                found.pointer, f"values that are no names are written as {', '.join(list(renamed)[:5])}"
            )
        if found.numbers:
            out[attribute.NUMBERS] = list(found.numbers)
        return {**out, **self._json_schema_keywords(found.extras, found.pointer)}

    def _record(self, key: str, found: ModelRecord) -> Json:
        out: dict[str, Json] = {"type": "record", **self._name(self._full[key])}
        if found.doc:
            out["doc"] = found.doc
        aliases = [alias for alias in found.aliases if len(alias) <= MAX_NAME_LENGTH]
        if aliases:
            out["aliases"] = aliases
        if found.open:
            out[attribute.OPEN] = True
            self._losses.dropped(found.pointer, "undeclared members of documents are not carried")
        outer, self._namespace = self._namespace, namespace_of(self._full[key])
        fields = [self._field(key, member) for member in found.fields]
        self._namespace = outer
        return {**out, **self._json_schema_keywords(found.extras, found.pointer), "fields": fields}

    def _field(self, key: str, member: ModelField) -> Json:
        name = self._field_names[key, member.name]
        out: dict[str, Json] = {"name": name, "type": self._field_type(member)}
        if name != member.name:
            out[attribute.NAME] = member.name
            self._losses.restated(
                member.pointer,
                f"the field {member.name!r} is called {name!r}, since Avro's names are stricter",
            )
        if member.doc:
            out["doc"] = member.doc
        if member.has_default:
            out["default"] = non_finite_text(member) or self._default(member)
        elif member.presence is Presence.OPTIONAL:
            out["default"] = None
        if member.presence is Presence.OPTIONAL:
            out[attribute.OPTIONAL] = True
            self._optional_loss(member)
        aliases = [alias for alias in member.other_names if len(alias) <= MAX_NAME_LENGTH]
        if aliases:
            out["aliases"] = aliases
        if member.number:
            out[attribute.NUMBER] = member.number
        if member.proto_name:
            out[attribute.PROTO_NAME] = member.proto_name
        if member.oneof:
            out[attribute.ONEOF] = member.oneof
        return {**out, **self._json_schema_keywords(member.extras, member.pointer)}

    def _field_type(self, member: ModelField) -> Json:
        if needs_null(member):
            if isinstance(member.shape, Scalar) and member.shape.kind is Kind.NULL:
                return "null"
            return self._nullable(member.shape, null_last=False)
        return self.shape(member.shape)

    def _optional_loss(self, member: ModelField) -> None:
        if member.has_default:
            self._losses.changed(member.pointer, f"where {member.name!r} is left out, its default is written")
        elif isinstance(member.shape, Nullable):
            self._losses.changed(
                member.pointer, f"where {member.name!r} is left out, null is written, as for null"
            )

    def _default(self, member: ModelField) -> Json:
        try:
            return self.encoder.encode(member.shape, member.default)
        except ValueMismatch as mismatch:
            raise ConversionRefused(
                member.pointer, f"the default cannot be written: {mismatch.message}"
            ) from None

    def _json_schema_keywords(self, extras: Extras, pointer: str) -> dict[str, Json]:
        """The attribute that keeps JSON Schema keywords, which Avro does not enforce."""
        if not extras:
            return {}
        enforced = [
            key for key in extras if not key.startswith(("x-", "$", "title", "examples", "description"))
        ]
        if enforced:
            self._losses.not_enforced(pointer, f"not enforced by Avro: {', '.join(sorted(enforced))}")
        return {attribute.JSON_SCHEMA: dict(extras)}


def _logical(shape: Scalar) -> dict[str, Json]:
    """A logical type that came from Avro, if it still fits the range of the number."""
    name = shape.extras.get(attribute.LOGICAL)
    if not isinstance(name, str):
        return {}
    most = attribute.TIMES.get(name)
    if most is not None and (shape.extras.get("minimum"), shape.extras.get("maximum")) != (0, most):
        return {}
    return {"logicalType": name}


def _full_names(model: Model, losses: Losses) -> dict[str, str]:
    """Key -> Avro's full name, each different from the others."""
    wanted = [found.name for found in model.types.values()]
    given = names.assign(wanted, _is_good_full_name, _full_name)
    full = dict(zip(model.types, given, strict=True))
    if _unreachable(model, full):
        namespace = next(name.rpartition(".")[0] for name in given if "." in name)
        for key, name in full.items():
            if "." not in name:
                losses.changed(
                    model.types[key].pointer,
                    f"{name} moves to the namespace {namespace!r}: it could not be named from inside one",
                )
        taken = names.UniqueNames(name for name in given if "." in name)
        full = {k: name if "." in name else taken.take(f"{namespace}.{name}") for k, name in full.items()}
    return full


def _unreachable(model: Model, full: Mapping[str, str]) -> bool:
    """Whether a type without a namespace is used by name inside one, where that name would mean another type."""
    written: set[str] = set()
    todo: list[tuple[Shape, str]] = [(model.root, "")]
    while todo:  # in the order in which types are written
        shape, namespace = todo.pop()
        if not isinstance(shape, NamedShape):
            todo.extend((inner, namespace) for inner in reversed(inner_shapes(shape)))
            continue
        name = full[shape.key]
        if shape.key in written:
            if namespace and "." not in name:
                return True
            continue
        written.add(shape.key)
        record = model.record(shape)
        if record is not None:
            todo.extend((member.shape, namespace_of(name)) for member in reversed(record.fields))
    return False


def _is_good_name(name: str) -> bool:
    return is_name(name) and len(name) <= MAX_NAME_LENGTH


def _is_good_full_name(name: str) -> bool:
    return is_dotted_name(name) and len(name) <= MAX_NAME_LENGTH and not is_primitive(name)


def _full_name(name: str) -> str:
    name = names.dotted(name)
    return f"{name}_" if is_primitive(name) else name
