"""From the messages of the wire to frozen values. One function a message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from .enums import (
    ChangeClass,
    Coercion,
    CompatibilityLevel,
    ComponentStatus,
    EventType,
    FormatPolicy,
    HealthStatus,
    LintPolicy,
    Mode,
    ProfileFit,
    SchemaState,
    SchemaType,
    Severity,
    Strictness,
    UndecidedPolicy,
    Verdict,
    WriterModel,
)
from .errors import (
    Code,
    FieldViolation,
    IncompatibleSchema,
    InvalidSchema,
    LintRefused,
    RegistryError,
    error_class,
)
from .results import (
    ChangeEvent,
    CompatibilityReport,
    ComponentHealth,
    Config,
    ConfigView,
    Dependency,
    Fingerprints,
    Health,
    Items,
    Page,
    Registration,
    Remedy,
    SchemaInfo,
    SchemaIssue,
    SchemaReference,
    SchemaValidationReport,
    StateTransition,
    ValidationError,
    ValidationReport,
    ValidationWarning,
    VersionInfo,
    Violation,
)
from .v1 import answers_pb2, config_pb2, lifecycle_pb2, tools_pb2
from .v1 import schema_registry_pb2 as pb

DOMAIN = "schema-registry"

M = TypeVar("M", bound=Message)


def time(message: Message, field: str) -> datetime | None:
    """The time in a field, None when it is absent."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def item_error(
    m: pb.ValidationReport
    | pb.CompatibilityReport
    | answers_pb2.ValidateStreamResponse
    | tools_pb2.BatchGetSchemasResponse.Item,
) -> RegistryError | None:
    return error(m.error) if m.HasField("error") else None


def nothing(message: Message) -> None:
    """An answer without content."""


def reference(m: pb.SchemaReference) -> SchemaReference:
    return SchemaReference(m.name, m.subject, m.version, m.schema_id, m.ordinal)


def fingerprints(m: pb.Fingerprints) -> Fingerprints:
    return Fingerprints(m.content, m.generation, m.validation)


def schema_info(m: pb.SchemaInfo) -> SchemaInfo:
    return SchemaInfo(
        id=m.id,
        subject=m.subject,
        version=m.version,
        ordinal=m.ordinal,
        global_id=m.global_id,
        schema_type=SchemaType(m.schema_type),
        content=m.schema_content,
        references=tuple(map(reference, m.references)),
        fingerprints=fingerprints(m.fingerprints),
        options=dict(m.options),
        state=SchemaState(m.state),
        compatibility_level=CompatibilityLevel(m.compatibility_level),
        checksum=m.checksum,
        description=m.description if m.HasField("description") else None,
        tags=tuple(m.tags),
        metadata=dict(m.metadata),
        created_at=time(m, "created_at"),
        updated_at=time(m, "updated_at"),
        deleted_at=time(m, "deleted_at"),
        created_by=m.created_by,
        change_class=ChangeClass(m.change_class),
        revision=m.revision,
        page_token=m.page_token,
    )


def schema_of(
    m: pb.GetSchemaResponse | pb.UpdateSchemaMetadataResponse | lifecycle_pb2.UndeleteSchemaResponse,
) -> SchemaInfo:
    """The schema of an answer that carries nothing else."""
    return schema_info(m.schema)


def registration(m: pb.RegisterSchemaResponse) -> Registration:
    return Registration(
        schema_id=m.schema_id,
        subject=m.subject,
        version=m.version,
        ordinal=m.ordinal,
        global_id=m.global_id,
        created=m.created,
        state=SchemaState(m.state),
        change_class=ChangeClass(m.change_class),
        checksum=m.checksum,
        fingerprints=fingerprints(m.fingerprints),
        created_at=time(m, "created_at"),
        revision=m.revision,
        report=compatibility_report(m.report) if m.HasField("report") else None,
        previous_state=SchemaState(m.previous_state),
        softly_deleted_schema_id=m.softly_deleted_schema_id,
        warnings=tuple(map(schema_issue, m.warnings)),
        warnings_truncated=m.warnings_truncated,
    )


def violation(m: pb.CompatibilityViolation) -> Violation:
    return Violation(
        rule=m.rule,
        path=m.path,
        message=m.message,
        severity=Severity(m.severity),
        old_value=m.old_value,
        new_value=m.new_value,
        witness=m.witness,
        witness_text=m.witness_text,
        undecided=m.undecided,
        direction=m.direction,
        compared_version=m.compared_version,
    )


