"""Builds the nodes of a document: references become edges, all dialects one normal form, without annotations. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from ..compiled import OpenedSchema
from ..dialects import Dialect, modernized
from ..resources import DocumentIndex, Place, Scope
from .dynamics import DynamicScopes
from .formats import content_symbol, is_known
from .nodes import FALSE, TRUE, Bound, Contains, Graph, Node, Properties, Values, simplified
from .unevaluated import UnevaluatedKeywords
from .values import key_of

MAX_NODES = 100_000
"""Most nodes of one document."""


class TooManyNodes(Exception):
    """The document has more than MAX_NODES nodes; dynamic references can multiply them."""


class Builder:
    """Builds the nodes of one document into a graph.

    side: "reader" or "writer", the origin of the nodes. waived: required properties that a default supplies, by the
    place of the schema that requires them. keep_names: keep properties that are declared but not constrained, for
    writers that send only declared properties.
    """

    def __init__(
        self,
        graph: Graph,
        opened: OpenedSchema,
        side: str,
        waived: Mapping[tuple[int, str], frozenset[str]] | None = None,
        *,
        keep_names: bool = False,
    ) -> None:
        self.graph = graph
        self.document_index: DocumentIndex = opened.document_index
        self.side = side
        self.asserts_format = opened.options.asserts_format
        self.keep_names = keep_names
        self._scopes = DynamicScopes(opened.document_index)
        self._root = self._scopes.enter(opened.root, ())
        self._waived = waived or {}
        self._numbers: dict[tuple[tuple[int, str], Scope], int] = {}
        self._evaluations = UnevaluatedKeywords(self)
        self._todo: list[tuple[int, Place]] = []

    def build(self) -> int:
        """The number of the document's root node. Raises Unresolvable for a dead reference, TooManyNodes."""
        root = self.number(self._root)
        while self._todo:
            number, place = self._todo.pop()
            self.graph.nodes[number] = self._node(place)
        return root

    def number(self, place: Place) -> int:
        """The number of the node for a subschema; it is built once, later."""
        schema = place.schema
        if schema is True or schema == {}:
            return TRUE
        if schema is False:
            return FALSE
        key = (place.key, place.scope)
        known = self._numbers.get(key)
        if known is None:
            if len(self._numbers) >= MAX_NODES:
                raise TooManyNodes
            known = self._numbers[key] = self.graph.reserve(self.origin(place))
            self._todo.append((known, place))
        return known

    def origin(self, place: Place) -> tuple[str, str]:
        document = place.document
        prefix = "" if document.number == 0 else f"{document.name or document.uri}#"
        return (self.side, prefix + place.pointer)

    def child(self, place: Place, *tokens: str | int) -> Place:
        """The subschema at a path below `place`, with its own base URI and dialect."""
        child = self.document_index.below(place, *tokens)
        return child if child.base == place.base else self._scopes.enter(child, place.scope)

    def references(self, place: Place) -> list[Place]:
        """The schemas that a schema refers to; dynamic references are resolved in the dynamic scope of the place."""
        schema, found = place.schema, []
        if isinstance(schema.get("$ref"), str):
            found.append(self.document_index.resolve(place.base, schema["$ref"]))
        if place.dialect is Dialect.DRAFT_2020_12 and isinstance(schema.get("$dynamicRef"), str):
            found.append(self._scopes.dynamic(place, schema["$dynamicRef"]))
        if place.dialect is Dialect.DRAFT_2019_09 and isinstance(schema.get("$recursiveRef"), str):
            found.append(self._scopes.recursive(place, schema["$recursiveRef"]))
        return [self._scopes.enter(target, place.scope) for target in found]

    def _node(self, place: Place) -> Node:
        schema, dialect = place.schema, place.dialect
        references = self.references(place)
        numbers = tuple(self.number(target) for target in references)
        if dialect.isolates_references and references:
            return Node(all_of=numbers)

        view = SchemaView(self, place)
        schema = view.schema
        values: dict[str, Any] = {"all_of": numbers} if numbers else {}
        for keyword in schema:
            name = FIELDS.get(keyword)
            if name is not None and name not in values:
                values[name] = _READERS[name](view)
        if "dependencies" in schema:
            values.setdefault("implies", _implies(view))
        if "allOf" in schema:
            values["all_of"] = numbers + view.subs("allOf")
        if place.key in self._waived and "required" in values:
            values["required"] -= self._waived[place.key]
        node = Node(**values)
        if not dialect.isolates_references:  # draft 7 and older ones have no unevaluated* keywords
            node = self._evaluations.constrain(node, place)
        return simplified(node)


