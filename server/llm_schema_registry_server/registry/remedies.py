"""Ways out of an incompatible verdict, tried with the server's workers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from llm_schema_engines.compatibility.search import FailedCheck, find_remedies
from llm_schema_engines.model.compatibility import Remedy

from .library import KnownSchema, Library


class Remedies:
    """Finds remedies; the comparisons that it makes are cached like all others.

    seconds: longest search; the refusal waits for it, and is given without ways out when a comparison is too hard for that.
    """

    def __init__(self, library: Library, seconds: float = 3.0) -> None:
        self._library, self._seconds = library, seconds

    async def find(self, refused: FailedCheck[KnownSchema]) -> tuple[Remedy, ...]:
        """The remedies that work (see find_remedies); none when that is not known within the time of a search."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._search(refused)
        except TimeoutError:
            return ()

    async def _search(self, refused: FailedCheck[KnownSchema]) -> tuple[Remedy, ...]:
        search = find_remedies(refused, _with_content)
        try:
            question = next(search)
            while True:
                asked = question.reader, question.writer, question.options
                question = search.send((await self._library.compare(*asked)).verdict)
        except StopIteration as end:
            found: tuple[Remedy, ...] = end.value
            return found


def _with_content(old: KnownSchema, content: bytes) -> KnownSchema:
    return KnownSchema(
        old.schema_type, f"closed:{old.identity}", replace(old.source, content=content, artifact=b"")
    )
