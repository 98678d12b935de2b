"""The Protobuf engine: parses .proto text (proto2, proto3, editions) or a descriptor, compares, validates. Pure.

`parse` needs a Compiler, which lives in a worker process. `compare` and `compile_validator` need only the artifact
that `parse` returned and work anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from ...errors import InvalidSchema, SchemaIssue
from ...model.compatibility import CompareOptions, Comparison
from ...model.compilation import CompileJob, Compiler
from ...model.difference import Differences
from ...model.schema import SchemaType
from ..engine import (
    UNBOUNDED,
    BoundedValidator,
    DataValidator,
    ParsedSchema,
    ReferencedSchema,
    SchemaSource,
)
from ..outline import differences
from ..revision import revision
from ..validation_cost import ValidatorWithBound
from . import artifact as artifacts
from . import checks, library
from .artifact import Files
from .classes import MAX_CLASS_NESTING, class_nesting, declared
from .comments import extract
from .compare import compare
from .compiler import to_issue
from .described import read_described
from .fingerprints import describe_imports, fingerprints
from .imports import Imports, check_references
from .lexer import refuse, scan
from .limits import DEFAULT, ProtobufLimits
from .names import join
from .normalise import normalise
from .outline import outline
from .pools import ArtifactCache, CompiledSchema, PoolError, build_pool
from .printer import print_file, without_comments
from .validation_cost import ProtobufCost
from .validator import MessageValidator

_BOUNDED_BYTES = 256 * 1024
"""Larger artifacts are not looked at for a bound of their cost."""


@dataclass(frozen=True, slots=True)
class _CompiledFile:
    """A compiled schema: its files (source info kept), its text without white space, the compiler's warnings."""

    files: Files
    compact: bytes
    warnings: tuple[SchemaIssue, ...]


