"""API messages <-> model values. Nothing else: no rules, no reads."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from types import TracebackType
from typing import TypeVar, cast

from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_engines.formats.reask import reask_text
from llm_schema_engines.model.compatibility import (
    ChangeClass,
    CompareOptions,
    CompatibilityReport,
    Severity,
    Violation,
)
from llm_schema_engines.model.lint import LintFinding
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.validation import DataIssue
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..errors import IncompatibleSchema, InvalidRequest, InvalidSchema, LintRefused, SchemaIssue
from ..model.change import Change, format_revision
from ..model.health import HealthReport
from ..model.schema import Reference, SchemaVersion
from ..model.subject import Subject
from ..model.timestamps import micros
from ..registry.graph import DependencyPage
from ..registry.reading import FoundSchema
from ..registry.registration import RegistrationResult
from ..registry.validating import DataVerdict, SchemaReport

E = TypeVar("E", bound=IntEnum)


# -- from the wire


def enum(kind: type[E], number: int, field: str) -> E:
    """The value with this number; raises InvalidRequest for 0 and for unknown numbers."""
    try:
        return kind(number)
    except ValueError:
        names = ", ".join(f"{m.name}={m.value}" for m in kind if m is not SchemaType.THRIFT)
        what = "is not set" if number == 0 else f"{number} is not a value of {kind.__name__}"
        raise InvalidRequest(field, f"{what}; use one of {names}") from None


def optional_enum(kind: type[E], number: int, field: str) -> E | None:
    """As `enum`, with None for 0."""
    return enum(kind, number, field) if number else None


def references(items: Sequence[pb.SchemaReference]) -> tuple[Reference, ...]:
    return tuple(
        Reference(r.name, Subject.parse(r.subject, f"references[{i}].subject"), r.version)
        for i, r in enumerate(items)
    )


def wanted_version(text: str) -> SemanticVersion | None:
    return SemanticVersion.parse(text) if text else None


def search_text(text: str, field: str) -> str:
    """A prefix, pattern or query as the stores take it; raises InvalidRequest for NUL, which no name holds and PostgreSQL no
    text."""
    if "\0" in text:
        raise InvalidRequest(field, "must not contain NUL characters")
    return text


# -- to the wire


class MessageConverter:
    """The conversions that write revisions, which are tokens of one registry."""

    def __init__(self, registry_id: str) -> None:
        self._registry_id = registry_id

    def revision(self, sequence: int) -> str:
        return format_revision(self._registry_id, sequence) if sequence else ""

    def schema(self, found: FoundSchema, page_token: str = "") -> pb.SchemaInfo:
        v = found.version
        return pb.SchemaInfo(
            id=v.schema_id,
            subject=str(v.subject),
            version=str(v.version),
            schema_type=pb.SchemaType.ValueType(v.schema_type),
            schema_content=found.content,
            metadata=v.metadata,
            created_at=timestamp(v.created_at),
            updated_at=timestamp(v.updated_at),
            compatibility_level=pb.CompatibilityLevel.ValueType(v.level),
            state=pb.SchemaState.ValueType(v.state),
            checksum=v.fingerprints.content,
            description=v.description,
            tags=v.tags,
            created_by=v.created_by,
            ordinal=v.ordinal,
            global_id=v.global_id,
            references=[
                pb.SchemaReference(
                    name=r.name,
                    subject=str(r.subject),
                    version=str(r.version),
                    schema_id=r.schema_id,
                    ordinal=r.ordinal,
                )
                for r in v.references
            ],
            fingerprints=fingerprints(v.fingerprints),
            revision=self.revision(v.revision),
            deleted_at=timestamp(v.deleted_at) if v.deleted_at else None,
            change_class=change_class(v.change_class),
            page_token=page_token,
            options=v.options,
        )

    def add_schema(self, schemas: MutableSequence[pb.SchemaInfo], found: FoundSchema) -> None:
        """Add it to a repeated field. Its content is copied once: what is put into a field is a copy of the message."""
        schemas.append(self.schema(FoundSchema(found.version, b"")))
        schemas[-1].schema_content = found.content

    def registered(self, done: RegistrationResult) -> pb.RegisterSchemaResponse:
        v = done.version
        return pb.RegisterSchemaResponse(
            schema_id=v.schema_id,
            version=str(v.version),
            subject=str(v.subject),
            created_at=timestamp(v.created_at),
            checksum=v.fingerprints.content,
            ordinal=v.ordinal,
            global_id=v.global_id,
            revision=self.revision(v.revision),
            created=done.created,
            state=pb.SchemaState.ValueType(v.state),
            change_class=change_class(v.change_class),
            fingerprints=fingerprints(v.fingerprints),
            report=report(done.report) if done.report is not None else None,
            previous_state=pb.SchemaState.ValueType(done.previous_state or 0),
            softly_deleted_schema_id=done.deleted.schema_id if done.deleted is not None else "",
            warnings=map(_lint_issue, done.lint.findings),
            warnings_truncated=done.lint.truncated,
        )

    def change(self, change: Change, schema: pb.SchemaInfo | None) -> pb.SchemaChangeEvent:
        return pb.SchemaChangeEvent(
            event_type=pb.EventType.ValueType(change.event_type),
            schema_id=change.schema_id,
            subject=str(change.subject) if change.subject else "",
            version=change.version,
            timestamp=timestamp(change.at),
            metadata=change.metadata,
            changed_by=change.actor,
            revision=self.revision(change.sequence),
            schema=schema,
            correlation_id=change.correlation_id,
            ordinal=change.ordinal,
        )

    def heartbeat(self, sequence: int, now: datetime) -> pb.SchemaChangeEvent:
        return pb.SchemaChangeEvent(
            heartbeat=True,
            revision=format_revision(self._registry_id, sequence),
            timestamp=timestamp(now),
        )


def timestamp(at: datetime) -> Timestamp:
    seconds, left = divmod(micros(at), 1_000_000)
    return Timestamp(seconds=seconds, nanos=left * 1000)


def fingerprints(f: Fingerprints) -> pb.Fingerprints:
    return pb.Fingerprints(content=f.content, generation=f.generation, validation=f.validation)


def change_class(change: ChangeClass) -> pb.ChangeClass.ValueType:
    return pb.ChangeClass.ValueType(change)


def version_info(v: SchemaVersion) -> pb.VersionInfo:
    return pb.VersionInfo(
        version=str(v.version),
        schema_id=v.schema_id,
        created_at=timestamp(v.created_at),
        state=pb.SchemaState.ValueType(v.state),
        ordinal=v.ordinal,
        global_id=v.global_id,
        change_class=change_class(v.change_class),
        deleted_at=timestamp(v.deleted_at) if v.deleted_at else None,
    )


def violation(v: Violation) -> pb.CompatibilityViolation:
    return pb.CompatibilityViolation(
        rule=v.rule,
        path=v.path,
        message=v.message,
        severity=pb.Severity.ValueType(v.severity),
        old_value=v.old_value,
        new_value=v.new_value,
        witness=v.witness.data if v.witness else b"",
        witness_text=v.witness.text if v.witness else "",
        undecided=v.undecided,
        direction=v.direction.value if v.direction else "",
        compared_version=v.compared_version,
    )


def report(r: CompatibilityReport) -> pb.CompatibilityReport:
    answer = pb.CompatibilityReport(
        compatible=r.compatible,
        level=pb.CompatibilityLevel.ValueType(r.level),
        violations=[violation(v) for v in r.violations],
        compared_versions=r.compared_versions,
        message=r.message,
        verdict=pb.Verdict.ValueType(r.verdict),
        change_class=change_class(r.change_class),
        suggested_version=r.suggested_version,
        remedies=[
            pb.CompatibilityRemedy(kind=x.kind.value, message=x.message, settings=x.settings)
            for x in r.remedies
        ],
    )
    answer.MergeFrom(_assuming(r.options))
    return answer


@lru_cache(maxsize=64)
def _assuming(options: CompareOptions) -> pb.CompatibilityReport:
    """A report with nothing but its assumptions: to copy them costs less than to write them."""
    return pb.CompatibilityReport(assumptions=options.assumptions)


class Refusals(AbstractContextManager[None, None]):
    """Adds to a refusal its details: the compatibility report, the schema's issues, or what the lint rules found."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, IncompatibleSchema):
            error.details = (report(cast(CompatibilityReport, error.report)),)
        elif isinstance(error, InvalidSchema):
            issues = [_schema_issue(i, pb.SEVERITY_ERROR) for i in error.issues]
            error.details = (pb.SchemaValidationReport(valid=False, issues=issues),)
        elif isinstance(error, LintRefused):
            found = error.report
            error.details = (
                pb.SchemaValidationReport(
                    valid=True, issues=map(_lint_issue, found.findings), truncated=found.truncated
                ),
            )


