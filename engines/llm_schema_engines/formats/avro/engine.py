"""The Avro engine: parse, compare, validate (formats.engine.FormatEngine). Pure."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from ...model.compatibility import CompareOptions, Comparison, Verdict
from ...model.difference import Differences
from ...model.schema import SchemaType
from ..engine import UNBOUNDED, BoundedValidator, DataValidator, ParsedSchema, SchemaSource
from ..outline import differences
from ..revision import revision
from ..validation_cost import ValidatorWithBound
from .data.cost import AvroCost
from .data.validator import AvroValidator
from .limits import AvroLimits
from .outline import outline
from .resolution.compare import compare
from .schema.canonical import canonical
from .schema.document import Document, load
from .schema.fingerprints import fingerprints, identifiers
from .schema.forms import validation_form
from .schema.nodes import Named, Record, reachable

CACHE_BYTES = 32 * 1024 * 1024
NODES_PER_BYTE = 8
"""Estimated bytes of memory per byte of schema text once it is parsed."""
BOUNDED_BYTES = 128 * 1024
"""Larger schemas are not looked at for a bound of their cost."""

Key = tuple[bytes, tuple[tuple[str, str], ...]]


class AvroEngine:
    """Avro 1.12. CompareOptions change nothing here: the specification defines one way to resolve schemas.

    Caches the most recently used parsed schemas (bounded by size), so that comparing and validating do not parse again.
    """

    def __init__(self, limits: AvroLimits | None = None) -> None:
        self._limits = limits or AvroLimits()
        self._documents: LRUCache[Key, Document] = LRUCache(
            CACHE_BYTES, getsizeof=lambda document: document.size * NODES_PER_BYTE
        )
        self._lock = threading.Lock()

    @property
    def schema_type(self) -> SchemaType:
        return SchemaType.AVRO

    @property
    def version(self) -> str:
        return revision()

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        """Parse and check a schema (see FormatEngine). Raises InvalidSchema."""
        document = load(source.content, source.references, self._limits, strict=strict)
        self._store(source, document)
        return ParsedSchema(
            schema_type=SchemaType.AVRO,
            canonical=canonical(document.root, document.defined),
            fingerprints=fingerprints(source.content, document),
            names=_names(document),
            dependencies=document.dependencies,
            warnings=document.warnings,
            options=source.options,
            interop=identifiers(document),
        )

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        """May `reader` read everything that `writer` writes? Always, where both have one validation form."""
        mine, theirs = self._document(reader).root, self._document(writer).root
        if mine is theirs:
            return Comparison(Verdict.YES)
        comparison = compare(mine, theirs, self._limits)
        if comparison.verdict is not Verdict.YES and validation_form(mine) == validation_form(theirs):
            # Fields that are aliases of each other are ambiguous, but nobody resolves a schema with itself.
            return Comparison(Verdict.YES)
        return comparison

    def quick_proof(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """Always None: small Avro schemas are compared in the server's own process anyway."""
        return None

    def compile_validator(self, source: SchemaSource) -> DataValidator:
        """The validator of a schema that has been parsed before."""
        return AvroValidator(self._document(source).root, self._limits)

    def compile_bounded(self, source: SchemaSource, seconds: float) -> BoundedValidator:
        """See FormatEngine.compile_bounded."""
        if source.size > BOUNDED_BYTES:
            return UNBOUNDED
        root = self._document(source).root
        cost = AvroCost(root, self._limits)
        if not cost.known or cost.compile_seconds > seconds:
            return UNBOUNDED
        validator = AvroValidator(root, self._limits)
        validator.prepare()
        return ValidatorWithBound(validator, cost)

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        """What differs between the types that the two schemas define."""
        return differences(outline(self._document(old)), outline(self._document(new)))

    def _document(self, source: SchemaSource) -> Document:
        with self._lock:
            known = self._documents.get(_key(source))
        if known is not None:
            return known
        document = load(source.content, source.references, self._limits, strict=False)
        self._store(source, document)
        return document

    def _store(self, source: SchemaSource, document: Document) -> None:
        if document.size * NODES_PER_BYTE <= CACHE_BYTES:
            with self._lock:
                self._documents[_key(source)] = document


def _key(source: SchemaSource) -> Key:
    return source.content, tuple((reference.name, reference.identity) for reference in source.references)


def _names(document: Document) -> tuple[str, ...]:
    """Full names of the types that the schema defines, and the names of their fields."""
    names: dict[str, None] = {}
    for node in reachable(document.root):
        if isinstance(node, Named) and node.name in document.defined:
            names[node.name] = None
            if isinstance(node, Record):
                names.update(dict.fromkeys(node.by_name))
    return tuple(names)
