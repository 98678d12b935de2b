"""The JSON Schema engine: drafts 7, 2019-09 and 2020-12. Pure."""

from __future__ import annotations

from ...model.compatibility import CompareOptions, Comparison
from ...model.difference import Differences
from ...model.schema import SchemaType
from ..engine import UNBOUNDED, BoundedValidator, ParsedSchema, SchemaSource
from ..revision import revision
from .bounded import BoundedJsonValidator
from .compiled import OpenedSchema, open_schema
from .diff import diff as diff_schemas
from .limits import DEFAULT_LIMITS, JsonSchemaLimits
from .parsing import parse_opened
from .parsing_cost import Limit
from .prover.compare import compare_schemas
from .quick_proof.documents import SelfContainedDocument, document_of, open_document
from .quick_proof.walk import quick_proof
from .source_cache import SourceCache
from .validation import JsonDataValidator
from .validation_cost import JsonSchemaCost, text_cost

DOCUMENT_BYTES = 256 * 1024
_DOCUMENTS = 16 * 1024
"""Most documents that are kept open."""
_BOUNDED_BYTES = 256 * 1024
"""Larger schemas are not looked at for a bound of their cost."""


class JsonSchemaEngine:
    """engine.FormatEngine for JSON Schema."""

    schema_type = SchemaType.JSON

    @property
    def version(self) -> str:
        """See FormatEngine."""
        return revision()

    def __init__(
        self, limits: JsonSchemaLimits = DEFAULT_LIMITS, *, document_bytes: int = DOCUMENT_BYTES
    ) -> None:
        """document_bytes: text of the documents that are kept open for quick proofs; as objects they take about ten times as much."""
        self._limits = limits
        self._opened: SourceCache[OpenedSchema] = SourceCache(
            lambda source: open_schema(source, limits), max_entries=32, max_bytes=1024 * 1024
        )
        self._documents: SourceCache[SelfContainedDocument | None] = SourceCache(
            lambda source: open_document(source, limits), max_entries=_DOCUMENTS, max_bytes=document_bytes
        )

    @property
    def limits(self) -> JsonSchemaLimits:
        """The limits that it was made with."""
        return self._limits

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        """See FormatEngine.parse; options: `dialect` (the default one) and `format_policy`."""
        return self.parse_opened(source, strict=strict)[0]

    def open(self, source: SchemaSource) -> OpenedSchema:
        """A schema that has been parsed, as it was read."""
        return open_schema(source, self._limits)

    def parse_opened(
        self, source: SchemaSource, *, strict: bool = True, within: Limit | None = None
    ) -> tuple[ParsedSchema, OpenedSchema]:
        """As `parse`, with the schema as it was read, for who looks at it once more. within: raises TooDear when it may take longer."""
        opened = open_schema(source, self._limits)
        parsed = parse_opened(source, opened, self._limits, strict=strict, within=within)
        if strict:  # a registration compares the schema next
            stored = SchemaSource(source.content, source.references, parsed.options)
            self._documents.put(stored, lambda: document_of(stored, opened.content, opened.options))
        return parsed, opened

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        """YES is a proof, NO carries a witness that the validator confirmed, UNDECIDED says why and where."""
        return compare_schemas(reader, writer, options, self._limits, self._opened)

    def quick_proof(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """YES for pairs that one bounded walk proves compatible, keyword by keyword; None for all others."""
        return quick_proof(reader, writer, options, self._documents)

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        """What changed, keyword by keyword, as data and as sentences."""
        return diff_schemas(old, new, self._limits)

    def compile_validator(self, source: SchemaSource) -> JsonDataValidator:
        """Compiled by the linear-time engine, offline; raises InvalidSchema for what it refuses."""
        return JsonDataValidator(source, self._limits)

    def compile_bounded(self, source: SchemaSource, seconds: float) -> BoundedValidator:
        """See FormatEngine.compile_bounded. Compiling takes the library one piece, during which no other thread works."""
        if source.size > _BOUNDED_BYTES or text_cost(source) > seconds * 1e9:
            return UNBOUNDED
        opened = open_schema(source, self._limits)
        cost = JsonSchemaCost(source, opened, self._limits)
        if not cost.known or cost.compile_seconds > seconds:
            return UNBOUNDED
        return BoundedJsonValidator(source, self._limits, opened, cost)