class SchemaView:
    """A schema object as the readers of fields see it."""

    def __init__(self, builder: Builder, place: Place) -> None:
        self.builder = builder
        self.place = place
        self.schema: Mapping[str, Any] = modernized(place.schema, place.dialect)
        self.dialect = place.dialect

    def sub(self, *tokens: str | int) -> int:
        """The number of the subschema at a path."""
        return self.builder.number(self.builder.child(self.place, *tokens))

    def subs(self, keyword: str) -> tuple[int, ...]:
        return tuple(self.sub(keyword, i) for i in range(len(self.schema[keyword])))


def _types(view: SchemaView) -> frozenset[str]:
    value = view.schema["type"]
    return frozenset([value] if isinstance(value, str) else value)


def _values(view: SchemaView) -> Values:
    schema = view.schema
    items = [schema["const"]] if "const" in schema else list(schema["enum"])
    if "const" in schema and "enum" in schema:
        allowed = {key_of(item) for item in schema["enum"]}
        items = [item for item in items if key_of(item) in allowed]
    return Values(tuple(items), frozenset(map(key_of, items)))


def _disjunctions(view: SchemaView) -> tuple[tuple[int, ...], ...]:
    return (tuple(dict.fromkeys(view.subs("anyOf"))),)


def _conditions(view: SchemaView) -> tuple[tuple[int, int, int], ...]:
    schema = view.schema
    if "then" not in schema and "else" not in schema:
        return ()
    then = view.sub("then") if "then" in schema else TRUE
    return ((view.sub("if"), then, view.sub("else") if "else" in schema else TRUE),)


def _low(view: SchemaView) -> Bound | None:
    return max(_bounds(view, "minimum", "exclusiveMinimum"), default=None)


def _high(view: SchemaView) -> Bound | None:
    return min(_bounds(view, "maximum", "exclusiveMaximum"), key=lambda b: (b[0], not b[1]), default=None)


def _bounds(view: SchemaView, inclusive: str, exclusive: str) -> list[Bound]:
    return [
        (Fraction(view.schema[keyword]), strict)
        for keyword, strict in ((inclusive, False), (exclusive, True))
        if keyword in view.schema
    ]


def _formats(view: SchemaView) -> tuple[str, ...]:
    schema, found = view.schema, []
    name = schema.get("format")
    if isinstance(name, str) and view.builder.asserts_format and is_known(name, view.dialect):
        found.append(name)
    if view.dialect <= Dialect.DRAFT_07 and ("contentEncoding" in schema or "contentMediaType" in schema):
        found.append(content_symbol(schema.get("contentEncoding"), schema.get("contentMediaType")))
    return tuple(filter(None, found))


def _items(view: SchemaView) -> tuple[tuple[int, ...], int] | None:
    schema = view.schema
    prefix: tuple[int, ...] = ()
    rest = TRUE
    if view.dialect is Dialect.DRAFT_2020_12:
        if "prefixItems" in schema:
            prefix = view.subs("prefixItems")
        if "items" in schema:
            rest = view.sub("items")
    elif isinstance(schema.get("items"), list):
        prefix = view.subs("items")
        if "additionalItems" in schema:
            rest = view.sub("additionalItems")
    elif "items" in schema:
        rest = view.sub("items")
    while prefix and prefix[-1] == rest:
        prefix = prefix[:-1]
    return None if not prefix and rest == TRUE else (prefix, rest)


def _contains(view: SchemaView) -> Contains | None:
    schema = view.schema
    counted = view.dialect > Dialect.DRAFT_07
    least = int(schema.get("minContains", 1)) if counted else 1
    most = int(schema["maxContains"]) if counted and "maxContains" in schema else None
    if least == 0 and most is None:
        return None
    return Contains(view.sub("contains"), least, most)


