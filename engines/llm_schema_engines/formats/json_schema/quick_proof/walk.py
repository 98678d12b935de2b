"""The quick proof: one bounded walk over both documents, keyword by keyword. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ....model.compatibility import CompareOptions, Comparison, Verdict
from ...engine import SchemaSource
from ..dialects import ANNOTATIONS, Dialect
from ..options import SchemaOptions
from ..prover.values import Key, key_of
from ..source_cache import SourceCache
from .documents import SelfContainedDocument
from .rules import ALL_TYPES, RULES, QuickProofRule, Schema, accepted, equal, same

MAX_STEPS = 500
"""Most pairs of subschemas that a walk looks at before it gives up."""
_MAX_DEPTH = 30
"""Deepest nesting of pairs: the walk is recursive."""
_IGNORED = ANNOTATIONS | {"$schema", "$id", "$defs", "definitions"}
"""Keywords that do not constrain values; definitions are inlined already."""
_ONE: Mapping[str, frozenset[str]] = {name: frozenset([name]) for name in ALL_TYPES}


_Listed = tuple[frozenset[Key], frozenset[str]]
"""The values that a schema lists, and their types."""


class _StepLimitReached(Exception):
    """The walk has used up its steps."""


def quick_proof(
    reader: SchemaSource,
    writer: SchemaSource,
    options: CompareOptions,
    opened: SourceCache[SelfContainedDocument | None],
) -> Comparison | None:
    """YES when one walk proves compatibility, else None. Both sources have been parsed before. opened: a cache of
    open_document."""
    if options.apply_defaults:
        return None  # defaults that supply required properties are reported as warnings, which a quick proof has not
    wide, narrow = opened(reader), opened(writer)
    if wide is None or narrow is None or not _same_options(wide.options, narrow.options):
        return None
    try:
        held = Walker(wide.options).within(narrow.content, wide.content)
    except _StepLimitReached:
        return None
    return Comparison(Verdict.YES) if held else None


def _same_options(one: SchemaOptions, other: SchemaOptions) -> bool:
    """Whether the same schema text has the same meaning on both sides."""
    return one.dialect is other.dialect and one.asserts_format == other.asserts_format


class Walker:
    """rules.ProofContext for two documents that are read under the same options. They must outlive it."""

    def __init__(self, options: SchemaOptions, steps: int = MAX_STEPS) -> None:
        self._ignored_keywords = _ignored_keywords(options)
        self._left = steps
        self._depth = 0
        self._listed: dict[int, _Listed] = {}
        self._exclusive: dict[int, bool] = {}

    def within(self, writer: Any, reader: Any) -> bool:
        """See rules.ProofContext.within. Raises _StepLimitReached."""
        self._left -= 1
        if self._left < 0 or self._depth > _MAX_DEPTH:
            raise _StepLimitReached
        if reader is True or writer is False or same(writer, reader):
            return True
        if reader is False:
            return False
        self._depth += 1
        try:
            return self._follows({} if writer is True else writer, reader)
        finally:
            self._depth -= 1

    def _follows(self, writer: Schema, reader: Schema) -> bool:
        """Whether each keyword of the reader follows from the writer's schema, or all of them from one part of its `allOf`
        or from every branch of its `anyOf` or `oneOf`."""
        return (
            self._all_keywords(writer, reader)
            or any(self.within(part, reader) for part in writer.get("allOf", ()))
            or any(
                all(self.within(branch, reader) for branch in writer[union])
                for union in ("anyOf", "oneOf")
                if union in writer
            )
        )

    def _all_keywords(self, writer: Schema, reader: Schema) -> bool:
        types = self.types(writer)
        asked: dict[QuickProofRule, None] = {}
        for keyword in reader:
            rule = RULES.get(keyword)
            if keyword in self._ignored_keywords or rule in asked:
                continue
            if rule is None:
                if not (keyword.startswith("x-") or equal(keyword)(writer, reader, self)):
                    return False
            elif not types.isdisjoint(rule.types):
                asked[rule] = None
                if not rule.holds(writer, reader, self):
                    return False
        return True

    def types(self, schema: Schema) -> frozenset[str]:
        if "const" in schema or "enum" in schema:
            return self._list(schema)[1]
        named = schema.get("type")
        if named is None:
            return ALL_TYPES
        return _ONE[named] if isinstance(named, str) else frozenset(named)

    def keys(self, schema: Schema) -> frozenset[Key] | None:
        return self._list(schema)[0] if "const" in schema or "enum" in schema else None

    def exclusive(self, parts: list[Any]) -> bool:
        known = self._exclusive.get(id(parts))
        if known is None:
            known = self._exclusive[id(parts)] = self._types_or_values_differ(parts)
        return known

    def _types_or_values_differ(self, parts: list[Any]) -> bool:
        """Whether the schemas have disjoint types, or disjoint lists of values."""
        schemas = [part if isinstance(part, dict) else {} for part in parts]
        keys = [self.keys(schema) for schema in schemas]
        return _disjoint([_kinds(self.types(schema)) for schema in schemas]) or (
            None not in keys and _disjoint([own for own in keys if own is not None])
        )

    def _list(self, schema: Schema) -> _Listed:
        listed = self._listed.get(id(schema))
        if listed is None:
            keys = _values_of(schema)
            listed = self._listed[id(schema)] = keys, frozenset(map(_type_of, keys))
        return listed


def _values_of(schema: Schema) -> frozenset[Key]:
    """The values of `const` and `enum` that have a type which the schema accepts."""
    keys = frozenset(map(key_of, schema["enum"] if "enum" in schema else [schema["const"]]))
    if "const" in schema:
        keys &= {key_of(schema["const"])}
    if "type" not in schema:
        return keys
    types = accepted(schema)
    return frozenset(key for key in keys if _type_of(key) in types)


def _type_of(key: Key) -> str:
    kind, value = key
    return "integer" if isinstance(value, Fraction) and value.denominator == 1 else kind


def _kinds(types: frozenset[str]) -> frozenset[str]:
    """The same without a difference between integers and other numbers."""
    return types - {"integer"} | {"number"} if "integer" in types else types


def _disjoint(sets: list[frozenset[Any]]) -> bool:
    return len(frozenset[Any]().union(*sets)) == sum(map(len, sets))


def _ignored_keywords(options: SchemaOptions) -> frozenset[str]:
    """Keywords that do not constrain values under these options."""
    ignored = _IGNORED if options.asserts_format else _IGNORED | {"format"}
    if options.dialect <= Dialect.DRAFT_07:
        return ignored
    return ignored | {"contentEncoding", "contentMediaType", "contentSchema"}
