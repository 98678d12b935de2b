"""Workers in supervised subprocesses: what hostile input can kill or hold up is never the server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import cast

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Verdict,
    Violation,
)
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import SchemaType

from .. import settings
from ..caches.single_flight import SingleFlight
from ..errors import InvalidSchema, LimitExceeded, SchemaIssue
from .messages import Setup
from .pool import Overrun, Pool
from .tasks import (
    Compare,
    Convert,
    Converted,
    Diff,
    Parse,
    TaskResult,
)
from .worker_process import WorkerProcessEnded


class ProcessWorkers:
    """`engines` names a function (`package.module:function`) that makes Engines of `arguments` in each child.

    The same parse wanted by several at the same time is done once.
    """

    def __init__(self, bounds: settings.WorkersSettings, engines: str, *arguments: object) -> None:
        self._bounds = bounds
        self._pool = Pool(bounds, Setup(os.getpid(), engines, arguments, bounds.memory_bytes))
        self._flights: SingleFlight[object, ParsedSchema] = SingleFlight()

    async def start(self) -> None:
        """Start the children; raises Unavailable, with what they said, when they cannot be started."""
        await self._pool.start()

    async def stop(self) -> None:
        await self._pool.stop()

    def parsed_at_once(self, schema_type: SchemaType, source: SchemaSource) -> None:
        """Nothing is done here."""

    def compared_at_once(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> None:
        """Nothing is done here."""

    async def parse(
        self, schema_type: SchemaType, source: SchemaSource, *, strict: bool = True
    ) -> ParsedSchema:
        used = tuple((r.name, r.identity) for r in source.references)
        options = tuple(sorted(source.options.items()))
        key = (schema_type, strict, source.content, used, options, source.artifact)
        return await self._flights.run(key, lambda: self._parse(Parse(schema_type, source, strict)))

    async def _parse(self, task: Parse) -> ParsedSchema:
        limit = self._bounds.parse_seconds
        try:
            return cast(ParsedSchema, await self._pool.run(task, limit))
        except Overrun:
            issue = SchemaIssue("COMPILER_TIMEOUT", f"compiling takes longer than {limit:g} s; {_WAY_OUT}")
        except WorkerProcessEnded as gone:
            issue = SchemaIssue("COMPILER_CRASHED", f"the compiler {gone.cause}; {_WAY_OUT}")
        raise InvalidSchema([issue])

    async def compare(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        limit = self._bounds.compare_seconds
        try:
            return cast(
                Comparison, await self._pool.run(Compare(schema_type, reader, writer, options), limit)
            )
        except Overrun:
            return _undecided("COMPARISON_TIMEOUT", f"comparing takes longer than {limit:g} s")
        except WorkerProcessEnded as gone:
            return _undecided("COMPARISON_CRASHED", f"the comparison {gone.cause}")

    async def diff(self, schema_type: SchemaType, old: SchemaSource, new: SchemaSource) -> Differences:
        return cast(Differences, await self._tool(Diff(schema_type, old, new), "finding the differences"))

    async def convert(self, task: Convert) -> Converted:
        return cast(Converted, await self._tool(task, "converting the schema"))

    async def _tool(self, task: Diff | Convert, what: str) -> TaskResult:
        limit = self._bounds.compare_seconds
        try:
            return await self._pool.run(task, limit)
        except Overrun:
            raise LimitExceeded(f"{what} takes longer than {limit:g} s; {_WAY_OUT}") from None
        except WorkerProcessEnded as gone:
            raise LimitExceeded(f"{what} {gone.cause}; {_WAY_OUT}") from None

    def facts(self) -> Mapping[str, str]:
        return self._pool.facts()


_WAY_OUT = "make the schema smaller or less deeply nested, or split it"


def _undecided(rule: str, message: str) -> Comparison:
    return Comparison(Verdict.UNDECIDED, (Violation(rule, "", message, undecided=True),))