class ProtobufEngine:
    """Satisfies formats.engine.FormatEngine. Safe to share between threads."""

    schema_type = SchemaType.PROTOBUF

    @property
    def version(self) -> str:
        """See FormatEngine."""
        return revision()

    def __init__(self, compiler: Compiler, limits: ProtobufLimits = DEFAULT) -> None:
        self._compiler = compiler
        self._limits = limits
        self._compiled: ArtifactCache[CompiledSchema] = ArtifactCache(CompiledSchema, limits.pools)

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        """The parsed form of .proto text, or of a FileDescriptorProto in base64. Raises InvalidSchema.

        Not strict: a package below google.protobuf is accepted.
        """
        check_references(source.content, source.references, self._limits)
        unit = self._compile(source.content, source.references)
        root = unit.files[-1]
        issues = [*checks.text_issues(root)] if b"\\" in source.content or not unit.compact else []
        if strict:
            issues += checks.package_issues(root)
        if issues:
            raise InvalidSchema(issues[: self._limits.issues])
        try:
            pool = build_pool(unit.files)
        except PoolError as error:
            raise refuse("RULE_BROKEN", str(error)) from error
        nesting = class_nesting(declared(pool, root.name))
        if nesting > MAX_CLASS_NESTING:
            raise refuse(
                "TYPES_TOO_DEEP",
                f"a cycle of {nesting} messages that refer to each other; the limit is {MAX_CLASS_NESTING}",
            )
        normal = normalise(root)
        canonical = print_file(normal, pool, extract(root))
        if not unit.compact:
            self._check_text(canonical, normal, source.references)
        given = {reference.name for reference in source.references}
        imports = describe_imports(unit.files, pool, given)
        return ParsedSchema(
            schema_type=SchemaType.PROTOBUF,
            canonical=canonical.encode(),
            fingerprints=fingerprints(
                source.content,
                unit.compact or print_file(root, pool).encode(),
                without_comments(canonical),
                imports,
            ),
            artifact=artifacts.write(unit.files),
            names=tuple(dict.fromkeys(_names(root))),
            dependencies=tuple(path for path in _imports(root) if path in given),
            warnings=unit.warnings,
        )

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        """May `reader` read everything that `writer` writes? Buf's rules see the writer as old, the reader as new."""
        reader_artifact, writer_artifact = self._artifact(reader), self._artifact(writer)
        return compare(
            self._compiled.get(reader_artifact), self._compiled.get(writer_artifact), options.strictness
        )

    def quick_proof(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """Always None: compatible pairs may have warnings, which only a full comparison finds."""
        return None

    def compile_validator(self, source: SchemaSource) -> DataValidator:
        """The validator of binary and JSON payloads."""
        return MessageValidator(self._compiled.get(self._artifact(source)), self._limits)

    def compile_bounded(self, source: SchemaSource, seconds: float) -> BoundedValidator:
        """See FormatEngine.compile_bounded. A source without artifact has no bound: protoc would have to run."""
        if not source.artifact or len(source.artifact) > _BOUNDED_BYTES:
            return UNBOUNDED
        compiled = self._compiled.get(source.artifact)
        cost = ProtobufCost(compiled.schema, len(source.artifact))
        if cost.compile_seconds > seconds:
            return UNBOUNDED
        validator = MessageValidator(compiled, self._limits)
        validator.prepare()
        return ValidatorWithBound(validator, cost)

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        """What differs between what the two files declare."""
        before, after = self._compiled.get(self._artifact(old)), self._compiled.get(self._artifact(new))
        return differences(outline(before.schema), outline(after.schema))

    def _artifact(self, source: SchemaSource) -> bytes:
        return source.artifact or self.parse(source, strict=False).artifact

    def _reference_artifact(self, reference: ReferencedSchema) -> bytes:
        if reference.artifact:
            return reference.artifact
        return artifacts.write(self._compile(reference.content, reference.references).files)

    def _check_text(
        self, text: str, described: FileDescriptorProto, references: Sequence[ReferencedSchema]
    ) -> None:
        """Raises InvalidSchema unless `text`, printed from a descriptor, means just what the descriptor says."""
        try:
            compiled = self._compile(text.encode(), references)
        except InvalidSchema as error:
            # Lines refer to the printed text, which the caller never saw.
            raise InvalidSchema([replace(issue, line=0, column=0) for issue in error.issues]) from error
        if normalise(compiled.files[-1]) != described:
            raise refuse(
                "DESCRIPTOR_INEXACT",
                "the descriptor says what no .proto text can say, such as options that none of its imports declares",
            )

    def _add_described(self, descriptor: FileDescriptorProto, imports: Imports) -> None:
        """Adds a descriptor with the library's files that it imports.

        Raises InvalidSchema for what would make protoc abort, or what .proto text cannot express.
        """
        wanted = _imports(descriptor)
        imports.add_library(wanted)
        for path, text in _library_text(wanted, imports).items():
            compiled = self._compiler.compile(CompileJob(path, {path: text}, imports.serialized()))
            for file in FileDescriptorSet.FromString(compiled.descriptors).file:
                imports.add(file)
        imports.add(descriptor)
        issues = [*checks.text_issues(descriptor)] or [*checks.descriptor_issues(descriptor)]
        if not issues:
            try:
                issues = [*checks.option_issues(descriptor, build_pool(imports.files))]
            except PoolError as error:
                raise refuse("RULE_BROKEN", str(error)) from error
        if issues:
            raise InvalidSchema(issues[: self._limits.issues])

    def _compile(self, content: bytes, references: Sequence[ReferencedSchema]) -> _CompiledFile:
        """Checks limits, then compiles one file with what it imports. Raises InvalidSchema."""
        imports = Imports()
        imports.add_references(references, self._reference_artifact)
        root = _unused_path(imports)
        descriptor = read_described(
            content, self._limits, lambda path: path in imports or library.holds(path)
        )
        if descriptor is not None:
            descriptor.name = root
            compact, sources = b"", {}
            self._add_described(descriptor, imports)
        else:
            scanned = scan(content, self._limits)
            imports.add_library(scanned.imports)
            compact, sources = scanned.compact, {root: content, **_library_text(scanned.imports, imports)}
        compiled = self._compiler.compile(CompileJob(root, sources, imports.serialized()))
        files = tuple(FileDescriptorSet.FromString(compiled.descriptors).file)
        found = [to_issue(m, root) for m in compiled.messages if m.warning == bool(files)]
        found = [
            i for i in found if i.line
        ] or found  # a missing import is reported twice, once without its line
        if not files:
            unclear = any(
                not i.line or "had errors" in i.message for i in found
            )  # about the imports, without their names
            raise InvalidSchema([*(imports.clashes() if unclear else ()), *found][: self._limits.issues])
        return _CompiledFile(files, compact, tuple(found[: self._limits.issues]))


def _library_text(wanted: Iterable[str], imports: Imports) -> dict[str, bytes]:
    return {path: text for path, text in library.sources(wanted).items() if path not in imports}


def _imports(file: FileDescriptorProto) -> list[str]:
    return [*file.dependency, *file.option_dependency]


def _unused_path(imports: Imports) -> str:
    """An import path for the schema itself that none of its imports has."""
    name = "schema.proto"
    while name in imports:
        name = "_" + name
    return name


def _names(file: FileDescriptorProto) -> list[str]:
    """The names of messages, fields, enums, services and rpcs, in order of declaration."""
    found = [join(file.package, message.name) for message in file.message_type]
    stack = list(reversed(file.message_type))
    while stack:
        message = stack.pop()
        found += [field.name for field in message.field]
        nested = [m for m in message.nested_type if not m.options.map_entry]
        found += [m.name for m in nested] + [enum.name for enum in message.enum_type]
        stack += reversed(nested)
    found += [join(file.package, enum.name) for enum in file.enum_type]
    for service in file.service:
        found += [join(file.package, service.name), *(method.name for method in service.method)]
    return found
