"""The rules of the quick proof: one for each keyword of the reader, or for several that act together. Pure.

Each rule is sound by itself: it may fail to prove what holds, but never proves what does not. It looks at the writer's
schema at the same place. Keywords of the writer that a rule ignores can only narrow what is written; those that change
the meaning of others (`patternProperties`, `prefixItems`, `minContains`) are not ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..prover.values import Key

Schema = Mapping[str, Any]
ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


class ProofContext(Protocol):
    """What a rule may ask: about inner schemas, and about the values that a schema accepts."""

    def within(self, writer: Any, reader: Any) -> bool:
        """Whether it is proved that `reader` accepts whatever `writer` accepts; False proves nothing."""
        ...

    def types(self, schema: Schema) -> frozenset[str]:
        """The types, by JSON Schema's names, of all values that a schema may accept."""
        ...

    def keys(self, schema: Schema) -> frozenset[Key] | None:
        """The values that `const` and `enum` allow; None when the schema has neither."""
        ...

    def exclusive(self, parts: list[Any]) -> bool:
        """Whether it is proved that no value is accepted by two of the schemas."""
        ...


Holds = Callable[[Schema, Schema, ProofContext], bool]


@dataclass(frozen=True, slots=True, eq=False)
class QuickProofRule:
    """A rule of the quick proof. `holds(writer, reader, walk)` is called once, when the reader has one of the rule's
    keywords and the writer may send a value of one of `types`, the types that the keywords restrict."""

    holds: Holds
    types: frozenset[str] = ALL_TYPES


def same(one: Any, other: Any) -> bool:
    """Whether two schemas or values are written identically."""
    return one == other and repr(one) == repr(other)  # == alone does not distinguish True, 1 and 1.0


