"""From a document to nodes: references become edges, dialects one normal form, annotations go. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ..compiled import OpenedSchema
from ..dialects import Dialect
from ..pointers import join_pointer
from ..resources import Place, World
from .formats import content_symbol, is_known
from .nodes import FALSE, TRUE, Bound, Contains, Graph, Node, Properties, Values, simplified
from .unevaluated import Evaluations
from .values import key_of


class Builder:
    """Builds the nodes of one document into a graph. `side` marks their origin; `waived` are required properties
    that a default supplies, by the place of the schema that demands them. `keep_names` keeps properties that are
    declared but not constrained, which matters when writers emit only what is declared."""

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
        self.world: World = opened.world
        self.side = side
        self._opened = opened
        self._waived = waived or {}
        self._keep_names = keep_names
        self._numbers: dict[tuple[int, str], int] = {}
        self._evaluations = Evaluations(self)
        self._todo: list[tuple[int, Place]] = []

    def build(self) -> int:
        """The number of the document's root node. Raises Unresolvable for a dead reference."""
        root = self.number(self._opened.root)
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
        known = self._numbers.get(place.key)
        if known is None:
            known = self._numbers[place.key] = self.graph.reserve(self.origin(place))
            self._todo.append((known, place))
        return known

    def origin(self, place: Place) -> tuple[str, str]:
        document = place.document
        prefix = "" if document.number == 0 else f"{document.name or document.uri}#"
        return (self.side, prefix + place.pointer)

    def child(self, place: Place, *tokens: str | int) -> Place:
        """The subschema at a path below `place`, with its own base URI and dialect."""
        pointer = join_pointer(place.pointer, *tokens)
        schema: Any = place.schema
        for token in tokens:
            schema = schema[token]
        base, dialect = self.world.bases.get((place.document.number, pointer), (place.base, place.dialect))
        return Place(place.document, pointer, schema, base, dialect)

    def references(self, place: Place) -> tuple[list[Place], list[str]]:
        """The schemas that a schema refers to, and the dynamic reference keywords that have no single target."""
        schema, found, dynamic = place.schema, [], []
        if isinstance(schema.get("$ref"), str):
            found.append(self.world.resolve(place.base, schema["$ref"]))
        if place.dialect is Dialect.DRAFT_2020_12 and isinstance(schema.get("$dynamicRef"), str):
            target = self.world.resolve(place.base, schema["$dynamicRef"])
            name = target.schema.get("$dynamicAnchor") if isinstance(target.schema, dict) else None
            fragment = schema["$dynamicRef"].partition("#")[2]
            if name is None or fragment != name or len(self.world.dynamic_anchors.get(name, ())) == 1:
                found.append(target)
            else:
                dynamic.append("$dynamicRef")
        if place.dialect is Dialect.DRAFT_2019_09 and "$recursiveRef" in schema:
            target = self.world.resolve(place.base, schema["$recursiveRef"])
            is_dynamic = isinstance(target.schema, dict) and target.schema.get("$recursiveAnchor") is True
            if not is_dynamic or len(self.world.recursive_roots) == 1:
                found.append(target)
            else:
                dynamic.append("$recursiveRef")
        return found, dynamic

    def _node(self, place: Place) -> Node:
        schema, dialect = place.schema, place.dialect
        references, dynamic = self.references(place)
        numbers = tuple(self.number(target) for target in references)
        if dialect is Dialect.DRAFT_07 and references:
            return Node(all_of=numbers)

        def sub(*tokens: str | int) -> int:
            return self.number(self.child(place, *tokens))

        node = Node(
            types=_types(schema.get("type")),
            values=_values(schema),
            all_of=numbers + tuple(sub("allOf", i) for i in range(len(schema.get("allOf", ())))),
            any_of=_disjunction(sub, schema),
            one_of=tuple(sub("oneOf", i) for i in range(len(schema.get("oneOf", ())))),
            none_of=(sub("not"),) if "not" in schema else (),
            conditions=_conditions(sub, schema),
            low=_bound(schema, "minimum", "exclusiveMinimum", max),
            high=_bound(schema, "maximum", "exclusiveMaximum", min),
            multiples=(Fraction(schema["multipleOf"]),) if "multipleOf" in schema else (),
            min_length=int(schema.get("minLength", 0)),
            max_length=_most(schema, "maxLength"),
            pattern=schema.get("pattern"),
            formats=self._formats(schema, dialect),
            min_items=int(schema.get("minItems", 0)),
            max_items=_most(schema, "maxItems"),
            unique=schema.get("uniqueItems") is True,
            items=_items(sub, schema, dialect),
            contains=_contains(sub, schema, dialect),
            min_properties=int(schema.get("minProperties", 0)),
            max_properties=_most(schema, "maxProperties"),
            properties=_properties(sub, schema, keep_names=self._keep_names),
            property_names=_names(sub, schema),
            required=frozenset(schema.get("required", ())) - self._waived.get(place.key, frozenset()),
            needs=_needs(schema, dialect),
            implies=_implies(sub, schema, dialect),
            opaque=tuple(dynamic),
        )
        if dialect is not Dialect.DRAFT_07:
            node = self._evaluations.constrain(node, place)
        return simplified(node)

    def _formats(self, schema: Mapping[str, Any], dialect: Dialect) -> tuple[str, ...]:
        found = []
        name = schema.get("format")
        if isinstance(name, str) and self._opened.options.asserts_format and is_known(name, dialect):
            found.append(name)
        if dialect is Dialect.DRAFT_07 and ("contentEncoding" in schema or "contentMediaType" in schema):
            found.append(content_symbol(schema.get("contentEncoding"), schema.get("contentMediaType")))
        return tuple(found)


