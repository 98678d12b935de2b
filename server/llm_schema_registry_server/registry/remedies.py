"""Ways out of an incompatible verdict: each is tried with the engines before it is suggested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llm_schema_engines.compatibility.levels import DEMANDS
from llm_schema_engines.compatibility.remedies import (
    CLOSE_OBJECTS,
    level_remedy,
    option_candidates,
    other_levels,
)
from llm_schema_engines.formats.json_schema.closing import close_objects
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    CompatibilityLevel,
    Direction,
    Remedy,
    Verdict,
)
from llm_schema_engines.model.schema import SchemaType

from .library import KnownSchema, Library

MAX_VERSIONS = 4
"""With more versions to compare with than this, nothing is tried: a refusal must not cost much more than the check."""
MAX_BYTES = 64 * 1024
"""Nor with schemas larger than this, references included."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A check that failed: the new schema, those it was compared with (newest first), and under which assumptions."""

    schema: KnownSchema
    earlier: Sequence[KnownSchema]
    level: CompatibilityLevel
    options: CompareOptions
    verdicts: Mapping[tuple[int, Direction], Verdict]
    """Of each comparison that was made, by the place in `earlier`."""


class Remedies:
    """Finds remedies; the comparisons that it makes are cached like all others."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def find(self, refused: Refused) -> tuple[Remedy, ...]:
        """The remedies that work: settings first, then the closing of objects, then another level."""
        sizes = [refused.schema.source.size, *(old.source.size for old in refused.earlier)]
        if len(refused.earlier) > MAX_VERSIONS or max(sizes) > MAX_BYTES:
            return ()
        found: list[Remedy] = []
        for candidate in option_candidates(refused.schema.schema_type, refused.options):
            if await self._all_compatible(refused, refused.earlier, candidate.options):
                found.append(candidate.remedy)
                break  # one setting is enough; the next one gives up more
        if refused.schema.schema_type is SchemaType.JSON and Direction.BACKWARD in _failed(refused):
            closed = [_closed(old) for old in refused.earlier]
            schemas = [schema for schema in closed if schema is not None]
            if len(schemas) == len(closed) and await self._all_compatible(refused, schemas, refused.options):
                found.append(CLOSE_OBJECTS)
        for level in other_levels(refused.level):
            if await self._holds(refused, level):
                found.append(level_remedy(level))
                break
        return tuple(found)

    async def _all_compatible(
        self, refused: Refused, earlier: Sequence[KnownSchema], options: CompareOptions
    ) -> bool:
        for old in earlier:
            for direction in DEMANDS[refused.level].directions:
                if await self._verdict(refused.schema, old, direction, options) is not Verdict.YES:
                    return False
        return True

    async def _holds(self, refused: Refused, level: CompatibilityLevel) -> bool:
        demand = DEMANDS[level]
        if demand.transitive and not DEMANDS[refused.level].transitive:
            return False  # the other versions were not looked at
        for place, old in enumerate(refused.earlier if demand.transitive else refused.earlier[:1]):
            for direction in demand.directions:
                verdict = refused.verdicts.get((place, direction))
                verdict = verdict or await self._verdict(refused.schema, old, direction, refused.options)
                if verdict is not Verdict.YES:
                    return False
        return True

    async def _verdict(
        self, new: KnownSchema, old: KnownSchema, direction: Direction, options: CompareOptions
    ) -> Verdict:
        reader, writer = (new, old) if direction is Direction.BACKWARD else (old, new)
        return (await self._library.compare(reader, writer, options)).verdict


def _failed(refused: Refused) -> Iterator[Direction]:
    return (direction for (_, direction), verdict in refused.verdicts.items() if verdict is not Verdict.YES)


def _closed(old: KnownSchema) -> KnownSchema | None:
    content = close_objects(old.source.content)
    if content is None:
        return None
    return KnownSchema(
        old.schema_type, f"closed:{old.identity}", replace(old.source, content=content, artifact=b"")
    )