def equal(*keywords: str) -> Holds:
    """All these keywords are the same on both sides, or absent on both."""

    def holds(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
        return all(
            (keyword in writer) == (keyword in reader) and same(writer.get(keyword), reader.get(keyword))
            for keyword in keywords
        )

    return holds


def at_most(keyword: str) -> Holds:
    return lambda writer, reader, _walk: keyword in writer and writer[keyword] <= reader[keyword]


def at_least(keyword: str) -> Holds:
    return lambda writer, reader, _walk: writer.get(keyword, 0) >= reader[keyword]


def accepted(schema: Schema) -> frozenset[str]:
    """The names in `type`; "number" includes "integer"."""
    named = schema["type"]
    names = frozenset([named] if isinstance(named, str) else named)
    return names | {"integer"} if "number" in names else names


def _type(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    return walk.types(writer) <= accepted(reader)


def _values(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    written, wanted = walk.keys(writer), walk.keys(reader)
    return written is not None and wanted is not None and written <= wanted


def _low(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
    """The greater bound is the narrower one; of two at the same number, that which excludes it."""
    written = _bounds(writer, ("minimum", False), ("exclusiveMinimum", True))
    return bool(written) and max(written) >= max(
        _bounds(reader, ("minimum", False), ("exclusiveMinimum", True))
    )


def _high(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
    written = _bounds(writer, ("maximum", True), ("exclusiveMaximum", False))
    return bool(written) and min(written) <= min(
        _bounds(reader, ("maximum", True), ("exclusiveMaximum", False))
    )


def _bounds(schema: Schema, *keywords: tuple[str, bool]) -> list[tuple[Any, bool]]:
    return [(schema[keyword], rank) for keyword, rank in keywords if keyword in schema]


def _multiple(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
    step, wanted = writer.get("multipleOf"), reader["multipleOf"]
    if isinstance(step, int) and isinstance(wanted, int):
        return step % wanted == 0
    return bool(step == wanted)


def _required(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
    return set(reader["required"]) <= set(writer.get("required", ()))


def _min_properties(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
    least = max(writer.get("minProperties", 0), len(set(writer.get("required", ()))))
    return bool(least >= reader["minProperties"])


def _properties(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    patterns, wanted_patterns = writer.get("patternProperties", {}), reader.get("patternProperties", {})
    if not all(
        pattern in patterns and walk.within(patterns[pattern], schema)
        for pattern, schema in wanted_patterns.items()
    ):
        return False
    named, wanted = writer.get("properties", {}), reader.get("properties", {})
    rest, wanted_rest = writer.get("additionalProperties", True), reader.get("additionalProperties", True)
    unlisted = True if patterns else rest
    """The schema of a writer's property that it does not list; anything, when a pattern may match the name."""
    # With the same patterns on both sides, a name that neither lists and a pattern matches is covered above.
    return (
        walk.within(rest if patterns.keys() == wanted_patterns.keys() else unlisted, wanted_rest)
        and all(walk.within(named.get(name, unlisted), schema) for name, schema in wanted.items())
        and all(walk.within(schema, wanted_rest) for name, schema in named.items() if name not in wanted)
    )


def _items(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    if _EQUAL_ITEMS(writer, reader, walk):
        return True
    if any("prefixItems" in side or isinstance(side.get("items"), list) for side in (writer, reader)):
        return False
    return walk.within(writer.get("items", True), reader.get("items", True))


_EQUAL_ITEMS = equal("items", "prefixItems", "additionalItems")


def _unique(writer: Schema, reader: Schema, _walk: ProofContext) -> bool:
    return (
        reader["uniqueItems"] is False or writer.get("uniqueItems") is True or writer.get("maxItems", 2) <= 1
    )


def _all_of(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    return _EQUAL_ALL(writer, reader, walk) or all(walk.within(writer, part) for part in reader["allOf"])


def _any_of(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    return _EQUAL_ANY(writer, reader, walk) or any(walk.within(writer, part) for part in reader["anyOf"])


def _one_of(writer: Schema, reader: Schema, walk: ProofContext) -> bool:
    parts = reader["oneOf"]
    return _EQUAL_ONE(writer, reader, walk) or (
        walk.exclusive(parts) and any(walk.within(writer, part) for part in parts)
    )


_EQUAL_ALL, _EQUAL_ANY, _EQUAL_ONE = equal("allOf"), equal("anyOf"), equal("oneOf")


_NUMBERS = frozenset({"integer", "number"})
_STRINGS = frozenset({"string"})
_ARRAYS = frozenset({"array"})
_OBJECTS = frozenset({"object"})

_ROWS: tuple[tuple[tuple[str, ...], QuickProofRule], ...] = (
    (("type",), QuickProofRule(_type)),
    (("const", "enum"), QuickProofRule(_values)),
    (("minimum", "exclusiveMinimum"), QuickProofRule(_low, _NUMBERS)),
    (("maximum", "exclusiveMaximum"), QuickProofRule(_high, _NUMBERS)),
    (("multipleOf",), QuickProofRule(_multiple, _NUMBERS)),
    (("minLength",), QuickProofRule(at_least("minLength"), _STRINGS)),
    (("maxLength",), QuickProofRule(at_most("maxLength"), _STRINGS)),
    (("pattern",), QuickProofRule(equal("pattern"), _STRINGS)),
    (("format",), QuickProofRule(equal("format"), _STRINGS)),
    (
        ("contentEncoding", "contentMediaType"),
        QuickProofRule(equal("contentEncoding", "contentMediaType"), _STRINGS),
    ),
    (("minItems",), QuickProofRule(at_least("minItems"), _ARRAYS)),
    (("maxItems",), QuickProofRule(at_most("maxItems"), _ARRAYS)),
    (("uniqueItems",), QuickProofRule(_unique, _ARRAYS)),
    (("items", "prefixItems", "additionalItems"), QuickProofRule(_items, _ARRAYS)),
    (
        ("contains", "minContains", "maxContains"),
        QuickProofRule(equal("contains", "minContains", "maxContains"), _ARRAYS),
    ),
    (("required",), QuickProofRule(_required, _OBJECTS)),
    (("minProperties",), QuickProofRule(_min_properties, _OBJECTS)),
    (("maxProperties",), QuickProofRule(at_most("maxProperties"), _OBJECTS)),
    (("properties", "patternProperties", "additionalProperties"), QuickProofRule(_properties, _OBJECTS)),
    (("propertyNames",), QuickProofRule(equal("propertyNames"), _OBJECTS)),
    (("dependentRequired",), QuickProofRule(equal("dependentRequired"), _OBJECTS)),
    (("dependentSchemas",), QuickProofRule(equal("dependentSchemas"), _OBJECTS)),
    (("dependencies",), QuickProofRule(equal("dependencies"), _OBJECTS)),
    (("allOf",), QuickProofRule(_all_of)),
    (("anyOf",), QuickProofRule(_any_of)),
    (("oneOf",), QuickProofRule(_one_of)),
    (("not",), QuickProofRule(equal("not"))),
    (("if", "then", "else"), QuickProofRule(equal("if", "then", "else"))),
)

RULES: Mapping[str, QuickProofRule] = {keyword: rule for keywords, rule in _ROWS for keyword in keywords}
"""Keyword of the reader -> its rule, in all dialects. A keyword without a rule must be `equal` on both sides."""
