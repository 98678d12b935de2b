"""FindFixes: edits under which a refused schema could become the next version of a subject. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass

from llm_schema_engines.compatibility.levels import LEVEL_REQUIREMENTS
from llm_schema_engines.fixes.model import Fixes
from llm_schema_engines.fixes.search import MOST_VERSIONS
from llm_schema_engines.model.compatibility import CompatibilityLevel

from ..errors import SchemaNotFound, SchemaTypeMismatch
from ..workers.fix_task import FindFixes
from .assessment import compare_options
from .checking import Checking, CompatibilityQuestion
from .comparable import versions_to_compare
from .library import Library


@dataclass(frozen=True, slots=True)
class FoundFixes:
    """The fixes, the level that they are proved at, and the versions that they were compared with."""

    fixes: Fixes
    level: CompatibilityLevel
    compared: tuple[str, ...]


class Fixing:
    """The use case behind FindFixes. search_seconds: processor time of one search."""

    def __init__(self, checking: Checking, library: Library, search_seconds: float) -> None:
        self._checking, self._library, self._seconds = checking, library, search_seconds

    async def __call__(self, question: CompatibilityQuestion, most: int) -> FoundFixes:
        """At most `most` fixes. Raises as Checking does."""
        while (
            True
        ):  # until no version that it compares with is removed meanwhile; the call's deadline bounds it
            try:
                return await self._found(question, most)
            except SchemaNotFound:
                continue

    async def _found(self, question: CompatibilityQuestion, most: int) -> FoundFixes:
        candidate = await self._checking.candidate(question)
        level = question.level or candidate.config.level
        only = candidate.only
        versions = [only] if only is not None else versions_to_compare(level, candidate.versions)
        if not LEVEL_REQUIREMENTS[level].directions:
            versions = []
        for version in versions:
            if version.schema_type is not candidate.schema.schema_type:
                raise SchemaTypeMismatch(
                    str(question.subject), candidate.schema.schema_type.name, version.schema_type.name
                )
        names = tuple(str(version.version) for version in versions)
        if len(versions) > MOST_VERSIONS:
            reason = f"the level compares with {len(versions)} versions; fixes are looked for up to {MOST_VERSIONS}"
            return FoundFixes(Fixes(complete=False, reason=reason), level, names[:MOST_VERSIONS])
        known = await self._library.known_all(versions)
        task = FindFixes(
            candidate.schema.schema_type,
            candidate.schema.source,
            tuple((name, schema.source) for name, schema in zip(names, known, strict=True)),
            level,
            compare_options(candidate.config),
            most,
            self._seconds,
        )
        return FoundFixes(await self._library.run(task), level, names)
