"""A subschema as the lint rules see it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidSchema
from ..formats.engine import SchemaSource
from ..formats.json_schema.canonical import dump
from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.dialects import IN_PLACE, Dialect
from ..formats.json_schema.engine import JsonSchemaEngine
from ..formats.json_schema.parsing import reachable_definitions
from ..formats.json_schema.pointers import join_pointer, split_pointer
from ..formats.json_schema.resources import REFERENCE_KEYWORDS, Place
from ..model.compatibility import CompareOptions, Verdict
from ..model.fast_init import fast_init
from .plain_values import plainly_valid

MOST_BYTES = 16 * 1024
"""Largest subschema of which defaults and examples are tried."""

MOST_TRIED = 2 * 1024 * 1024
"""Bytes of subschemas and values that one lint tries in all; a second or two of work. What comes after is not tried."""
MOST_WORDS = 5_000
"""Unknown words of one schema that are compared with the keywords."""

DEFINITIONS = ("$defs", "definitions")

_ENGINE = JsonSchemaEngine()
_NOTHING = SchemaSource(b"false")


@dataclass(slots=True)
class Budget:
    """What one lint may still spend on costly questions, so that a hostile schema costs little."""

    bytes_tried: int = MOST_TRIED
    words: int = MOST_WORDS
    exhausted: bool = False
    """Whether something was not looked at because of it."""
    check: Callable[[], None] | None = None
    """Called before a value is tried out; raises what breaks the lint off."""


@fast_init
@dataclass(frozen=True, slots=True)
class Subschema:
    """One subschema that is an object, at its place in the document. `source` is the whole schema, `opened` the same as
    `engine` has read it."""

    engine: JsonSchemaEngine
    source: SchemaSource
    opened: OpenedSchema
    place: Place
    budget: Budget

    @property
    def schema(self) -> Mapping[str, Any]:
        schema: Mapping[str, Any] = self.place.schema
        return schema

    @property
    def dialect(self) -> Dialect:
        return self.place.dialect

    @property
    def pointer(self) -> str:
        return self.place.pointer

    @property
    def is_root(self) -> bool:
        return not self.place.pointer

    def pointer_to(self, *tokens: str | int) -> str:
        return join_pointer(self.place.pointer, *tokens)

    @property
    def ignored(self) -> bool:
        """Whether the keywords here count for nothing: draft 7 looks at nothing beside $ref."""
        return self.dialect.isolates_references and "$ref" in self.schema

    @property
    def types(self) -> frozenset[str]:
        """What `type` allows; empty when it is not stated."""
        stated = self.schema.get("type", ())
        return frozenset([stated] if isinstance(stated, str) else stated)

    @property
    def properties(self) -> Mapping[str, Any]:
        declared = self.schema.get("properties")
        return declared if isinstance(declared, dict) else {}

    @property
    def definitions(self) -> Mapping[str, Any]:
        """The subschemas under `$defs` and `definitions`, by name."""
        held = (self.schema.get(keyword) for keyword in DEFINITIONS)
        return {name: schema for group in held if isinstance(group, dict) for name, schema in group.items()}

    def unreachable_definitions(self) -> list[tuple[str, str]]:
        """Keyword and name of the definitions that no reference leads to from the root."""
        if not self.definitions:
            return []
        reached = reachable_definitions(self.opened)
        return [
            (keyword, name)
            for keyword in DEFINITIONS
            for name in (self.schema[keyword] if isinstance(self.schema.get(keyword), dict) else ())
            if name not in reached[keyword]
        ]

    @property
    def closed(self) -> bool:
        return self.schema.get("additionalProperties") is False

    @property
    def applied_in_place(self) -> bool:
        """Whether it looks at the same value as the schema that holds it (allOf, if ...), which may declare more."""
        return not IN_PLACE.isdisjoint(split_pointer(self.place.pointer)[-2:])

    def may_be(self, kind: str) -> bool:
        """Whether `type` allows values of a kind ("number" includes integers)."""
        types = self.types
        return not types or kind in types or (kind == "number" and "integer" in types)

    def refusal(self, value: Any) -> str:
        """Why a value is not valid here; "" when it is, or when that cannot be told without the rest of the document."""
        if plainly_valid(value, self.schema):
            return ""
        if self.budget.bytes_tried <= 0:
            self.budget.exhausted = True
            return ""
        if self.budget.check is not None:
            self.budget.check()
        text, data = dump(self.place.schema, sort=False), dump(value, sort=False).encode()
        self.budget.bytes_tried -= len(text) + len(data)
        if len(text) > MOST_BYTES or any(f'"{keyword}"' in text for keyword in REFERENCE_KEYWORDS):
            return ""
        options = {**self.source.options, "dialect": self.dialect.uri}
        try:
            validator = _ENGINE.compile_validator(SchemaSource(text.encode(), (), options))
        except InvalidSchema:
            return ""
        report = validator.validate(data, max_errors=1)
        return "" if report.valid else report.errors[0].message

    def may_compare_words(self) -> bool:
        """Whether one more unknown word may be compared with the keywords."""
        self.budget.words -= 1
        self.budget.exhausted = self.budget.exhausted or self.budget.words < 0
        return self.budget.words >= 0

    def accepts_nothing(self) -> bool:
        """Whether the whole schema is proved to accept no value. The proof is bounded; what it cannot decide is no."""
        return self.engine.compare(_NOTHING, self.source, CompareOptions()).verdict is Verdict.YES
