"""Reads a JSON Schema into the model. Pure.

The model allows all documents that the schema allows, and possibly more. It allows fewer only where a NARROWED loss says
so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConversionRefused
from ..engine import SchemaSource
from ..json_schema.compiled import open_schema
from ..json_schema.limits import JsonSchemaLimits
from ..json_schema.pointers import join_pointer
from ..json_schema.resources import DocumentIndex, Place
from ..json_schema.rewriting import plain
from . import avro_attributes as attribute
from . import names
from .defaults import bare_decode, with_defaults
from .json_navigation import SchemaNavigator, is_only_alternatives, modern, pointer_of
from .json_scalars import native, read_scalar
from .json_values import JsonDecoder
from .losses import Losses
from .merge import merge_branches
from .model import (
    KEYS,
    Anything,
    Enumeration,
    Kind,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    NamedShape,
    Nullable,
    Presence,
    Scalar,
    Shape,
)
from .scalars import ScalarMismatch
from .values import ValueMismatch

MAX_DEPTH = 64
MAX_SUBSCHEMAS = 20_000
"""Most subschemas that a conversion reads; one that is used in several places counts each time."""
MAX_SYMBOLS = 1_000
"""Most values of an enumeration; with more it becomes a plain string."""
SCALARS = ("string", "integer", "number", "boolean")
ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "default",
                         "examples", "$anchor", "readOnly", "writeOnly", "deprecated"})  # fmt: skip


def read_json_schema(source: SchemaSource, losses: Losses, limits: JsonSchemaLimits | None = None) -> Model:
    """The model of a JSON Schema that has been parsed before. Raises InvalidSchema, ConversionRefused."""
    opened = open_schema(source, limits or JsonSchemaLimits())
    return _JsonSchemaReader(opened.document_index, losses).read(opened.root)


class _JsonSchemaReader:
    def __init__(self, document_index: DocumentIndex, losses: Losses) -> None:
        self._navigator = SchemaNavigator(document_index, losses)
        self._losses = losses
        self._types: dict[str, ModelRecord | Enumeration] = {}
        self._named: dict[tuple[int, str], str] = {}
        self._inlined: list[tuple[int, str]] = []
        self._free = names.UniqueNames()
        self._left = MAX_SUBSCHEMAS

    def read(self, root: Place) -> Model:
        model = Model(self._shape(modern(root), "Root", 0), self._types)
        with_defaults(
            model,
            lambda member: bare_decode(model, JsonDecoder, member.shape, _native(member.default)),
            self._losses,
        )
        return model

    def _shape(self, place: Place, hint: str, depth: int) -> Shape:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            what = (
                f"is nested more than {MAX_DEPTH} deep"
                if depth > MAX_DEPTH
                else f"uses more than {MAX_SUBSCHEMAS} subschemas"
            )
            raise ConversionRefused(pointer_of(place), f"the schema {what}")
        schema, pointer = place.schema, pointer_of(place)
        if schema is True or schema == {}:
            return Anything(pointer)
        if schema is False:
            self._losses.dropped(pointer, "nothing is allowed here; anything is accepted instead")
            return Anything(pointer)
        if "$ref" in schema:
            return self._reference(place, hint, depth)
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in schema:
                self._losses.dropped(join_pointer(pointer, keyword), f"{keyword} is not followed")
                return Anything(pointer)
        if "const" in schema or "enum" in schema:
            return self._values(place, hint)
        kinds = self._kinds(place)
        if kinds is None or (kinds == ["object"] and is_only_alternatives(schema)):
            return self._combined(place, hint, depth)
        self._navigator.report_unenforced(
            place, skip="allOf" if "object" in kinds and self._navigator.has_parts(place) else ""
        )
        shapes = [self._of_kind(kind, place, hint, depth) for kind in kinds if kind != "null"]
        return self._nullable(kinds, merge_branches(shapes, pointer, self._losses), pointer)

    def _nullable(self, kinds: list[str], inner: Shape | None, pointer: str) -> Shape:
        if inner is None:
            return Scalar(pointer, {}, Kind.NULL)
        if "null" not in kinds or isinstance(inner, Anything | Nullable):
            return inner
        return Nullable(pointer, {}, inner, null_last=kinds[-1] == "null")

    def _kinds(self, place: Place) -> list[str] | None:
        """The types in `type`, or the one that the keywords imply; None when neither is there."""
        schema = place.schema
        kinds = schema.get("type")
        if kinds is not None:
            return [kinds] if isinstance(kinds, str) else list(kinds)
        if self._navigator.has_parts(place):
            if not any(part.schema.get("type") == "object" for part in self._navigator.parts(place)):
                self._losses.narrowed(
                    pointer_of(place), "no type is stated; object is assumed, other values are refused"
                )
            return ["object"]
        for kind, keywords in (
            ("object", ("properties", "additionalProperties", "required", "patternProperties")),
            ("array", ("items", "prefixItems", "contains")),
            ("string", ("minLength", "maxLength", "pattern", "format", "contentEncoding")),
            ("number", ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum")),
        ):
            if any(keyword in schema for keyword in keywords):
                self._losses.narrowed(
                    pointer_of(place), f"no type is stated; {kind} is assumed, other values are refused"
                )
                return [kind]
        return None

    def _of_kind(self, kind: str, place: Place, hint: str, depth: int) -> Shape:
        if kind in SCALARS:
            return read_scalar(kind, place.schema, pointer_of(place), self._losses)
        if kind == "array":
            return self._array(place, hint, depth)
        return self._object(place, hint, depth)

    def _array(self, place: Place, hint: str, depth: int) -> Shape:
        schema, pointer = place.schema, pointer_of(place)
        extras = {k: plain(v) for k, v in schema.items() if k in ("minItems", "maxItems", "uniqueItems")}
        tuple_keyword = "prefixItems" if "prefixItems" in schema else "items"
        if isinstance(schema.get(tuple_keyword), list):
            self._losses.changed(join_pointer(pointer, tuple_keyword), "positions of a tuple share one type")
            shapes = [self._shape(self._navigator.below(place, tuple_keyword, i), f"{hint}Item", depth + 1)
                      for i in range(len(schema[tuple_keyword]))]  # fmt: skip
            rest = "items" if tuple_keyword == "prefixItems" else "additionalItems"
            shapes.append(
                self._shape(self._navigator.below(place, rest), f"{hint}Item", depth + 1)
                if rest in schema
                else Anything(pointer)
            )
            return ListOf(pointer, extras, merge_branches(shapes, pointer, self._losses) or Anything(pointer))
        item = (
            self._shape(self._navigator.below(place, "items"), f"{hint}Item", depth + 1)
            if "items" in schema
            else Anything(pointer)
        )
        return ListOf(pointer, extras, item)

    def _object(self, place: Place, hint: str, depth: int) -> Shape:
        parts = self._navigator.parts(place) if self._navigator.has_parts(place) else [place]
        schema, pointer = place.schema, pointer_of(place)
        is_open = all(part.schema.get("additionalProperties", True) is not False for part in parts)
        if not any(part.schema.get("properties") for part in parts) and (
            is_open or "patternProperties" in schema
        ):
            return self._map(place, hint, depth)
        key = (place.document.number, pointer)
        if key in self._named:
            return NamedShape(pointer, {}, self._named[key])
        name = self._free.take(self._name_of(place, hint))
        self._named[key] = name
        for part in parts:
            self._report_part(part, place)
        required = {wanted for part in parts for wanted in part.schema.get("required", ())}
        outer, self._inlined = self._inlined, []  # references to itself through an object are allowed
        fields: dict[str, ModelField] = {}
        for part in parts:
            for prop, described in part.schema.get("properties", {}).items():
                if prop in fields:
                    self._losses.dropped(
                        join_pointer(pointer_of(part), "properties", prop), "it is described twice"
                    )
                elif described is not False:
                    fields[prop] = self._field(part, prop, required, name, depth)
        self._inlined = outer
        for missing in sorted(required - set(fields)):
            self._losses.dropped(
                join_pointer(pointer, "required"),
                f"{missing!r} is required but not described; it is not carried",
            )
        extras = {k: plain(v) for k, v in schema.items() if k in ("minProperties", "maxProperties")}
        self._types[name] = ModelRecord(
            name, tuple(fields.values()), pointer, str(schema.get("description", "")),
            _strings(schema.get("x-aliases")), is_open, extras,
        )  # fmt: skip
        return NamedShape(pointer, {}, name)

    def _report_part(self, part: Place, place: Place) -> None:
        more = part.schema.get("additionalProperties")
        if isinstance(more, dict) and more:
            self._losses.dropped(
                join_pointer(pointer_of(part), "additionalProperties"), "undeclared members are not carried"
            )
        if part is not place:
            self._losses.restated(pointer_of(part), "it is written as part of one record")
            self._navigator.report_unenforced(part, skip="allOf")

    def _map(self, place: Place, hint: str, depth: int) -> Shape:
        schema, pointer = place.schema, pointer_of(place)
        values = [self._shape(self._navigator.below(place, "patternProperties", p), f"{hint}Value", depth + 1)
                  for p in schema.get("patternProperties", {})]  # fmt: skip
        if "patternProperties" in schema:
            self._losses.dropped(
                join_pointer(pointer, "patternProperties"), "keys are not checked against patterns"
            )
        if schema.get("additionalProperties") is not False:
            more = "additionalProperties" in schema
            values.append(self._shape(self._navigator.below(place, "additionalProperties"), f"{hint}Value", depth + 1)
                          if more else Anything(pointer))  # fmt: skip
        kind = schema.get(attribute.KEY)
        key = Kind(kind) if kind in KEYS and "propertyNames" in schema else Kind.STRING
        extras = {k: plain(v) for k, v in schema.items() if k in ("minProperties", "maxProperties")}
        return MapOf(pointer, extras, merge_branches(values, pointer, self._losses) or Anything(pointer), key)

    def _field(self, place: Place, name: str, required: set[str], owner: str, depth: int) -> ModelField:
        child = self._navigator.below(place, "properties", name)
        shape = self._shape(child, f"{owner}_{names.title_case(name)}", depth + 1)
        schema: Mapping[str, Any] = child.schema if isinstance(child.schema, dict) else {}
        has_default = "default" in schema and name not in required
        if name in required:
            presence = Presence.REQUIRED
        else:
            presence = (
                Presence.DEFAULTED if has_default and schema.get("x-defaulted") is True else Presence.OPTIONAL
            )
        number = schema.get(attribute.NUMBER)
        return ModelField(
            name, shape, presence, pointer_of(child), schema.get("default"), has_default,
            str(schema.get("description", "")), int(number) if isinstance(number, int) else 0,
            _strings(schema.get("x-aliases")), str(schema.get(attribute.PROTO_NAME, "")),
            str(schema.get(attribute.ONEOF, "")),
        )  # fmt: skip

    def _name_of(self, place: Place, hint: str) -> str:
        """The type's name: the key of a definition, the title of the root, else the hint made from its place."""
        parent, _, last = place.pointer.rpartition("/")
        if parent in ("/$defs", "/definitions"):
            return last.replace("~1", "/").replace("~0", "~")
        title = place.schema.get("title")
        return names.title_case(title) if isinstance(title, str) and title and not place.pointer else hint

    def _reference(self, place: Place, hint: str, depth: int) -> Shape:
        target = self._navigator.resolve(place)
        beside = sorted(k for k in set(place.schema) - ANNOTATIONS - {"$ref"} if not k.startswith("x-"))
        if beside:
            self._losses.dropped(pointer_of(place), f"not enforced beside $ref: {', '.join(beside)}")
        key = (target.document.number, target.pointer)
        if key in self._named:
            return NamedShape(pointer_of(place), {}, self._named[key])
        if key in self._inlined:
            self._losses.dropped(
                pointer_of(place), "it refers to itself without an object in between; anything is accepted"
            )
            return Anything(pointer_of(place))
        self._inlined.append(key)
        shape = self._shape(target, hint, depth + 1)
        self._inlined.pop()
        return shape

    def _values(self, place: Place, hint: str) -> Shape:
        """enum and const: strings become an enumeration, anything else the types of its values."""
        schema, pointer = place.schema, pointer_of(place)
        values = plain(list(schema["enum"]) if "enum" in schema else [schema["const"]])
        texts = [v for v in values if isinstance(v, str)]
        rest = [v for v in values if v is not None]
        kinds = ["null", "x"] if None in values else ["x"]
        if texts and len(texts) == len(rest) == len(set(texts)) and len(texts) <= MAX_SYMBOLS:
            key = (place.document.number, pointer)
            if key not in self._named:
                self._named[key] = name = self._free.take(self._name_of(place, hint))
                default = schema.get("x-enum-default")
                self._types[name] = Enumeration(
                    name, tuple(texts), pointer, str(schema.get("description", "")), _strings(schema.get("x-aliases")),
                    attribute.enum_numbers(schema.get(attribute.NUMBERS), len(texts)),
                    default if default in texts else "",
                )  # fmt: skip
            return self._nullable(kinds, NamedShape(pointer, {}, self._named[key]), pointer)
        self._losses.dropped(
            join_pointer(pointer, "const" if "const" in schema else "enum"),
            "only the types of the enumerated values are checked",
        )
        shapes = [_shape_of(value, pointer) for value in rest]
        return self._nullable(kinds, merge_branches(shapes, pointer, self._losses), pointer)

    def _combined(self, place: Place, hint: str, depth: int) -> Shape:
        """anyOf, oneOf and allOf without a type beside them."""
        schema, pointer = place.schema, pointer_of(place)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                if keyword == "oneOf":
                    self._losses.dropped(
                        join_pointer(pointer, keyword), "that only one branch holds is not checked"
                    )
                self._navigator.report_unenforced(place, skip=keyword)
                branches = [self._shape(self._navigator.below(place, keyword, i), f"{hint}{i + 1}", depth + 1)
                            for i in range(len(schema[keyword]))]  # fmt: skip
                return self._union(branches, pointer)
        if "allOf" in schema:
            self._navigator.report_unenforced(place, skip="allOf")
            parts = [
                self._shape(self._navigator.below(place, "allOf", i), hint, depth + 1)
                for i in range(len(schema["allOf"]))
            ]
            if len(parts) > 1:
                self._losses.dropped(
                    join_pointer(pointer, "allOf"), "only the first part with a structure is kept"
                )
            return next((part for part in parts if not isinstance(part, Anything)), Anything(pointer))
        self._navigator.report_unenforced(place)
        return Anything(pointer)

    def _union(self, branches: list[Shape], pointer: str) -> Shape:
        null = [
            i
            for i, b in enumerate(branches)
            if isinstance(b, Nullable) or (isinstance(b, Scalar) and b.kind is Kind.NULL)
        ]
        rest = [b.inner if isinstance(b, Nullable) else b for b in branches
                if not (isinstance(b, Scalar) and b.kind is Kind.NULL)]  # fmt: skip
        kinds = (["x", "null"] if null[0] == len(branches) - 1 > 0 else ["null", "x"]) if null else ["x"]
        return self._nullable(kinds, merge_branches(rest, pointer, self._losses), pointer)


def _shape_of(value: Any, pointer: str) -> Shape:
    if isinstance(value, bool):
        return Scalar(pointer, {}, Kind.BOOLEAN)
    if isinstance(value, int):
        return Scalar(pointer, {}, Kind.INT64 if -(2**63) <= value < 2**63 else Kind.DOUBLE)
    if isinstance(value, str):
        return Scalar(pointer, {}, Kind.STRING)
    return Anything(pointer) if isinstance(value, dict | list) else Scalar(pointer, {}, Kind.DOUBLE)


def _native(default: Any) -> Any:
    try:
        return native(default)
    except ScalarMismatch as error:
        raise ValueMismatch(None, f"the value {error}") from None


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()
