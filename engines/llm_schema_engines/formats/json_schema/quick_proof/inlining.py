"""Replaces references to definitions of the same document by the definitions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..dialects import ANNOTATIONS, SCHEMA_KEYWORDS, SCHEMA_LIST_KEYWORDS, SCHEMA_MAP_KEYWORDS, Dialect

MAX_LENGTH = 16 * 1024
"""Most characters (of Python's repr) of a document with all references inlined: definitions that use each other several
times grow exponentially."""
_MAX_DEPTH = 60
"""Deepest nesting of subschemas: inlining is recursive. It also ends references to themselves."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")
"""A name that needs no escaping in a JSON pointer or a URI."""


class NotInlined(Exception):
    """A reference leads out of the definitions, or the inlined document is too long or too deep."""


def inlined(content: Any, dialect: Dialect) -> Any:
    """The same schema without references. `content` must fit the metaschema and have no `$id` or anchor below the root.

    Raises NotInlined.
    """
    return _Inliner(content, dialect).schema(content, 0)


@dataclass(frozen=True, slots=True)
class _Definition:
    """An inlined definition, its length in characters, and how deep its subschemas nest."""

    schema: Any
    length: int
    height: int


class _Inliner:
    def __init__(self, content: Any, dialect: Dialect) -> None:
        self._dialect = dialect
        self._definitions = _definitions(content, dialect) if isinstance(content, dict) else {}
        self._done: dict[str, _Definition] = {}
        self._length = len(repr(content))
        self._reached = 0

    def schema(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict):
            return schema
        self._reach(depth)
        if "$ref" not in schema:
            return self._members(schema, depth)
        target = self._target(schema["$ref"], depth + 1)
        beside = {keyword: value for keyword, value in schema.items() if keyword not in _IGNORED_BESIDE_REF}
        if self._dialect.isolates_references or not beside:
            return target  # draft 7 and older ones ignore what stands beside a reference
        members = self._members(beside, depth)
        return {**members, "allOf": [*members.get("allOf", ()), target]}

    def _members(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        return {
            keyword: self._member(keyword, value, depth + 1)
            for keyword, value in schema.items()
            if keyword not in _DEFINITIONS
        }

    def _member(self, keyword: str, value: Any, depth: int) -> Any:
        if isinstance(value, dict) and keyword in SCHEMA_MAP_KEYWORDS[self._dialect]:
            return {name: self.schema(sub, depth) for name, sub in value.items()}
        if isinstance(value, list) and keyword in SCHEMA_LIST_KEYWORDS[self._dialect]:
            return [self.schema(sub, depth) for sub in value]
        return self.schema(value, depth) if keyword in SCHEMA_KEYWORDS[self._dialect] else value

    def _target(self, reference: str, depth: int) -> Any:
        if reference not in self._definitions:
            raise NotInlined
        done = self._done.get(reference)
        if done is None:
            done = self._done[reference] = self._definition(reference, depth)
        else:
            self._spend(done.length)
            self._reach(depth + done.height)
        return done.schema

    def _definition(self, reference: str, depth: int) -> _Definition:
        definition, length, reached = self._definitions[reference], self._length, self._reached
        self._spend(len(repr(definition)))
        self._reached = depth
        schema = self.schema(definition, depth)
        height, self._reached = self._reached - depth, max(self._reached, reached)
        return _Definition(schema, self._length - length, height)

    def _spend(self, length: int) -> None:
        self._length += length
        if self._length > MAX_LENGTH:
            raise NotInlined

    def _reach(self, depth: int) -> None:
        self._reached = max(self._reached, depth)
        if depth > _MAX_DEPTH:
            raise NotInlined


_DEFINITIONS = ("$defs", "definitions")
_IGNORED_BESIDE_REF = ANNOTATIONS | {"$ref", "$schema", "$id", *_DEFINITIONS}


def _definitions(content: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Reference -> definition, for names that need no escaping."""
    return {
        f"#/{keyword}/{name}": definition
        for keyword in _DEFINITIONS
        if keyword in SCHEMA_MAP_KEYWORDS[dialect]  # of others, the metaschema has not seen the definitions
        for name, definition in content.get(keyword, {}).items()
        if _PLAIN_NAME.fullmatch(name)
    }
