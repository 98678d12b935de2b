"""Subschemas, read once into what judging a document piece by piece asks of them. Pure.

Each subschema is one node. Keywords that look at one scalar, or at a whole array or object (`uniqueItems`, lists of values), are
judged by the ordinary validator, compiled for these keywords alone; so both agree about numbers, patterns and formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from ..errors import InvalidSchema, SchemaIssue
from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.dialects import VALIDATORS, Dialect, modernized
from ..formats.json_schema.prover.dynamics import DynamicScopes
from ..formats.json_schema.regex_engine import OPTIONS
from ..formats.json_schema.resources import Place
from ..formats.json_schema.rewriting import plain

NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = range(6)
KIND_NAMES = ("null", "boolean", "number", "string", "array", "object")
_KINDS_OF_TYPE: Mapping[str, frozenset[int]] = {
    **{name: frozenset([kind]) for kind, name in enumerate(KIND_NAMES)},
    "integer": frozenset([NUMBER]),
}
_ALL = frozenset(range(6))

_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_STRINGS = ("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType")
_VALUES = ("enum", "const")

MAX_NODES = 100_000
"""Most nodes of one schema; dynamic references can multiply them."""

Check = Callable[[Any], bool]


class NotStreamable(Exception):
    """The schema cannot be judged piece by piece; the message says why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """if, then, else; None where one is absent."""

    test: Place
    then: Place | None
    otherwise: Place | None


@dataclass(frozen=True, slots=True)
class Contains:
    """How many items match a subschema. evaluates: whether `unevaluatedItems` takes them as evaluated."""

    place: Place
    least: int
    most: int | None
    evaluates: bool