def data_report(verdict: DataVerdict, milliseconds: float) -> pb.ValidationReport:
    r, version = verdict.report, verdict.version
    report = pb.ValidationReport(
        valid=r.valid,
        validation_time_ms=milliseconds,
        schema_id=version.schema_id,
        subject=str(version.subject),
        version=str(version.version),
        truncated=r.truncated,
        text=reask_text(r),
    )
    if r.errors or r.warnings:
        report.errors.extend(map(_data_error, r.errors))
        report.warnings.extend(
            pb.ValidationWarning(path=i.path, message=i.message, warning_type=i.error_type)
            for i in r.warnings
        )
    return report


def _data_error(i: DataIssue) -> pb.ValidationError:
    return pb.ValidationError(
        path=i.path,
        message=i.message,
        error_type=i.error_type,
        schema_path=i.schema_path,
        expected=i.expected,
        got=i.got,
    )


def schema_report(r: SchemaReport) -> pb.SchemaValidationReport:
    return pb.SchemaValidationReport(
        valid=r.valid,
        errors=[str(i) for i in r.errors],
        warnings=[str(f) for f in r.lint.findings if f.severity is not Severity.INFO],
        issues=[
            *(_schema_issue(i, pb.SEVERITY_ERROR) for i in r.errors),
            *map(_lint_issue, r.lint.findings),
        ],
        truncated=r.lint.truncated or r.lint.incomplete,
        fingerprints=fingerprints(r.fingerprints) if r.fingerprints else None,
    )


