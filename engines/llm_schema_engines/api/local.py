"""The engines with what they need to work in any program: parsing, comparing, validating, converting without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from cachetools import LRUCache

from ..answers.answer import AnswerStream
from ..answers.coercion import Coerced, Coercion
from ..answers.coercion import coerce as coerce_document
from ..answers.reask import DEFAULT_TOKENS, Reask, ReaskStyle
from ..answers.reask import reask as reask_report
from ..answers.schema import StreamingSchema
from ..errors import InvalidRequest, InvalidSchema, UnsupportedSchemaType
from ..fixes.model import Fixes
from ..formats.catalogue import EngineLimits, engines
from ..formats.conversion import Conversion
from ..formats.conversion import convert as convert_source
from ..formats.engine import DataValidator, FormatEngine, ReferencedSchema, SchemaSource
from ..formats.json_schema.dialects import DEFAULT, URIS
from ..formats.json_schema.validation import JsonDataValidator
from ..linter.linting import choose_rules, lint_schema
from ..model.compatibility import CompareOptions, Comparison, CompatibilityLevel, CompatibilityReport, Verdict
from ..model.compilation import Compiler
from ..model.difference import Differences
from ..model.identity import identity
from ..model.lint import LintReport
from ..model.schema import SchemaType
from ..model.validation import DataReport, Encoding, FormatPolicy
from ..protoc.supervised import SupervisedProtoc
from ..providers.compiling import CompiledForm
from ..providers.findings import ProfileReport
from ..providers.grammar import Grammar
from ..providers.notation import Syntax
from .arguments import Data, compare_options, data_bytes, expect, member, plain_text, schema_bytes
from .checking import SchemaLike, assess, named_versions
from .detection import detect
from .fixes import fixes_for
from .providers import ProfileLike, check_for, compile_for, grammar_for
from .references import resolve
from .schema import Schema

DEFAULT_OPTIONS = CompareOptions()
CACHE_BYTES = 64 * 1024 * 1024
MOST_ERRORS = 100

_DEFAULTS = {"dialect": URIS[DEFAULT], "format_policy": str(FormatPolicy.DIALECT)}
"""The options of a JSON Schema when the caller says nothing."""

References = Mapping[str, SchemaLike]
"""Schemas by the names under which another one uses them."""


class LocalEngines:
    """All engines of this package behind functions that take schemas as bytes, text or `Schema`.

    limits: what a schema, a payload and a comparison may cost. compiler: of Protobuf; each compilation in a child of its
    own when not given. cache_bytes: memory for parsed schemas, as much for compiled validators, and as much for streams.
    The functions of `llm_schema_engines` are those of one instance with the defaults. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        limits: EngineLimits | None = None,
        compiler: Compiler | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        limits = EngineLimits() if limits is None else expect(EngineLimits, limits, "limits")
        if compiler is not None and not callable(getattr(compiler, "compile", None)):
            raise TypeError(f"compiler: a Compiler is expected, not {type(compiler).__name__}")
        if expect(int, cache_bytes, "cache_bytes") < 0:
            raise ValueError("cache_bytes: is negative")
        self._engines = engines(limits, compiler or SupervisedProtoc())
        self._lock = threading.Lock()
        self._parsed: LRUCache[tuple[object, ...], Schema] = LRUCache(cache_bytes, _memory)
        self._limits = limits
        self._streams: LRUCache[str, StreamingSchema] = LRUCache(cache_bytes, lambda s: s.size)
        self._validators: LRUCache[str, DataValidator] = LRUCache(cache_bytes, lambda v: v.size)

    def parse(
        self,
        schema: SchemaLike,
        schema_type: SchemaType | str | None = None,
        *,
        name: str = "",
        references: References | None = None,
        dialect: str = "",
        format_policy: FormatPolicy | str = FormatPolicy.DIALECT,
        strict: bool = True,
    ) -> Schema:
        """Parse and check a schema.

        schema_type: of bytes or text; not given, `name` tells (the name of a file: .json, .avsc, .proto), else the
        content. references: schemas by the names that this one uses: URIs of JSON Schema, full names of Avro, import
        paths of Protobuf. dialect, format_policy: how a JSON Schema is read that does not say so itself.
        strict: the rules for a new schema; otherwise only what cannot be read is refused.

        Raises InvalidSchema with every issue, InvalidRequest when the type cannot be told, and for Protobuf what
        SupervisedProtoc raises.
        """
        expect(bool, strict, "strict")
        options = {
            "dialect": plain_text(dialect, "dialect") or URIS[DEFAULT],
            "format_policy": str(member(FormatPolicy, format_policy, "format_policy")),
        }
        return self._read("schema", schema, schema_type, references, name, options, strict=strict)

    def _read(
        self,
        argument: str,
        schema: SchemaLike,
        schema_type: SchemaType | str | None,
        references: References | None,
        name: str = "",
        options: Mapping[str, str] = _DEFAULTS,
        *,
        strict: bool = True,
    ) -> Schema:
        """A schema as callers give it, in the argument of that name."""
        plain_text(name, "name")
        wanted = None if schema_type is None else member(SchemaType, schema_type, "schema_type")
        if isinstance(schema, Schema):
            return schema
        content = schema_bytes(schema, argument)
        kind = detect(content, name) if wanted is None else wanted
        if kind not in self._engines:
            raise UnsupportedSchemaType(kind.name)

        def parse_reference(text: bytes, used: tuple[ReferencedSchema, ...]) -> Schema:
            return self._parse(kind, SchemaSource(text, used, options), strict=strict)

        resolved = () if references is None else resolve(references, kind, parse_reference)
        return self._parse(kind, SchemaSource(content, resolved, options), strict=strict)

    def compare(
        self,
        reader: SchemaLike,
        writer: SchemaLike,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
        options: CompareOptions = DEFAULT_OPTIONS,
    ) -> Comparison:
        """May `reader` read everything that `writer` writes? True when that is proved.

        references: those of both schemas, as far as they are given as text. Raises what `parse` raises, and
        InvalidRequest for schemas of two types.
        """
        compare_options(options)
        reading = self._read("reader", reader, schema_type, references)
        writing = self._read("writer", writer, schema_type, references)
        _same_type(reading, writing, "reader", "writer")
        return self._compare(reading, writing, options)

    def check(
        self,
        new: SchemaLike,
        old: SchemaLike | Sequence[SchemaLike] | Mapping[str, SchemaLike],
        level: CompatibilityLevel | str = CompatibilityLevel.BACKWARD,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
        options: CompareOptions = DEFAULT_OPTIONS,
        allow_undecided: bool = False,
    ) -> CompatibilityReport:
        """Could `new` become the next version after `old`? The report of the server's CheckCompatibility; true when it could.

        old: one version, several with the oldest first, or the same by their version numbers. A transitive level asks
        about all of them, another one about the last. references: those of all schemas, as far as they are given as text.
        allow_undecided: whether what cannot be decided counts as compatible.
        `suggested_version` is given when the names of the versions are semantic versions.

        Raises what `compare` raises.
        """
        wanted = member(CompatibilityLevel, level, "level")
        compare_options(options)
        expect(bool, allow_undecided, "allow_undecided")
        candidate, versions = self._versions(new, old, schema_type, references)
        return assess(
            candidate,
            versions,
            wanted,
            self._compare,
            options=options,
            allow_undecided=allow_undecided,
            numbered=isinstance(old, Mapping),
        )

    def find_fixes(
        self,
        new: SchemaLike,
        old: SchemaLike | Sequence[SchemaLike] | Mapping[str, SchemaLike],
        level: CompatibilityLevel | str = CompatibilityLevel.BACKWARD,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
        options: CompareOptions = DEFAULT_OPTIONS,
        limit: int = 3,
        seconds: float = 10.0,
    ) -> Fixes:
        """Edits of `new` under which it could become the next version after `old`; each was parsed and proved. True when there are some.

        The arguments are those of `check`. limit: the most fixes, 1 to 5. seconds: processor time for the search, at most 600; it may
        take as much longer as one comparison does. Raises InvalidRequest for these, and what `compare` raises.
        """
        wanted = member(CompatibilityLevel, level, "level")
        compare_options(options)
        candidate, versions = self._versions(new, old, schema_type, references)
        return fixes_for(self._engine(candidate), candidate, versions, wanted, options, limit, seconds)

    def _versions(
        self,
        new: SchemaLike,
        old: SchemaLike | Sequence[SchemaLike] | Mapping[str, SchemaLike],
        schema_type: SchemaType | str | None,
        references: References | None,
    ) -> tuple[Schema, list[tuple[str, Schema]]]:
        """A new schema and the versions before it, parsed, all of one type."""
        candidate = self._read("new", new, schema_type, references)
        versions = []
        for version, content in named_versions(old):
            try:
                schema = self._read(f"old[{version}]", content, schema_type, references)
            except InvalidSchema as error:
                raise InvalidSchema(error.issues, f"old[{version}]") from error
            _same_type(candidate, schema, "new", f"old[{version}]")
            versions.append((version, schema))
        return candidate, versions

    def validate(
        self,
        schema: SchemaLike,
        data: Data,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
        encoding: Encoding | str = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        """Whether data is valid under a schema, and if not, why; true when it is. Invalid data is an answer, not an error.

        data: bytes or text as they are, or a JSON value. encoding: of Avro and Protobuf data, when it should not be told by
        looking. strict: also refuse what the schema does not declare. message_name: the message of a Protobuf schema (full
        name), "" for its first.

        The compiled schema is kept, so that validating again costs only the validation. Raises what `parse` raises, and
        InvalidRequest when `encoding`, `message_name` or `max_errors` (1 to 100) does not fit.
        """
        expect(bool, strict, "strict")
        plain_text(message_name, "message_name")
        form = member(Encoding, encoding, "encoding")
        if (
            not isinstance(max_errors, int)
            or isinstance(max_errors, bool)
            or not 1 <= max_errors <= MOST_ERRORS
        ):
            raise InvalidRequest(
                "max_errors", f"is {repr(max_errors)[:60]}; it must be a number from 1 to {MOST_ERRORS}"
            )
        validator = self.validator(self.parse(schema, schema_type, references=references))
        return validator.validate(
            data_bytes(data),
            encoding=form,
            strict=strict,
            max_errors=max_errors,
            message_name=message_name,
        )

    def validator(
        self,
        schema: SchemaLike,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
    ) -> DataValidator:
        """The compiled validator of a schema, for programs that validate often; safe to share between threads.

        Raises what `parse` raises.
        """
        schema = self.parse(schema, schema_type, references=references)
        with self._lock:
            known = self._validators.get(schema.key)
        if known is None:
            known = self._engine(schema).compile_validator(schema.source)
            if known.size <= self._validators.maxsize:
                with self._lock:
                    self._validators[schema.key] = known
        return known

    def answer_stream(
        self,
        schema: SchemaLike,
        *,
        references: References | None = None,
        strict: bool = False,
        fence: bool = False,
        prose: bool = False,
        keep: bool = False,
    ) -> AnswerStream:
        """Judges a JSON document while it arrives: VIABLE, COMPLETE, DEAD with the byte and the reason, or INDETERMINATE.

        strict: also refuse what the schema does not declare. fence, prose: a code fence, or words, may stand around the document.
        keep: keep the value, for `partial()`. What the schema compiles to is kept, so that the next stream costs nothing.
        Raises what `parse` raises, and InvalidRequest for a schema of another type.
        """
        for name, value in (("strict", strict), ("fence", fence), ("prose", prose), ("keep", keep)):
            expect(bool, value, name)
        ready = self._streaming(self._json_schema(schema, references))
        return AnswerStream(ready, strict=strict, fence=fence, prose=prose, keep=keep)

    def reask(
        self,
        report: DataReport,
        *,
        style: ReaskStyle | str = ReaskStyle.LINES,
        document: Data = b"",
        schema: SchemaLike | None = None,
        references: References | None = None,
        tokens: int = DEFAULT_TOKENS,
        redact: bool = False,
        subschemas: bool = False,
        call_id: str = "",
    ) -> Reask:
        """The errors of a report as a request to the model that made the answer, in the form that its interface takes.

        tokens: the most that the text may have, estimated, from 16. redact: quote no value of the data. subschemas: add the
        schemas that the errors are about; needs `schema`. document: the answer, for the style DOCUMENT. call_id: of the tool
        call, for ANTHROPIC and OPENAI. Raises what `parse` raises, and ValueError for arguments that do not fit.
        """
        expect(DataReport, report, "report")
        expect(bool, redact, "redact")
        expect(bool, subschemas, "subschemas")
        opened = None if schema is None else self._streaming(self._json_schema(schema, references)).opened
        return reask_report(
            report,
            style=member(ReaskStyle, style, "style"),
            document=data_bytes(document),
            schema=opened,
            tokens=expect(int, tokens, "tokens"),
            redact=redact,
            subschemas=subschemas,
            call_id=plain_text(call_id, "call_id"),
        )

    def coerce(
        self,
        schema: SchemaLike,
        data: Data,
        kinds: Iterable[Coercion | str],
        *,
        references: References | None = None,
    ) -> Coerced:
        """Correct data that is not valid, as far as these kinds of correction allow; a valid document is not touched.

        The document, the corrections as a JSON Patch, how many of each kind, and the report that is left. Raises what `parse`
        raises, and InvalidRequest for a schema of another type.
        """
        chosen = frozenset(member(Coercion, kind, "kinds") for kind in kinds)
        parsed = self._json_schema(schema, references)
        validator = self.validator(parsed)
        assert isinstance(validator, JsonDataValidator)
        return coerce_document(validator, data_bytes(data), chosen, self._limits.json_schema)

    def _json_schema(self, schema: SchemaLike, references: References | None) -> Schema:
        parsed = self.parse(schema, references=references)
        if parsed.schema_type is not SchemaType.JSON:
            raise InvalidRequest(
                "schema",
                f"is of type {parsed.schema_type.name}; answers are judged and corrected by a JSON Schema",
            )
        return parsed

    def _streaming(self, schema: Schema) -> StreamingSchema:
        with self._lock:
            known = self._streams.get(schema.key)
        if known is None:
            known = StreamingSchema(schema.source, self._limits.json_schema)
            if known.size <= self._streams.maxsize:
                with self._lock:
                    self._streams[schema.key] = known
        return known

    def convert(
        self,
        schema: SchemaLike,
        target_type: SchemaType | str,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
        message_name: str = "",
    ) -> Conversion:
        """The schema in another language: `content`, `losses` (what it could not carry), and `data`, which converts documents.

        message_name: the message of a Protobuf schema to convert, "" for its first.
        Raises ConversionRefused for what has no counterpart, UnsupportedSchemaType, and what `parse` raises.
        """
        target = member(SchemaType, target_type, "target_type")
        plain_text(message_name, "message_name")
        source = self._read("schema", schema, schema_type, references)
        return convert_source(source.source, source.schema_type, target, message_name=message_name)

    def diff(
        self,
        old: SchemaLike,
        new: SchemaLike,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
    ) -> Differences:
        """What differs between two schemas, for people. Raises what `compare` raises."""
        before = self._read("old", old, schema_type, references)
        after = self._read("new", new, schema_type, references)
        _same_type(before, after, "old", "new")
        return self._engine(before).diff(before.source, after.source)

    def lint(
        self,
        schema: SchemaLike,
        *,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
        enable: Iterable[str] = (),
        disable: Iterable[str] = (),
    ) -> LintReport:
        """What is unwise in a schema that is valid; true when nothing worse than INFO is found.

        The rules, which of them run by default, and how to mend what they find: docs/lint.md and `LINT_RULES`.
        enable, disable: ids of rules to run besides those, or not to run.
        Raises ValueError for an id that is none, and what `parse` raises.
        """
        rules = choose_rules(enable, disable)
        parsed = self.parse(schema, schema_type, references=references)
        return lint_schema(self._engine(parsed), parsed.source, parsed.warnings, rules)

    def check_for(
        self,
        schema: SchemaLike,
        profiles: Iterable[ProfileLike] | ProfileLike,
        *,
        name: str = "",
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
    ) -> dict[str, ProfileReport]:
        """What providers of language models would do with a JSON Schema as it stands: a report for each profile, by its id.

        profiles: ids of `provider_profiles()`, or profiles. name: of the tool, if it is one.
        Raises InvalidRequest for a schema of another type and for an unknown profile, and what `parse` raises.
        """
        parsed = self._read("schema", schema, schema_type, references)
        return check_for(self._engine(parsed), parsed, profiles, name)

    def compile_for(
        self,
        schema: SchemaLike,
        profile: ProfileLike,
        *,
        surface: str = "",
        name: str = "",
        description: str = "",
        prove_seconds: float = 5.0,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
    ) -> CompiledForm:
        """A JSON Schema as a provider takes it: `envelope` for the request, `losses` with proofs, `decoder` for the answers.

        surface: where it goes (`tool`, `response` ...), "" for the profile's first. name, description: of the tool or format, ""
        for the schema's title and description. prove_seconds: processor time for the proofs of the losses, at most 60.
        Raises InvalidRequest, ConversionRefused for a schema under which nothing is valid, and what `parse` raises.
        """
        parsed = self._read("schema", schema, schema_type, references)
        return compile_for(self._engine(parsed), parsed, profile, surface, name, description, prove_seconds)

    def grammar_for(
        self,
        schema: SchemaLike,
        syntax: Syntax | str,
        *,
        prove_seconds: float = 5.0,
        schema_type: SchemaType | str | None = None,
        references: References | None = None,
    ) -> Grammar:
        """A JSON Schema as a grammar for a local engine: GBNF, LARK or REGEX, with what the grammar does not hold.

        prove_seconds: processor time for the proofs of the losses, at most 60.
        Raises InvalidRequest for a schema of another type, for a grammar that would be too large and for a regular expression of
        a recursion, ConversionRefused for a schema under which nothing is valid, and what `parse` raises.
        """
        wanted = member(Syntax, syntax, "syntax")
        parsed = self._read("schema", schema, schema_type, references)
        return grammar_for(self._engine(parsed), parsed, wanted, prove_seconds)

    def _engine(self, schema: Schema) -> FormatEngine:
        return self._engines[schema.schema_type]

    def _parse(self, kind: SchemaType, source: SchemaSource, *, strict: bool) -> Schema:
        named = [(item.name, item.identity) for item in source.references]
        key = (strict, identity(kind, source.content, named), *source.options.values())
        with self._lock:
            known = self._parsed.get(key)
        if known is None:
            parsed = self._engines[kind].parse(source, strict=strict)
            settled = SchemaSource(source.content, source.references, parsed.options, parsed.artifact)
            known = Schema(kind, settled, parsed)
            if _memory(known) <= self._parsed.maxsize:
                with self._lock:
                    self._parsed[key] = known
        return known

    def _compare(self, reader: Schema, writer: Schema, options: CompareOptions) -> Comparison:
        if reader.key == writer.key:
            return Comparison(Verdict.YES)
        return self._engine(reader).compare(reader.source, writer.source, options)


def _memory(schema: Schema) -> int:
    """Bytes of a parsed schema, estimated; what it references is shared and counted where it was parsed."""
    parsed = schema.parsed
    few = 100 * (len(parsed.names) + len(parsed.warnings) + 4)
    return len(schema.content) + len(parsed.canonical) + len(parsed.artifact) + few


def _same_type(one: Schema, other: Schema, name: str, other_name: str) -> None:
    if one.schema_type is not other.schema_type:
        raise InvalidRequest(
            "schema_type",
            f"{name} is {one.schema_type.name}, {other_name} is {other.schema_type.name}: two types cannot be compared; "
            "convert one of them, or give schema_type when a type was told wrongly",
        )