def compatibility_report(m: pb.CompatibilityReport) -> CompatibilityReport:
    return CompatibilityReport(
        compatible=m.compatible,
        verdict=Verdict(m.verdict),
        level=CompatibilityLevel(m.level),
        violations=tuple(map(violation, m.violations)),
        compared_versions=tuple(m.compared_versions),
        message=m.message,
        change_class=ChangeClass(m.change_class),
        suggested_version=m.suggested_version,
        assumptions=dict(m.assumptions),
        index=m.index,
        error=item_error(m),
        remedies=tuple(Remedy(r.kind, r.message, dict(r.settings)) for r in m.remedies),
    )


def validation_report(m: pb.ValidationReport) -> ValidationReport:
    return ValidationReport(
        valid=m.valid,
        schema_id=m.schema_id,
        errors=tuple(
            ValidationError(e.path, e.message, e.error_type, e.schema_path, e.expected, e.got)
            for e in m.errors
        ),
        warnings=tuple(ValidationWarning(w.path, w.message, w.warning_type) for w in m.warnings),
        truncated=m.truncated,
        validation_time_ms=m.validation_time_ms,
        text=m.text,
        index=m.index,
        error=item_error(m),
        subject=m.subject,
        version=m.version,
    )


def schema_issue(m: pb.SchemaIssue) -> SchemaIssue:
    return SchemaIssue(m.rule, m.message, m.pointer, m.line, m.column, Severity(m.severity), m.hint)


def schema_validation_report(m: pb.SchemaValidationReport) -> SchemaValidationReport:
    return SchemaValidationReport(
        valid=m.valid,
        errors=tuple(m.errors),
        warnings=tuple(m.warnings),
        issues=tuple(map(schema_issue, m.issues)),
        fingerprints=fingerprints(m.fingerprints) if m.HasField("fingerprints") else None,
        truncated=m.truncated,
    )


def versions_page(m: pb.ListVersionsResponse) -> Page[str]:
    return Page(tuple(m.versions), m.total_count, m.next_page_token)


def subjects_page(m: pb.ListSubjectsResponse) -> Page[str]:
    return Page(tuple(m.subjects), m.total_count, m.next_page_token)


def search_page(m: pb.SearchSchemasResponse) -> Page[SchemaInfo]:
    return Page(tuple(map(schema_info, m.schemas)), m.total_count, m.next_page_token, m.did_you_mean)


def dependencies(m: pb.DependenciesResponse) -> Items[Dependency]:
    found = (
        Dependency(d.schema_id, d.subject, d.version, d.name, d.dependency_type, d.depth)
        for d in m.dependencies
    )
    return Items.of(found, m.next_page_token)


def subject_versions(m: pb.GetSubjectVersionsResponse) -> Items[VersionInfo]:
    found = (
        VersionInfo(
            version=v.version,
            ordinal=v.ordinal,
            schema_id=v.schema_id,
            global_id=v.global_id,
            state=SchemaState(v.state),
            change_class=ChangeClass(v.change_class),
            created_at=time(v, "created_at"),
            deleted_at=time(v, "deleted_at"),
        )
        for v in m.versions
    )
    return Items.of(found, m.next_page_token)


def change_event(m: pb.SchemaChangeEvent) -> ChangeEvent:
    return ChangeEvent(
        event_type=EventType(m.event_type),
        subject=m.subject,
        version=m.version,
        ordinal=m.ordinal,
        schema_id=m.schema_id,
        timestamp=time(m, "timestamp"),
        changed_by=m.changed_by if m.HasField("changed_by") else None,
        metadata=dict(m.metadata),
        revision=m.revision,
        correlation_id=m.correlation_id,
        schema=schema_info(m.schema) if m.HasField("schema") else None,
        heartbeat=m.heartbeat,
    )


def health(m: pb.HealthCheckResponse) -> Health:
    return Health(
        status=HealthStatus(m.status),
        components={
            name: ComponentHealth(
                ComponentStatus(c.status), c.message if c.HasField("message") else None, dict(c.details)
            )
            for name, c in sorted(m.components.items())
        },
        version=m.version,
        timestamp=time(m, "timestamp"),
    )