def _properties(view: SchemaView) -> Properties | None:
    schema = view.schema
    named = {name: view.sub("properties", name) for name in schema.get("properties", ())}
    patterns = {p: view.sub("patternProperties", p) for p in schema.get("patternProperties", ())}
    additional = view.sub("additionalProperties") if "additionalProperties" in schema else TRUE
    if additional == TRUE and not view.builder.keep_names:
        patterns = {p: target for p, target in patterns.items() if target != TRUE}
        named = {name: target for name, target in named.items() if target != TRUE}
    if not named and not patterns and additional == TRUE:
        return None
    return Properties(named, patterns, additional)


def _names(view: SchemaView) -> int | None:
    number = view.sub("propertyNames")
    return None if number == TRUE else number


def _dependencies(view: SchemaView, keyword: str) -> list[tuple[str, str, Any]]:
    """Members of `keyword` and of draft 7's `dependencies`, which the validator applies in later dialects too, as
    (keyword, name, value)."""
    keywords = ("dependencies",) if view.dialect <= Dialect.DRAFT_07 else ("dependencies", keyword)
    return [(k, name, view.schema[k][name]) for k in keywords for name in sorted(view.schema.get(k, ()))]


def _needs(view: SchemaView) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple(
        (name, frozenset(names))
        for _, name, names in _dependencies(view, "dependentRequired")
        if isinstance(names, list) and names
    )


def _implies(view: SchemaView) -> tuple[tuple[str, int], ...]:
    found = [
        (name, view.sub(keyword, name))
        for keyword, name, value in _dependencies(view, "dependentSchemas")
        if isinstance(value, dict | bool)
    ]
    return tuple((name, number) for name, number in found if number != TRUE)


_READERS: Mapping[str, Callable[[SchemaView], Any]] = {
    "types": _types,
    "values": _values,
    "any_of": _disjunctions,
    "one_of": lambda view: view.subs("oneOf"),
    "none_of": lambda view: (view.sub("not"),),
    "conditions": _conditions,
    "low": _low,
    "high": _high,
    "multiples": lambda view: (Fraction(view.schema["multipleOf"]),),
    "min_length": lambda view: int(view.schema["minLength"]),
    "max_length": lambda view: int(view.schema["maxLength"]),
    "pattern": lambda view: view.schema["pattern"],
    "formats": _formats,
    "min_items": lambda view: int(view.schema["minItems"]),
    "max_items": lambda view: int(view.schema["maxItems"]),
    "unique": lambda view: view.schema["uniqueItems"] is True,
    "items": _items,
    "contains": _contains,
    "min_properties": lambda view: int(view.schema["minProperties"]),
    "max_properties": lambda view: int(view.schema["maxProperties"]),
    "properties": _properties,
    "property_names": _names,
    "required": lambda view: frozenset(view.schema["required"]),
    "needs": _needs,
    "implies": _implies,
}
"""Field of a node -> the function that reads it from a schema that has one of its keywords."""

FIELDS: Mapping[str, str] = {
    "type": "types",
    "const": "values",
    "enum": "values",
    "anyOf": "any_of",
    "oneOf": "one_of",
    "not": "none_of",
    "if": "conditions",
    "minimum": "low",
    "exclusiveMinimum": "low",
    "maximum": "high",
    "exclusiveMaximum": "high",
    "multipleOf": "multiples",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "format": "formats",
    "contentEncoding": "formats",
    "contentMediaType": "formats",
    "minItems": "min_items",
    "maxItems": "max_items",
    "uniqueItems": "unique",
    "items": "items",
    "prefixItems": "items",
    "contains": "contains",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "properties": "properties",
    "patternProperties": "properties",
    "additionalProperties": "properties",
    "propertyNames": "property_names",
    "required": "required",
    "dependentRequired": "needs",
    "dependentSchemas": "implies",
    "dependencies": "needs",
}
"""Keyword -> the field that it belongs to. `dependencies` belongs to two."""
