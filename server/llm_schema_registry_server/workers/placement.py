"""Which task runs where: small work of a harmless kind on the spot, everything else in a subprocess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import SchemaType

from .inline import InlineWorkers
from .tasks import Convert, Converted, Workers


@dataclass(frozen=True, slots=True)
class InlineLimits:
    """What of a type runs inline: the largest source in bytes, with all its references, that is parsed there, and the
    largest two that are compared there; never one whose text holds any of `unless`. `quick_proof`: the largest two for
    which the engine's quick proof is tried inline before a worker compares them."""

    parse: int = 0
    compare: int = 0
    quick_proof: int = 0
    unless: Sequence[bytes] = ()


Placement = Mapping[SchemaType, InlineLimits]

PLACEMENT: Placement = {
    # Our own parser, linear and bounded: cheaper than a trip to a subprocess.
    SchemaType.AVRO: InlineLimits(parse=16 * 1024, compare=16 * 1024),
    # A small schema is parsed in less time than the trip takes, a hostile one of this size in a few milliseconds. Regular
    # expressions may cost more, however their keyword is spelled. The prover may search for seconds; what is plain to see
    # takes some 50 us, and less than 10 ms in the worst pair of this size that we could make
    # (loadtest/engines/json_schema_quick_proof.py).
    SchemaType.JSON: InlineLimits(parse=2 * 1024, quick_proof=4 * 1024, unless=(b"attern", b"\\u")),
    SchemaType.PROTOBUF: InlineLimits(),  # protoc can be made to abort its process
}


class PlacedWorkers:
    """Sends each task to `inline` or to `processes`, as the table says."""

    def __init__(self, inline: InlineWorkers, processes: Workers, placement: Placement = PLACEMENT) -> None:
        self._inline = inline
        self._processes = processes
        self._placement = placement

    async def start(self) -> None:
        await self._inline.start()
        await self._processes.start()

    async def stop(self) -> None:
        await self._processes.stop()
        await self._inline.stop()

    def parsed_at_once(self, schema_type: SchemaType, source: SchemaSource) -> ParsedSchema | None:
        limit = self._placement[schema_type].parse
        return self._place(schema_type, limit, source).parsed_at_once(schema_type, source)

    def compared_at_once(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        harmless = self._placement[schema_type]
        asked = schema_type, reader, writer, options
        if _small(reader, harmless.quick_proof) and _small(writer, harmless.quick_proof):
            answer = self._inline.quick_proof(*asked)
            if answer is not None:
                return answer
        return self._place(schema_type, harmless.compare, reader, writer).compared_at_once(*asked)

    async def parse(
        self, schema_type: SchemaType, source: SchemaSource, *, strict: bool = True
    ) -> ParsedSchema:
        limit = self._placement[schema_type].parse
        return await self._place(schema_type, limit, source).parse(schema_type, source, strict=strict)

    async def compare(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        limit = self._placement[schema_type].compare
        return await self._place(schema_type, limit, reader, writer).compare(
            schema_type, reader, writer, options
        )

    async def diff(self, schema_type: SchemaType, old: SchemaSource, new: SchemaSource) -> Differences:
        limit = self._placement[schema_type].compare
        return await self._place(schema_type, limit, old, new).diff(schema_type, old, new)

    async def convert(self, task: Convert) -> Converted:
        return await self._processes.convert(task)

    def facts(self) -> Mapping[str, str]:
        return {**self._inline.facts(), **self._processes.facts()}

    def _place(self, schema_type: SchemaType, limit: int, *sources: SchemaSource) -> Workers:
        unless = self._placement[schema_type].unless
        inline = all(_small(source, limit) and not _holds(source, unless) for source in sources)
        return self._inline if inline else self._processes


def _small(source: SchemaSource, limit: int) -> bool:
    return 0 < limit >= source.size


def _holds(source: SchemaSource, any_of: Sequence[bytes]) -> bool:
    return any(mark in text for text in source.texts() for mark in any_of)
