"""The engines in this process: checks and comparisons of files without a server, in the words of the SDK's results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..enums import (
    ChangeClass,
    Coercion,
    CompatibilityLevel,
    DifferenceKind,
    FixKind,
    LossKind,
    SchemaType,
    Severity,
    Strictness,
    Verdict,
    WireEnum,
    WriterModel,
)
from ..errors import (
    ConversionRefused,
    InvalidRequest,
    InvalidSchema,
    RegistryError,
    Unavailable,
    UnsupportedSchemaType,
)
from ..results import (
    CoercedAnswer,
    CoercionCount,
    CompatibilityReport,
    Conversion,
    ConversionLoss,
    Fix,
    FixEdit,
    FixProof,
    FoundFixes,
    ReaskedAnswer,
    Remedy,
    SchemaDiff,
    SchemaDifference,
    SchemaIssue,
    ValidationError,
    ValidationReport,
    ValidationWarning,
    Violation,
)
from .inputs import read

if TYPE_CHECKING:
    from llm_schema_engines import (
        AnswerStream,
        CompiledForm,
        DataReport,
        Grammar,
        LintReport,
        Profile,
        ProfileReport,
        Schema,
    )

NEEDS_ENGINES = "working without a server needs the engines: pip install 'llm-schema-registry[engines]'"


class MissingEngines(ValueError):
    """The extra `engines` is not installed."""


def engines() -> ModuleType:
    """The engines' package, loaded when it is used. Raises MissingEngines."""
    try:
        import llm_schema_engines

        llm_schema_engines.parse  # noqa: B018  # loads what the package needs
    except ModuleNotFoundError as error:
        raise MissingEngines(f"{NEEDS_ENGINES} ({error.name} is missing)") from error
    return llm_schema_engines


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a comparison assumes about writers and readers; a subject of a registry has them as settings."""

    writer_model: WriterModel | None = None
    strictness: Strictness | None = None
    apply_defaults: bool | None = None
    allow_undecided: bool = False

    def __bool__(self) -> bool:
        return self != Assumptions()


def parse(
    name: str,
    content: bytes,
    kind: SchemaType | None,
    references: Mapping[str, Schema] | Mapping[str, bytes] | None = None,
    *,
    strict: bool = True,
) -> Schema:
    """A schema from a file: of the given type, else of the one that its name or its content tells. `strict`: by the
    rules for a new schema. Raises InvalidSchema, whose `metadata` has the file."""
    module = engines()
    with _translated(name):
        given = None if kind is None else str(kind)
        if given is None and name.rpartition(".")[2].lower() not in ("json", "avsc", "proto"):
            given = module.detect(content)
        parsed: Schema = module.parse(content, given, name=name, references=references, strict=strict)
    return parsed


def check(
    new: Schema,
    old: Sequence[tuple[str, Schema]],
    level: CompatibilityLevel | None,
    assumptions: Assumptions,
) -> CompatibilityReport:
    """Whether `new` could follow `old`, which has names, the oldest first. The level is BACKWARD unless given."""
    module = engines()
    options = _compare_options(assumptions)
    with _translated(""):
        found = module.check(
            new,
            [schema for _, schema in old],
            str(level or CompatibilityLevel.BACKWARD),
            options=options,
            allow_undecided=assumptions.allow_undecided,
        )
    names = {str(number): name for number, (name, _) in enumerate(old, 1)}
    return _report(found, names)


def find_fixes(
    new: Schema,
    old: Sequence[tuple[str, Schema]],
    level: CompatibilityLevel | None,
    assumptions: Assumptions,
    limit: int,
) -> FoundFixes:
    """Edits under which `new` could follow `old`, which has names, the oldest first. The level is BACKWARD unless given."""
    wanted = level or CompatibilityLevel.BACKWARD
    with _translated(""):
        found = engines().find_fixes(
            new,
            [schema for _, schema in old],
            str(wanted),
            options=_compare_options(assumptions),
            limit=limit,
            seconds=60.0,
        )
    names = {str(number): name for number, (name, _) in enumerate(old, 1)}
    compared = list(names.values())[::-1] if str(wanted).endswith("TRANSITIVE") else list(names.values())[-1:]
    return FoundFixes(
        fixes=tuple(_fix(fix, names) for fix in found.fixes),
        compatible=found.compatible,
        level=wanted,
        compared_versions=tuple(compared),
        tried=found.tried,
        complete=found.complete,
        reason=found.reason,
    )


def _fix(fix: Any, names: Mapping[str, str]) -> Fix:
    return Fix(
        edits=tuple(FixEdit(FixKind(int(edit.kind)), edit.place, edit.cost) for edit in fix.edits),
        content=fix.content,
        patch=fix.patch,
        takes_back=fix.takes_back,
        message=fix.message,
        proofs=tuple(FixProof(names.get(p.version, p.version), p.direction.value) for p in fix.proofs),
    )


def _compare_options(assumptions: Assumptions) -> Any:
    """The engines' options of a comparison."""
    module = engines()
    return module.CompareOptions(
        **{
            key: member
            for key, member in (
                (
                    "writer_model",
                    assumptions.writer_model and module.WriterModel(assumptions.writer_model.name),
                ),
                ("strictness", assumptions.strictness and module.Strictness(assumptions.strictness.name)),
                ("apply_defaults", assumptions.apply_defaults),
            )
            if member is not None
        }
    )