@dataclass(slots=True)
class Node:
    """One subschema. `schema` holds the keywords of later dialects, whatever its own is."""

    place: Place
    schema: Mapping[str, Any]
    kinds: frozenset[int] = _ALL
    number_check: Check | None = None
    string_check: Check | None = None
    container_check: Check | None = None
    """Judges a whole array or object: lists of values."""
    unique_check: Check | None = None
    texts: tuple[str, ...] | None = None
    """The strings that `enum` or `const` allow, sorted."""
    literals: frozenset[bool | None] = frozenset([None, True, False])
    """Those of null, true and false that lists of values allow."""
    max_length: int | None = None
    no_negative: bool = False
    """No number with a minus sign is allowed."""
    all_of: tuple[Place, ...] = ()
    any_of: tuple[Place, ...] = ()
    one_of: tuple[Place, ...] = ()
    none_of: Place | None = None
    condition: Condition | None = None
    implied: tuple[tuple[str, Place, bool], ...] = ()
    """Property, what applies to the object that has it, and whether `unevaluated*` sees what that evaluates: not by
    `dependencies` in 2019-09 and later, which do not know the keyword; the ordinary validator applies it without more."""
    required: tuple[str, ...] = ()
    needed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Property -> the properties that must stand beside it."""
    least_properties: int = 0
    most_properties: int | None = None
    properties: Mapping[str, Place] | None = None
    patterns: tuple[tuple[str, Place], ...] = ()
    additional: Place | None = None
    names: Place | None = None
    least_items: int = 0
    most_items: int | None = None
    prefix: tuple[Place, ...] = ()
    items: Place | None = None
    contains: Contains | None = None
    unevaluated_properties: Place | None = None
    unevaluated_items: Place | None = None

    @property
    def in_place(self) -> list[Place]:
        """The subschemas that apply to the same value."""
        out = [*self.all_of, *self.any_of, *self.one_of, *(place for _, place, _ in self.implied)]
        if self.none_of is not None:
            out.append(self.none_of)
        if self.condition is not None:
            parts = (self.condition.test, self.condition.then, self.condition.otherwise)
            out.extend(place for place in parts if place is not None)
        return out

    def scalar_check(self, kind: int) -> Check | None:
        return self.number_check if kind == NUMBER else self.string_check if kind == STRING else None


NodeKey = tuple[tuple[int, str], Any]


class Nodes:
    """The nodes of one schema, made when they are first asked for. Not safe to share between threads while they are made."""

    def __init__(self, opened: OpenedSchema) -> None:
        self._index = opened.document_index
        self._asserts_format = opened.options.asserts_format
        self._scopes = DynamicScopes(opened.document_index)
        self._nodes: dict[NodeKey, Node] = {}
        self.root = self._scopes.enter(opened.root, ())

    def node(self, place: Place) -> Node:
        """The node of a subschema. Raises NotStreamable, and InvalidSchema for a pattern that the engine does not run."""
        key = (place.key, place.scope)
        known = self._nodes.get(key)
        if known is None:
            if len(self._nodes) >= MAX_NODES:
                raise NotStreamable(f"the schema has more than {MAX_NODES} subschemas")
            known = self._nodes[key] = self._read(place)
        return known

    def _read(self, place: Place) -> Node:
        if place.schema is False:
            return Node(place, {}, kinds=frozenset())
        if place.schema is True:
            return Node(place, {})
        dialect = place.dialect
        references = self._references(place)
        if dialect.isolates_references and references:
            return Node(place, {}, all_of=tuple(references))
        node = Node(place, modernized(place.schema, dialect), all_of=tuple(references))
        self._read_scalars(node)
        self._read_in_place(node)
        self._read_object(node)
        self._read_array(node)
        return node

    def _references(self, place: Place) -> list[Place]:
        schema, found = place.schema, []
        if isinstance(schema.get("$ref"), str):
            found.append(self._index.resolve(place.base, schema["$ref"]))
        if place.dialect is Dialect.DRAFT_2020_12 and isinstance(schema.get("$dynamicRef"), str):
            found.append(self._scopes.dynamic(place, schema["$dynamicRef"]))
        if place.dialect is Dialect.DRAFT_2019_09 and isinstance(schema.get("$recursiveRef"), str):
            found.append(self._scopes.recursive(place, schema["$recursiveRef"]))
        return [self._scopes.enter(target, place.scope) for target in found]

    def _child(self, place: Place, *tokens: str | int) -> Place:
        child = self._index.below(place, *tokens)
        return child if child.base == place.base else self._scopes.enter(child, place.scope)

    def _children(self, place: Place, keyword: str) -> tuple[Place, ...]:
        held = place.schema[keyword]
        return tuple(self._child(place, keyword, i) for i in range(len(held)))

    def _read_scalars(self, node: Node) -> None:
        schema, place = node.schema, node.place
        types = schema.get("type")
        if types is not None:
            names = [types] if isinstance(types, str) else types
            node.kinds = frozenset().union(*(_KINDS_OF_TYPE[name] for name in names))
        by_form = types is not None and "integer" in names and "number" not in names
        if any(keyword in schema for keyword in _VALUES):
            self._read_values(node)
        # The keywords as they are written, since the validator reads its own dialect.
        written = place.schema
        values = {k: written[k] for k in _VALUES if k in schema}
        numbers = {
            k: written[k]
            for k in _NUMBERS
            if k in written and (k in schema or place.dialect is Dialect.DRAFT_04)
        }
        if by_form:
            numbers["type"] = "integer"
        if NUMBER in node.kinds and (numbers or values):
            node.number_check = self._check({**numbers, **values}, place)
            node.no_negative = _no_negative(schema)
        strings = {k: written[k] for k in _STRINGS if k in schema}
        if not self._asserts_format:
            strings.pop("format", None)
        if (
            not strings.keys() - {"contentEncoding", "contentMediaType"}
            and not place.dialect.isolates_references
        ):
            strings = {}
        if STRING in node.kinds:
            if strings:
                node.string_check = self._check({**strings, **values}, place)
            elif node.texts is not None:
                node.string_check = frozenset(node.texts).__contains__
            if "maxLength" in schema:
                node.max_length = int(schema["maxLength"])
        if values and node.kinds & {ARRAY, OBJECT}:
            node.container_check = self._check(values, place)
        if schema.get("uniqueItems") is True:
            node.unique_check = self._check({"uniqueItems": True}, place)

    def _read_values(self, node: Node) -> None:
        schema = node.schema
        lists = [schema["enum"]] if "enum" in schema else []
        if "const" in schema:
            lists.append([schema["const"]])
        kinds = node.kinds
        texts: set[str] | None = None
        literals: set[bool | None] = {None, True, False}
        for held in lists:
            kinds &= frozenset(map(kind_of, held))
            mine = {value for value in held if isinstance(value, str)}
            texts = mine if texts is None else texts & mine
            literals &= {value for value in held if value is None or isinstance(value, bool)}
        node.kinds = kinds - ({STRING} if not texts else frozenset())
        node.texts = tuple(sorted(texts or ()))
        node.literals = frozenset(literals)

    def _check(self, keywords: Mapping[str, Any], place: Place) -> Check:
        """The ordinary validator for these keywords alone."""
        try:
            return VALIDATORS[place.dialect](
                plain(dict(keywords)),
                offline=True,
                pattern_options=OPTIONS,
                validate_formats=self._asserts_format,
            ).is_valid
        except (jsonschema_rs.ValidationError, ValueError) as error:
            reason = str(error).partition("\n")[0][:300]
            raise InvalidSchema(
                [SchemaIssue("json/compile", f"cannot be compiled: {reason}", place.pointer)]
            ) from error

    def _read_in_place(self, node: Node) -> None:
        schema, place = node.schema, node.place
        if "allOf" in schema:
            node.all_of += self._children(place, "allOf")
        if "anyOf" in schema:
            node.any_of = self._children(place, "anyOf")
        if "oneOf" in schema:
            node.one_of = self._children(place, "oneOf")
        if "not" in schema:
            node.none_of = self._child(place, "not")
        if "if" in schema:
            then, otherwise = (
                self._child(place, keyword) if keyword in schema else None for keyword in ("then", "else")
            )
            node.condition = Condition(self._child(place, "if"), then, otherwise)
        implied, needed = [], []
        later = place.dialect > Dialect.DRAFT_07
        for keyword in ("dependencies", "dependentSchemas", "dependentRequired"):
            if keyword == "dependencies" or later:
                for name, value in schema.get(keyword, {}).items():
                    if isinstance(value, list):
                        needed.append((name, tuple(value)))
                    elif keyword != "dependentRequired":
                        implied.append((name, self._child(place, keyword, name), keyword != "dependencies"))
        node.implied, node.needed = tuple(implied), tuple(needed)

    def _read_object(self, node: Node) -> None:
        schema, place = node.schema, node.place
        node.required = tuple(schema.get("required", ()))
        node.least_properties = int(schema.get("minProperties", 0))
        if "maxProperties" in schema:
            node.most_properties = int(schema["maxProperties"])
        if "properties" in schema:
            node.properties = {name: self._child(place, "properties", name) for name in schema["properties"]}
        if "patternProperties" in schema:
            node.patterns = tuple(
                (pattern, self._child(place, "patternProperties", pattern))
                for pattern in schema["patternProperties"]
            )
        if "additionalProperties" in schema:
            node.additional = self._child(place, "additionalProperties")
        if "propertyNames" in schema:
            node.names = self._child(place, "propertyNames")
        if "unevaluatedProperties" in schema and place.dialect > Dialect.DRAFT_07:
            node.unevaluated_properties = self._child(place, "unevaluatedProperties")

    def _read_array(self, node: Node) -> None:
        schema, place = node.schema, node.place
        node.least_items = int(schema.get("minItems", 0))
        if "maxItems" in schema:
            node.most_items = int(schema["maxItems"])
        if place.dialect is Dialect.DRAFT_2020_12:
            if "prefixItems" in schema:
                node.prefix = self._children(place, "prefixItems")
            if "items" in schema:
                node.items = self._child(place, "items")
        elif isinstance(schema.get("items"), list):
            node.prefix = self._children(place, "items")
            if "additionalItems" in schema:
                node.items = self._child(place, "additionalItems")
        elif "items" in schema:
            node.items = self._child(place, "items")
        if "contains" in schema:
            counted = place.dialect > Dialect.DRAFT_07
            node.contains = Contains(
                self._child(place, "contains"),
                int(schema.get("minContains", 1)) if counted else 1,
                int(schema["maxContains"]) if counted and "maxContains" in schema else None,
                place.dialect is Dialect.DRAFT_2020_12,
            )
        if "unevaluatedItems" in schema and place.dialect > Dialect.DRAFT_07:
            node.unevaluated_items = self._child(place, "unevaluatedItems")


def kind_of(value: Any) -> int:
    """The kind of a JSON value."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return STRING
    if isinstance(value, list):
        return ARRAY
    return OBJECT if isinstance(value, dict) else NUMBER


def _no_negative(schema: Mapping[str, Any]) -> bool:
    """Whether no number with a minus sign is allowed; -0 is one, and equals 0."""
    if schema.get("minimum", 0) > 0 or schema.get("exclusiveMinimum", -1) >= 0:
        return True
    lists = [[schema["const"]]] if "const" in schema else []
    if "enum" in schema:
        lists.append(schema["enum"])
    return any(all(value > 0 for value in held if kind_of(value) == NUMBER) for held in lists)
