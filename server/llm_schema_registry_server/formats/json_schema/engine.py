"""The JSON Schema engine: drafts 7, 2019-09 and 2020-12. Pure."""

from __future__ import annotations

from ...model.compatibility import CompareOptions, Comparison
from ...model.difference import Differences
from ...model.schema import SchemaType
from ..engine import ParsedSchema, SchemaSource
from .compiled import RecentSchemas
from .diff import diff as diff_schemas
from .evident.walk import evident
from .limits import DEFAULT_LIMITS, JsonSchemaLimits
from .parsing import parse_schema
from .prover.compare import compare_schemas
from .validation import JsonDataValidator


class JsonSchemaEngine:
    """engine.FormatEngine for JSON Schema."""

    schema_type = SchemaType.JSON
    version = "1"

    def __init__(self, limits: JsonSchemaLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._recent = RecentSchemas(limits)

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        """See FormatEngine.parse; options: `dialect` (the default one) and `format_policy`."""
        return parse_schema(source, self._limits, strict=strict)

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        """YES is a proof, NO carries a witness that the validator confirmed, UNDECIDED says why and where."""
        return compare_schemas(reader, writer, options, self._limits, self._recent)

    def evident(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """YES for pairs that one bounded walk proves: those of which the new one plainly allows more."""
        return evident(reader, writer, options, self._limits)

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        """What changed, keyword by keyword, as data and as sentences."""
        return diff_schemas(old, new, self._limits)

    def compile_validator(self, source: SchemaSource) -> JsonDataValidator:
        """Compiled by the linear-time engine, offline; raises InvalidSchema for what it refuses."""
        return JsonDataValidator(source, self._limits)
