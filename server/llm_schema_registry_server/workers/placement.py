"""Which task runs where: small work of a harmless kind on the spot, everything else in a subprocess."""

from __future__ import annotations

from collections.abc import Mapping

from ..formats.engine import ParsedSchema, SchemaSource, walk_references
from ..model.compatibility import CompareOptions, Comparison
from ..model.difference import Differences
from ..model.schema import SchemaType
from .task import Convert, Converted, Workers

Placement = Mapping[SchemaType, int]
"""The largest source, in bytes with all its references, that runs inline; a missing type never does."""

PLACEMENT: Placement = {
    SchemaType.AVRO: 16 * 1024,  # our own parser, linear and bounded: cheaper than a trip to a subprocess
    SchemaType.JSON: 0,  # the prover may search for seconds
    SchemaType.PROTOBUF: 0,  # protoc can be made to abort its process
}


class PlacedWorkers:
    """Sends each task to `inline` or to `processes`, as the table says."""

    def __init__(self, inline: Workers, processes: Workers, placement: Placement = PLACEMENT) -> None:
        self._inline = inline
        self._processes = processes
        self._placement = placement

    async def start(self) -> None:
        await self._inline.start()
        await self._processes.start()

    async def stop(self) -> None:
        await self._processes.stop()
        await self._inline.stop()

    async def parse(
        self, schema_type: SchemaType, source: SchemaSource, *, strict: bool = True
    ) -> ParsedSchema:
        return await self._place(schema_type, source).parse(schema_type, source, strict=strict)

    async def compare(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        return await self._place(schema_type, reader, writer).compare(schema_type, reader, writer, options)

    async def diff(self, schema_type: SchemaType, old: SchemaSource, new: SchemaSource) -> Differences:
        return await self._place(schema_type, old, new).diff(schema_type, old, new)

    async def convert(self, task: Convert) -> Converted:
        return await self._processes.convert(task)

    def facts(self) -> Mapping[str, str]:
        return {**self._inline.facts(), **self._processes.facts()}

    def _place(self, schema_type: SchemaType, *sources: SchemaSource) -> Workers:
        limit = self._placement.get(schema_type, 0)
        small = limit > 0 and all(_size(source) <= limit for source in sources)
        return self._inline if small else self._processes


def _size(source: SchemaSource) -> int:
    return len(source.content) + sum(len(r.content) for r in walk_references(source.references))
