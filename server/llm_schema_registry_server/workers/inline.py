"""Workers that run the engines on the caller's thread: for tests, and for work that is known to be small."""

from __future__ import annotations

from collections.abc import Mapping

from llm_schema_engines.formats.engine import Engines, ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import SchemaType

from .tasks import Convert, Converted


class InlineWorkers:
    """Nothing bounds the time of a task here: give it engines and sources that bound themselves."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._tasks = 0
        self._quick_proofs = 0

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def parsed_at_once(self, schema_type: SchemaType, source: SchemaSource) -> ParsedSchema:
        self._tasks += 1
        return self._engines[schema_type].parse(source)

    def compared_at_once(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        self._tasks += 1
        return self._engines[schema_type].compare(reader, writer, options)

    async def parse(
        self, schema_type: SchemaType, source: SchemaSource, *, strict: bool = True
    ) -> ParsedSchema:
        self._tasks += 1
        return self._engines[schema_type].parse(source, strict=strict)

    async def compare(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        return self.compared_at_once(schema_type, reader, writer, options)

    def quick_proof(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """FormatEngine.quick_proof."""
        answer = self._engines[schema_type].quick_proof(reader, writer, options)
        self._quick_proofs += answer is not None
        return answer

    async def diff(self, schema_type: SchemaType, old: SchemaSource, new: SchemaSource) -> Differences:
        self._tasks += 1
        return self._engines[schema_type].diff(old, new)

    async def convert(self, task: Convert) -> Converted:
        self._tasks += 1
        return task.run(self._engines)

    def facts(self) -> Mapping[str, str]:
        return {"inline_tasks": str(self._tasks), "quick_proofs": str(self._quick_proofs)}