def config(m: config_pb2.Config) -> Config:
    return Config(
        compatibility_level=CompatibilityLevel(m.compatibility_level)
        if m.HasField("compatibility_level")
        else None,
        mode=Mode(m.mode) if m.HasField("mode") else None,
        strictness=Strictness(m.strictness) if m.HasField("strictness") else None,
        writer_model=WriterModel(m.writer_model) if m.HasField("writer_model") else None,
        apply_defaults=m.apply_defaults if m.HasField("apply_defaults") else None,
        format_policy=FormatPolicy(m.format_policy) if m.HasField("format_policy") else None,
        undecided=UndecidedPolicy(m.undecided) if m.HasField("undecided") else None,
        default_dialect=m.default_dialect if m.HasField("default_dialect") else None,
        lint=LintPolicy(m.lint) if m.HasField("lint") else None,
        max_subjects=m.max_subjects if m.HasField("max_subjects") else None,
        max_versions=m.max_versions if m.HasField("max_versions") else None,
        max_bytes=m.max_bytes if m.HasField("max_bytes") else None,
        profiles=tuple(m.profiles.names) if m.HasField("profiles") else None,
        worst_fit=ProfileFit(m.worst_fit) if m.HasField("worst_fit") else None,
        coercions=tuple(Coercion(kind) for kind in m.coercions.kinds) if m.HasField("coercions") else None,
    )


def config_view(m: config_pb2.GetConfigResponse) -> ConfigView:
    return ConfigView(config(m.config), config(m.effective), dict(m.sources))


def config_set(m: config_pb2.SetConfigResponse) -> ConfigView:
    return ConfigView(config(m.config), config(m.effective), dict(m.sources), m.revision)


def deleted_versions(m: lifecycle_pb2.DeleteSubjectResponse) -> tuple[str, ...]:
    return tuple(m.versions)


def history(m: lifecycle_pb2.GetSchemaHistoryResponse) -> Items[StateTransition]:
    found = (
        StateTransition(
            SchemaState(t.from_state), SchemaState(t.to_state), t.trigger, t.actor, time(t, "at"), t.reason
        )
        for t in m.transitions
    )
    return Items.of(found, m.next_page_token)


def error(status: status_pb2.Status, *, request_id: str = "") -> RegistryError:
    """The exception for a google.rpc.Status, such as an item of a batch carries."""
    code = Code(status.code) if status.code in Code._value2member_map_ else Code.UNKNOWN
    info = _first(status.details, error_details_pb2.ErrorInfo)
    ours = info is not None and info.domain == DOMAIN
    reason = info.reason if info is not None and ours else ""
    metadata = dict(info.metadata) if info is not None and ours else {}
    named = metadata.pop("request_id", "")
    request = _first(status.details, error_details_pb2.RequestInfo)
    bad = _first(status.details, error_details_pb2.BadRequest)
    violations = [FieldViolation(v.field, v.description) for v in bad.field_violations] if bad else []
    failure = error_class(code, reason)(
        status.message or f"the call failed with {code.name}",
        code=code,
        reason=reason,
        metadata=metadata,
        violations=violations,
        request_id=named or (request.request_id if request else "") or request_id,
    )
    if isinstance(failure, IncompatibleSchema):
        report = _first(status.details, pb.CompatibilityReport)
        failure.report = compatibility_report(report) if report is not None else None
    if isinstance(failure, InvalidSchema):
        failure.issues = _issues(status.details, violations)
    if isinstance(failure, LintRefused):
        failure.issues = _issues(status.details, ())
    return failure


_ISSUE = re.compile(r"(?:line (?P<line>\d+), column (?P<column>\d+): )?(?P<message>.*)", re.DOTALL)


def _issues(details: Iterable[AnyMessage], violations: Iterable[FieldViolation]) -> tuple[SchemaIssue, ...]:
    """The issues that were sent, or what the violations say of them: `field#pointer`, `line 1, column 2: message`."""
    report = _first(details, pb.SchemaValidationReport)
    if report is not None:
        return tuple(map(schema_issue, report.issues))
    return tuple(_issue(v) for v in violations)


def _issue(violation: FieldViolation) -> SchemaIssue:
    pointer = violation.field.partition("#")[2]
    said = _ISSUE.fullmatch(violation.description)
    assert said is not None  # every part of the pattern may be missing
    return SchemaIssue(
        rule="",
        message=said["message"].removeprefix(f"{pointer}: "),
        pointer=pointer,
        line=int(said["line"] or 0),
        column=int(said["column"] or 0),
        severity=Severity.ERROR,
    )


def _first(details: Iterable[AnyMessage], kind: type[M]) -> M | None:
    for detail in details:
        message = kind()
        if detail.Unpack(message):
            return message
    return None
