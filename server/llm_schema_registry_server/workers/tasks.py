"""The tasks of the registry: parse, lint, compare, diff, convert, validate, ask again, correct. Each says where it runs and what its failure means. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from time import thread_time

from llm_schema_engines.answers.coercion import Coercion, coerce
from llm_schema_engines.answers.reask import ReaskStyle, reask
from llm_schema_engines.formats.conversion import Loss, convert
from llm_schema_engines.formats.engine import DataValidator, Engines, ParsedSchema, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.canonical import dump
from llm_schema_engines.formats.json_schema.validation import JsonDataValidator
from llm_schema_engines.linter.linting import has_rules, lint_schema
from llm_schema_engines.linter.registering import parse_and_lint, parse_and_lint_within
from llm_schema_engines.model.compatibility import CompareOptions, Comparison, Direction, Verdict, Violation
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.lint import LintReport
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import DataReport, Encoding

from ..errors import InvalidSchema, SchemaIssue
from .task import FailureKind, Task, TaskFailure, TimeLimits
from .validators import VALIDATORS

# What of a type runs inline: the largest source, or pair of sources, in bytes with all references. Types that are missing
# never do: protoc can be made to abort its process.

INLINE_PARSE_BYTES: Mapping[SchemaType, int] = {
    # Our own parser, linear and bounded: cheaper than a trip to a worker process.
    SchemaType.AVRO: 16 * 1024,
    # JSON Schema is missing: what is surely parsed in PARSED_AT_ONCE_SECONDS needs no process, see Parse.shortcut.
}

PARSED_AT_ONCE_SECONDS = 0.01
"""Processor time that parsing a schema on the server's own thread may take. Most schemas take a tenth of it or less."""

INLINE_COMPARE_BYTES: Mapping[SchemaType, int] = {
    SchemaType.AVRO: 16 * 1024,
    # JSON Schema is missing: its prover may search for seconds.
}

QUICK_PROOF_BYTES: Mapping[SchemaType, int] = {
    # FormatEngine.quick_proof takes some 50 us, and less than 10 ms for the worst pair of this size that we could make
    # (loadtest/engines/json_schema_quick_proof.py).
    SchemaType.JSON: 4 * 1024,
}

SMALL_PARSE_BYTES = 16 * 1024
"""Schemas up to this size, with their references, hardly ever take long to parse."""

WAY_OUT = "make the schema smaller or less deeply nested, or split it"


