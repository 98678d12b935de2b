"""What a worker is asked to do, and who does it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from llm_schema_engines.formats.conversion import Loss, convert
from llm_schema_engines.formats.engine import Engines, ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Comparison
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import SchemaType


class Workers(Protocol):
    """Runs engines so that the event loop goes on meanwhile. Results are not kept."""

    async def start(self) -> None:
        """Be ready for the first task; called once."""
        ...

    async def stop(self) -> None:
        """Give every resource back; tasks under way end with Unavailable."""
        ...

    def parsed_at_once(self, schema_type: SchemaType, source: SchemaSource) -> ParsedSchema | None:
        """FormatEngine.parse, strictly, when that is so little work that nobody has to wait; None: ask `parse`."""
        ...

    def compared_at_once(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """FormatEngine.compare, when that is so little work that nobody has to wait; None: ask `compare`."""
        ...

    async def parse(
        self, schema_type: SchemaType, source: SchemaSource, *, strict: bool = True
    ) -> ParsedSchema:
        """FormatEngine.parse. A schema that kills its compiler or takes too long is an InvalidSchema with rule
        COMPILER_CRASHED or COMPILER_TIMEOUT. Raises LimitExceeded when too many tasks wait and Unavailable when no
        worker can be had."""
        ...

    async def compare(
        self, schema_type: SchemaType, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison:
        """FormatEngine.compare. A pair that kills its comparer or takes too long is UNDECIDED with a violation of rule
        COMPARISON_CRASHED or COMPARISON_TIMEOUT. Raises what `parse` raises otherwise."""
        ...

    async def diff(self, schema_type: SchemaType, old: SchemaSource, new: SchemaSource) -> Differences:
        """FormatEngine.diff. Raises LimitExceeded for a pair that kills its worker or takes too long, and what `parse`
        raises otherwise."""
        ...

    async def convert(self, task: Convert) -> Converted:
        """Raises ConversionRefused and DataRefused, and what `diff` raises."""
        ...

    def facts(self) -> Mapping[str, str]:
        """Counts for the health report."""
        ...


@dataclass(frozen=True, slots=True)
class Parse:
    """FormatEngine.parse of one source."""

    schema_type: SchemaType
    source: SchemaSource
    strict: bool

    def run(self, engines: Engines) -> ParsedSchema:
        return engines[self.schema_type].parse(self.source, strict=self.strict)


@dataclass(frozen=True, slots=True)
class Compare:
    """FormatEngine.compare of one pair."""

    schema_type: SchemaType
    reader: SchemaSource
    writer: SchemaSource
    options: CompareOptions

    def run(self, engines: Engines) -> Comparison:
        return engines[self.schema_type].compare(self.reader, self.writer, self.options)


@dataclass(frozen=True, slots=True)
class Diff:
    """FormatEngine.diff of one pair."""

    schema_type: SchemaType
    old: SchemaSource
    new: SchemaSource

    def run(self, engines: Engines) -> Differences:
        return engines[self.schema_type].diff(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Converted:
    """A schema in another language, what it could not carry, and a document with it (empty when none was given).

    `dropped`: pointers of members of the document that the source does not declare.
    """

    content: bytes
    losses: tuple[Loss, ...]
    document: bytes = b""
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Convert:
    """The conversion of one schema, and of a document when there is one."""

    schema_type: SchemaType
    source: SchemaSource
    target_type: SchemaType
    message_name: str = ""
    document: bytes = b""

    def run(self, engines: Engines) -> Converted:
        done = convert(self.source, self.schema_type, self.target_type, message_name=self.message_name)
        if not self.document:
            return Converted(done.content, done.losses)
        data = done.data.convert(self.document)
        return Converted(done.content, done.losses, data.payload, data.dropped)


Task = Parse | Compare | Diff | Convert
TaskResult = ParsedSchema | Comparison | Differences | Converted
