"""Helpers that the tests of the engine share."""

from __future__ import annotations

import json
from typing import Any

from llm_schema_engines.formats.engine import ParsedSchema, ReferencedSchema, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import CompareOptions, Comparison


class CheckingEngine(JsonSchemaEngine):
    """Checks two invariants in every test: a schema that was parsed can be compiled, and the quick proof of a pair is None or
    equal to the result of `compare`."""

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        parsed = super().parse(source, strict=strict)
        if strict:
            self.compile_validator(source)
        return parsed

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        comparison = super().compare(reader, writer, options)
        assert self.quick_proof(reader, writer, options) in (None, comparison)
        return comparison


ENGINE = CheckingEngine()


def source(schema: Any, *references: ReferencedSchema, **options: str) -> SchemaSource:
    """A schema given as a value, as text or as bytes."""
    content = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return SchemaSource(content, references, options)


def reference(name: str, schema: Any, *references: ReferencedSchema) -> ReferencedSchema:
    content = json.dumps(schema).encode()
    return ReferencedSchema(name, f"identity of {content!r}", content, references)


def compare(
    writer: Any, reader: Any, *, options: CompareOptions | None = None, **schema_options: str
) -> Comparison:
    """May `reader` read what `writer` writes?"""
    return ENGINE.compare(
        source(reader, **schema_options), source(writer, **schema_options), options or CompareOptions()
    )
