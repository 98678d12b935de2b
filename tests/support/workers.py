"""Workers for tests."""

from __future__ import annotations

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.workers.inline import InlineWorkers
from llm_schema_registry_server.workers.task import R, Task, Workers
from llm_schema_registry_server.workers.tasks import Compare, Parse


class Afar(InlineWorkers):
    """Has no result at once, as processes do not."""

    def run_now(self, task: Task[R]) -> R | None:
        return None


async def run(workers: Workers, task: Task[R]) -> R:
    """At once if it can be."""
    result = workers.run_now(task)
    return result if result is not None else await workers.run(task)


async def parse(workers: Workers, schema_type: SchemaType, source: SchemaSource) -> ParsedSchema:
    return await run(workers, Parse(schema_type, source))


async def compare(
    workers: Workers,
    schema_type: SchemaType,
    reader: SchemaSource,
    writer: SchemaSource,
    options: CompareOptions | None = None,
) -> Comparison:
    return await run(workers, Compare(schema_type, reader, writer, options or CompareOptions()))
