"""May the reader's schema read everything that the writer's schema accepts? Pure."""

from __future__ import annotations

from ....model.compatibility import CompareOptions, Comparison, Verdict, Violation
from ...engine import SchemaSource
from ..limits import JsonSchemaLimits
from ..parsing import parse_schema


def compare_schemas(
    reader: SchemaSource, writer: SchemaSource, options: CompareOptions, limits: JsonSchemaLimits
) -> Comparison:
    """YES when nothing that decides validity differs; UNDECIDED otherwise."""
    sides = [parse_schema(side, limits, strict=False).fingerprints.validation for side in (reader, writer)]
    if sides[0] == sides[1]:
        return Comparison(Verdict.YES)
    return Comparison(
        Verdict.UNDECIDED, (Violation("JSON_UNDECIDED", "", "the schemas differ", undecided=True),)
    )