def _schema_issue(i: SchemaIssue, severity: pb.Severity.ValueType) -> pb.SchemaIssue:
    return pb.SchemaIssue(
        rule=i.rule,
        message=i.message,
        pointer=i.pointer,
        line=i.line,
        column=i.column,
        severity=severity,
    )


def _lint_issue(f: LintFinding) -> pb.SchemaIssue:
    return pb.SchemaIssue(
        rule=f.rule,
        message=f.message,
        pointer=f.pointer,
        line=f.line,
        column=f.column,
        severity=pb.Severity.ValueType(f.severity),
        hint=f.hint,
    )


def dependencies(page: DependencyPage) -> pb.DependenciesResponse:
    return pb.DependenciesResponse(
        next_page_token=page.next_token,
        dependencies=[
            pb.DependencyInfo(
                schema_id=d.version.schema_id,
                subject=str(d.version.subject),
                version=str(d.version.version),
                dependency_type=d.kind,
                depth=d.depth,
                name=d.name,
            )
            for d in page.items
        ],
    )


def health(r: HealthReport, *, details: bool) -> pb.HealthCheckResponse:
    """details: whether it says how much there is, and of what kind the parts are."""
    components: Mapping[str, pb.ComponentHealth] = {
        name: pb.ComponentHealth(
            status=pb.ComponentHealth.Status.ValueType(c.status),
            message=c.message or None,
            details=c.details if details else None,
        )
        for name, c in r.components.items()
    }
    return pb.HealthCheckResponse(
        status=pb.HealthCheckResponse.Status.ValueType(r.status),
        components=components,
        version=r.version,
        timestamp=timestamp(r.at),
    )