def diff(old: tuple[str, Schema], new: tuple[str, Schema], assumptions: Assumptions) -> SchemaDiff:
    """What changed between two schemas with names, and what it means."""
    with _translated(""):
        found = engines().diff(old[1], new[1])
    backward = check(new[1], [old], CompatibilityLevel.BACKWARD, assumptions)
    return SchemaDiff(
        differences=tuple(
            SchemaDifference(
                kind=DifferenceKind(d.kind.name),
                path=d.path,
                old_value=d.old_value,
                new_value=d.new_value,
                message=d.message,
            )
            for d in found.items
        ),
        change_class=backward.change_class,
        backward=backward,
        forward=check(new[1], [old], CompatibilityLevel.FORWARD, assumptions),
        text="\n".join(d.message for d in found.items),
        old_version=old[0],
        new_version=new[0],
        truncated=found.truncated,
    )


def convert(schema: Schema, to: SchemaType, message_name: str) -> Conversion:
    """The schema in another language. Raises ConversionRefused."""
    with _translated(""):
        found = engines().convert(schema, str(to), message_name=message_name)
    losses = tuple(ConversionLoss(LossKind(x.kind.name), x.pointer, x.message) for x in found.losses)
    return Conversion(content=found.content, schema_type=to, losses=losses, data=b"", dropped=())


def validate(schema: Schema, data: bytes, **options: Any) -> ValidationReport:
    """Whether data is valid; the options are those of `llm_schema_engines.validate`."""
    with _translated(""):
        return _data_report(engines().validate(schema, data, **options))


def _data_report(report: DataReport) -> ValidationReport:
    return ValidationReport(
        valid=report.valid,
        schema_id="",
        errors=tuple(
            ValidationError(e.path, e.message, e.error_type, e.schema_path, e.expected, e.got)
            for e in report.errors
        ),
        warnings=tuple(ValidationWarning(w.path, w.message, w.error_type) for w in report.warnings),
        truncated=report.truncated,
        validation_time_ms=0.0,
        text=engines().reask_text(report),
    )


def answer_stream(schema: Schema, **options: bool) -> AnswerStream:
    """A document that is judged while it arrives. Raises InvalidRequest for another schema than a JSON Schema."""
    with _translated(""):
        stream: AnswerStream = engines().answer_stream(schema, **options)
    return stream


def reask(schema: Schema, data: bytes, *, strict: bool, subschemas: bool, **options: Any) -> ReaskedAnswer:
    """The errors of an answer for its model; the options are those of `llm_schema_engines.reask`."""
    module = engines()
    with _translated(""):
        report = module.validate(schema, data, strict=strict, max_errors=100)
        given = {"schema": schema} if subschemas else {}
        asked = module.reask(report, document=data or b" ", subschemas=subschemas, **given, **options)
    return ReaskedAnswer(
        valid=report.valid,
        text=asked.text,
        payload="" if asked.payload is None else json.dumps(asked.payload, ensure_ascii=False),
        tokens=asked.tokens,
        told=asked.told,
        left=max(asked.left, 0),
        truncated=asked.left < 0,
        schema_id="",
    )


def coerce(schema: Schema, data: bytes, kinds: Sequence[str]) -> CoercedAnswer:
    """An answer with corrections. Raises InvalidRequest for another schema than a JSON Schema."""
    with _translated(""):
        done = engines().coerce(schema, data, kinds)
    return CoercedAnswer(
        data=done.document,
        patch=json.dumps(done.patch, default=float),
        counts=tuple(CoercionCount(Coercion(int(kind)), n) for kind, n in sorted(done.counts.items())),
        report=_data_report(done.report),
    )


