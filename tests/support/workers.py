"""Workers for tests."""

from __future__ import annotations

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.workers.inline import InlineWorkers
from llm_schema_registry_server.workers.tasks import Workers


class Afar(InlineWorkers):
    """Answers nothing at once, as processes do."""

    def parsed_at_once(self, schema_type: SchemaType, source: SchemaSource) -> None:  # type: ignore[override]
        return None

    def compared_at_once(  # type: ignore[override]
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> None:
        return None

    async def compare(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        return super().compared_at_once(schema_type, reader, writer, options)


async def parse(workers: Workers, schema_type: SchemaType, source: SchemaSource) -> ParsedSchema:
    """At once if it can be."""
    parsed = workers.parsed_at_once(schema_type, source)
    return parsed if parsed is not None else await workers.parse(schema_type, source)


async def compare(
    workers: Workers,
    schema_type: SchemaType,
    reader: SchemaSource,
    writer: SchemaSource,
    options: CompareOptions | None = None,
) -> Comparison:
    """At once if it can be."""
    asked = schema_type, reader, writer, options or CompareOptions()
    compared = workers.compared_at_once(*asked)
    return compared if compared is not None else await workers.compare(*asked)