@fast_init
@dataclass(frozen=True, slots=True)
class Parse(Task[ParsedSchema]):
    """FormatEngine.parse of one source, with what the quick lint rules find where it is strict. One that ends its compiler or takes too long is an InvalidSchema with rule
    COMPILER_CRASHED or COMPILER_TIMEOUT."""

    schema_type: SchemaType
    source: SchemaSource
    strict: bool = True
    shortcut_is = "inline_tasks"

    def run(self, engines: Engines) -> ParsedSchema:
        engine = engines[self.schema_type]
        return parse_and_lint(engine, self.source) if self.strict else engine.parse(self.source, strict=False)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.parse_seconds

    def failed(self, failure: TaskFailure) -> ParsedSchema:
        if failure.timed_out:
            raise InvalidSchema([SchemaIssue("COMPILER_TIMEOUT", f"compiling {failure.cause}; {WAY_OUT}")])
        raise InvalidSchema([SchemaIssue("COMPILER_CRASHED", f"the compiler {failure.cause}; {WAY_OUT}")])

    def runs_inline(self) -> bool:
        return _inline(self.schema_type, INLINE_PARSE_BYTES, self.source)

    def shortcut(self, engines: Engines) -> ParsedSchema | None:
        if not self.strict:
            return None
        return parse_and_lint_within(engines[self.schema_type], self.source, PARSED_AT_ONCE_SECONDS)

    def is_small(self) -> bool:
        return self.source.size <= SMALL_PARSE_BYTES

    def key(self) -> Hashable:
        source = self.source
        references = tuple((r.name, r.identity) for r in source.references)
        options = tuple(sorted(source.options.items()))
        return (
            Parse, self.schema_type, self.strict, source.content, references, options, source.artifact
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lint(Task[LintReport]):
    """What lint rules find in a schema that has been parsed; `warnings` are those of its parser. A report that is incomplete
    when it takes too long or too much memory, InternalError for what ends its process: never a report without findings that
    a gate might let pass."""

    schema_type: SchemaType
    source: SchemaSource
    warnings: tuple[SchemaIssue, ...]
    rules: frozenset[str]

    def run(self, engines: Engines) -> LintReport:
        return lint_schema(engines[self.schema_type], self.source, self.warnings, self.rules)

    def shortcut(self, engines: Engines) -> LintReport | None:
        return None if has_rules(self.schema_type, self.rules) else self.run(engines)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds  # it asks the prover whether any value is valid

    def failed(self, failure: TaskFailure) -> LintReport:
        if failure.kind is FailureKind.CRASHED:
            raise failure.error("linting the schema", "workers.compare_seconds", WAY_OUT)
        return LintReport(incomplete=True)


@fast_init
@dataclass(frozen=True, slots=True)
class Compare(Task[Comparison]):
    """FormatEngine.compare of one pair. One that takes too long is UNDECIDED with a violation of rule COMPARISON_TIMEOUT;
    LimitExceeded for one that needs too much memory. A crash is InternalError and never a verdict, which a gate might let
    pass."""

    schema_type: SchemaType
    reader: SchemaSource
    writer: SchemaSource
    options: CompareOptions

    def run(self, engines: Engines) -> Comparison:
        return engines[self.schema_type].compare(self.reader, self.writer, self.options)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds

    def failed(self, failure: TaskFailure) -> Comparison:
        if failure.timed_out:
            return _undecided("COMPARISON_TIMEOUT", f"comparing {failure.cause}")
        raise failure.error("the comparison", "workers.compare_seconds", WAY_OUT)

    def runs_inline(self) -> bool:
        return _inline(self.schema_type, INLINE_COMPARE_BYTES, self.reader, self.writer)

    def shortcut(self, engines: Engines) -> Comparison | None:
        limit = QUICK_PROOF_BYTES.get(self.schema_type, 0)
        if limit and self.reader.size <= limit and self.writer.size <= limit:
            return engines[self.schema_type].quick_proof(self.reader, self.writer, self.options)
        return None


BATCH_SECONDS = 0.006
"""Processor time after which a batch of comparisons answers with what it has found: whoever waits for the process has it then."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a batch of comparisons has found, in its order; None where it has not come to an end."""

    found: tuple[Comparison | None, ...]


@dataclass(frozen=True, slots=True)
class CompareBatch(Task[Compared]):
    """FormatEngine.compare of one schema with several others. direction: BACKWARD when `schema` is the reader.

    Quick proofs come first, unless they have been tried (`quick` is false). What they leave is compared until BATCH_SECONDS have
    been used, at least one pair; nothing of it unless `proves`. Nothing is found at all where the process gave no result: each
    pair is then to be asked for by itself, with the failure that is its own.
    """

    schema_type: SchemaType
    schema: SchemaSource
    others: tuple[SchemaSource, ...]
    direction: Direction
    options: CompareOptions
    quick: bool = True
    proves: bool = True

    def run(self, engines: Engines) -> Compared:
        engine, began = engines[self.schema_type], thread_time()
        found: list[Comparison | None] = [None] * len(self.others)
        if self.quick:
            found = [engine.quick_proof(*self._pair(other), self.options) for other in self.others]
        if self.proves:
            for place, other in enumerate(self.others):
                if found[place] is None:
                    found[place] = engine.compare(*self._pair(other), self.options)
                    if thread_time() - began >= BATCH_SECONDS:
                        break
        return Compared(tuple(found))

    def _pair(self, other: SchemaSource) -> tuple[SchemaSource, SchemaSource]:
        """Reader and writer."""
        return (self.schema, other) if self.direction is Direction.BACKWARD else (other, self.schema)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds

    def failed(self, failure: TaskFailure) -> Compared:
        return Compared(())


@dataclass(frozen=True, slots=True)
class Diff(Task[Differences]):
    """FormatEngine.diff of one pair. LimitExceeded for one that takes too long or too much memory, InternalError for one that
    ends its process."""

    schema_type: SchemaType
    old: SchemaSource
    new: SchemaSource

    def run(self, engines: Engines) -> Differences:
        return engines[self.schema_type].diff(self.old, self.new)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds

    def failed(self, failure: TaskFailure) -> Differences:
        raise failure.error("finding the differences", "workers.compare_seconds", WAY_OUT)

    def runs_inline(self) -> bool:
        return _inline(self.schema_type, INLINE_COMPARE_BYTES, self.old, self.new)


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
class Convert(Task[Converted]):
    """The conversion of one schema, and of a document when there is one. LimitExceeded for one that takes too long or too much
    memory, InternalError for one that ends its process."""

    schema_type: SchemaType
    source: SchemaSource
    target_type: SchemaType
    message_name: str = ""
    document: bytes = b""

    def run(self, engines: Engines) -> Converted:
        """Raises ConversionRefused and DataRefused."""
        done = convert(self.source, self.schema_type, self.target_type, message_name=self.message_name)
        if not self.document:
            return Converted(done.content, done.losses)
        data = done.data.convert(self.document)
        return Converted(done.content, done.losses, data.payload, data.dropped)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds

    def failed(self, failure: TaskFailure) -> Converted:
        raise failure.error("converting the schema", "workers.compare_seconds", WAY_OUT)


@dataclass(frozen=True, slots=True)
class Validate(Task[DataReport]):
    """DataValidator.validate of one payload, for what cannot be proved cheap. LimitExceeded for one that takes too long or too
    much memory, InternalError for one that ends its process: never a verdict.

    `schema_key` names the meaning of `source`: a process keeps the validators that it used last by it.
    """

    schema_type: SchemaType
    schema_key: str
    source: SchemaSource
    payload: bytes
    encoding: Encoding
    strict: bool
    max_errors: int
    message_name: str

    def run(self, engines: Engines) -> DataReport:
        """Raises InvalidRequest when `encoding` or `message_name` does not fit the schema."""
        engine = engines[self.schema_type]
        validator = VALIDATORS.get(engine, self.schema_key, lambda: engine.compile_validator(self.source))
        return validator.validate(
            self.payload, encoding=self.encoding, strict=self.strict, max_errors=self.max_errors,
            message_name=self.message_name,
        )  # fmt: skip

    def seconds(self, limits: TimeLimits) -> float:
        return limits.validate_seconds

    def failed(self, failure: TaskFailure) -> DataReport:
        raise failure.error(
            "validating the data",
            "workers.validate_seconds",
            "send less data at once, or make the schema simpler",
        )


_SMALLER = "send less data at once, or make the schema simpler"
MOST_ASKED = 100
"""Errors of an answer that are written for a model."""


@dataclass(frozen=True, slots=True)
class ReaskOptions:
    """How errors are written for a model; see answers.reask."""

    style: ReaskStyle
    tokens: int
    redact: bool
    subschemas: bool
    call_id: str


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """What answers.reask makes of the errors of a payload; payload: JSON text, "" for none."""

    valid: bool
    text: str
    payload: str
    tokens: int
    told: int
    left: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class ReaskData(Task[AskedAgain]):
    """The errors of a payload as a request to a model. Never inline. Fails as Validate does."""

    schema_type: SchemaType
    schema_key: str
    source: SchemaSource
    payload: bytes
    strict: bool
    options: ReaskOptions

    def run(self, engines: Engines) -> AskedAgain:
        engine = engines[self.schema_type]
        validator = VALIDATORS.get(engine, self.schema_key, lambda: engine.compile_validator(self.source))
        report = validator.validate(self.payload, strict=self.strict, max_errors=MOST_ASKED)
        wanted = self.options
        opened = None
        if wanted.subschemas and isinstance(engine, JsonSchemaEngine) and not report.valid:
            opened = engine.open(self.source)
        asked = reask(
            report,
            style=wanted.style,
            document=self.payload or b" ",
            schema=opened,
            tokens=wanted.tokens,
            redact=wanted.redact,
            subschemas=opened is not None,
            call_id=wanted.call_id,
        )
        payload = "" if asked.payload is None else dump(asked.payload, sort=False)
        left = 0 if asked.left < 0 else asked.left
        return AskedAgain(report.valid, asked.text, payload, asked.tokens, asked.told, left, asked.left < 0)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.validate_seconds

    def failed(self, failure: TaskFailure) -> AskedAgain:
        raise failure.error("validating the answer", "workers.validate_seconds", _SMALLER)


@dataclass(frozen=True, slots=True)
class Corrected:
    """A payload with corrections; patch: JSON text of the operations. kinds, counts: how often each kind was used."""

    document: bytes
    patch: str
    kinds: tuple[int, ...]
    counts: tuple[int, ...]
    report: DataReport


@dataclass(frozen=True, slots=True)
class CoerceData(Task[Corrected]):
    """The corrections of a payload under a JSON Schema. Never inline. Fails as Validate does."""

    schema_key: str
    source: SchemaSource
    payload: bytes
    kinds: tuple[Coercion, ...]

    def run(self, engines: Engines) -> Corrected:
        engine = engines[SchemaType.JSON]
        validator: DataValidator = VALIDATORS.get(
            engine, self.schema_key, lambda: engine.compile_validator(self.source)
        )
        if not (isinstance(validator, JsonDataValidator) and isinstance(engine, JsonSchemaEngine)):
            return Corrected(self.payload, "[]", (), (), validator.validate(self.payload))
        done = coerce(validator, self.payload, frozenset(self.kinds), engine.limits)
        kinds = sorted(done.counts)
        return Corrected(
            done.document,
            dump(list(done.patch), sort=False),
            tuple(map(int, kinds)),
            tuple(done.counts[kind] for kind in kinds),
            done.report,
        )

    def seconds(self, limits: TimeLimits) -> float:
        return limits.validate_seconds

    def failed(self, failure: TaskFailure) -> Corrected:
        raise failure.error("correcting the answer", "workers.validate_seconds", _SMALLER)


def _inline(schema_type: SchemaType, limits: Mapping[SchemaType, int], *sources: SchemaSource) -> bool:
    limit = limits.get(schema_type, 0)
    return all(0 < limit >= source.size for source in sources)


def _undecided(rule: str, message: str) -> Comparison:
    return Comparison(Verdict.UNDECIDED, (Violation(rule, "", message, undecided=True),))