def lint(schema: Schema, enable: Sequence[str], disable: Sequence[str]) -> LintReport:
    """What is unwise in a schema. Raises ValueError for a rule that is none."""
    found: LintReport = engines().lint(schema, enable=enable, disable=disable)
    return found


def lint_rules() -> list[str]:
    """The ids of the lint rules. Raises MissingEngines."""
    return [rule.id for rule in engines().LINT_RULES]


def provider_profiles() -> Mapping[str, Profile]:
    """The profiles of providers that come with the engines, by id. Raises MissingEngines."""
    found: Mapping[str, Profile] = engines().provider_profiles()
    return found


def provider_profile(name: str) -> Profile:
    """The profile with this id, or the one that is in the file of this name. Raises InvalidRequest."""
    known = provider_profiles().get(name)
    if known is None and (name.endswith(".json") or name == "-"):
        with _translated(name):
            known = engines().provider_profile(read(name))
    if known is None:
        there = ", ".join(provider_profiles())
        raise InvalidRequest(f"there is no profile {name!r}; give the file of one, or one of {there}")
    return known


def check_for(schema: Schema, providers: Sequence[str], name: str) -> dict[str, ProfileReport]:
    """What providers would do with a schema: a report for each, by the id of its profile."""
    with _translated(""):
        found: dict[str, ProfileReport] = engines().check_for(
            schema, [provider_profile(provider) for provider in providers], name=name
        )
    return found


def compile_for(schema: Schema, provider: str, **options: str) -> CompiledForm:
    """The schema as a provider takes it; the options are those of `llm_schema_engines.compile_for`."""
    with _translated(""):
        found: CompiledForm = engines().compile_for(schema, provider_profile(provider), **options)
    return found


def grammar_for(schema: Schema, syntax: str) -> Grammar:
    """The schema as a grammar: gbnf, lark or regex."""
    with _translated(""):
        found: Grammar = engines().grammar_for(schema, syntax)
    return found


def decode(decoder: bytes, answer: bytes) -> bytes:
    """A provider's answer in the shape of the schema."""
    try:
        program = json.loads(decoder)
    except ValueError as error:
        raise InvalidRequest(f"the decoder is not JSON: {error}") from error
    with _translated(""):
        decoded: bytes = engines().Decoder(program).decode(answer)
    return decoded


def _report(found: Any, names: Mapping[str, str]) -> CompatibilityReport:
    return CompatibilityReport(
        compatible=found.compatible,
        verdict=Verdict(found.verdict.name),
        level=CompatibilityLevel(found.level.name),
        violations=tuple(_violation(v, names) for v in found.violations),
        compared_versions=tuple(names.get(version, version) for version in found.compared_versions),
        message=found.message,
        change_class=_member(ChangeClass, found.change_class),
        suggested_version=found.suggested_version,
        assumptions=dict(found.options.assumptions),
        remedies=tuple(Remedy(str(r.kind), r.message, dict(r.settings)) for r in found.remedies),
    )


def _member(kind: type[WireEnum], value: Any) -> Any:
    """The SDK's member with the number of an engine's; UNCLASSIFIED is UNSPECIFIED here."""
    return kind(int(value))


def _violation(v: Any, names: Mapping[str, str]) -> Violation:
    return Violation(
        rule=v.rule,
        path=v.path,
        message=v.message,
        severity=Severity(v.severity.name),
        old_value=v.old_value,
        new_value=v.new_value,
        witness=v.witness.data if v.witness else b"",
        witness_text=v.witness.text if v.witness else "",
        undecided=v.undecided,
        direction=v.direction.value if v.direction else "",
        compared_version=names.get(v.compared_version, v.compared_version),
    )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Errors of the engines as errors of the SDK, so that they end the command as the server's would."""
    module = engines()
    try:
        yield
    except module.InvalidSchema as error:
        invalid = InvalidSchema(f"{name}: {error.issues[0]}", metadata={"file": name} if name else None)
        invalid.issues = tuple(
            SchemaIssue(i.rule, i.message, i.pointer, i.line, i.column, Severity.ERROR) for i in error.issues
        )
        raise invalid from error
    except module.RegistryError as error:
        kind: type[RegistryError] = {
            module.ConversionRefused: ConversionRefused,
            module.UnsupportedSchemaType: UnsupportedSchemaType,
            module.Unavailable: Unavailable,
        }.get(type(error), InvalidRequest)
        raise kind(f"{name}: {error.message}" if name else error.message, metadata=error.metadata) from error
