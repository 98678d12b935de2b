"""What every format engine offers. Pure.

An engine parses, compares and validates; it never opens a file, a socket or a process. What must run in a process of
its own (protoc, the JSON Schema prover) is run there by `workers`, through the same methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import SchemaIssue
from ..model.compatibility import CompareOptions, Comparison
from ..model.difference import Differences
from ..model.fast_init import fast_init
from ..model.lint import NOTHING_FOUND, LintReport
from ..model.schema import Fingerprints, SchemaType
from ..model.validation import DataReport, Encoding


@fast_init
@dataclass(frozen=True, slots=True)
class ReferencedSchema:
    """A registered schema that another one uses under `name`, with its own references.

    `identity` is the SHA-256 of type, content and references in hexadecimal (model.identity): engines may cache by it.
    `artifact` is what the engine compiled when this schema was parsed (may be empty).
    """

    name: str
    identity: str
    content: bytes
    references: tuple[ReferencedSchema, ...] = ()
    artifact: bytes = b""


@fast_init
@dataclass(frozen=True, slots=True)
class SchemaSource:
    """Everything that decides the meaning of a schema: bytes, references, options (dialect, format policy ...)."""

    content: bytes
    references: tuple[ReferencedSchema, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    artifact: bytes = b""
    """What `parse` returned as artifact when this source was registered; empty when it has not been parsed yet."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickles, without the look at the fields that a dataclass takes each time: a check may send thousands."""
        return SchemaSource, (self.content, self.references, self.options, self.artifact)

    def texts(self) -> list[bytes]:
        """The content, and that of everything it references."""
        return [self.content, *(item.content for item in walk_references(self.references))]

    @property
    def size(self) -> int:
        """Bytes of all `texts`."""
        return sum(map(len, self.texts())) if self.references else len(self.content)


@fast_init
@dataclass(frozen=True, slots=True)
class ParsedSchema:
    """The result of parsing a schema. Small, immutable, picklable.

    canonical: the canonical form, as UTF-8 text: keys sorted, annotations kept.
    artifact: compiled data that the engine wants back in SchemaSource (Protobuf: a FileDescriptorSet); may be empty.
    names: type and field names, for search, without duplicates.
    dependencies: the reference names that the schema really uses.
    options: the options in force (given or defaulted), to be stored with the version.
    interop: further identifiers that other tools use (e.g. `crc-64-avro` -> hex).
    lint: what the quick lint rules found, the most that a registration tells; only `linter.registering` fills it in.
    """

    schema_type: SchemaType
    canonical: bytes
    fingerprints: Fingerprints
    artifact: bytes = b""
    names: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    warnings: tuple[SchemaIssue, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    interop: Mapping[str, str] = field(default_factory=dict)
    lint: LintReport = NOTHING_FOUND


class DataValidator(Protocol):
    """A schema compiled for validation. Safe to share between threads. `size` is an estimate in bytes."""

    @property
    def size(self) -> int: ...

    def validate(
        self,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        """Whether `payload` is valid. `strict` also refuses what the schema does not declare.

        Never raises for bad data: a payload that cannot even be read is an invalid payload.
        `message_name` chooses the message of a Protobuf schema (full name); "" is the first one.
        Raises InvalidRequest when `encoding` or `message_name` does not fit the schema.
        """
        ...


class BoundedValidator(Protocol):
    """A validator for a thread whose other work must not wait. `size` is an estimate in bytes."""

    @property
    def size(self) -> int: ...

    def validate_within(
        self,
        seconds: float,
        payload: bytes,
        *,
        encoding: Encoding,
        strict: bool,
        max_errors: int,
        message_name: str,
    ) -> DataReport | None:
        """What `DataValidator.validate` returns, if finding it surely takes at most `seconds` of processor time; None when
        that is not known before, or turns out when the payload is invalid and its errors are to be listed."""
        ...


class Unbounded:
    """The BoundedValidator of a schema of which nothing is proved: it validates nothing."""

    size = 256

    def validate_within(
        self,
        seconds: float,
        payload: bytes,
        *,
        encoding: Encoding,
        strict: bool,
        max_errors: int,
        message_name: str,
    ) -> DataReport | None:
        """Always None."""
        return None


UNBOUNDED = Unbounded()


class FormatEngine(Protocol):
    """The engine of one schema type. `version` is part of cache keys: engines whose verdicts or fingerprints may differ have
    different ones (revision.py)."""

    @property
    def schema_type(self) -> SchemaType: ...

    @property
    def version(self) -> str: ...

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        """Parse and check a schema; raises InvalidSchema with every issue found (at least one, at most 100).

        strict: all rules, for new schemas. Not strict: a stored schema is accepted when it can be used at all.
        """
        ...

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        """May `reader` read everything that `writer` writes? Both sources have been parsed before."""
        ...

    def quick_proof(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """What `compare` would return, for pairs that a cheap check can decide; None when it cannot.

        The work is bounded by the size of the sources, so that the server may call this for small ones in its own
        process.
        """
        ...

    def compile_validator(self, source: SchemaSource) -> DataValidator:
        """The validator of a schema that has been parsed before."""
        ...

    def compile_bounded(self, source: SchemaSource, seconds: float) -> BoundedValidator:
        """As `compile_validator`, with a bound of what validating costs. UNBOUNDED where none is known, and where compiling
        may keep all threads of the process waiting for more than `seconds`. Raises as `compile_validator` does."""
        ...

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        """What differs, for people. Both sources have been parsed before."""
        ...


Engines = Mapping[SchemaType, FormatEngine]


def walk_references(references: Sequence[ReferencedSchema]) -> list[ReferencedSchema]:
    """All references, direct and transitive, each (name, identity) once, dependencies before dependents."""
    found: list[ReferencedSchema] = []
    if references:
        _walk(references, found, set())
    return found


def reference_depth(walked: Sequence[ReferencedSchema]) -> int:
    """How many schemas stand below one another in references that `walk_references` has found."""
    depths: dict[tuple[str, str], int] = {}
    for item in walked:
        below = (depths.get((r.name, r.identity), 0) for r in item.references)
        depths[item.name, item.identity] = 1 + max(below, default=0)
    return max(depths.values(), default=0)


def _walk(
    references: Sequence[ReferencedSchema], found: list[ReferencedSchema], seen: set[tuple[str, str]]
) -> None:
    for item in references:
        if (item.name, item.identity) not in seen:
            seen.add((item.name, item.identity))
            _walk(item.references, found, seen)
            found.append(item)