Sub = Any
"""Callable[..., int] that numbers the subschema at a path; variadic, which Callable cannot say."""


def _types(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    return frozenset([value] if isinstance(value, str) else value)


def _values(schema: Mapping[str, Any]) -> Values | None:
    if "const" not in schema and "enum" not in schema:
        return None
    items = [schema["const"]] if "const" in schema else list(schema["enum"])
    if "const" in schema and "enum" in schema:
        allowed = {key_of(item) for item in schema["enum"]}
        items = [item for item in items if key_of(item) in allowed]
    return Values(tuple(items), frozenset(map(key_of, items)))


def _disjunction(sub: Sub, schema: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    if "anyOf" not in schema:
        return ()
    return (tuple(dict.fromkeys(sub("anyOf", i) for i in range(len(schema["anyOf"])))),)


def _conditions(sub: Sub, schema: Mapping[str, Any]) -> tuple[tuple[int, int, int], ...]:
    if "if" not in schema or ("then" not in schema and "else" not in schema):
        return ()
    return (
        (
            sub("if"),
            sub("then") if "then" in schema else TRUE,
            sub("else") if "else" in schema else TRUE,
        ),
    )


def _bound(schema: Mapping[str, Any], inclusive: str, exclusive: str, stronger: Any) -> Bound | None:
    bounds: list[Bound] = []
    for keyword, strict in ((inclusive, False), (exclusive, True)):
        if isinstance(schema.get(keyword), int | Decimal) and not isinstance(schema[keyword], bool):
            bounds.append((Fraction(schema[keyword]), strict))
    if not bounds:
        return None
    if len(bounds) == 2 and bounds[0][0] == bounds[1][0]:
        return bounds[1]
    best: Bound = stronger(bounds, key=lambda bound: bound[0])
    return best


def _most(schema: Mapping[str, Any], keyword: str) -> int | None:
    return int(schema[keyword]) if keyword in schema else None


def _items(sub: Sub, schema: Mapping[str, Any], dialect: Dialect) -> tuple[tuple[int, ...], int] | None:
    prefix: tuple[int, ...] = ()
    rest = TRUE
    if dialect is Dialect.DRAFT_2020_12:
        prefix = tuple(sub("prefixItems", i) for i in range(len(schema.get("prefixItems", ()))))
        if "items" in schema:
            rest = sub("items")
    elif isinstance(schema.get("items"), list):
        prefix = tuple(sub("items", i) for i in range(len(schema["items"])))
        if "additionalItems" in schema:
            rest = sub("additionalItems")
    elif "items" in schema:
        rest = sub("items")
    while prefix and prefix[-1] == rest:
        prefix = prefix[:-1]
    return None if not prefix and rest == TRUE else (prefix, rest)


def _contains(sub: Sub, schema: Mapping[str, Any], dialect: Dialect) -> Contains | None:
    if "contains" not in schema:
        return None
    counted = dialect is not Dialect.DRAFT_07
    least = int(schema.get("minContains", 1)) if counted else 1
    most = _most(schema, "maxContains") if counted else None
    if least == 0 and most is None:
        return None
    return Contains(sub("contains"), least, most)


def _properties(sub: Sub, schema: Mapping[str, Any], *, keep_names: bool) -> Properties | None:
    named = {name: sub("properties", name) for name in schema.get("properties", ())}
    patterns = {p: sub("patternProperties", p) for p in schema.get("patternProperties", ())}
    additional = sub("additionalProperties") if "additionalProperties" in schema else TRUE
    if additional == TRUE and not keep_names:
        patterns = {p: target for p, target in patterns.items() if target != TRUE}
        named = {name: target for name, target in named.items() if target != TRUE}
    if not named and not patterns and additional == TRUE:
        return None
    return Properties(named, patterns, additional)


def _names(sub: Sub, schema: Mapping[str, Any]) -> int | None:
    if "propertyNames" not in schema:
        return None
    number: int = sub("propertyNames")
    return None if number == TRUE else number


def _dependencies(schema: Mapping[str, Any], keyword: str, dialect: Dialect) -> list[tuple[str, str, Any]]:
    """Members of `keyword` and of draft 7's `dependencies`, which later dialects still honour, as (keyword, name,
    value)."""
    keywords = ("dependencies",) if dialect is Dialect.DRAFT_07 else ("dependencies", keyword)
    return [(k, name, schema[k][name]) for k in keywords for name in sorted(schema.get(k, ()))]


def _needs(schema: Mapping[str, Any], dialect: Dialect) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple(
        (name, frozenset(names))
        for _, name, names in _dependencies(schema, "dependentRequired", dialect)
        if isinstance(names, list) and names
    )


def _implies(sub: Sub, schema: Mapping[str, Any], dialect: Dialect) -> tuple[tuple[str, int], ...]:
    found = [
        (name, sub(keyword, name))
        for keyword, name, value in _dependencies(schema, "dependentSchemas", dialect)
        if isinstance(value, dict | bool)
    ]
    return tuple((name, number) for name, number in found if number != TRUE)
