"""What the Protobuf tests share: an engine on the real compiler, and shorthand for sources. Benign input only: the
compiler runs in the test's own process."""

from __future__ import annotations

from functools import cache

from llm_schema_engines.formats.engine import ParsedSchema, ReferencedSchema, SchemaSource
from llm_schema_engines.formats.protobuf import ProtobufEngine
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Severity,
    Strictness,
)
from llm_schema_engines.protoc.in_process import InProcessProtoc

ENGINE = ProtobufEngine(InProcessProtoc())


@cache
def parse(text: str) -> ParsedSchema:
    return ENGINE.parse(SchemaSource(text.encode()))


def source(text: str) -> SchemaSource:
    """A source as the registry hands it out: with its artifact."""
    return SchemaSource(text.encode(), artifact=parse(text).artifact)


def reference(name: str, text: str, *uses: ReferencedSchema) -> ReferencedSchema:
    parsed = ENGINE.parse(SchemaSource(text.encode(), uses))
    return ReferencedSchema(name, parsed.fingerprints.content, text.encode(), uses, parsed.artifact)


def compare(reader: str, writer: str, strictness: Strictness = Strictness.WIRE) -> Comparison:
    return ENGINE.compare(source(reader), source(writer), CompareOptions(strictness=strictness))


def errors(comparison: Comparison) -> set[str]:
    """The ids of the rules that make the pair incompatible."""
    return {v.rule for v in comparison.violations if v.severity is Severity.ERROR}


def warnings(comparison: Comparison) -> set[str]:
    return {v.rule for v in comparison.violations if v.severity is Severity.WARNING}
